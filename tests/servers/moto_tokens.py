"""moto with idempotency tokens: AWS does nothing twice that bears the same token, moto does.

Started in place of `moto.server`, with the same arguments.
"""

import io
import sys
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import moto.server
from werkzeug.serving import run_simple

_ERROR = (
    "<ErrorResponse><Error><Code>HostedZoneAlreadyExists</Code>"
    "<Message>A zone has this CallerReference.</Message></Error></ErrorResponse>"
)


class Tokens:
    """Answers a request that bears a token it has seen as it answered the first."""

    def __init__(self, application):
        self.application = application
        self.answers = {}

    def __call__(self, environ, start_response):
        token = _token(environ)
        if token is None:
            return self.application(environ, start_response)
        if token not in self.answers:
            return self._first(token, environ, start_response)
        status, headers, answer = self.answers[token]
        start_response(status, headers)
        return [answer]

    def _first(self, token, environ, start_response):
        begun = []

        def note(status, headers, exc_info=None):
            begun[:] = [status, headers]
            return start_response(status, headers, exc_info)

        answer = b"".join(self.application(environ, note))
        if begun[0].startswith("2"):
            self.answers[token] = (*begun, answer) if token[0] else _refusal()
        return [answer]


def _token(environ):
    """Action and token of a request: of EC2, or of Route 53 without an action."""
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    is_zone = environ["PATH_INFO"] == "/2013-04-01/hostedzone"
    if environ["REQUEST_METHOD"] != "POST" or not (is_form or is_zone):
        return None
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = io.BytesIO(body)
    if is_zone:
        return "", ET.fromstring(body).findtext("{*}CallerReference")
    form = parse_qs(body.decode("latin-1"))
    return (form["Action"][0], form["ClientToken"][0]) if "ClientToken" in form else None


def _refusal():
    headers = [("Content-Type", "text/xml"), ("Content-Length", str(len(_ERROR)))]
    return "409 Conflict", headers, _ERROR.encode()


def _run(host, port, application, **settings):
    run_simple(host, port, Tokens(application), **settings)


if __name__ == "__main__":
    moto.server.run_simple = _run
    moto.server.main(sys.argv[1:])
