"""The faults: what each is called, and how it is played."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

from tests.faults.clouds import Cloud
from tests.support import doors, faults
from tests.support.certificates import Certificates

ASKED_WAIT = 7
LONG_WAIT = 86_400
_DAY = 86_400

MakeAction = Callable[[Cloud, str], faults.Action]
MakeDoor = Callable[[Certificates, int, "int | None"], doors.Door]


@dataclass(frozen=True)
class Fault:
    """One way in which a request fails.

    Attributes:
        name: Its name in the tables.
        title: What happens, for the documentation.
        action: Makes what the server does, for a kind of service of a cloud.
        door: Makes what happens before a request leaves, in place of `action`.
        part: What of an answer it strikes: ``"document"`` needs one to be struck, ``"content"``
            only strikes downloads, ``"post"`` only requests of this method.
        done: Whether the provider did what it was asked for.
        slow: Whether only a time limit ends it.
        drips: Whether only the deadline of the whole call ends it.
    """

    name: str
    title: str
    action: MakeAction | None = None
    door: MakeDoor | None = None
    part: str = ""
    done: bool = False
    slow: bool = False
    drips: bool = False


def _plain(action: faults.Action) -> MakeAction:
    return lambda cloud, kind: action


def _refusal(what: str, *headers: tuple[str, Callable[[], str]]) -> MakeAction:
    """Make an error in the provider's own words."""

    def make(cloud: Cloud, kind: str) -> faults.Action:
        status, code = cloud.codes[what]
        answer = cloud.error(kind, status, code, f"The request failed: {what}.")
        more = tuple((name, value()) for name, value in headers)
        return faults.Answer(answer.status, answer.body, (*answer.headers, *more))

    return make


def _redirect(status: int) -> MakeAction:
    return lambda cloud, kind: faults.redirect(f"{cloud.elsewhere}/", status)


def _retry_after(value: Callable[[], str]) -> tuple[str, Callable[[], str]]:
    return "Retry-After", value


def _later() -> str:
    return formatdate(time.time() + ASKED_WAIT + 1, usegmt=True)


def _certificate(kind: str) -> MakeDoor:
    return lambda certificates, port, times: doors.CertificateDoor(certificates, kind)


_REQUEST_TIMEOUT = faults.Answer(408, b"", (("Content-Type", "text/plain"),))
_PAGE = faults.AfterWork(faults.wrong_content_type())

FAULTS: tuple[Fault, ...] = (
    Fault("dns", "the provider's name cannot be resolved",
          door=lambda _, port, times: doors.UnknownDoor(port, times)),
    Fault("refused", "the connection is refused",
          door=lambda _, port, times: doors.RefusingDoor(port, times)),
    Fault("connect-timeout", "nothing answers the attempt to connect",
          door=lambda _, port, times: doors.SilentDoor(port, times), slow=True),
    Fault("tls-name", "the certificate is for another name", door=_certificate("wrong name")),
    Fault("tls-expired", "the certificate has expired", door=_certificate("expired")),
    Fault("reset-before", "the connection is reset before the provider acts",
          _plain(faults.ResetBeforeWork())),
    Fault("reset-after", "the connection is reset after the provider acted",
          _plain(faults.ResetAfterRequest()), done=True),
    Fault("reset-in-headers", "the connection is reset in the middle of the answer's head",
          _plain(faults.ResetInHeaders()), done=True),
    Fault("reset-in-body", "the connection is reset in the middle of the answer's body",
          _plain(faults.ResetInBody()), done=True, part="document"),
    Fault("short-chunks", "a chunked answer ends without its last chunk",
          _plain(faults.ShortChunkedBody()), done=True, part="document"),
    Fault("wrong-length", "the answer is shorter than it announced",
          _plain(faults.TruncatedBody()), done=True, part="document"),
    Fault("stall-before-headers", "the provider acts, and no answer comes",
          _plain(faults.Forward(delay=30)), done=True, slow=True),
    Fault("stall-in-body", "the answer stops half-way and the connection stays open",
          _plain(faults.StallInBody()), done=True, part="document", slow=True),
    Fault("drip", "the answer comes byte by byte, longer than the call may take",
          _plain(faults.Drip(bytes_per_second=20)), part="document", done=True, slow=True,
          drips=True),
    Fault("expired-token", "the credentials have expired", _refusal("expired token")),
    Fault("clock-skew", "403: the machine's clock is a day behind",
          _refusal("clock skew", ("Date", lambda: formatdate(time.time() + _DAY, usegmt=True)))),
    Fault("408", "408: the request did not arrive in time", _plain(_REQUEST_TIMEOUT)),
    Fault("409-busy", "409: the thing is busy", _refusal("busy")),
    Fault("429-seconds", "429 with `Retry-After: 7`",
          _refusal("throttled", _retry_after(lambda: str(ASKED_WAIT)))),
    Fault("429-date", "429 with `Retry-After:` and a date seven seconds away",
          _refusal("throttled", _retry_after(_later))),
    Fault("429", "429 without `Retry-After`", _refusal("throttled")),
    Fault("429-day", "429 with `Retry-After: 86400`",
          _refusal("throttled", _retry_after(lambda: str(LONG_WAIT)))),
    Fault("500", "500 in the provider's own words", _refusal("failed")),
    Fault("502-html", "502 with a load balancer's page",
          _plain(faults.AfterWork(faults.server_error_page(502))), done=True),
    Fault("503", "503 in the provider's own words", _refusal("overloaded")),
    Fault("503-retry-after", "503 with `Retry-After: 7`",
          _refusal("overloaded", _retry_after(lambda: str(ASKED_WAIT)))),
    Fault("504-done", "504 although the provider acted",
          _plain(faults.AfterWork(faults.server_error_page(504))), done=True),
    Fault("wrong-type", "200 with a page of HTML", _plain(_PAGE), done=True, part="document"),
    Fault("wrong-bytes", "a byte of a download is wrong",
          _plain(faults.WrongBytes()), part="content"),
    Fault("redirect-302", "302 to another host", _redirect(302)),
    Fault("redirect-307", "307 of a POST to another host",
          _redirect(307), part="post"),
    Fault("gzip-bomb", "the answer unpacks to a thousand times its size",
          _plain(faults.AfterWork(faults.GzipBomb(1 << 24))), done=True, part="document"),
)  # fmt: skip
