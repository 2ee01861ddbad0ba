"""moto, the server that stands in for AWS, as a context manager.

::

    with Moto() as aws:
        ...                     # talk to aws.url with any key
    with Moto(auth=True) as aws:
        ...                     # signatures are checked: aws.access_key, aws.secret_key
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

_START_SECONDS = 60
_WITH_TOKENS = Path(__file__).with_name("moto_tokens.py")
_ANY_KEY = "AKIAIOSFODNN7EXAMPLE"
_ADMIN_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


class Moto:
    """One moto process on a free loopback port.

    Args:
        auth: check signatures (SigV4) and IAM policies; only `access_key` and `secret_key`, which
            belong to an administrator, are then accepted.
        load_amis: know the public images that moto brings along.
        tokens: do nothing twice that bears the same idempotency token, as AWS does.
        environment: further settings of moto, e.g. `{"MOTO_S3_DEFAULT_MAX_KEYS": "3"}`.
    """

    def __init__(
        self,
        *,
        auth: bool = False,
        load_amis: bool = True,
        tokens: bool = False,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.auth = auth
        self._program = ["-P", str(_WITH_TOKENS)] if tokens else ["-m", "moto.server"]
        self.access_key = _ANY_KEY
        self.secret_key = "any-secret"
        self.port = 0
        self.log = Path()
        self._environment = {
            **os.environ,
            "MOTO_EC2_LOAD_DEFAULT_AMIS": str(load_amis).lower(),
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address to use as AWS's endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        handle, name = tempfile.mkstemp(prefix="moto-", suffix=".log")
        self.log = Path(name)
        self.port = _free_port()
        place = ["-H", "127.0.0.1", "-p", str(self.port)]
        command = [sys.executable, *self._program, *place]
        with os.fdopen(handle, "wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
        try:
            self._wait()
            if self.auth:
                self._demand_signatures()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the process by its id; its log goes with it unless it failed to start."""
        process, self._process = self._process, None
        if process is None:
            return
        failed = process.poll() is not None
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if not failed:
            self.log.unlink(missing_ok=True)

    def reset(self) -> None:
        """Forget everything; with `auth` the administrator gets a new key."""
        if self.auth:
            self._post("/moto-api/reset-auth", "inf")
        self._post("/moto-api/reset")
        if self.auth:
            self._demand_signatures()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _wait(self) -> None:
        process = self._process
        end = time.monotonic() + _START_SECONDS
        while process is not None and time.monotonic() < end:
            if process.poll() is not None:
                break
            try:
                self._post("/moto-api/reset")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"moto did not start:\n{self.log.read_text()[-4000:]}")

    def _demand_signatures(self) -> None:
        user = {"UserName": "admin"}
        self._iam("CreateUser", **user)
        policy = json.dumps(_ADMIN_POLICY)
        self._iam("PutUserPolicy", **user, PolicyName="admin", PolicyDocument=policy)
        answer = self._iam("CreateAccessKey", **user)
        self.access_key = _text(answer, "AccessKeyId")
        self.secret_key = _text(answer, "SecretAccessKey")
        self._post("/moto-api/reset-auth", "0")

    def _iam(self, action: str, **parameters: str) -> ET.Element:
        scope = f"{_ANY_KEY}/20200101/us-east-1/iam/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=x",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = {"Action": action, "Version": "2010-05-08", **parameters}
        return ET.fromstring(self._post("/", urlencode(form), headers))

    def _post(self, path: str, body: str = "", headers: dict[str, str] | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", path, body, headers or {})
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"moto: {path}: {response.status} {data[:1000]!r}")
        return data


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _text(answer: ET.Element, name: str) -> str:
    return next(each.text or "" for each in answer.iter() if each.tag.rpartition("}")[2] == name)
