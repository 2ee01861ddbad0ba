"""Tags at providers that know plain words only: a tag is written ``key:value``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from anysky.errors import InvalidRequestError

__all__ = ["tags_of", "words_of"]


def words_of(tags: Mapping[str, str]) -> list[str]:
    """Write tags as plain words: ``key:value``, or the key alone where the value is empty.

    Raises:
        InvalidRequestError: A key has a colon, so that it would be read back as another one.
    """
    for key in tags:
        if ":" in key:
            raise InvalidRequestError(f"the key of a tag has no colon at this provider: {key!r}")
    return [f"{key}:{value}" if value else key for key, value in tags.items()]


def tags_of(words: Iterable[str]) -> dict[str, str]:
    """Read plain words as tags; a word without a colon becomes a key with an empty value."""
    return {key: value for key, _, value in (word.partition(":") for word in words)}
