"""The files of `~/.aws`, against botocore's reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.session
from botocore.exceptions import ConfigParseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anysky.errors import InvalidAccountError
from anysky.providers.aws.profiles import Profile, Section, load_profiles
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest


class Runtime(BlockingRuntime):
    """A runtime with an environment of its own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @property
    def environ(self) -> Mapping[str, str]:
        return self._environ


def test_both_files_make_one_set_of_profiles(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[default]\nregion = eu-west-1\n\n"
        '[profile "with space"]\nRegion=eu-west-2\n'
        "[profile with-comment]\n# no\nrole_arn = arn:a#b ; c\n"
        "[with-comment]\nregion = ignored\n[sso-session s]\nregion = ignored\n[profile a b c]\n"
    )
    (tmp_path / "credentials").write_text(
        "\ufeff[default]\naws_access_key_id = KEY\n[profile x]\na = b\n"
    )

    profiles = run(
        load_profiles(
            Runtime(
                {
                    "AWS_CONFIG_FILE": f"{tmp_path}/config",
                    "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/credentials",
                }
            )
        )
    )

    assert profiles == {
        "default": Profile(
            "default", Section(region="eu-west-1"), Section(aws_access_key_id="KEY")
        ),
        "with space": Profile("with space", Section(region="eu-west-2")),
        "with-comment": Profile("with-comment", Section(role_arn="arn:a#b ; c")),
        "profile x": Profile("profile x", Section(), Section(a="b")),
    }


def test_files_that_are_not_there_are_empty(tmp_path: Path) -> None:
    (tmp_path / ".aws").write_text("a file where a folder is expected")

    assert run(load_profiles(Runtime({"HOME": str(tmp_path)}))) == {}
    assert run(load_profiles(Runtime({"HOME": f"{tmp_path}/none"}))) == {}
    assert run(load_profiles(Runtime({}))) == {}


def test_a_section_does_not_show_its_values() -> None:
    profile = Profile("p", credentials=Section(aws_secret_access_key="hidden"))

    assert repr(profile) == (
        "Profile(name='p', config=Section(), credentials=Section(aws_secret_access_key))"
    )


lines = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "[default]",
                "[profile a]",
                "[profile 'a b']",
                "[a]",
                "[profile a",
                "[DEFAULT]",
                "  indented = x",
                "s3 =",
                "# comment",
                "; comment",
                "",
                "=",
            ]
        ),
        st.builds(
            "{}{}{}".format,
            st.sampled_from(["region", "AWS_Access_Key_Id", "role_arn", "x y"]),
            st.sampled_from(["=", " = ", ": ", " ", ""]),
            st.text("abc=#;: []'\"%\\é", max_size=8),
        ),
    ),
    max_size=12,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(config=lines, credentials=lines)
def test_the_same_settings_as_botocore(
    config: list[str],
    credentials: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = {
        "AWS_CONFIG_FILE": f"{tmp_path}/config",
        "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/credentials",
    }
    (tmp_path / "config").write_text("\n".join(config))
    (tmp_path / "credentials").write_text("\n".join(credentials))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    try:
        theirs = botocore.session.Session().full_config["profiles"]
    except ConfigParseError:
        theirs = None
    try:
        ours = run(load_profiles(Runtime(environ)))
    except InvalidAccountError:
        ours = None

    if theirs is None:
        # botocore also refuses indented lines that are no settings; nothing here reads those
        return
    assert ours is not None
    assert {name: flat(profile.config | profile.credentials) for name, profile in ours.items()} == {
        name: flat(section) for name, section in theirs.items()
    }


def flat(section: Mapping[str, object]) -> dict[str, object]:
    """Leave out blocks of indented lines, which botocore parses further."""
    return {
        name: value
        for name, value in section.items()
        if isinstance(value, str) and not value.startswith("\n")
    }
