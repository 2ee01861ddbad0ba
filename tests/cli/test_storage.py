"""``anysky storage``: what it does, prints and returns."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from anysky.cli import main
from anysky.config import find_profile, profile_names
from anysky.errors import InvalidAccountError
from anysky.secret import Secret
from anysky.storage import get_driver


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Where the profile ``disk`` keeps its containers."""
    config, made = tmp_path / "config", tmp_path / "disk"
    config.mkdir()
    made.mkdir()
    (config / "config.toml").write_text(f'[profiles.disk]\nprovider = "local"\npath = "{made}"\n')
    monkeypatch.setenv("ANYSKY_CONFIG_DIR", str(config))
    return made


@pytest.fixture
def container(root):
    with get_driver("local")(str(root)) as driver:
        yield driver.create_container("photos")


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(main, ["storage", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout


def run_json(*arguments: str, exit_code: int = 0):
    return json.loads(run(*arguments, "-o", "json", exit_code=exit_code))


def test_containers_are_made_listed_and_removed(root) -> None:
    assert run("mb", "disk:photos") == "photos\n"
    assert [one["name"] for one in run_json("ls", "disk:")] == ["photos"]
    assert run_json("rb", "disk:photos") == ["photos"]
    assert run_json("ls", "disk:") == []


def test_files_go_up_and_down(container, tmp_path) -> None:
    (tmp_path / "sky.txt").write_bytes(b"blue")

    run("cp", str(tmp_path / "sky.txt"), "disk:photos/2026/")
    assert run("cat", "disk:photos/2026/sky.txt") == "blue"
    run("cp", "disk:photos/2026/sky.txt", str(tmp_path / "back.txt"))
    assert (tmp_path / "back.txt").read_bytes() == b"blue"


def test_one_level_or_all_is_listed_and_counted(container) -> None:
    for name in ("a/b.txt", "a/c.txt", "d.txt"):
        container.upload_object_via_stream(b"12345", name)

    level = run_json("ls", "disk:photos")
    everything = run_json("ls", "-r", "disk:photos")

    assert [(one["name"], one["size"]) for one in level] == [("a/", None), ("d.txt", 5)]
    assert [one["name"] for one in everything] == ["a/b.txt", "a/c.txt", "d.txt"]
    assert run_json("du", "disk:photos") == {"objects": 3, "bytes": 15}
    assert run("du", "disk:photos/a/") == "2 objects, 10 bytes (10 B)\n"
    assert run("ls", "disk:photos").splitlines()[-1].split()[-1] == "d.txt"


def test_directories_are_synchronised(container, tmp_path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(12):
        (source / f"{number}").write_bytes(b"1")

    first = run_json("sync", str(source), "disk:photos/in")
    plan = run_json("sync", str(source), "disk:photos/in", "--dry-run", "--compare", "always")

    assert (first["copied"], first["failed"]) == (12, [])
    assert len(plan["actions"]) == 12
    for number in range(8):
        (source / f"{number}").unlink()
    refused = CliRunner().invoke(
        main, ["storage", "sync", str(source), "disk:photos/in", "--delete"]
    )
    assert refused.exit_code == 1
    assert "8 of the target's 12 objects would be deleted, and 3 may be" in refused.stderr
    allowed = ("--delete", "--max-delete", "8")
    assert run_json("sync", str(source), "disk:photos/in", *allowed)["deleted"] == 8


def test_what_fails_is_told_and_the_exit_code_differs(container, tmp_path) -> None:
    container.upload_object_via_stream(b"good", "good")
    container.upload_object_via_stream(b"evil", "../evil")

    result = CliRunner().invoke(main, ["storage", "sync", "disk:photos", str(tmp_path / "here")])

    assert result.exit_code == 7
    assert "1 copied (4 B), 0 unchanged, 0 deleted, 1 failed, 0 not tried" in result.stdout
    assert "failed: ../evil:" in result.stderr
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["good"]


def test_objects_are_moved_and_removed(container, tmp_path) -> None:
    for name in ("a/b", "a/c", "d"):
        container.upload_object_via_stream(b"1", name)

    run("mv", "disk:photos/d", "disk:photos/e")
    assert [one.name for one in container.list_objects()] == ["a/b", "a/c", "e"]
    assert run_json("rm", "-r", "disk:photos/a/", "--dry-run") == ["a/b", "a/c"]
    assert run_json("rm", "-r", "disk:photos/a/", "--yes")["deleted"] == 2
    run("rm", "disk:photos/e")
    assert container.list_objects() == []
    run("rm", "disk:photos/e", exit_code=3)


def test_names_from_outside_are_made_harmless(container) -> None:
    container.upload_object_via_stream(b"1", "\x1b[31mred")

    assert "\x1b" not in run("ls", "disk:photos")


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "/local/path"),
        ("cat", "disk:photos"),
        ("rb", "disk:photos/key"),
        ("cp", "disk:photos/a", "disk:photos/b", "--bandwidth", "fast"),
    ],
)
def test_wrong_usage(root, arguments) -> None:
    run(*arguments, exit_code=2)


def test_credentials_of_a_profile_are_hidden_and_kept_from_others(root) -> None:
    folder = root.parent / "config"
    credentials = folder / "credentials.toml"
    credentials.write_text('[disk]\nsecret = "abc"\n')
    credentials.chmod(0o600)

    found = find_profile("disk")

    assert (found.provider, found.settings["path"]) == ("local", str(root))
    assert found.settings["secret"] == Secret("abc")
    assert "abc" not in repr(found)
    assert profile_names() == ["disk"]
    credentials.chmod(0o644)
    with pytest.raises(InvalidAccountError, match="chmod 600"):
        find_profile("disk")


def test_a_damaged_file_is_not_shown(root) -> None:
    credentials = root.parent / "config" / "credentials.toml"
    credentials.write_text("[disk]\nsecret = hunter2\n")
    credentials.chmod(0o600)

    with pytest.raises(InvalidAccountError) as caught:
        find_profile("disk")

    assert "hunter2" not in str(caught.value)
