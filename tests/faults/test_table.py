"""The table of outcomes is complete, and says nothing of what does not exist."""

import pytest

from tests.faults import matrix, outcomes
from tests.faults.catalogue import FAULTS, Fault
from tests.faults.operations import OPERATIONS, ROWS
from tests.faults.outcomes import APIS, DEPARTURES, RULES, cells, declared

ALL = [(provider, row) for provider, rows in ROWS.items() for row in rows]


def test_every_cell_has_a_declared_outcome():
    undeclared = [
        (provider, row.operation, fault.name)
        for provider, row in ALL
        for fault, lasting in cells(row)
        if declared(provider, row, fault, lasting=lasting) is None
    ]

    assert undeclared == []


def test_every_fault_and_every_operation_is_tried():
    tried = {fault.name for _, row in ALL for fault, _ in cells(row)}

    assert tried == {fault.name for fault in FAULTS} == set(RULES)
    assert {row.operation for _, row in ALL} == set(OPERATIONS)


def test_every_departure_concerns_a_cell():
    idle = [
        departure.why
        for departure in DEPARTURES
        if not any(
            departure.concerns(provider, row, fault)
            for provider, row in ALL
            for fault, _ in cells(row)
        )
    ]

    assert idle == []


@pytest.mark.parametrize("api", APIS)
def test_what_is_not_as_declared_is_named(digitalocean, api, monkeypatch):
    row = next(row for row in ROWS["digitalocean"] if row.operation == "list_nodes")
    unknown = Fault("unheard-of", "nobody has thought of it", FAULTS[-1].action)
    known = next(fault for fault in FAULTS if fault.name == "500")
    monkeypatch.setattr(outcomes, "FAULTS", (unknown, known))
    monkeypatch.setitem(RULES, "500", RULES["409-busy"])

    found = matrix.failures(digitalocean, row, api)

    place = "digitalocean list_nodes, "
    assert [line.split(": ")[0] for line in found] == [
        f"{place}unheard-of, {api}",
        f"{place}unheard-of for good, {api}",
        f"{place}500, {api}",
        f"{place}500 for good, {api}",
    ]
    assert found[0].endswith("no outcome is declared")


@pytest.mark.parametrize("api", APIS)
def test_fault_that_does_not_strike_fails(digitalocean, api, monkeypatch):
    row = next(row for row in ROWS["digitalocean"] if row.operation == "list_nodes")
    monkeypatch.setattr(type(row), "strikes", lambda self, request: False)
    monkeypatch.setattr(outcomes, "FAULTS", tuple(f for f in FAULTS if f.name == "408"))

    found = matrix.failures(digitalocean, row, api)

    assert all("the fault did not strike" in line for line in found)
    assert len(found) == 2
