"""A strict double of the e-MCF for the driver: it answers what the test lists, in order, and fails on anything else."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Expected:
    method: str
    path: str
    answer: httpx.Response | Exception
    body: Any = None


@dataclass
class Twin:
    """As an httpx transport."""

    authorization: str
    script: list[Expected]
    bodies: list[bytes] = field(default_factory=list)

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert self.script, f"unexpected {request.method} {request.url}"
        expected = self.script.pop(0)
        assert (request.method, request.url.path) == (expected.method, expected.path)
        assert request.headers["authorization"] == self.authorization
        assert request.headers["accept"] == "application/json"
        assert "br" not in request.headers["accept-encoding"]
        self.bodies.append(request.content)
        if expected.body is not None:
            assert json.loads(request.content) == expected.body
        if isinstance(expected.answer, Exception):
            raise expected.answer
        return expected.answer
