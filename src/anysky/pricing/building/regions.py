"""Where the regions of the three large vendors are: name, part of the world, country.

From https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html,
https://learn.microsoft.com/azure/reliability/regions-list and
https://cloud.google.com/compute/docs/regions-zones.
"""

from __future__ import annotations

from .draft import Region

__all__ = ["geo_of", "regions_of"]

_TABLES = {
    "aws": """
        af-south-1 af ZA|ap-east-1 ap HK|ap-northeast-1 ap JP|ap-northeast-2 ap KR
        ap-northeast-3 ap JP|ap-south-1 ap IN|ap-south-2 ap IN|ap-southeast-1 ap SG
        ap-southeast-2 ap AU|ap-southeast-3 ap ID|ap-southeast-4 ap AU|ap-southeast-5 ap MY
        ap-southeast-7 ap TH|ca-central-1 na CA|ca-west-1 na CA|eu-central-1 eu DE
        eu-central-2 eu CH|eu-north-1 eu SE|eu-south-1 eu IT|eu-south-2 eu ES|eu-west-1 eu IE
        eu-west-2 eu GB|eu-west-3 eu FR|il-central-1 me IL|me-central-1 me AE|me-south-1 me BH
        mx-central-1 na MX|sa-east-1 sa BR|us-east-1 na US|us-east-2 na US|us-gov-east-1 na US
        us-gov-west-1 na US|us-west-1 na US|us-west-2 na US|us-west-2-lax-1 na US
    """,
    "azure": """
        australiacentral ap AU|australiacentral2 ap AU|australiaeast ap AU|australiasoutheast ap AU
        brazilsouth sa BR|brazilsoutheast sa BR|canadacentral na CA|canadaeast na CA
        centralindia ap IN|centralus na US|eastasia ap HK|eastus na US|eastus2 na US
        francecentral eu FR|francesouth eu FR|germanynorth eu DE|germanywestcentral eu DE
        japaneast ap JP|japanwest ap JP|koreacentral ap KR|koreasouth ap KR|northcentralus na US
        northeurope eu IE|norwayeast eu NO|norwaywest eu NO|southafricanorth af ZA
        southafricawest af ZA|southcentralus na US|southeastasia ap SG|southindia ap IN
        switzerlandnorth eu CH|switzerlandwest eu CH|uaecentral me AE|uaenorth me AE|uksouth eu GB
        ukwest eu GB|usgovarizona na US|usgovtexas na US|usgovvirginia na US|westcentralus na US
        westeurope eu NL|westindia ap IN|westus na US|westus2 na US
    """,
    "gcp": """
        asia-east1 ap TW|asia-east2 ap HK|asia-northeast1 ap JP|asia-northeast2 ap JP
        asia-northeast3 ap KR|asia-south1 ap IN|asia-southeast1 ap SG|asia-southeast2 ap ID
        australia-southeast1 ap AU|europe-north1 eu FI|europe-west1 eu BE|europe-west2 eu GB
        europe-west3 eu DE|europe-west4 eu NL|europe-west6 eu CH|northamerica-northeast1 na CA
        southamerica-east1 sa BR|us-central1 na US|us-east1 na US|us-east4 na US|us-west1 na US
        us-west2 na US|us-west3 na US|us-west4 na US
    """,
    "linode": """
        us-east na US|us-central na US|us-west na US|ca-central na CA|eu-west eu GB
        eu-central eu DE|ap-south ap SG|ap-northeast ap JP|ap-west ap IN|ap-southeast ap AU
        id-cgk ap ID
    """,
    "upcloud": "au-syd1 ap AU",
    "vultr": "ewr na US|ord na US|fra eu DE|sao sa BR",
}


_COUNTRIES = {
    "af": "EG KE MA NG ZA",
    "ap": "AU CN HK ID IN JP KR MY NZ PH SG TH TW VN",
    "eu": "AT BE BG CH CZ DE DK ES FI FR GB GR HR IE IT LT LU NL NO PL PT RO RS SE UK",
    "me": "AE BH IL KW QA SA TR",
    "na": "CA MX US",
    "sa": "AR BR CL CO PE",
}
_GEOS = {country: geo for geo, countries in _COUNTRIES.items() for country in countries.split()}


def geo_of(country: str) -> str | None:
    """Return the part of the world in which a country is, or None if it is not known here."""
    return _GEOS.get(country)


def regions_of(provider: str) -> dict[str, Region]:
    """Return the regions of a provider by their names."""
    entries = _TABLES[provider].replace("\n", "|").split("|")
    parts = [entry.split() for entry in entries if entry.strip()]
    return {name: Region(provider, name, geo, country) for name, geo, country in parts}
