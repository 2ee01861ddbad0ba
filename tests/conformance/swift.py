"""What the suites over Swift have in common."""

from __future__ import annotations

from anysky.providers.openstack.storage import Swift
from anysky.storage import get_driver

PAGE = 10
"""Entries of a page in the suites: a page of 1,000 takes long to fill."""


def with_key(settings):
    """Return settings of an account that has a key for signed URLs."""
    with get_driver("openstack_swift")(**settings) as driver:
        driver.call(Swift.set_temp_url_key)
    return settings


def empty(settings):
    """Delete all that an account has, versions too."""
    with get_driver("openstack_swift")(**settings) as driver:
        for container in driver.list_containers():
            if container.extra["object_count"] or list(container.list_objects()):
                empty_container(driver, container)
            driver.delete_container(container)


def empty_container(driver, container):
    try:
        if driver.get_versioning(container):
            driver.set_versioning(container, False)
        for version in driver.list_object_versions(container):
            version.delete()
    except NotImplementedError:
        pass
    for obj in container.list_objects():
        obj.delete()


def fill(settings, listing, count):
    """Add so many containers, objects, versions or uploads to what a list returns."""
    with get_driver("openstack_swift")(**settings) as driver:
        there = driver.list_containers()
        container = there[0] if there else driver.create_container("anysky-pages")
        first = len(container.list_objects())
        for number in range(first, first + count):
            container.upload_object_via_stream(b"x", f"object-{number:04}")
