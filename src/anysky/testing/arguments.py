"""Arguments to call any operation of the standard API with, none of which exists."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anysky.model.compute import Node, NodeState, SecurityGroupRule
from anysky.model.storage import MultipartUpload

from .trial import Trial

__all__ = ["arguments_for"]

_TEXT = "anysky-no-such-thing"

_MODELS: Mapping[str, Callable[[Any, Any], Any]] = {
    "node": lambda _m, _d: Node("0", _TEXT, NodeState.UNKNOWN, [], []),
    "nodes": lambda m, d: [m.Node("0", _TEXT, NodeState.UNKNOWN, [], [], d)],
    "count": lambda _m, _d: 1,
    "size": lambda m, d: m.NodeSize("0", _TEXT, 0, 0, None, None, d),
    "image": lambda m, d: m.NodeImage("0", _TEXT, d),
    "node_image": lambda m, d: m.NodeImage("0", _TEXT, d),
    "volume": lambda m, d: m.StorageVolume("0", _TEXT, 1, d),
    "snapshot": lambda m, d: m.VolumeSnapshot("0", d),
    "key_pair": lambda m, d: m.KeyPair(_TEXT, "", "", d),
    "network": lambda m, _d: m.Network("0", _TEXT, ""),
    "subnet": lambda m, _d: m.Subnet("0", _TEXT, "", "0"),
    "group": lambda m, _d: m.SecurityGroup("0", _TEXT, ""),
    "rule": lambda _m, _d: SecurityGroupRule("ingress", "tcp", 22, 22),
    "address": lambda m, _d: m.FloatingIP("0", "192.0.2.1"),
    "container": lambda m, d: m.Container(_TEXT, {}, d),
    "obj": lambda m, d: m.Object(_TEXT, 0, None, {}, {}, m.Container(_TEXT, {}, d), d),
    "objects": lambda m, d: [m.Object(_TEXT, 0, None, {}, {}, m.Container(_TEXT, {}, d), d)],
    "source": lambda m, d: m.Object(_TEXT, 0, None, {}, {}, m.Container(_TEXT, {}, d), d),
    "upload": lambda m, d: MultipartUpload(m.Container(_TEXT, {}, d), _TEXT, "0"),
    "tags": lambda _m, _d: {},
    "enabled": lambda _m, _d: False,
    "iterator": lambda _m, _d: b"",
    "start_bytes": lambda _m, _d: 0,
    "zone": lambda m, d: m.Zone("0", "example.com", "master", None, d),
    "record": lambda m, d: m.Record("0", "www", "A", "", m.Zone("0", "x", "master", None, d), d),
    "data": lambda _m, _d: "192.0.2.1",
    "file_path": lambda _m, _d: os.devnull,
    "key_file_path": lambda _m, _d: os.devnull,
    "balancer": lambda m, d: m.LoadBalancer("0", _TEXT, m.State.UNKNOWN, "", None, d),
    "member": lambda m, _d: m.Member(None, "192.0.2.1", 80),
    "members": lambda _m, _d: (),
    "port": lambda _m, _d: 80,
    "protocol": lambda _m, d: next(iter(d.list_protocols()), "tcp"),
    "algorithm": lambda _m, _d: None,
}


def arguments_for(trial: Trial, parameters: Sequence[inspect.Parameter]) -> dict[str, Any]:
    """Return a value for each parameter that needs one."""
    return {
        one.name: _value(trial, one.name)
        for one in parameters
        if one.default is one.empty and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    }


def _value(trial: Trial, name: str) -> Any:
    if name == "type":
        return next(iter(trial.driver.list_record_types()), "A")
    make = _MODELS.get(name)
    return _TEXT if make is None else make(trial.module, trial.driver)
