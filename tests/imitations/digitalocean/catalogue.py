"""What DigitalOcean sells, in the form of its API: a part of it, enough for tests."""

from typing import Any

_FEATURES = [
    "backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer", "server_id",
    "management_networking",
]  # fmt: skip
_REGION_NAMES = {
    "ams3": "Amsterdam 3",
    "blr1": "Bangalore 1",
    "fra1": "Frankfurt 1",
    "lon1": "London 1",
    "nyc1": "New York 1",
    "nyc3": "New York 3",
    "sfo2": "San Francisco 2",
    "sfo3": "San Francisco 3",
    "sgp1": "Singapore 1",
    "syd1": "Sydney 1",
    "tor1": "Toronto 1",
}
_CLOSED_REGIONS = {"sfo2"}
ALL_REGIONS = sorted(_REGION_NAMES)

# slug, memory MiB, vcpus, disk GiB, transfer TiB, monthly and hourly price USD, description
_SIZES = (
    ("s-1vcpu-512mb-10gb", 512, 1, 10, 0.5, 4.0, 0.00595, "Basic"),
    ("s-1vcpu-1gb", 1024, 1, 25, 1.0, 6.0, 0.00893, "Basic"),
    ("s-1vcpu-2gb", 2048, 1, 50, 2.0, 12.0, 0.01786, "Basic"),
    ("s-2vcpu-2gb", 2048, 2, 60, 3.0, 18.0, 0.02679, "Basic"),
    ("s-2vcpu-4gb", 4096, 2, 80, 4.0, 24.0, 0.03571, "Basic"),
    ("s-4vcpu-8gb", 8192, 4, 160, 5.0, 48.0, 0.07143, "Basic"),
    ("c-2", 4096, 2, 25, 4.0, 42.0, 0.0625, "CPU-Optimized"),
    ("g-2vcpu-8gb", 8192, 2, 25, 4.0, 63.0, 0.09375, "General Purpose"),
    ("gpu-h100x1-80gb", 245760, 20, 720, 15.0, 2522.88, 3.39, "H100 GPU - 1X"),
)
_GPU_REGIONS = ["nyc3", "tor1"]

# id, name, distribution, slug, minimum disk GiB, size GiB, kind
_IMAGES = (
    (129211873, "12 x64", "Debian", "debian-12-x64", 7, 0.5, "distribution"),
    (112929454, "20.04 (LTS) x64", "Ubuntu", "ubuntu-20-04-x64", 7, 0.65, "distribution"),
    (155133621, "24.04 (LTS) x64", "Ubuntu", "ubuntu-24-04-x64", 7, 0.74, "distribution"),
    (120548592, "9 x64", "AlmaLinux", "almalinux-9-x64", 10, 0.63, "distribution"),
    (152077391, "Docker on Ubuntu 22.04", "Ubuntu", "docker-20-04", 25, 2.11, "application"),
    (147389531, "WordPress on Ubuntu 22.04", "Ubuntu", "wordpress-20-04", 25, 2.4, "application"),
)


def regions() -> dict[str, dict[str, Any]]:
    """Regions by slug."""
    slugs = [size["slug"] for size in sizes().values() if size["available"]]
    return {
        slug: {
            "name": name,
            "slug": slug,
            "features": list(_FEATURES),
            "available": slug not in _CLOSED_REGIONS,
            "sizes": [] if slug in _CLOSED_REGIONS else slugs,
        }
        for slug, name in _REGION_NAMES.items()
    }


def sizes() -> dict[str, dict[str, Any]]:
    """Sizes by slug."""
    return {each[0]: _size(*each) for each in _SIZES}


def images(created_at: str) -> dict[int, dict[str, Any]]:
    """Public images by id."""
    return {each[0]: _image(created_at, *each[:-1]) for each in _IMAGES}


def application_ids() -> frozenset[int]:
    """Ids of the public images that are one-click applications."""
    return frozenset(each[0] for each in _IMAGES if each[-1] == "application")


def _size(slug, memory, vcpus, disk, transfer, monthly, hourly, description) -> dict[str, Any]:
    gpu = slug.startswith("gpu-")
    return {
        "slug": slug,
        "memory": memory,
        "vcpus": vcpus,
        "disk": disk,
        "transfer": transfer,
        "price_monthly": monthly,
        "price_hourly": hourly,
        "regions": list(_GPU_REGIONS) if gpu else [r for r in ALL_REGIONS if r != "sfo2"],
        "available": True,
        "description": description,
        "networking_throughput": 2000,
        "disk_info": [{"type": "local", "size": {"amount": disk, "unit": "gib"}}],
    }


def _image(created_at, id, name, distribution, slug, min_disk, size) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "distribution": distribution,
        "slug": slug,
        "public": True,
        "regions": list(ALL_REGIONS),
        "created_at": created_at,
        "min_disk_size": min_disk,
        "type": "base",
        "size_gigabytes": size,
        "description": f"{distribution} {name}",
        "tags": [],
        "status": "available",
        "error_message": "",
    }
