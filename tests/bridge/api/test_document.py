"""The OpenAPI document: what generators of clients stumble over is not in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bridge.api.document import SCHEMAS
from tests.conftest import StartBridge

METHODS = ("get", "put", "post", "delete", "patch")


@pytest.fixture(scope="module")
def document(module_bridge: StartBridge) -> dict[str, Any]:
    made: dict[str, Any] = httpx.get(f"{module_bridge().url}/openapi.json").json()
    return made


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, methods[method]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def test_every_reference_leads_to_a_schema(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert found
    assert {name.removeprefix(SCHEMAS) for name in found} <= document["components"]["schemas"].keys()


def test_no_two_schemas_have_one_name(document: dict[str, Any]) -> None:
    titles = Counter(schema.get("title", name) for name, schema in document["components"]["schemas"].items())
    assert titles.most_common(1)[0][1] == 1
    assert not [name for name in titles if "__" in name]


def test_no_two_operations_have_one_name(document: dict[str, Any]) -> None:
    names = Counter(operation["operationId"] for _, operation in operations(document))
    assert names.most_common(1)[0][1] == 1


def test_every_door_says_which_credentials_it_wants(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert (schemes["ApiKey"]["in"], schemes["ApiKey"]["name"]) == ("header", "X-Api-Key")
    assert (schemes["Bearer"]["type"], schemes["Bearer"]["scheme"]) == ("http", "bearer")
    for path, operation in operations(document):
        wanted = "Bearer" if path.startswith("/admin/") else "ApiKey" if path in WITH_KEY else None
        assert operation.get("security") == ([{wanted: []}] if wanted else None), path
    for path in WITH_KEY:
        (operation,) = (each for where, each in operations(document) if where == path)
        named = {each["name"]: each["in"] for each in operation["parameters"]}
        assert named.items() >= {("jwt", "query"), ("x_account_id", "query")}


WITH_KEY = ("/v3/messages", "/v3/events", "/v3/presence/group/{group_id}")


def test_whatever_is_answered_in_json_has_a_type(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        for status, answer in operation["responses"].items():
            for media, content in answer.get("content", {}).items():
                assert media != "application/json" or content["schema"], (path, status)
            assert status.startswith("2") or "$ref" in answer["content"]["application/json"]["schema"], (path, status)


def test_the_bodies_that_we_read_ourselves_are_named(document: dict[str, Any]) -> None:
    bodies = [each["requestBody"] for _, each in operations(document) if "requestBody" in each]
    assert bodies
    assert all("$ref" in body["content"]["application/json"]["schema"] for body in bodies)


def test_no_schema_is_called_as_a_field_of_its_own(document: dict[str, Any]) -> None:
    """openapi-python-client would give two things one name."""
    for name, schema in document["components"]["schemas"].items():
        assert name.lower() not in {field.replace("_", "") for field in schema.get("properties", {})}
