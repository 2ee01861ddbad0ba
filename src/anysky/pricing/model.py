"""What a catalogue answers. Nothing here imports more than a first look-up needs."""

from __future__ import annotations

from decimal import Decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ["Price", "Record", "amount_of"]

_BILLIONTHS = -9


def amount_of(nano: int) -> Decimal:
    """Return an exact amount from whole billionths, without idle zeros."""
    amount = Decimal(nano).scaleb(_BILLIONTHS).normalize()
    exponent = amount.as_tuple().exponent
    return amount.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else amount


class Record:
    """Base of what a catalogue answers: cannot be changed, compares by value.

    It is made without `dataclasses`, whose import takes longer than a first look-up.
    """

    __slots__ = ()

    def __init__(self, **values: Any) -> None:
        for name in self._names():
            object.__setattr__(self, name, values.pop(name))
        if values:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(values)}")

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return tuple(cls.__annotations__)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, in order."""
        return {name: getattr(self, name) for name in self._names()}

    def replace(self, **values: Any) -> Any:
        """Return a copy in which some fields are others."""
        return type(self)(**{**self.to_dict(), **values})

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.to_dict().values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.to_dict())


def _rebuild(kind: type[Record], values: dict[str, Any]) -> Record:
    return kind(**values)


class Price(Record):
    """The list price of one size in one region, without tax.

    Attributes:
        provider: For example ``"aws"``.
        size: For example ``"m5.large"``.
        region: For example ``"eu-west-1"``.
        amount: How much one `unit` costs, exactly.
        currency: ISO 4217 code of the vendor's own currency.
        unit: ``"hour"``.
        os: Operating system that is included: linux, windows, rhel, rhel-ha, suse.
        licence: ``"included"``, or ``"byol"`` when you bring your own.
        term: ``"ondemand"``, or for example ``"commit-1y"``.
        upfront: What of a committed term is paid at once: none, partial, all.
        tenancy: ``"shared"``.
        as_of: ISO date at which the source had this figure.
        source: Address of the source.
        quality: ``"recorded"`` as the vendor said it, ``"composed"`` of its parts, ``"derived"``
            from other sizes of the family, ``"manual"`` from your overrides.
        catalogue: Version of the catalogue it was read from.
    """

    __slots__ = (
        "amount",
        "as_of",
        "catalogue",
        "currency",
        "licence",
        "os",
        "provider",
        "quality",
        "region",
        "size",
        "source",
        "tenancy",
        "term",
        "unit",
        "upfront",
    )  # fmt: skip
    provider: str
    size: str
    region: str
    amount: Decimal
    currency: str
    unit: str
    os: str
    licence: str
    term: str
    upfront: str
    tenancy: str
    as_of: str
    source: str
    quality: str
    catalogue: str
