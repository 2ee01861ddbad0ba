"""The checks against an OpenAPI document, on a document small enough to read."""

import json

import pytest

from tests.imitations.digitalocean.amendments import AMENDMENTS
from tests.imitations.openapi import NewField, OpenApi, Rewrite

DOCUMENT = {
    "paths": {
        "/things": {
            "get": {
                "operationId": "things_list",
                "parameters": [
                    {"in": "query", "name": "page", "schema": {"type": "integer", "minimum": 1}},
                    {"in": "query", "name": "open", "schema": {"type": "boolean"}},
                ],
                "responses": {"200": {"content": {"application/json": {"schema": {}}}}},
            },
            "post": {
                "operationId": "things_create",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "allOf": [
                                    {"$ref": "#/parts/thing"},
                                    {"type": "object", "required": ["id", "name"]},
                                ]
                            }
                        }
                    },
                },
                "responses": {
                    "201": {"content": {"application/json": {"schema": {"$ref": "#/parts/thing"}}}}
                },
            },
        },
        "/things/{id}": {
            "parameters": [
                {"in": "path", "name": "id", "required": True, "schema": {"type": "integer"}}
            ],
            "delete": {"operationId": "things_delete", "responses": {"204": {}, "default": {}}},
        },
    },
    "parts": {
        "thing": {
            "type": "object",
            "properties": {
                "id": {"type": "integer", "readOnly": True},
                "name": {"type": "string", "nullable": True},
                "color": {"type": "string", "enum": ["red"]},
                "size": {"type": "object", "properties": {"width": {"type": "integer"}}},
            },
            "required": ["id"],
        }
    },
}
JSON = {"content-type": "application/json"}


def check(method, path, query=(), body=None, headers=JSON, amendments=()):
    data = b"" if body is None else json.dumps(body).encode()
    return OpenApi(DOCUMENT, amendments).check_request(method, path, query, headers, data)


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/things", (), None),
        ("GET", "/things", (("page", "2"), ("open", "true")), None),
        ("POST", "/things", (), {"name": "a", "color": "red", "size": {"width": 1}}),
        ("POST", "/things", (), {"name": None}),
        ("DELETE", "/things/7", (), None),
    ],
)
def test_right_requests(method, path, query, body):
    assert check(method, path, query, body) == []


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "message"),
    [
        ("PUT", "/things", (), None, "no such operation is documented"),
        ("GET", "/things", (("page", "0"),), None, "0 is less than the minimum of 1"),
        ("GET", "/things", (("open", "yes"),), None, "'yes' is not of type 'boolean'"),
        ("GET", "/things", (("pages", "1"),), None, "unknown query parameter 'pages'"),
        ("GET", "/things", (), {}, "a body was sent and none is documented"),
        ("POST", "/things", (), None, "the body is missing"),
        ("POST", "/things", (), {}, "'name' is a required property"),
        ("POST", "/things", (), {"name": "a", "id": 1}, "body: id: 1 should not be valid"),
        ("POST", "/things", (), {"name": "a", "colour": "red"}, "'colour' was unexpected"),
        ("POST", "/things", (), {"name": "a", "size": {"height": 1}}, "'height' was unexpected"),
        ("POST", "/things", (), {"name": "a", "color": "blue"}, "'blue' is not one of ['red']"),
        ("DELETE", "/things/x", (), None, "'x' is not of type 'integer'"),
    ],
)
def test_wrong_requests(method, path, query, body, message):
    (found,) = check(method, path, query, body)

    assert message in found


def test_body_has_to_say_that_it_is_json():
    (found,) = check("POST", "/things", body={"name": "a"}, headers={"content-type": "text/plain"})

    assert found == "POST /things: Content-Type is 'text/plain', not 'application/json'"


def test_amendments_admit_what_came_later():
    newer = (
        NewField("things_create", "body", "colour", {"type": "string"}, "British customers"),
        NewField("things_list", "query", "pages", {"type": "integer"}, "a second spelling"),
        Rewrite({"enum": ["red"]}, {"enum": ["red", "blue"]}, "a second colour"),
    )

    body = {"name": "a", "colour": "green", "color": "blue"}
    assert check("POST", "/things", body=body, amendments=newer) == []
    assert check("GET", "/things", (("pages", "1"),), amendments=newer) == []


def test_answers():
    document = OpenApi(DOCUMENT)

    right = document.check_response("POST", "/things", 201, {"id": 1, "name": "a", "more": True})
    wrong = document.check_response("POST", "/things", 201, {"name": "a"})
    other = document.check_response("POST", "/things", 202, {"id": 1})

    assert (right, wrong, other) == (
        [],
        ["POST /things: 201: 'id' is a required property"],
        ["POST /things: status 202 is not documented"],
    )
    assert document.check_response("DELETE", "/things/1", 404, None) == []


def test_every_amendment_of_digitalocean_still_has_its_reason(openapi):
    operations = {operation.id: operation for operation in openapi.operations()}

    for each in AMENDMENTS:
        if isinstance(each, NewField):
            assert not operations[each.operation].knows(each.where, each.name), each
        else:
            assert openapi.contains(each.old), each
