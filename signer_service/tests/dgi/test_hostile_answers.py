"""Answers that no DGI should give: each is one of the three failures, within bounded time and memory."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal

import pytest
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.dgi.device import DeviceError, UnknownOutcome
from bonopay_signer.dgi.emcf import EmcfDevice, make_client
from bonopay_signer.dgi.journal import Journal

from ..support.garbage import OK, Garbage, with_length
from .test_emcf import DOCUMENT, NUMBER, TOKEN, UID, _journal, pool  # noqa: F401

PENDING = '{"uid": "u1", "total": %s, "vtotal": 0.1}'


@pytest.fixture
def dgi() -> Iterator[Callable[..., Garbage]]:
    with ExitStack() as stack:

        def make(*arguments, **options) -> Garbage:
            garbage = Garbage(*arguments, **options)
            stack.callback(garbage.close)
            return garbage

        yield make


@pytest.fixture
async def device_of(pool: AsyncConnectionPool) -> AsyncIterator[Callable[[Garbage], EmcfDevice]]:  # noqa: F811
    async with make_client(1.0, 2.0) as client:
        yield lambda garbage: EmcfDevice(client, garbage.url, TOKEN, "KIN001", Journal(pool))


def _json(text: str) -> bytes:
    return with_length(text.encode())


@pytest.mark.parametrize(
    "answer",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 99 ?\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        with_length(b"not gzip at all", b"Content-Encoding: gzip"),
        with_length(b"[" * 200_000),
        with_length(b'{"uid":' * 100_000),
        with_length(b"\xff\xfe\x00"),
        with_length("{}".encode("utf-16")),
        with_length(b"{}", b"Content-Type: text/html; charset=no-such"),
        _json("null"),
        _json("[]"),
        _json('"uid"'),
        _json('{"uid": {}, "total": 1, "vtotal": 0}'),
        _json('{"uid": "..", "total": 1, "vtotal": 0}'),
        _json('{"uid": "a\\u0000b", "total": 1, "vtotal": 0}'),
        _json('{"uid": "\\ud800", "total": 1, "vtotal": 0}'),
        _json('{"uid": "%s", "total": 1, "vtotal": 0}' % ("u" * 100_000)),
        _json('{"errorCode": "10", "errorDesc": "\\u0000\\ud800"}'),
        _json(PENDING % "NaN"),
        _json(PENDING % "Infinity"),
        _json(PENDING % "1e999999999"),
        _json(PENDING % "1e-999999999"),
        _json(PENDING % ("9" * 100_000)),
        _json(PENDING % "true"),
        _json(PENDING % '"104400.00"'),
    ],
)
async def test_garbage_is_a_failure_of_the_device_and_no_defect(dgi, device_of, answer: bytes) -> None:
    with pytest.raises(DeviceError) as failure:
        await device_of(dgi(answer)).prepare(DOCUMENT)
    assert "\0" not in str(failure.value)
    str(failure.value).encode()


async def test_body_without_end_is_cut_off_before_it_fills_memory_and_journal(dgi, device_of) -> None:
    garbage = dgi(iter([OK + b"Content-Length: 200000000\r\n\r\n", *[b" " * 100_000] * 2000]))
    with pytest.raises(UnknownOutcome):
        await device_of(garbage).confirm(NUMBER, UID, Decimal(1), Decimal(0))
    assert garbage.sent < 20_000_000


async def test_small_body_that_unpacks_to_a_huge_one_is_cut_off_too(dgi, device_of, pool) -> None:  # noqa: F811
    bomb = with_length(gzip.compress(b" " * 100_000_000), b"Content-Encoding: gzip")
    with pytest.raises(UnknownOutcome):
        await device_of(dgi(bomb)).confirm(NUMBER, UID, Decimal(1), Decimal(0))
    assert [(step, bytes(body)) for _, step, _, body, _ in await _journal(pool)][1:] == [("confirm", b"")]


async def test_body_that_drips_is_not_waited_for_longer_than_the_timeout(dgi, device_of) -> None:
    started = time.monotonic()
    with pytest.raises(UnknownOutcome):
        async with asyncio.timeout(20):
            await device_of(dgi(_json(" " * 100), drip=0.5)).confirm(NUMBER, UID, Decimal(1), Decimal(0))
    assert time.monotonic() - started < 5
