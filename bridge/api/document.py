"""The OpenAPI document of the application, as generators of clients want it. It says nothing of its own.

FastAPI describes the bodies that it reads. Those that we read ourselves, in bounded time, are put right here: each is a
named schema, once, to which the operations refer.
"""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from bridge.api.errors import ErrorBody

SCHEMAS: Final = "#/components/schemas/"
TOO_LONG: Final = {
    "description": "`line_too_long`",
    "content": {"application/json": {"schema": {"$ref": f"{SCHEMAS}{ErrorBody.__name__}"}}},
}
"""Answered before a route is looked for, wherever a client's words stand in the path or the query."""
Document = dict[str, Any]


def document(app: FastAPI) -> Document:
    """The document of an application, made once."""
    if app.openapi_schema is None:
        made = FastAPI.openapi(app)
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for content in _bodies(made):
            content["schema"] = _named(content["schema"], schemas)
        for operation in _operations(made):
            if "parameters" in operation:
                operation["responses"]["414"] = TOO_LONG
        app.openapi_schema = made
    return app.openapi_schema


def operation_id(route: APIRoute) -> str:
    """The name of a route's function, which generators make the name of theirs."""
    return route.name


def _operations(document: Document) -> Iterator[Document]:
    for path in document["paths"].values():
        yield from path.values()


def _bodies(document: Document) -> Iterator[Document]:
    for operation in _operations(document):
        yield from operation.get("requestBody", {}).get("content", {}).values()


def _named(schema: Document, schemas: Document) -> Document:
    """Move a schema, and those that it defines, among the others; the reference to it.

    Without defaults: generators take a field that has one for a field that is always there, also in what is sent.
    """
    schemas |= schema.pop("$defs", {})
    for field in schema["properties"].values():
        field.pop("default", None)
    schemas[schema["title"]] = schema
    return {"$ref": SCHEMAS + schema["title"]}
