"""Sizes, locations and public images of a cloud that is given none."""

from __future__ import annotations

from decimal import Decimal

from anysky.model.compute import NodeImage, NodeLocation, NodeSize

__all__ = ["IMAGES", "LOCATIONS", "SIZES"]

LOCATIONS = (
    NodeLocation("eu-north", "Reykjavik", "IS"),
    NodeLocation("eu-south", "Lisbon", "PT"),
    NodeLocation("us-east", "Montreal", "CA"),
)
SIZES = (
    NodeSize("small", "Small", 1024, 25, 1000, Decimal("0.01"), vcpus=1),
    NodeSize("medium", "Medium", 4096, 80, 4000, Decimal("0.04"), vcpus=2),
    NodeSize("large", "Large", 16384, 320, 5000, Decimal("0.16"), vcpus=8),
)
IMAGES = (
    NodeImage("debian-12", "Debian 12", {"public": True}),
    NodeImage("debian-13", "Debian 13", {"public": True}),
    NodeImage("ubuntu-24-04", "Ubuntu 24.04", {"public": True}),
)
