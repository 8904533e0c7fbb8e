"""What an operation of the API is: its route and its description in one value, so that neither is without the other.

Capabilities list theirs as ``OPERATIONS`` in their ``routes.py``; ``api/app.py`` serves them and ``api/openapi.py``
publishes them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Endpoint = Callable[[Request], Awaitable[Response]]
JSON, HTML = "application/json", "text/html"

FISCAL_NUMBER = {
    "type": "string",
    "pattern": "^BONO-[A-Z0-9]{3,12}-[0-9]{2}-[0-9]{9}$",
    "examples": ["BONO-KIN001-01-000000001"],
}
OUTLET_ID = {"type": "string", "pattern": "^[A-Z0-9]{3,12}$", "examples": ["KIN001"]}


@dataclass(frozen=True)
class Answer:
    """``schema``: the msgspec type of a JSON body, or a JSON schema; None leaves the body out of the description."""

    status: int
    description: str
    schema: type | Mapping[str, Any] | None = None
    media_type: str = JSON
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Body:
    """``schema`` as that of an Answer."""

    schema: type | Mapping[str, Any]
    description: str
    media_type: str = JSON


@dataclass(frozen=True)
class Parameter:
    """``place``: ``path`` or ``query``."""

    name: str
    place: str
    schema: Mapping[str, Any]
    description: str = ""
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """``problems``: codes of api/catalogue.py; those of every operation, and of every one with a key, are added.

    ``secured``: needs an API key.
    ``hot``: served past Starlette's routing; for a path without parameters.
    """

    method: str
    path: str
    endpoint: Endpoint
    id: str
    tag: str
    summary: str
    answers: tuple[Answer, ...]
    problems: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    secured: bool = False
    hot: bool = False
    description: str = ""

    @property
    def route(self) -> Route:
        return Route(self.path, self.endpoint, methods=[self.method])


def in_path(name: str, schema: Mapping[str, Any]) -> Parameter:
    return Parameter(name, "path", schema, required=True)


def in_query(name: str, schema: Mapping[str, Any], description: str = "", required: bool = False) -> Parameter:
    return Parameter(name, "query", schema, description, required)


def required_header(schema: Mapping[str, Any], description: str = "") -> dict[str, Any]:
    return {"schema": schema, "required": True} | ({"description": description} if description else {})
