"""What nodes are doing: on their way, running, stopped."""

from __future__ import annotations

from dataclasses import replace

from anysky.errors import ConflictError
from anysky.model.compute import Node, NodeState

from .catalogue import Catalogue
from .state import Boot

__all__ = ["Machines"]


class Machines(Catalogue):
    """Finds nodes in the state that they have reached by now."""

    def _node(self, node_id: str) -> Node:
        """Return a node as it is now.

        Raises:
            NotFoundError: There is no such node.
        """
        node, boot = self._state.nodes.get(node_id), self._state.boots.get(node_id)
        if boot is None or boot.looks > 0 or self._state.now < boot.ready_at:
            return node
        del self._state.boots[node_id]
        return self._state.nodes.put(node_id, replace(node, state=NodeState.RUNNING))

    def _seen(self, node_id: str) -> Node:
        """Return a node for somebody who looks at it, which counts."""
        node, boot = self._node(node_id), self._state.boots.get(node_id)
        if boot is not None:
            boot.looks -= 1
        return node

    def _node_in(self, node_id: str, *states: NodeState) -> Node:
        """Return a node that is in one of these states.

        Raises:
            ConflictError: It is in another.
        """
        node = self._node(node_id)
        if node.state not in states:
            wanted = " or ".join(states)
            raise ConflictError(f"the node {node_id!r} is {node.state}, not {wanted}")
        return node

    def _boot(self, node: Node, state: NodeState) -> Node:
        """Let a node that is kept already be on its way to run."""
        behaviour = self._state.behaviour
        ready_at = self._state.now + behaviour.boot_seconds
        self._state.boots[node.id] = Boot(ready_at, behaviour.boot_looks)
        return self._state.nodes.put(node.id, replace(node, state=state))
