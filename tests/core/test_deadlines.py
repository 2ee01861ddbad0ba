"""One deadline for all that a call does, in both APIs."""

import time

import pytest

import anysky
from anysky.errors import DeadlineExceededError, MalformedResponseError, RateLimitedError
from tests.support import faults as f


def seconds_of(api, function, *args, kind=DeadlineExceededError):
    start = time.monotonic()
    with pytest.raises(kind) as caught:
        api.run(function, *args)
    assert (caught.value.provider, caught.value.operation != "") == ("echo", True)
    return time.monotonic() - start


def test_default_is_ten_minutes(api, echo):
    assert 599 < api.run(api.driver(echo).ex_left) <= 600


def test_none_is_no_limit(api, echo):
    assert api.run(api.driver(echo, deadline=None).ex_left) is None


def test_nearer_end_counts(api, echo):
    driver = api.driver(echo, deadline=5)
    with anysky.deadline(100):
        assert 4 < api.run(driver.ex_left) <= 5
        with anysky.deadline(2):
            assert 1 < api.run(driver.ex_left) <= 2
            with anysky.deadline(None), anysky.deadline(50):
                assert 1 < api.run(driver.ex_left) <= 2
        assert 4 < api.run(driver.ex_left) <= 5


def test_deadline_covers_retries(api, faults):
    faults.otherwise = f.server_error_page(503)
    retry = anysky.RetryPolicy(attempts=1000, base=0.2, cap=0.2)
    driver = api.driver(faults.url, deadline=0.5, retry=retry)
    start = time.monotonic()

    with pytest.raises(anysky.ProviderUnavailableError) as caught:
        api.run(driver.ex_echo, "x")

    assert time.monotonic() - start < 0.6
    assert caught.value.attempts == len(faults.requests)


def test_deadline_covers_the_wait_that_a_provider_asks_for(api, faults):
    faults.next(f.json_answer({}, 429, retry_after="30"))
    driver = api.driver(faults.url, deadline=5)

    assert seconds_of(api, driver.ex_echo, "x", kind=RateLimitedError) < 0.5


def test_deadline_covers_sleep(api, echo):
    assert seconds_of(api, api.driver(echo, deadline=1).ex_sleep, 5) < 0.5


def test_deadline_covers_waiting(api, echo):
    assert seconds_of(api, api.driver(echo, deadline=0.5).ex_wait, "x") < 0.6


def test_deadline_covers_pages(api, faults):
    faults.otherwise = f.Answer(delay=0.1)
    driver = api.driver(faults.url, deadline=0.55)

    assert 0.4 < seconds_of(api, driver.list_key_pairs) < 0.8
    assert 4 <= len(faults.requests) <= 6


def test_deadline_covers_jobs_in_threads_and_tasks(api, faults):
    faults.otherwise = f.Answer(delay=5)
    driver = api.driver(faults.url, deadline=0.5)

    assert 0.4 < seconds_of(api, driver.ex_many, "a", "b", "c") < 0.8


def test_deadline_ends_with_the_call(api, echo):
    driver = api.driver(echo, deadline=5)
    api.run(driver.ex_echo, "x")

    assert anysky.deadlines.remaining() is None


def test_what_is_no_error_of_ours_becomes_one(api, echo):
    driver = api.driver(echo)
    for error in (KeyError("a"), ValueError("b"), RecursionError(), ZeroDivisionError()):
        with pytest.raises(MalformedResponseError) as caught:
            api.run(driver.ex_fail, error)
        assert caught.value.__cause__ is error
        assert (caught.value.provider, caught.value.operation) == ("echo", "fail")


@pytest.mark.parametrize("pages", [5, 20])
def test_lists_end(api, echo, pages):
    driver = api.driver(echo, limits=anysky.Limits(max_pages=pages))

    with pytest.raises(anysky.UnsafeResponseError):
        api.run(driver.list_key_pairs)


def test_list_is_whole(api, echo):
    pairs = api.run(api.driver(echo).list_key_pairs)

    assert [pair.name for pair in pairs] == [str(number) for number in range(51)]
