"""Whether the process that wrote something down still runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from anysky import processes
from anysky.processes import Process, this_process


def child():
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def process_of(one):
    return Process(one.pid, processes._start_of(one.pid), this_process().host)


def test_this_process_runs():
    assert this_process().pid == os.getpid()
    assert this_process().is_alive is True


def test_a_child_runs_until_it_ends():
    with child() as one:
        recorded = process_of(one)
        assert recorded.is_alive is True
        one.kill()
        os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
        assert recorded.is_alive is False  # although nobody has asked for its exit status yet
    assert recorded.is_alive is False


def test_a_later_process_of_the_same_number_is_another():
    assert replace(this_process(), started="1").is_alive is False
    assert Process(1, "0", this_process().host).is_alive is False


def test_of_another_machine_nothing_is_known():
    assert replace(this_process(), host="elsewhere").is_alive is None


def test_a_process_of_another_user_runs(monkeypatch):
    def refuse(pid, signal):
        raise PermissionError

    with child() as one:
        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", refuse)
            assert process_of(one).is_alive is True
        one.kill()


@pytest.mark.parametrize("pid", [2**22 + 1, 2**70])
def test_numbers_that_no_process_has(pid):
    assert Process(pid, "1", this_process().host).is_alive is False


def test_a_system_without_proc_goes_by_the_number(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "Path", lambda _: tmp_path / "there is none")
    with child() as one:
        recorded = process_of(one)
        assert (recorded.started, recorded.is_alive) == ("", True)
        one.kill()
    assert recorded.is_alive is False
