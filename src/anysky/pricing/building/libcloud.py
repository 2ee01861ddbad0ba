"""Make a catalogue from a price file of Libcloud, cleaned."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, cast

from .azure import azure_aliases, azure_figures, azure_spec
from .draft import Draft, Spec, Vendor
from .ec2 import ec2_figures
from .gce import gce_components, gce_figures, gce_rates, gce_specs
from .regions import regions_of

__all__ = ["AGED", "libcloud_draft", "updated_on"]

AGED = "2020-12-27"
"""Date of the Azure and Google figures: they have not changed since Libcloud 3.3.0."""

_PROVIDERS = (
    Vendor(
        "aws", "Amazon Web Services", "USD", "https://aws.amazon.com/ec2/pricing/", granularity=1
    ),
    Vendor(
        "azure",
        "Microsoft Azure",
        "USD",
        "https://azure.microsoft.com/pricing/details/virtual-machines/",
        granularity=1,
    ),
    Vendor("gcp", "Google Cloud", "USD", "https://cloud.google.com/pricing/list", granularity=1),
)
_ALIASES = [
    ("provider", "", "ec2", "aws"),
    ("provider", "", "azure_arm", "azure"),
    ("provider", "", "gce", "gcp"),
]


def updated_on(data: Mapping[str, Any]) -> dt.date:
    """Return the day on which a price file was last written.

    Raises:
        ValueError: It does not say.
    """
    updated = data.get("updated")
    if not isinstance(updated, int):
        raise ValueError("the price file does not say when it was updated")  # noqa: TRY004 - of the file
    return dt.datetime.fromtimestamp(updated, dt.UTC).date()


def libcloud_draft(
    data: Mapping[str, Any],
    *,
    url: str,
    ec2_specs: Mapping[str, Spec],
    version: str,
    aged: str = AGED,
) -> Draft:
    """Return the catalogue of a price file.

    Figures without currency, date or unit, which those of all small providers in it are, are left
    out: they cannot be checked.

    Args:
        data: The file's content.
        url: Where it comes from.
        ec2_specs: What EC2's sizes have; the file does not say.
        version: Version of the new catalogue.
        aged: Date of the figures of Azure and Google.

    Raises:
        ValueError: The file is not as it should be.
    """
    part = data.get("compute")
    if not isinstance(part, dict):
        raise ValueError("the price file has no part 'compute'")  # noqa: TRY004 - of the file
    compute = cast("dict[str, Any]", part)
    as_of = updated_on(data).isoformat()
    draft = Draft(version, "Facts from Apache Libcloud's price file (Apache-2.0), cleaned.")
    draft.providers += _PROVIDERS
    try:
        draft.figures += ec2_figures(compute, url, as_of)
        draft.figures += azure_figures(compute, url, aged)
        draft.figures += gce_figures(compute, url, aged)
        draft.components += gce_components(compute, url, aged)
        draft.rates += gce_rates(compute, url, aged)
        draft.aliases += [*_ALIASES, *azure_aliases(compute)]
    except (AttributeError, KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"the price file is not as it should be: {error!r}") from error
    _describe(draft, ec2_specs)
    return draft


def _describe(draft: Draft, ec2_specs: Mapping[str, Spec]) -> None:
    """Add regions and sizes of all figures."""
    google = gce_specs()
    for provider in ("aws", "azure", "gcp"):
        known = regions_of(provider)
        used = {one.region for one in draft.figures if one.provider == provider}
        draft.figures = [
            one for one in draft.figures if one.provider != provider or one.region in known
        ]
        draft.regions |= {(provider, name): known[name] for name in used & known.keys()}
    for provider, name in {(one.provider, one.size) for one in draft.figures}:
        by_provider = {"aws": ec2_specs.get(name), "gcp": google.get(name)}
        spec = azure_spec(name) if provider == "azure" else by_provider[provider]
        if spec is not None:
            draft.specs[provider, name] = spec
