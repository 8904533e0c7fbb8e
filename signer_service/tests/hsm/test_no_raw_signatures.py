"""Whatever is sent to a signing process, it signs typed statements and nothing else."""

import base64
import hashlib
import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from bonopay_signer.hsm import wire
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.hsm.process import COMMAND
from bonopay_signer.hsm.statements import NotSignable, checkpoint_digest, entry_to_sign, rotation_digest

from ..support.processes import python_environment
from .material import AUTHORITY, SoftHsm, checkpoint, rotation, statement

FRAMES = 900
CHOSEN = [hashlib.sha256(f"chosen {number}".encode()).digest() for number in range(8)]
"""Digests for which somebody would like a signature."""


class Line:
    """A signing process and the bare socket to it."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        self.process = process
        self._connection = connection

    def send(self, frame: bytes) -> None:
        self._connection.sendall(frame)

    def ask(self, body: bytes) -> wire.Reply | None:
        """The reply to the body of a frame; None when the process has ended."""
        try:
            self.send(len(body).to_bytes(wire.LENGTH_SIZE, "big") + body)
        except BrokenPipeError:
            return None
        header = self._read(wire.LENGTH_SIZE)
        return wire.decode_reply(self._read(int.from_bytes(header, "big"))) if header else None

    def request(self, request: wire.Request) -> wire.Reply | None:
        return self.ask(wire.framed(request)[wire.LENGTH_SIZE :])

    def _read(self, size: int) -> bytes:
        return self._connection.recv(size, socket.MSG_WAITALL)


@contextmanager
def line() -> Iterator[Line]:
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    with ours, theirs, subprocess.Popen(COMMAND, stdin=theirs, env=python_environment({})) as process:
        theirs.close()
        try:
            yield Line(process, ours)
        finally:
            process.kill()


def open_request(hsm: SoftHsm) -> wire.Open:
    return wire.Open(hsm.address, hsm.pin, AUTHORITY, [hsm.key_label])


def hostile_bodies(key_id: str) -> list[Callable[[], bytes]]:
    """Makers of frames: noise, wrong shapes, true requests with a chosen digest put wherever bytes or text fit."""
    encode = msgspec.msgpack.encode
    noise = random.Random(20261121)
    tags = ["SignEntries", "SignCheckpoint", "ProvePossession", "SignDigest", "Sign", "AddKey", "DropKey", "Check"]
    good = statement(key_id)

    def digest() -> bytes:
        return noise.choice(CHOSEN)

    def texts() -> list[bytes | str]:
        return [digest(), digest().hex(), base64.b64encode(digest()).decode(), good, good.decode(), checkpoint()]

    def value(depth: int = 2) -> object:
        scalars = [*texts(), key_id, None, True, noise.randrange(2**32), 1.5, noise.randbytes(noise.randrange(90))]
        if depth and noise.random() < 0.4:
            inner = [value(depth - 1) for _ in range(noise.randrange(4))]
            return inner if noise.random() < 0.7 else {str(index): member for index, member in enumerate(inner)}
        return noise.choice(scalars)

    def mutated(body: bytes) -> bytes:
        spoilt = bytearray(body)
        for _ in range(noise.randrange(1, 4)):
            spoilt[noise.randrange(len(spoilt))] = noise.randrange(256)
        return bytes(spoilt)

    def true_requests() -> bytes:
        raw = wire.framed(
            noise.choice(
                [
                    wire.SignEntries([(good, digest())]),
                    wire.SignCheckpoint(key_id, checkpoint(root=digest())),
                    wire.SignCheckpoint(key_id, digest()),
                    wire.SignEntries([(digest(), digest())]),
                    wire.SignEntries([(good, b"")]),
                    wire.SignEntries([(statement(key_id, payload_hash=digest().hex()), digest())]),
                    wire.SignEntries([(statement("f" * 16), digest())]),
                    wire.ProvePossession(rotation("f" * 16, key_id, previous_hash=digest().hex())),
                    wire.ProvePossession(rotation(key_id, "f" * 16, previous_hash=digest().hex())),
                ]
            )
        )[wire.LENGTH_SIZE :]
        return raw if noise.random() < 0.4 else mutated(raw)

    return [
        lambda: noise.randbytes(noise.randrange(1, 200)),
        lambda: encode(value()),
        lambda: encode([noise.choice(tags), *(value() for _ in range(noise.randrange(4)))]),
        lambda: encode(["SignEntries", [[noise.choice(texts()), noise.choice(texts())]]]),
        lambda: encode(["SignCheckpoint", key_id, noise.choice(texts())]),
        true_requests,
    ]


def digests_of(body: bytes) -> list[bytes]:
    """What a signing process may sign upon a frame, derived from the frame apart from the process."""
    request = wire.decode_request(body)
    if isinstance(request, wire.SignEntries):
        return [entry_to_sign(text, previous, AUTHORITY)[1] for text, previous in request.entries]
    if isinstance(request, wire.SignCheckpoint):
        return [checkpoint_digest(request.text, AUTHORITY)]
    assert isinstance(request, wire.ProvePossession)
    return [rotation_digest(request.rotation, AUTHORITY)]


def test_hundreds_of_hostile_frames_get_no_signature_over_a_chosen_digest(hsm: SoftHsm) -> None:
    with line() as process:
        opened = process.request(open_request(hsm))
        assert isinstance(opened, wire.Opened)
        key = PublicKey(opened.keys[0])
        makers = hostile_bodies(key.key_id)
        typed = refused = 0
        for number in range(FRAMES):
            body = makers[number % len(makers)]()
            reply = process.ask(body)
            assert reply is not None, f"frame {number} ended the process: {body!r}"
            if not isinstance(reply, wire.Signed):
                refused += isinstance(reply, wire.Failed)
                continue
            typed += 1
            expected = digests_of(body)
            assert len(expected) == len(reply.signatures)
            for signature, digest in zip(reply.signatures, expected, strict=True):
                assert key.verifies(signature, digest)
                assert not any(key.verifies(signature, chosen) for chosen in CHOSEN)
        assert typed > 20 and refused > 500, (typed, refused)


@pytest.mark.parametrize("frame", [b"\xff\xff\xff\xff", (wire.MAX_FRAME + 1).to_bytes(4, "big"), b"\0\0"])
def test_a_frame_that_is_too_long_or_cut_off_ends_the_process(hsm: SoftHsm, frame: bytes) -> None:
    with line() as process:
        assert isinstance(process.request(open_request(hsm)), wire.Opened)
        process.send(frame)
        if frame == b"\0\0":
            process._connection.shutdown(socket.SHUT_WR)
        assert process.process.wait(10) == 0


def test_nothing_is_signed_before_the_token_is_open_and_it_is_opened_once(hsm: SoftHsm) -> None:
    with line() as process:
        early = process.request(wire.SignEntries([(statement("f" * 16), bytes(32))]))
        assert isinstance(early, wire.Failed) and early.trouble == "not_signable"
        assert isinstance(process.request(open_request(hsm)), wire.Opened)
        other = wire.Open(hsm.address, hsm.pin, "SOMEBODY-ELSE", [hsm.key_label])
        again = process.request(other)
        assert isinstance(again, wire.Failed) and again.trouble == "not_signable"
        foreign = process.request(wire.SignCheckpoint("f" * 16, checkpoint("bonopay.somebody-else/0/1")))
        assert isinstance(foreign, wire.Failed) and "another authority" in foreign.words


def test_one_bad_statement_among_good_ones_gets_none_of_them_signed(hsm: SoftHsm) -> None:
    with line() as process:
        opened = process.request(open_request(hsm))
        good = (statement(PublicKey(opened.keys[0]).key_id), bytes(32))
        reply = process.request(wire.SignEntries([good, good, (b"{}", bytes(32))]))
        assert isinstance(reply, wire.Failed) and reply.trouble == "not_signable"


def test_not_signable_is_a_value_error_for_callers_that_know_no_more() -> None:
    assert issubclass(NotSignable, ValueError)
