"""Wait until nodes run and can be reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .backend.compute import ComputeBackend
from .errors import ConflictError, InvalidRequestError
from .model.compute import Filter, Node, NodeState
from .waiting import all_pages, wait_until

__all__ = ["address_reader", "wait_until_nodes_run"]

_NEVER_RUNS = frozenset({NodeState.TERMINATED, NodeState.ERROR})


def address_reader(interface: str, force_ipv4: bool) -> Callable[[Node], list[str]]:
    """Return a function that gives the addresses of a node on one side.

    Args:
        interface: ``"public_ips"`` or ``"private_ips"``.
        force_ipv4: Whether to leave out IPv6 addresses.

    Raises:
        InvalidRequestError: There is no such side.
    """
    if interface not in ("public_ips", "private_ips"):
        raise InvalidRequestError(
            f"ssh_interface is 'public_ips' or 'private_ips', not {interface!r}"
        )

    def read(node: Node) -> list[str]:
        addresses = node.public_ips if interface == "public_ips" else node.private_ips
        return [ip for ip in addresses if not force_ipv4 or _is_ipv4(ip)]

    return read


def _is_ipv4(address: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(address).version == 4  # noqa: PLR2004 - the 4 of IPv4
    except ValueError:
        return False


async def wait_until_nodes_run(
    backend: ComputeBackend,
    ids: Sequence[str],
    addresses: Callable[[Node], list[str]],
    *,
    filter: Filter,
    timeout: float,
    interval: float,
) -> list[tuple[Node, list[str]]]:
    """List nodes until all with these ids run and have an address.

    Raises:
        ConflictError: A node ended in a state from which it will not run.
        DeadlineExceededError: The time was not enough.
    """

    async def look() -> list[tuple[Node, list[str]]]:
        nodes = await all_pages(
            lambda cursor: backend.list_nodes(cursor, filter), backend.connection.limits
        )
        by_id = {node.id: node for node in nodes}
        return [(by_id[id], addresses(by_id[id])) for id in ids if id in by_id]

    def done(found: list[tuple[Node, list[str]]]) -> bool:
        for node, _ in found:
            if node.state in _NEVER_RUNS:
                raise ConflictError(f"node {node.id} is {node.state} and will not run")
        ready = [node for node, ips in found if node.state is NodeState.RUNNING and ips]
        return len(ready) == len(ids)

    return await wait_until(
        look,
        done,
        backend.runtime,
        what=f"running of {', '.join(ids)}",
        timeout=timeout,
        interval=interval,
        longest_interval=interval,
    )
