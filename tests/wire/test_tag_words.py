"""Tags written as plain words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anysky.errors import InvalidRequestError
from anysky.wire.tag_words import tags_of, words_of


def test_tags_become_words():
    assert words_of({"env": "prod", "web": "", "url": "a:b"}) == ["env:prod", "web", "url:a:b"]


def test_words_become_tags_and_the_last_of_a_key_counts():
    assert tags_of(["env:prod", "web", "env:test"]) == {"env": "test", "web": ""}


def test_a_key_with_a_colon_is_refused():
    with pytest.raises(InvalidRequestError, match="'a:b'"):
        words_of({"a:b": "c"})


@given(st.dictionaries(st.text().filter(lambda key: ":" not in key), st.text()))
def test_what_is_written_is_read_back(tags):
    assert tags_of(words_of(tags)) == tags
