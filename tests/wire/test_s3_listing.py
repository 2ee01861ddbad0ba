"""The quick way to read a list of objects gives what the slow one gives."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anysky.wire import s3_listing
from anysky.wire.s3_listing import Listing, read_listing
from anysky.wire.xml import XMLError, decode

ETAG = "&quot;d41d8cd98f00b204e9800998ecf8427e&quot;"
OWNER = "<Owner><ID>1</ID><DisplayName>x</DisplayName></Owner>"
MODIFIED = "2026-03-04T05:06:07.000Z"


def entry(key="a", size="1", more="", end=""):
    return (
        f"<Contents><Key>{key}</Key><LastModified>{MODIFIED}</LastModified><ETag>{ETAG}</ETag>"
        f"{more}<Size>{size}</Size><StorageClass>STANDARD</StorageClass>{end}</Contents>"
    )


def page(*entries, before="<IsTruncated>false</IsTruncated>", after=""):
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{space}">{before}'
        f"{''.join(entries)}{after}</ListBucketResult>"
    ).encode()


def slowly(body):
    return s3_listing._listing(decode(body, s3_listing._Document), None)


def line(key, size="1"):
    return (key, size, '"d41d8cd98f00b204e9800998ecf8427e"', MODIFIED, "STANDARD")


@pytest.mark.parametrize(
    "body",
    [
        page(entry("a"), entry("b", "2")),
        page(entry("a", more=OWNER), entry("b", more=OWNER)),
        page(entry("a", end=OWNER), entry("b")),
        page(
            entry("a", more="<ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"),
            entry("b"),
            entry("c", more="<ChecksumAlgorithm>A</ChecksumAlgorithm>" * 2),
        ),
        page(*(f"{entry(key)}\n  " for key in "abc")),
        page(entry("&amp;&lt;&gt;&quot;&apos;&amp;lt;"), entry("b")),
        page(entry(""), entry("b")),
        page("<Contents><Size>1</Size><Key>a</Key></Contents>" * 3),
        page(
            entry(),
            before="<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
            "<EncodingType>url</EncodingType>",
            after="<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>",
        ),
    ],
)
def test_entries_of_one_form_are_read_quickly(body):
    found = s3_listing._quickly(body)

    assert found is not None
    assert found == slowly(body) == read_listing(body)


@pytest.mark.parametrize(
    "body",
    [
        page(),
        page(entry(), "<!-- a comment -->", entry()),
        page(entry("&#x80;&#10;&#x1F388;"), entry("b")),
        page(entry("<![CDATA[a<b]]>"), entry()),
        page(entry(), entry(more="<Other>1</Other>")),
        page(entry(), "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>", entry()),
        page("<Contents><Key>a</Key><ETag/></Contents>", entry()),
        page("<Contents>\n<Key>a</Key>\n<Size>1</Size>\n</Contents>", entry()),
        page("<Contents><Key>a</Key></Contents>", entry()),
        page('<Contents><Key x="1">a</Key><Size>1</Size></Contents>', entry()),
    ],
)
def test_everything_else_is_read_as_xml(body):
    assert s3_listing._quickly(body) is None
    assert read_listing(body) == slowly(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        page(entry(), "<Contents>"),
        page(entry(), entry())[:-1],
        page(entry(), entry(size="x")),
        page(entry(), entry("&nope;")),
        page(entry(), entry("a & b")),
        page(entry(), entry(), after="<Contents><Key>"),
        page(entry(), entry().replace("</Key>", "</key>")),
        page(entry(), before="<IsTruncated>maybe</IsTruncated>"),
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + page(entry()),
        page(entry()) + b"\0",
        page(entry("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))).replace(
            "ÿ".encode(), b"\xff"
        ),
    ],
)
def test_what_is_malformed_is_refused(body):
    with pytest.raises(XMLError):
        read_listing(body)


TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cn")), max_size=20)


@given(st.lists(st.tuples(TEXT, st.integers(0, 2**63 - 1)), min_size=1, max_size=5))
def test_any_names_and_sizes(pairs):
    body = page(*(entry(escape(key), str(size)) for key, size in pairs))

    found = read_listing(body)

    assert found == Listing([line(key, str(size)) for key, size in pairs], [], None, False, None)
