"""A signing process: one session on the token, typed statements in, signatures out, one request after the other.

``python -m bonopay_signer.hsm.worker``, with one end of a socket pair as standard input. Nobody can have a digest of
his own signed: what a request carries is decoded strictly and the digest is computed here (hsm.statements).

One process, one session, one life: when the token fails, the process says so and ends, and its keeper starts another
one. So there is one place that gives the PIN to the token, and it knows whether the last one was refused. The process
ends when its keeper's end of the socket closes, and by PR_SET_PDEATHSIG when it hangs in the token at that time.
"""

import ctypes
import os
import resource
import signal
import socket
from collections.abc import Iterator

import msgspec
import pkcs11
from pkcs11 import Attribute, Mechanism
from pkcs11.exceptions import PKCS11Error

from bonopay_signer.hsm import keys, statements, token, wire
from bonopay_signer.hsm.ecdsa import SIGNATURE_SIZE, PublicKey
from bonopay_signer.hsm.errors import HsmUnavailable, KeyMissing, PinRefused, TokenUnfit
from bonopay_signer.hsm.statements import NotSignable

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_TROUBLES: dict[type[HsmUnavailable], wire.Trouble] = {
    KeyMissing: "key_missing",
    TokenUnfit: "unfit",
    PinRefused: "pin_refused",
}


class Worker:
    """The session, the keys by key id, and one method per kind of request."""

    def __init__(self) -> None:
        self._session: pkcs11.Session | None = None
        self._keys: dict[str, pkcs11.PrivateKey] = {}
        self._opened: wire.Open | None = None

    def answer(self, frame: bytes) -> wire.Reply:
        """The reply to one frame; a frame that is no request is answered as not signable."""
        try:
            request = wire.decode_request(frame)
            if isinstance(request, wire.Open):
                return self._open(request)
            if self._opened is None:
                raise NotSignable("the first request must open the token")
            return self._serve(request, self._opened.authority)
        except (NotSignable, msgspec.MsgspecError, UnicodeDecodeError) as error:
            return wire.Failed("not_signable", str(error))
        except HsmUnavailable as error:
            return wire.Failed(_TROUBLES.get(type(error), "unavailable"), str(error))
        except PKCS11Error as error:
            return wire.Failed("unavailable", f"the token does not answer: {type(error).__name__}")

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _serve(self, request: wire.Request, authority: str) -> wire.Reply:
        match request:
            case wire.SignEntries(entries):
                return wire.Signed(self._sign_entries(entries, authority))
            case wire.SignCheckpoint(key_id, text):
                return wire.Signed([self._sign(key_id, statements.checkpoint_digest(text, authority))])
            case wire.ProvePossession(rotation):
                return wire.Signed([self._prove_possession(rotation, authority)])
            case wire.AddKey(label):
                return wire.Opened([self._add_key(label).der])
            case wire.DropKey(key_id):
                self._drop_key(key_id)
                return wire.Fine()
            case _:
                self._check()
                return wire.Fine()

    def _open(self, request: wire.Open) -> wire.Opened:
        if self._opened is not None:
            raise NotSignable("the token is open")
        with token.told_as_unavailable("the token cannot be opened", request.token):
            self._session = token.log_in(request.token, request.pin)
            opened = wire.Opened([self._add_key(label).der for label in request.key_labels])
        self._opened = request
        return opened

    def _add_key(self, label: str) -> PublicKey:
        private, public = keys.find_key(self._session, label)
        self._keys[public.key_id] = private
        return public

    def _drop_key(self, key_id: str) -> None:
        self._key(key_id)
        if len(self._keys) == 1:
            raise NotSignable("the last key stays")
        del self._keys[key_id]

    def _sign_entries(self, entries: list[tuple[bytes, bytes]], authority: str) -> list[bytes]:
        """All or nothing: every statement is checked before the first signature is made."""
        wanted = [statements.entry_to_sign(statement, previous, authority) for statement, previous in entries]
        for key_id, _ in wanted:
            self._key(key_id)
        return [self._sign(key_id, digest) for key_id, digest in wanted]

    def _prove_possession(self, rotation: statements.Rotation, authority: str) -> bytes:
        digest = statements.rotation_digest(rotation, authority)
        self._key(rotation.old_key_id)
        return self._sign(rotation.new_key_id, digest)

    def _sign(self, key_id: str, digest: bytes) -> bytes:
        signature = self._key(key_id).sign(digest, mechanism=Mechanism.ECDSA)
        if len(signature) != SIGNATURE_SIZE:
            raise HsmUnavailable("the token's signature is not 64 bytes long")
        return signature

    def _key(self, key_id: str) -> pkcs11.PrivateKey:
        try:
            return self._keys[key_id]
        except KeyError:
            raise NotSignable("the statement names another key") from None

    def _check(self) -> None:
        self._session.generate_random(64)
        for private in self._keys.values():
            private[Attribute.LABEL]


def serve(connection: socket.socket, worker: Worker) -> None:
    """Answer frames until the other end closes, or the token is lost."""
    for frame in _frames(connection):
        reply = worker.answer(frame)
        connection.sendall(wire.framed(reply))
        if isinstance(reply, wire.Failed) and reply.trouble in wire.LOST:
            return


def main() -> None:
    _withdraw()
    connection = socket.socket(fileno=0)
    worker = Worker()
    try:
        serve(connection, worker)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the keeper is gone: that is how this process ends
    finally:
        worker.close()


def _withdraw() -> None:
    """No core dump and no debugger may show the PIN; signals of the terminal's group are the keeper's, not ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_PDEATHSIG, signal.SIGKILL), (_PR_SET_DUMPABLE, 0)):
        if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)


def _frames(connection: socket.socket) -> Iterator[bytes]:
    """Whole frames until the end; a frame that is too long, or cut off, is the end."""
    while header := _exactly(connection, wire.LENGTH_SIZE):
        length = int.from_bytes(header, "big")
        body = _exactly(connection, length) if length <= wire.MAX_FRAME else None
        if body is None:
            return
        yield body


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    received = connection.recv(size)
    if len(received) == size:
        return received
    parts = [received]
    missing = size - len(received)
    while missing and parts[-1]:
        parts.append(connection.recv(missing))
        missing -= len(parts[-1])
    return None if missing else b"".join(parts)


if __name__ == "__main__":
    main()
