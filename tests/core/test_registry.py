"""Finding providers, and what imports cost."""

import subprocess
import sys
import threading

import pytest

import anysky
import anysky.compute
from anysky import registry
from anysky.errors import DriverTypeNotFoundError, UnknownProviderError
from tests.core.echo import BlockingEcho


def modules_after(program):
    """Names of the modules that a program has imported, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def providers_in(modules):
    return {name.split(".")[2] for name in modules if name.startswith("anysky.providers.")}


def test_import_of_anysky_is_cheap():
    modules = modules_after("import anysky")

    assert {name for name in modules if name.startswith("anysky")} == {"anysky"}
    assert not modules & {"urllib3", "aiohttp", "asyncio", "ssl", "msgspec", "click", "logging"}


@pytest.mark.parametrize("one", ["digitalocean", "aws"])
def test_one_provider_imports_no_other(one):
    modules = modules_after(f"from anysky.compute import get_driver\nget_driver({one!r})")

    assert providers_in(modules) == {one}
    assert not modules & {"urllib3", "aiohttp", "asyncio"}


def test_each_api_imports_its_own_http_library_only():
    program = "from anysky.compute import get_driver\nd = get_driver('digitalocean')('x')"
    assert not modules_after(program) & {"urllib3", "aiohttp", "asyncio"}


@pytest.mark.parametrize("name", [anysky.Provider.DIGITAL_OCEAN, "digitalocean", "DigitalOcean"])
def test_names(name):
    found = anysky.compute.get_driver(name)

    assert found is anysky.compute.get_driver("digitalocean")
    assert found is anysky.get_driver(anysky.DriverType.COMPUTE, name)
    assert found is anysky.get_driver("COMPUTE", name)


def test_unknown_names():
    with pytest.raises(UnknownProviderError, match="did you mean 'digitalocean'"):
        anysky.compute.get_driver("digitalocaen")
    with pytest.raises(UnknownProviderError, match="lists all"):
        anysky.compute.get_driver("zzz")
    with pytest.raises(AttributeError):
        anysky.compute.get_driver("zzz")
    with pytest.raises(DriverTypeNotFoundError, match="there is no service 'coffee'"):
        anysky.get_driver("coffee", "aws")


def test_set_driver():
    made = anysky.compute.set_driver("echo_of_tests", "tests.core.echo", "BlockingEcho")

    assert made is BlockingEcho
    assert anysky.compute.get_driver("ECHO_OF_TESTS") is BlockingEcho
    with pytest.raises(UnknownProviderError, match="there already"):
        anysky.compute.set_driver("echo_of_tests", "tests.core.echo", "BlockingEcho")


@pytest.mark.parametrize(
    ("name", "module", "klass", "text"),
    [
        ("ec2", "tests.core.echo", "BlockingEcho", "there already"),
        ("other", "tests.no_such", "X", "cannot import 'tests.no_such'"),
        ("other", "tests.core.echo", "NoSuch", "has no class 'NoSuch'"),
        ("other", "tests.core.echo", "AsyncioEcho", "is a NodeDriver"),
        ("other", "tests.core.echo", "PROVIDER", "is a NodeDriver"),
    ],
)
def test_set_driver_that_cannot_be(name, module, klass, text):
    with pytest.raises(UnknownProviderError, match=text):
        anysky.compute.set_driver(name, module, klass)


def test_threads_get_one_class():
    registry._classes.clear()
    gate = threading.Barrier(16)
    found = []

    def work():
        gate.wait()
        found.append(anysky.compute.get_driver("digitalocean"))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id(one) for one in found}) == 1
