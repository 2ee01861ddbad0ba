"""Where Google's credentials come from, and what is sent for a token."""

from __future__ import annotations

import base64
import json
import sys
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from anysky.errors import AuthenticationError, CloudError, InvalidAccountError
from anysky.errors import UnsupportedOperationError as Unsupported
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.secret import Secret
from anysky.transport.base import Response
from anysky.wire.google_auth import GoogleIdentity, GoogleSigner
from anysky.wire.google_sources import World
from anysky.wire.jwt import RSAKey

EMAIL = "tester@project-1.iam.gserviceaccount.com"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
JSON = {"content-type": "application/json"}
FLAVOR = {"metadata-flavor": "Google", **JSON}
IAM = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"


def pem_of(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


PEM = pem_of(KEY)
SERVICE_ACCOUNT = {
    "type": "service_account",
    "project_id": "project-1",
    "private_key_id": "0f1e",
    "private_key": PEM,
    "client_email": EMAIL,
    "token_uri": "https://oauth2.googleapis.com/token",
}
USER = {
    "type": "authorized_user",
    "client_id": "client-1",
    "client_secret": "canary-client-secret",
    "refresh_token": "canary-refresh-token",
    "quota_project_id": "quota-1",
}
EXTERNAL = {
    "type": "external_account",
    "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
}


class Wire:
    """A transport that answers by address and keeps what was sent."""

    def __init__(self):
        self.sent = []
        self.answers = {}

    def on(self, url, body, status=200, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.setdefault(url, []).append(Response(status, headers or JSON, raw))

    async def send(self, request):
        self.sent.append(request)
        answers = self.answers[request.endpoint + request.target]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def close(self):
        pass

    def form(self, number=-1):
        return {
            name: values[0] for name, values in parse_qs(self.sent[number].body.decode()).items()
        }


class Fixed(BlockingRuntime):
    def time(self):
        return 1_700_000_000.0


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch, tmp_path):
    for name in (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "CLOUDSDK_CONFIG",
        "APPDATA",
        "GCE_METADATA_HOST",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def identity(wire, given=None, **settings):
    world = World(wire, wire, Fixed(), "https://storage.googleapis.com")
    secrets = {name: Secret(value) for name, value in settings.items()}
    text = json.dumps(given) if isinstance(given, dict) else given
    return GoogleIdentity(world, Secret(text) if text else None, **secrets)


def token_of(found):
    return run(found.tokens.get()).reveal()


def test_a_service_account_signs_for_its_token(wire):
    wire.on("https://oauth2.googleapis.com/token", {"access_token": "ya29.a", "expires_in": 3599})

    assert token_of(identity(wire, SERVICE_ACCOUNT)) == "ya29.a"

    form = wire.form()
    head, claims, signature = form["assertion"].split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in (head, claims)]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert decoded == [
        {"alg": "RS256", "typ": "JWT", "kid": "0f1e"},
        {
            "iss": EMAIL,
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": 1_700_000_000,
            "exp": 1_700_003_600,
        },
    ]
    raw = base64.urlsafe_b64decode(f"{signature}==")
    KEY.public_key().verify(raw, f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("way", ["text", "path", "two arguments", "second argument"])
def test_a_service_account_is_given_in_any_way(wire, tmp_path, way):
    wire.on("https://oauth2.googleapis.com/token", {"access_token": "ya29.a"})
    path, pem = tmp_path / "key.json", tmp_path / "key.pem"
    path.write_text(json.dumps(SERVICE_ACCOUNT))
    pem.write_text(PEM)
    found = {
        "text": lambda: identity(wire, SERVICE_ACCOUNT),
        "path": lambda: identity(wire, str(path)),
        "two arguments": lambda: identity(wire, EMAIL, private_key=str(pem)),
        "second argument": lambda: identity(wire, EMAIL, private_key=str(path)),
    }[way]()

    assert token_of(found) == "ya29.a"
    assert run(found.email()) == EMAIL


def test_a_wrong_clock_is_corrected_by_the_server_s(wire):
    refusal = {"error": "invalid_grant", "error_description": "check your iat and exp values"}
    late = {**JSON, "date": "Wed, 15 Nov 2023 00:13:20 GMT"}
    wire.on("https://oauth2.googleapis.com/token", refusal, 400, late)
    wire.on("https://oauth2.googleapis.com/token", {"access_token": "ya29.b"})

    assert token_of(identity(wire, SERVICE_ACCOUNT)) == "ya29.b"

    claims = wire.form()["assertion"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(f"{claims}=="))["iat"] == 1_700_007_200


def test_a_refused_key_is_not_tried_again(wire):
    refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    wire.on("https://oauth2.googleapis.com/token", refusal, 400)

    with pytest.raises(AuthenticationError, match="gives no token: Invalid JWT Signature"):
        token_of(identity(wire, SERVICE_ACCOUNT))
    assert len(wire.sent) == 1


def test_a_user_s_refresh_token_is_found_where_gcloud_puts_it(wire, tmp_path):
    folder = tmp_path / ".config" / "gcloud"
    folder.mkdir(parents=True)
    (folder / "application_default_credentials.json").write_text(json.dumps(USER))
    wire.on("https://oauth2.googleapis.com/token", {"access_token": "ya29.c"})
    found = identity(wire)

    signer = GoogleSigner(found)
    assert token_of(found) == "ya29.c"
    assert run(signer.headers()) == {"x-goog-user-project": "quota-1"}
    assert run(GoogleSigner(found, "mine").headers()) == {"x-goog-user-project": "mine"}
    assert wire.form() == {
        "grant_type": "refresh_token",
        "client_id": "client-1",
        "client_secret": "canary-client-secret",
        "refresh_token": "canary-refresh-token",
    }
    secrets = {"ya29.c", "canary-refresh-token", "canary-client-secret"}
    assert set(signer.secrets()) == secrets


def test_a_machine_s_service_account_comes_last(wire, monkeypatch):
    monkeypatch.setenv("GCE_METADATA_HOST", "169.254.169.254")
    base = "http://169.254.169.254/computeMetadata/v1/"
    account = f"{base}instance/service-accounts/default/"
    wire.on(f"{account}token", {"access_token": "ya29.d", "expires_in": 900}, headers=FLAVOR)
    wire.on(f"{account}email", EMAIL.encode(), headers=FLAVOR)
    wire.on(f"{base}project/project-id", b"project-2", headers=FLAVOR)
    wire.on(f"{IAM}{EMAIL}:signBlob", {"signedBlob": base64.b64encode(b"signed").decode()})
    found = identity(wire)

    assert (token_of(found), run(found.project())) == ("ya29.d", "project-2")
    assert run(found.sign(b"message")) == b"signed"
    assert wire.sent[0].headers == {"Metadata-Flavor": "Google"}
    last = wire.sent[-1]
    assert last.headers["Authorization"] == "Bearer ya29.d"
    assert json.loads(last.body) == {"payload": "bWVzc2FnZQ==", "delegates": []}


def test_another_server_s_metadata_is_not_believed(wire):
    url = (
        "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
    )
    wire.on(url, {"access_token": "ya29.d"})

    with pytest.raises(AuthenticationError, match="is not Google's"):
        token_of(identity(wire))


def test_without_any_credentials_the_error_says_where_to_get_them():
    class Nowhere(Wire):
        async def send(self, request):
            raise CloudError("no route")

    with pytest.raises(InvalidAccountError, match="gcloud auth application-default login"):
        token_of(identity(Nowhere()))


@pytest.mark.parametrize("format", [None, {"type": "json", "subject_token_field_name": "id_token"}])
def test_an_external_token_is_exchanged(wire, tmp_path, format):
    path = tmp_path / "token"
    path.write_text("canary-subject\n" if format is None else '{"id_token": "canary-subject"}')
    source = {"file": str(path)} | ({"format": format} if format else {})
    wire.on("https://sts.googleapis.com/v1/token", {"access_token": "ya29.e", "expires_in": 3600})

    assert token_of(identity(wire, {**EXTERNAL, "credential_source": source})) == "ya29.e"
    assert wire.form() == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": EXTERNAL["audience"],
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": "canary-subject",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }


def test_an_external_token_from_a_url_may_act_for_a_service_account(wire):
    source = {"url": "http://127.0.0.1:99/token?a=b", "headers": {"X-Secret": "h"}}
    url = f"{IAM}{EMAIL}:generateAccessToken"
    wire.on("http://127.0.0.1:99/token?a=b", b"canary-subject")
    wire.on("https://sts.googleapis.com/v1/token", {"access_token": "ya29.e"})
    wire.on(url, {"accessToken": "ya29.f", "expireTime": "2023-11-14T23:13:20Z"})
    given = {**EXTERNAL, "credential_source": source, "service_account_impersonation_url": url}
    found = identity(wire, given)

    assert (token_of(found), run(found.email())) == ("ya29.f", EMAIL)
    assert [each.headers.get("X-Secret") for each in wire.sent] == ["h", None, None]
    assert wire.sent[2].headers["Authorization"] == "Bearer ya29.e"


def test_a_user_may_act_for_a_service_account(wire):
    url = f"{IAM}{EMAIL}:generateAccessToken"
    wire.on("https://oauth2.googleapis.com/token", {"access_token": "ya29.c"})
    wire.on(url, {"accessToken": "ya29.g", "expireTime": "2023-11-14T23:13:20Z"})
    given = {
        "type": "impersonated_service_account",
        "source_credentials": USER,
        "service_account_impersonation_url": url,
        "delegates": ["projects/-/serviceAccounts/other@x"],
    }

    assert token_of(identity(wire, given)) == "ya29.g"
    assert json.loads(wire.sent[-1].body) == {
        "scope": ["https://www.googleapis.com/auth/cloud-platform"],
        "lifetime": "3600s",
        "delegates": ["projects/-/serviceAccounts/other@x"],
    }


@pytest.mark.parametrize(
    "url",
    [
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com.evil.example/token",
        "https://evilgoogleapis.com/token",
        "https://oauth2.googleapis.com@evil.example/token",
        "https://user@oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com:444/token",
        "file:///etc/passwd",
    ],
)
def test_secrets_go_to_google_only(wire, url):
    with pytest.raises(InvalidAccountError, match="no host of Google's"):
        token_of(identity(wire, {**SERVICE_ACCOUNT, "token_uri": url}))
    assert wire.sent == []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("{", "is not such JSON"),
        ("{}", "of the type '' are not supported"),
        ('{"type": "gdch_service_account"}', "of the type 'gdch_service_account'"),
        ({**SERVICE_ACCOUNT, "universe_domain": "s3nsapis.fr"}, "only the universe googleapis.com"),
        ({**SERVICE_ACCOUNT, "private_key": ""}, "no address or no key"),
        ({**SERVICE_ACCOUNT, "private_key": "-----BEGIN canary"}, "private key cannot be read"),
        ({**USER, "refresh_token": ""}, "lacks its refresh token"),
        ({**EXTERNAL, "credential_source": {"executable": {}}}, "token in a file or at a URL"),
        ("/no/such/canary-file", "cannot read the file"),
        (EMAIL, "needs a private key"),
    ],
)
def test_what_cannot_be_right_is_said_without_showing_it(wire, given, text):
    with pytest.raises(InvalidAccountError, match=text) as caught:
        token_of(identity(wire, given))

    assert "canary" not in str(caught.value) + repr(caught.value)
    assert wire.sent == []


def test_a_given_token_is_sent_as_it_is(wire):
    found = identity(wire, token="ya29.given")

    assert token_of(found) == "ya29.given"
    with pytest.raises(Unsupported, match="cannot sign"):
        run(found.sign(b"x"))


def test_a_key_that_is_not_rsa_is_refused():
    key = RSAKey(Secret(pem_of(ec.generate_private_key(ec.SECP256R1()))), "anysky[google]")

    with pytest.raises(InvalidAccountError, match="is not RSA"):
        key.sign(b"x")


def test_without_cryptography_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

    with pytest.raises(InvalidAccountError, match=r"pip install anysky\[google\]"):
        RSAKey(Secret(PEM), "anysky[google]").sign(b"x")
