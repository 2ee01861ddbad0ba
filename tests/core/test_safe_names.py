"""Names of objects as names of files: hostile ones are refused, or mapped and given back."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anysky.errors import InvalidRequestError
from anysky.safe_names import POSIX, WINDOWS, NameMap, local_path, object_name

ROOT = Path("/srv/downloads")

ORDINARY = [
    "a",
    "a.txt",
    "reports/2026.csv",
    "a b/c d.txt",
    ".hidden",
    "..hidden",
    "...",
    "a..b",
    "umlaut ü/漢字/🎈.txt",
    "100%",
    "50% off/a%b",
    "-rf",
    "~root/.ssh/authorized_keys",
    "$HOME",
    "`id`",
    "a;rm -rf x",
    "quote'name",
    "a+b=c&d",
    "#hash!@(1)[2]{3},^",
    "x" * 255,
    "d/" * 200 + "f",
]

# Nothing of these may be a file under the rules of any system.
HOSTILE = [
    "",
    "/",
    "//",
    "///",
    "/etc/passwd",
    "//etc/passwd",
    "//server/share/x",
    "a//b",
    "a/",
    "a//",
    "a/b/",
    ".",
    "..",
    "./a",
    "../a",
    "a/.",
    "a/..",
    "a/../b",
    "a/./b",
    "../../etc/passwd",
    "a/../../etc/passwd",
    "a/b/../../../x",
    "./../a",
    "../",
    "./",
    "a/../",
    "../" * 100 + "etc/passwd",
    "a/" + "../" * 50 + "x",
    "\0",
    "a\0",
    "\0a",
    "a/b\0c",
    "a\0/../b",
    "a.txt\0.jpg",
    "../\0",
    "a\nb",
    "a\rb",
    "\r\n",
    "a\tb",
    "a\x1b[31mred",
    "a\x07",
    "a\x08b",
    "a\x7f",
    "a\x0bb",
    "a\x0cb",
    "\x01",
    "\x1f",
    "a/\x02/b",
    "a\x85b",
    "a\x9bb",
    "\x80",
    "x" * 256,
    "x" * 1024,
    "a/" + "x" * 256,
    "x" * 256 + "/a",
    "." * 256,
    " " * 256,
    "\ud800",
    "a\udfffb",
    "\udc80",
    "\ud83d",
]

# These may be files under the rules of POSIX, but not of Windows.
WINDOWS_ONLY = [
    "..\\..\\windows\\system32\\x.dll",
    "..\\a",
    "a\\b",
    "\\a",
    "a\\",
    "\\",
    "\\\\server\\share\\x",
    "\\\\?\\C:\\x",
    "\\\\.\\PhysicalDrive0",
    "\\??\\C:\\x",
    "a/..\\..\\b",
    "C:",
    "C:x",
    "c:/windows/x",
    "C:\\windows\\x",
    "a/C:/x",
    "file:///etc/passwd"[:5] + "x",
    "a:stream",
    "a.txt::$DATA",
    "a.txt:evil.exe:$DATA",
    "CON",
    "con",
    "Con",
    "PRN",
    "AUX",
    "aux",
    "NUL",
    "nul",
    "COM0",
    "COM1",
    "COM2",
    "COM9",
    "com1",
    "COM¹",
    "COM²",
    "COM³",
    "LPT0",
    "LPT1",
    "LPT9",
    "lpt3",
    "LPT¹",
    "CONIN$",
    "CONOUT$",
    "conout$",
    "CON.txt",
    "con.tar.gz",
    "NUL.",
    "NUL ",
    "NUL .txt",
    "nul  .txt",
    "NUL.txt ",
    "aux.h",
    "a/CON",
    "CON/a",
    "a/nul.txt/b",
    "COM1.log",
    "LPT1 .x",
    "a.",
    "a..",
    "a ",
    "a  ",
    "a. .",
    "...",
    ".. ",
    ". ",
    ". .",
    " ",
    "a/b./c",
    "a /b",
    "a<b",
    "a>b",
    'a"b',
    "a|b",
    "a?b",
    "a*b",
    "*",
    "?",
    "a/b?c/d",
]

LONG_FOR_BYTES_ONLY = ["漢" * 86, "ü" * 128, "🎈" * 64]


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_stay_as_they_are(name):
    path = local_path(ROOT, name, rules=POSIX)

    assert path == ROOT / name
    assert object_name(ROOT, path) == name


@pytest.mark.parametrize("encode", [False, True])
@pytest.mark.parametrize("name", ["a.txt", "reports/2026.csv", "ü/漢字.txt", "100%", ".hidden"])
def test_encoding_leaves_ordinary_names_alone(name, encode):
    assert local_path(ROOT, name, encode=encode, rules=WINDOWS) == ROOT / name


@pytest.mark.parametrize("rules", [POSIX, WINDOWS], ids=["posix", "windows"])
@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_are_refused(name, rules):
    with pytest.raises(InvalidRequestError):
        local_path(ROOT, name, rules=rules)
    with pytest.raises(InvalidRequestError):
        NameMap(ROOT, rules=rules).local_path(name)


@pytest.mark.parametrize("name", WINDOWS_ONLY, ids=ascii)
def test_names_that_only_windows_cannot_have(name):
    with pytest.raises(InvalidRequestError):
        local_path(ROOT, name, rules=WINDOWS)
    if name not in (".. ", ". "):
        assert local_path(ROOT, name, rules=POSIX) == ROOT / name


@pytest.mark.parametrize("name", LONG_FOR_BYTES_ONLY, ids=["han", "umlaut", "balloon"])
def test_each_system_measures_names_in_its_own_way(name):
    assert local_path(ROOT, name, rules=WINDOWS) == ROOT / name
    with pytest.raises(InvalidRequestError, match="is longer than 255"):
        local_path(ROOT, name, rules=POSIX)


@pytest.mark.parametrize("rules", [POSIX, WINDOWS], ids=["posix", "windows"])
@pytest.mark.parametrize(
    "name",
    [name for name in (*HOSTILE, *WINDOWS_ONLY, *LONG_FOR_BYTES_ONLY, *ORDINARY) if name],
    ids=ascii,
)
def test_every_name_can_be_encoded_and_comes_back(name, rules):
    path = local_path(ROOT, name, encode=True, rules=rules)

    check_is_safe(path, rules)
    assert object_name(ROOT, path, encode=True) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
        ("/etc/passwd", "%-/etc/passwd"),
        ("a//b/", "a/%-/b/%-"),
        ("a\0b", "a%00b"),
        ("CON.txt", "%43ON.txt"),
        ("C:\\x", "C%3A%5Cx"),
        ("a. ", "a.%20"),
        ("a%41", "a%2541"),
        ("100%", "100%"),
        ("%-", "%25-"),
        ("a%+", "a%25+"),
    ],
)
def test_how_names_are_encoded(name, expected):
    path = local_path(ROOT, name, encode=True, rules=WINDOWS)

    assert path.relative_to(ROOT).as_posix() == expected


def test_a_long_part_becomes_directories():
    path = local_path(ROOT, "d/" + "x" * 600, encode=True, rules=POSIX)

    sizes = [len(part) for part in path.relative_to(ROOT).parts]
    assert sizes == [1, 253, 253, 98]
    assert object_name(ROOT, path, encode=True) == "d/" + "x" * 600


def test_errors_say_what_is_wrong():
    with pytest.raises(InvalidRequestError, match=r"its part '\.\.' means a directory"):
        local_path(ROOT, "a/../b")
    with pytest.raises(InvalidRequestError, match=r"its part 'nul\.txt' is the name of a device"):
        local_path(ROOT, "nul.txt", rules=WINDOWS)


@pytest.mark.parametrize("path", ["/srv/other/a", "/srv/downloads", "/srv/downloads/../x", "a"])
def test_files_elsewhere_have_no_object(path):
    with pytest.raises(InvalidRequestError):
        object_name(ROOT, path)


def test_a_file_of_another_program_that_cannot_be_decoded():
    with pytest.raises(InvalidRequestError, match="no name that was encoded here"):
        object_name(ROOT, ROOT / "%FF", encode=True)


PAIRS = [
    ("README", "readme"),
    ("A/x", "a/y"),
    ("straße", "STRASSE"),
    (unicodedata.normalize("NFC", "ü"), unicodedata.normalize("NFD", "ü")),
    (unicodedata.normalize("NFC", "É/x"), unicodedata.normalize("NFD", "é/y")),
    ("a", "a/b"),
    ("a/b", "a"),
    ("A", "a/b"),
    ("K", "\u212a"),
    ("\u017f", "s"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=ascii)
def test_two_objects_never_get_the_same_file(first, second):
    names = NameMap(ROOT)
    assert names.local_path(first) == ROOT / first
    with pytest.raises(InvalidRequestError, match="would get the file of"):
        names.local_path(second)
    assert names.local_path(first) == ROOT / first

    encoding = NameMap(ROOT, encode=True)
    paths = [encoding.local_path(name) for name in (first, second, first, second)]
    assert paths[:2] == paths[2:]
    assert len({key_of(path) for path in paths}) == 2
    assert [encoding.object_name(path) for path in paths] == [first, second, first, second]


def test_case_may_matter():
    names = NameMap(ROOT, folds=False)

    assert names.local_path("README") == ROOT / "README"
    assert names.local_path("readme") == ROOT / "readme"
    with pytest.raises(InvalidRequestError, match="would get the file of"):
        names.local_path("readme/x")


def test_three_that_want_one_place():
    names = NameMap(ROOT, encode=True)
    wanted = ["A/x", "a/x", "a", "A", "a/X", "A/X/y", "a/x/y"]

    paths = [names.local_path(name) for name in wanted]

    assert len({key_of(path) for path in paths}) == len(wanted)
    assert [names.object_name(path) for path in paths] == wanted


TEXT = st.text(
    st.one_of(
        st.sampled_from("abAB./\\%:+- \0\n~2E5cCONn"),
        st.characters(),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=500, deadline=None)
@given(name=TEXT, rules=st.sampled_from([POSIX, WINDOWS]), times=st.sampled_from([1, 1, 1, 20]))
def test_any_name_comes_back(name, rules, times):
    name = name * times
    path = local_path(ROOT, name, encode=True, rules=rules)

    check_is_safe(path, rules)
    assert object_name(ROOT, path, encode=True) == name


@settings(max_examples=300, deadline=None)
@given(names=st.lists(st.text("aAbB/%é\u0301e.6", min_size=1, max_size=6), unique=True))
def test_any_names_get_different_files(names):
    mapped = NameMap(ROOT, encode=True, rules=WINDOWS)

    paths = [mapped.local_path(name) for name in names]

    assert [mapped.object_name(path) for path in paths] == names
    files = {key_of(path) for path in paths}
    folders = {key_of(parent) for path in paths for parent in path.parents}
    assert len(files) == len(names)
    assert not files & folders


def check_is_safe(path, rules):
    """See that a path is below the root, by names that every program takes for plain names."""
    below = path.relative_to(ROOT)
    assert below.parts
    assert os.path.normpath(path) == str(path)
    for part in below.parts:
        assert part not in ("", ".", "..")
        assert "\0" not in part
        assert rules.size(part) <= 255
        assert local_path(ROOT, part, rules=rules) == ROOT / part
        if rules is WINDOWS:
            assert PureWindowsPath(part).parts == (part,)
            assert not PureWindowsPath(part).is_reserved()


def key_of(path):
    folded = unicodedata.normalize("NFD", str(path)).casefold()
    return unicodedata.normalize("NFD", folded)
