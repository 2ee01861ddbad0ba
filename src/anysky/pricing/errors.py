"""What can go wrong with prices; each is a `CloudError`.

::

    PricingError
    ├── PriceUnknownError            there is no figure, and ``require=True`` was given
    ├── CatalogueMissingError        the file that was asked for is not there or cannot be read
    ├── CatalogueDamagedError        the file is no catalogue, or is damaged
    ├── CatalogueSchemaError         the file, or a manifest, is for another version of anysky
    ├── UpdateUnavailableError       the address does not answer as it should: 404, no network
    ├── UpdateVerificationError      what came is not what was signed or promised; nothing changed
    ├── UpdateLockedError            another process is updating
    ├── CatalogueStoreError          the catalogue cannot be written: disk full, read-only
    ├── VendorDataError              what a vendor publishes is not as documented
    ├── PlotError                    a picture cannot be drawn or written
    ├── BuildFailedError             no provider's prices could be read, or a gate holds them
    └── OverridesError               the overrides file is wrong

``exit_code`` is what the command line ends with.
"""

from __future__ import annotations

from anysky.errors import (
    CloudError,
    ConflictError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
)

__all__ = [
    "BuildFailedError",
    "CatalogueDamagedError",
    "CatalogueMissingError",
    "CatalogueSchemaError",
    "CatalogueStoreError",
    "OverridesError",
    "PlotError",
    "PriceUnknownError",
    "PricingError",
    "UpdateLockedError",
    "UpdateUnavailableError",
    "UpdateVerificationError",
    "VendorDataError",
]


class PricingError(CloudError):
    """Something is wrong with prices.

    Attributes:
        exit_code: What the command line ends with: 2 network, 3 verification, 4 schema,
            5 locked, 1 anything else.
    """

    exit_code = 1


class PriceUnknownError(PricingError, NotFoundError):
    """The catalogue has no such figure.

    Attributes:
        near: Names close to those that were asked for.
    """

    def __init__(self, message: str, *, near: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.near = near


class CatalogueMissingError(PricingError, NotFoundError):
    """The catalogue that was asked for is not there or cannot be read."""


class CatalogueDamagedError(PricingError, MalformedResponseError):
    """The file is no catalogue, or is damaged."""

    exit_code = 3


class CatalogueSchemaError(PricingError):
    """The file or manifest has a schema that this version of anysky does not read."""

    exit_code = 4


class UpdateUnavailableError(PricingError):
    """The address does not answer as it should."""

    exit_code = 2


class UpdateVerificationError(PricingError):
    """What came is not what was signed or promised; the installed catalogue is as it was."""

    exit_code = 3


class UpdateLockedError(PricingError, ConflictError):
    """Another process is updating."""

    exit_code = 5
    retryable = True


class CatalogueStoreError(PricingError):
    """The catalogue cannot be written; the installed one is as it was."""


class VendorDataError(PricingError, MalformedResponseError):
    """What a vendor publishes of its prices is not as documented."""

    exit_code = 3


class PlotError(PricingError):
    """A picture cannot be drawn, because matplotlib is missing, or cannot be written."""


class BuildFailedError(PricingError):
    """No catalogue was made: no provider's prices could be read, or a gate holds them.

    Attributes:
        report: What happened to each provider; an `anysky.pricing.publishing.BuildReport`.
    """

    def __init__(self, message: str, *, report: object = None, exit_code: int = 3) -> None:
        super().__init__(message)
        self.report = report
        self.exit_code = exit_code


class OverridesError(PricingError, InvalidRequestError):
    """The overrides file is wrong."""
