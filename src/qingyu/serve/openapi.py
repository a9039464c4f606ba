"""/openapi.json: what the endpoints take and give, from the classes that check it.

    describe(ROUTES)          # OpenAPI 3.1 as a dict

Knows the shapes of requests, not what becomes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from qingyu import __version__

_REFERENCE = "#/components/schemas/{model}"
_ERRORS = {
    "400": "The request is wrong; param names the field.",
    "401": "The token is missing or wrong.",
    "403": "This Host or Origin may not come in.",
    "404": "No such model.",
    "408": "The body came too slowly, or the answer took longer than it was given.",
    "413": "The body is too large.",
    "415": "The body is not application/json.",
    "429": "The queue is full; Retry-After says when to come again.",
    "500": "The server failed.",
    "503": "The model is still loading, or memory is short.",
}


class ErrorDetails(BaseModel):
    """What went wrong, as OpenAI's API has it."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """An error."""

    error: ErrorDetails


# One server-sent event of a stream: its data is JSON, or [DONE].
_EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One endpoint for the description. streams: whether it can answer with events."""

    path: str
    method: str
    summary: str
    request: type[BaseModel] | None = None
    response: type[BaseModel] | None = None
    content_type: str = "application/json"
    streams: bool = False
    open: bool = False
    statuses: tuple[str, ...] = ("200",)


def describe(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole description."""
    models: list[tuple[type[BaseModel], Any]] = [(ErrorBody, "serialization")]
    for one in operations:
        if one.request is not None:
            models.append((one.request, "validation"))
        if one.response is not None:
            models.append((one.response, "serialization"))
    references, schemas = models_json_schema(models, ref_template=_REFERENCE)
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method] = _operation(one, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Qingyu",
            "version": __version__,
            "description": "A language model on this machine, by OpenAI's API.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(one: Operation, references: Any) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": one.summary,
        "operationId": one.path.strip("/").replace("/", "_").replace("{", "").replace("}", "")
        or "page",
    }
    if one.open:
        described["security"] = []
    if "{" in one.path:
        name = one.path.partition("{")[2].partition("}")[0]
        described["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        ]
    if one.request is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": references[one.request, "validation"]}},
        }
    good: dict[str, Any] = {"schema": {"type": "string"}}
    if one.response is not None:
        good = {"schema": references[one.response, "serialization"]}
    content = {one.content_type: good}
    if one.streams:
        content["text/event-stream"] = {"schema": _EVENT}
    described["responses"] = {
        status: {"description": "The answer.", "content": content} for status in one.statuses
    }
    for status, text in _ERRORS.items():
        if one.request is None and status in ("408", "413", "415"):
            continue
        described["responses"].setdefault(
            status,
            {
                "description": text,
                "content": {"application/json": {"schema": references[ErrorBody, "serialization"]}},
            },
        )
    return described
