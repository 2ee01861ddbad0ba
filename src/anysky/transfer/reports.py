"""What became of many transfers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from anysky.errors import CloudError
from anysky.outcomes import Failure

__all__ = ["Action", "TransferReport"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a synchronisation does, or would do.

    Attributes:
        kind: ``"copy"`` or ``"delete"``.
        name: The object's name below the source or target.
        size: Bytes to copy; 0 for what is deleted.
        reason: Why: ``"new"``, ``"size"``, ``"mtime"``, ``"checksum"``, ``"always"`` or
            ``"not in the source"``.
    """

    kind: Literal["copy", "delete"]
    name: str
    size: int
    reason: str


@dataclass(slots=True)
class TransferReport:
    """What became of many transfers; true if none failed.

    Attributes:
        copied: How many objects were copied.
        bytes: Their bytes in all.
        unchanged: How many were the same already.
        deleted: How many were deleted from the target.
        failed: Those that failed, each by its name with its error.
        not_tried: How many were not begun, since what failed before would have failed again, or
            too many were to be deleted.
        actions: What would be done; only of a dry run.
    """

    copied: int = 0
    bytes: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: list[Failure] = field(default_factory=list[Failure])
    not_tried: int = 0
    actions: list[Action] = field(default_factory=list[Action])

    def __bool__(self) -> bool:
        return not (self.failed or self.not_tried)

    def add(self, other: TransferReport) -> None:
        """Add what became of further ones."""
        self.copied += other.copied
        self.bytes += other.bytes
        self.unchanged += other.unchanged
        self.deleted += other.deleted
        self.failed += other.failed
        self.not_tried += other.not_tried
        self.actions += other.actions

    def fail(self, name: str, error: CloudError) -> None:
        """Note one that failed."""
        self.failed.append(Failure(name, error))

    def raise_if_failed(self) -> None:
        """Raise if not all succeeded.

        Raises:
            CloudError: The error of the first that failed; a note counts them.
        """
        if self.failed:
            error = self.failed[0].error
            error.add_note(
                f"{self.copied} were copied, {len(self.failed)} failed, "
                f"{self.not_tried} were not tried"
            )
            raise error
