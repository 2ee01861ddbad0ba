"""What tests of the memory cloud share."""

from __future__ import annotations

import pytest


@pytest.fixture
def cloud(anysky):
    return anysky.cloud


@pytest.fixture
def compute(anysky):
    return anysky.compute


@pytest.fixture
def storage(anysky):
    return anysky.storage


@pytest.fixture
def dns(anysky):
    return anysky.dns


@pytest.fixture
def balancers(anysky):
    return anysky.loadbalancer


@pytest.fixture
def make_node(compute):
    """Makes nodes of the first size and image."""

    def make(name="web", **options):
        return compute.create_node(
            name, compute.list_sizes()[0], compute.get_image("debian-12"), **options
        )

    return make
