"""The rules of retries, compared with a small model of them, on a virtual clock."""

import contextlib
import random
import statistics
import time
from email.utils import formatdate

import pytest
from botocore.retries import standard
from hypothesis import given, settings
from hypothesis import strategies as st

from anysky import deadlines
from anysky.errors import (
    CloudError,
    ConnectionFailedError,
    DeadlineExceededError,
    OutcomeUnknownError,
    RateLimitedError,
    UnsafeResponseError,
)
from anysky.run import run
from anysky.transport.base import Body, Request, Response
from anysky.transport.pacing import PacingLayer
from anysky.transport.retry import RetryBudget, RetryLayer, RetryPolicy, retry_after

NOW = 1_800_000_000.0


class VirtualRuntime:
    """A clock that only sleep moves."""

    def __init__(self):
        self.clock = 0.0
        self.slept = []

    def now(self):
        return self.clock

    def time(self):
        return NOW + self.clock

    async def sleep(self, seconds):
        left = deadlines.remaining(self.clock)
        if left is not None and seconds > left:
            raise DeadlineExceededError("over")
        self.slept.append(seconds)
        self.clock += max(seconds, 0)


class Script:
    """A transport that plays outcomes: statuses, (status, Retry-After), or errors."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.sent = 0

    async def send(self, request):
        outcome = self.outcomes[min(self.sent, len(self.outcomes) - 1)]
        self.sent += 1
        if isinstance(outcome, type):
            raise outcome("scripted")
        if isinstance(outcome, CloudError):
            raise outcome
        status, after = outcome if isinstance(outcome, tuple) else (outcome, None)
        return Response(status, {} if after is None else {"retry-after": after}, b"{}")

    async def close(self):
        pass


@contextlib.contextmanager
def time_left(seconds):
    """A deadline on the virtual clock, which starts at 0."""
    token = deadlines._expires_at.set(seconds)
    try:
        yield
    finally:
        deadlines._expires_at.reset(token)


def attempt(*outcomes, method="GET", policy=None, seconds=None, **request):
    """What came of one request: its answer or error, how often it was sent, what was slept."""
    script, runtime = Script(*outcomes), VirtualRuntime()
    layer = RetryLayer(script, runtime, policy or RetryPolicy())
    with time_left(seconds):
        try:
            result = run(layer.send(Request(method, "/", **request)))
        except CloudError as error:
            result = error
    return result, script.sent, runtime.slept


SAFE = {"method": "GET"}
REPEATABLE = {"method": "PUT"}
ONCE = {"method": "POST"}
CLASSES = [SAFE, REPEATABLE, ONCE]
SEND_CLASSES = [
    ({"method": "GET"}, True),
    ({"method": "HEAD"}, True),
    ({"method": "PUT"}, True),
    ({"method": "DELETE"}, True),
    ({"method": "POST", "repeatable": True}, True),
    ({"method": "POST", "safe": True}, True),
    ({"method": "POST"}, False),
    ({"method": "PATCH"}, False),
    ({"method": "PUT", "repeatable": False}, False),
]


@pytest.mark.parametrize(("request_", "again"), SEND_CLASSES)
def test_lost_answer_is_asked_for_again_only_where_that_is_safe(request_, again):
    result, sent, _ = attempt(OutcomeUnknownError, 200, **request_)

    assert sent == (2 if again else 1)
    assert isinstance(result, Response) == again
    assert result.attempts == sent


@pytest.mark.parametrize("request_", CLASSES)
def test_what_did_not_leave_is_sent_again(request_):
    result, sent, _ = attempt(ConnectionFailedError, 200, **request_)

    assert (result.status, result.attempts, sent) == (200, 2, 2)


@pytest.mark.parametrize("status", [408, 429])
@pytest.mark.parametrize("request_", CLASSES)
def test_refused_requests_are_sent_again(status, request_):
    result, sent, _ = attempt(status, 200, **request_)

    assert (result.status, sent) == (200, 2)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("request_", [SAFE, REPEATABLE])
def test_failed_requests_are_sent_again(status, request_):
    result, sent, _ = attempt(status, 200, **request_)

    assert (result.status, sent) == (200, 2)


@pytest.mark.parametrize("status", [502, 504])
def test_gateway_leaves_it_open_whether_a_request_was_carried_out(status):
    result, sent, _ = attempt((status, "1"), 200, **ONCE)

    assert (type(result), result.status, result.attempts) == (OutcomeUnknownError, status, 1)
    assert (result.body, sent) == (b"{}", 1)


@pytest.mark.parametrize(("outcome", "sent"), [(500, 1), (503, 1), ((503, "1"), 2)])
def test_request_that_may_be_sent_once_and_a_server_that_fails(outcome, sent):
    result, times, _ = attempt(outcome, 200, **ONCE)

    assert times == sent
    assert result.status == (200 if sent == 2 else outcome)


@pytest.mark.parametrize("status", [200, 204, 304, 400, 401, 403, 404, 409, 412, 422, 501, 505])
def test_other_answers_stand(status):
    result, sent, _ = attempt(status)

    assert (result.status, sent) == (status, 1)


def test_errors_that_sending_again_cannot_mend():
    certificate = ConnectionFailedError("certificate")
    certificate.retryable = False

    for error in (certificate, UnsafeResponseError("x"), DeadlineExceededError("x")):
        result, sent, _ = attempt(error, 200)
        assert (result, sent) == (error, 1)


def test_body_that_cannot_be_replayed_is_sent_once():
    for outcome in (503, 429, ConnectionFailedError, OutcomeUnknownError):
        _, sent, _ = attempt(outcome, 200, method="PUT", body=Body(lambda: iter([b"x"])))
        assert sent == 1
    _, sent, _ = attempt(503, 200, method="PUT", body=Body(lambda: iter([b"x"]), 1, True))
    assert sent == 2


def test_attempts_are_told():
    result, sent, _ = attempt(503)
    assert (result.status, result.attempts, sent) == (503, 4, 4)

    result, _, _ = attempt(ConnectionFailedError)
    assert (type(result), result.attempts) == (ConnectionFailedError, 4)


def test_what_was_sent_again_below_is_not_sent_again_above():
    """Such as a request for credentials: else four tries of each of four would be sixteen."""
    script = Script(ConnectionFailedError)
    below = RetryLayer(script, VirtualRuntime(), RetryPolicy())
    above = RetryLayer(below, VirtualRuntime(), RetryPolicy())

    with pytest.raises(ConnectionFailedError) as caught:
        run(above.send(Request("GET", "/")))

    assert (script.sent, caught.value.attempts) == (4, 4)


def test_read_whose_answer_is_lost_for_good_has_failed_to_connect():
    result, _, _ = attempt(OutcomeUnknownError)
    assert type(result) is ConnectionFailedError

    result, _, _ = attempt(OutcomeUnknownError, method="PUT")
    assert type(result) is OutcomeUnknownError


def test_read_that_ran_out_of_time():
    result, sent, _ = attempt(OutcomeUnknownError, seconds=0)

    assert (type(result), sent) == (DeadlineExceededError, 1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        (" 3 ", 3.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("86400", 86400.0),
        ("999999999999999", 999999999999999.0),
        (formatdate(NOW + 7, usegmt=True), 7.0),
        (formatdate(NOW - 7, usegmt=True), 0.0),
        (time.asctime(time.gmtime(NOW + 7)), 7.0),
        ("", None),
        ("soon", None),
        ("--5", None),
        ("1e3", None),
        ("٣", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, None),
        ("Mon, 99 Foo 2026 00:00:00 GMT", None),
        ("Mon, 01 Jan 99999999 00:00:00 GMT", None),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after({"retry-after": value}, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit-reset": str(int(NOW) + 9)}, 9.0),
        ({"ratelimit-reset": "9"}, 9.0),
        ({"ratelimit-reset": "-9"}, 0.0),
        ({"ratelimit-reset": "9", "ratelimit-remaining": "0"}, 9.0),
        ({"ratelimit-reset": "9", "ratelimit-remaining": "5"}, None),
        ({"ratelimit-reset": "x"}, None),
        ({}, None),
    ],
)
def test_rate_limit_reset(headers, seconds):
    assert retry_after(headers, NOW) == seconds


@given(st.text())
def test_any_text_in_retry_after(text):
    wait = retry_after({"retry-after": text}, NOW)

    assert wait is None or wait >= 0


def test_retry_after_is_kept_to():
    _, _, slept = attempt((429, "7"), (503, "2"), 200)

    assert slept == [7.0, 2.0]


@pytest.mark.parametrize(("after", "seconds"), [("86400", None), ("8", 5.0)])
def test_retry_after_beyond_patience_or_deadline_raises_at_once(after, seconds):
    result, sent, slept = attempt((429, after), seconds=seconds)

    assert (type(result), result.retry_at) == (RateLimitedError, NOW + float(after))
    assert (result.status, result.attempts, sent, slept) == (429, 1, 1, [])


def test_server_that_fails_and_asks_for_too_long_a_wait_is_not_waited_for():
    result, sent, slept = attempt((503, "86400"))

    assert (result.status, sent, slept) == (503, 1, [])


@pytest.mark.parametrize(
    ("outcome", "base"), [(503, 0.05), (ConnectionFailedError, 0.05), (429, 1.0)]
)
def test_waits_are_uniform_up_to_a_doubling_bound(outcome, base):
    random.seed(7)
    runs = [attempt(outcome)[2] for _ in range(2000)]

    for number in range(3):
        waits = sorted(one[number] / (base * 2**number) for one in runs)
        distance = max(abs(wait - place / 2000) for place, wait in enumerate(waits))
        assert waits[0] >= 0
        assert waits[-1] <= 1
        assert distance < 1.63 / 2000**0.5  # Kolmogorov-Smirnov, p = 0.01
        assert abs(statistics.mean(waits) - 0.5) < 0.03


def test_waits_are_capped():
    policy = RetryPolicy(attempts=30, throttled_base=1.0, cap=2.0)
    _, _, slept = attempt(429, policy=policy)

    assert len(slept) == 29
    assert max(slept) <= 2.0


def test_figures_are_those_of_botocore():
    policy, quota = RetryPolicy(), standard.RetryQuotaChecker
    backoff = standard.ExponentialBackoff

    assert (policy.cost, policy.throttled_cost) == (
        quota._RETRY_COST,
        quota._THROTTLING_RETRY_COST,
    )
    assert policy.cap == backoff._MAX_BACKOFF
    assert policy.base == backoff._DEFAULT_BACKOFF_CONFIG["non_throttling_base_scale"]
    assert policy.throttled_base == backoff._DEFAULT_BACKOFF_CONFIG["throttling_base_scale"]
    assert backoff._BASE == 2
    assert policy.capacity == standard.quota.RetryQuota().available_capacity


def test_bucket_stops_a_storm():
    script, runtime = Script(503), VirtualRuntime()
    layer = RetryLayer(script, runtime, RetryPolicy())

    for _ in range(1000):
        run(layer.send(Request("GET", "/")))

    assert script.sent == 1000 + 500 // 14


def test_bucket_gets_back_what_a_success_took():
    budget = RetryBudget(20)
    assert [budget.take(14), budget.take(14)] == [True, False]
    budget.give(14)
    budget.give(100)
    assert [budget.take(20), budget.take(1)] == [True, False]


@st.composite
def outcomes(draw):
    status = st.sampled_from([200, 404, 408, 429, 500, 502, 503, 504])
    after = st.sampled_from([None, None, "0", "1", "4", "400", "-1", "rubbish"])
    answer = st.tuples(status, after)
    lost = st.sampled_from([ConnectionFailedError, OutcomeUnknownError])
    return draw(st.lists(st.one_of(answer, lost), min_size=1, max_size=6))


class Model:
    """The rules once more, in the plainest words."""

    def __init__(self, kind, policy, tokens, seconds):
        self.kind, self.policy, self.tokens, self.seconds = kind, policy, tokens, seconds
        self.clock, self.sent = 0.0, 0

    def may_repeat(self, outcome):
        if outcome is ConnectionFailedError:
            return True
        if outcome is OutcomeUnknownError:
            return self.kind != "ONCE"
        status, after = outcome
        if status in (408, 429):
            return True
        if self.kind == "ONCE":
            return status == 503 and after not in (None, "rubbish")
        return status in (500, 502, 503, 504)

    def play(self, script, slept):
        """Return how often the request should have been sent, given the waits that were chosen."""
        waits = iter(slept)
        while True:
            outcome = script[min(self.sent, len(script) - 1)]
            self.sent += 1
            if not self.may_repeat(outcome) or self.sent >= self.policy.attempts:
                return
            throttled = isinstance(outcome, tuple) and outcome[0] == 429
            cost = self.policy.throttled_cost if throttled else self.policy.cost
            after = None if isinstance(outcome, type) else outcome[1]
            asked = None if after in (None, "rubbish") else max(float(after), 0.0)
            if asked is not None and (asked >= self.policy.patience or self.late(asked)):
                return
            if cost > self.tokens:
                return
            wait = next(waits, None)
            if wait is None:  # the wait that was drawn did not fit before the deadline
                assert self.seconds is not None
                return
            assert wait == asked if asked is not None else 0 <= wait <= self.bound(throttled)
            self.clock += wait
            assert not self.late(0)
            self.tokens -= cost

    def late(self, wait):
        return self.seconds is not None and self.clock + wait >= self.seconds

    def bound(self, throttled):
        base = self.policy.throttled_base if throttled else self.policy.base
        return min(self.policy.cap, base * 2 ** (self.sent - 1))


@settings(max_examples=1000, deadline=None)
@given(
    outcomes(),
    st.sampled_from(["SAFE", "REPEATABLE", "ONCE"]),
    st.integers(1, 6),
    st.integers(0, 60),
    st.one_of(st.none(), st.floats(0.01, 10)),
)
def test_against_the_model(script, kind, attempts, tokens, seconds):
    policy = RetryPolicy(attempts=attempts, capacity=tokens)
    method = {"SAFE": "GET", "REPEATABLE": "PUT", "ONCE": "POST"}[kind]

    result, sent, slept = attempt(*script, method=method, policy=policy, seconds=seconds)

    model = Model(kind, policy, tokens, seconds)
    model.play(script, slept)
    assert (sent, result.attempts) == (model.sent, model.sent)
    assert seconds is None or sum(slept) < seconds
    if kind == "ONCE":
        left = [one for one in script[:sent] if one is OutcomeUnknownError]
        assert left in ([], [OutcomeUnknownError])
        assert left == [] or script[sent - 1] is OutcomeUnknownError


# Pacing


def test_requests_are_spread():
    runtime = VirtualRuntime()
    layer = PacingLayer(Script(200), runtime, 10)

    for _ in range(5):
        run(layer.send(Request("GET", "/")))

    assert runtime.clock == pytest.approx(0.4)


def test_refusal_holds_every_request():
    runtime = VirtualRuntime()
    layer = PacingLayer(Script((429, "7"), 200), runtime, None)

    run(layer.send(Request("GET", "/")))
    run(layer.send(Request("GET", "/")))
    run(layer.send(Request("GET", "/")))

    assert runtime.clock == pytest.approx(7.0)


def test_turn_beyond_the_deadline_is_a_rate_limit():
    runtime = VirtualRuntime()
    script = Script((429, "7"), 200)
    layer = PacingLayer(script, runtime, None)
    run(layer.send(Request("GET", "/")))

    with time_left(3), pytest.raises(RateLimitedError) as caught:
        run(layer.send(Request("GET", "/")))

    assert caught.value.retry_at == pytest.approx(NOW + 7)
    assert script.sent == 1


def test_provider_with_another_sign_for_too_many():
    def throttled(response):
        return response.status == 400

    script, runtime = Script((400, "2"), 200), VirtualRuntime()
    layer = RetryLayer(script, runtime, RetryPolicy(), throttled)

    assert run(layer.send(Request("POST", "/"))).status == 200
    assert runtime.slept == [2.0]
