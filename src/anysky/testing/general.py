"""Cases that are the same for every service."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from anysky.errors import InvalidAccountError, UnsupportedOperationError

from .arguments import arguments_for
from .case import case
from .lists import list_of
from .trial import Trial, check, equal, finished

__all__: list[str] = []

_OPTION = "ex_no_such_option"
_PORTABLE = ("NodeDriver", "StorageDriver", "DNSDriver", "LoadBalancerDriver")
_NOT_SENT = ("list_record_types", "list_protocols", "list_supported_algorithms")
_CATALOGUE = ("list_sizes", "list_locations", "list_images")


@case()
async def unsupported_operations_send_nothing(trial: Trial) -> None:
    """What `supports` denies raises `UnsupportedOperationError` before anything is sent."""
    for name, call in _calls(trial):
        if not trial.driver.supports(name):
            await trial.silent(UnsupportedOperationError, call, name)


@case()
async def unknown_options_send_nothing(trial: Trial) -> None:
    """An option that the provider does not declare is refused before anything is sent."""
    for name, call in _calls(trial, **{_OPTION: 1}):
        await trial.silent(UnsupportedOperationError, call, f"{name}({_OPTION}=1)")


@case()
async def unknown_attributes_are_no_operations(trial: Trial) -> None:
    """``driver.ex_…`` is there for operations of the provider's own and for nothing else."""
    for name in ("ex_no_such_operation", "no_such_operation"):
        check(not hasattr(trial.driver, name), f"the driver should have no attribute {name}")
        equal(trial.driver.supports(name), False, f"supports({name!r})")


@case()
async def declared_options_are_described(trial: Trial) -> None:
    """Options belong to operations that take some, and say what they are."""
    taking = {trial.driver._operation_name(name) for name, _ in _calls(trial, **{_OPTION: 1})}
    backend = trial.driver._backend_class
    equal(sorted(set(backend.options) - taking), [], "operations with options that take none")
    for operation, options in backend.options.items():
        equal(trial.driver.options(operation), options, f"options of {operation}")
        names = [option.name for option in options]
        equal(len(set(names)), len(names), f"number of different options of {operation}")
        for option in options:
            check(option.name.startswith("ex_"), f"{option.name} should begin with ex_")
            check(option.type and option.help, f"{operation}({option.name}) should say what it is")


@case()
async def making_a_driver_sends_nothing(trial: Trial) -> None:
    """A driver tells what it is without sending anything, and refuses settings it does not know."""
    driver = trial.driver
    for attribute in ("name", "api_name", "website", "type"):
        check(isinstance(getattr(driver, attribute), str), f"the driver should have {attribute}")
        check(getattr(driver, attribute), f"{attribute} of the driver should not be empty")
    settings = {**trial.setup.settings, "no_such_setting": "x"}
    try:
        type(driver)(**settings)
    except InvalidAccountError as error:
        check("no_such_setting" in str(error), f"{error} should name the setting")
    else:
        raise AssertionError("a setting that does not exist should be refused")
    equal(trial.requests, [], "requests")


@case()
async def lists_work_on_an_empty_account(trial: Trial) -> None:
    """Every supported list without arguments returns a list, and its lazy twin the same."""
    for name in _plain_lists(trial):
        items = await trial.do(list_of(trial, name))
        check(type(items) is list, f"{name} should return a list, not {type(items)}")
        if hasattr(trial.driver, name.replace("list_", "iterate_", 1)):
            lazy = await trial.do(list_of(trial, name, "iterate_"))
            check(lazy == items, f"the lazy twin of {name} should yield the same")


@case()
async def a_driver_can_be_closed_twice(trial: Trial) -> None:
    """Closing a driver that was never used, or that is closed, does nothing."""
    await finished(trial.driver.close())
    await finished(trial.driver.close())
    equal(trial.requests, [], "requests")


def _plain_lists(trial: Trial) -> Iterator[str]:
    """Yield the supported lists that can be called without arguments."""
    for name, method in _methods(trial):
        parameters = list(inspect.signature(method).parameters.values())[1:]
        plain = name.startswith("list_") and not arguments_for(trial, parameters)
        if plain and name not in _CATALOGUE and trial.driver.supports(name):
            yield name


def _calls(trial: Trial, **options: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield every operation with a call of it; with options only those that take some."""
    for name, method in _methods(trial):
        parameters = inspect.signature(method).parameters.values()
        takes_options = any(one.kind is one.VAR_KEYWORD for one in parameters)
        if options and not takes_options:
            continue
        arguments = arguments_for(trial, list(parameters)[1:])
        yield name, partial(getattr(trial.driver, name), **arguments, **options)


def _methods(trial: Trial) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the portable operations of the service."""
    portable = next(cls for cls in type(trial.driver).__mro__ if cls.__name__ in _PORTABLE)
    for name, value in vars(portable).items():
        if inspect.isfunction(value) and not name.startswith("_") and name not in _NOT_SENT:
            yield name, value
