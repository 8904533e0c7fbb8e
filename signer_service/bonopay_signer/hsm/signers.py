"""The signing processes as one signer: batches split over them, failures found, the failed ones replaced.

The service's process holds no token session. Each signing process has its own, because a token's library neither
survives threads nor hurries with them, and its crash must not be the service's (hsm.worker).

**Verification of samples.** An entry is for ever: a token that errs must be found. Verifying costs about 100 µs, more
than signing on SoftHSM, so not every signature is verified: the first one after a process (re)opened the token always,
then one of a batch, chosen at random, as soon as 100 ms have passed since the last one of that process. It is done here
and not in the process that signed, so that a mix-up on the way shows too. Checkpoints and proofs of possession are
rare and all verified. A failure ends the process, and the whole batch raises.

**Keys.** One key is active; `public_key` and checkpoints are its. For the time of a rotation a second one is held
(`add_key`): each statement is signed with the key that it names.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Sequence
from itertools import pairwise

import msgspec

from bonopay_signer.fiscal.statement import Statement, entry_hash
from bonopay_signer.hsm import wire
from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.crew import Crew
from bonopay_signer.hsm.ecdsa import PublicKey, signature_to_der
from bonopay_signer.hsm.errors import HsmUnavailable, KeyMissing, PinRefused, TokenUnfit
from bonopay_signer.hsm.process import COMMAND, R, SigningProcess
from bonopay_signer.hsm.statements import NotSignable, Rotation, checkpoint_digest, rotation_digest

_logger = logging.getLogger(__name__)
_SMALL_BATCH = 4
_SAMPLE_INTERVAL = 0.1
_START_ATTEMPTS = 5
_STEADY_AFTER = 60.0
_LONGEST_DELAY = 5.0
_SHORTEST_DELAY = 0.05
_CLOSING_PATIENCE = 2.0
_OPENING_PATIENCE = 30.0
_ERRS = "the token's signature does not verify under its own public key"
_statement_decoder = msgspec.json.Decoder(Statement)
Pair = tuple[bytes, bytes]


class Signers:
    """Signs statements of one authority, in `processes` processes with a token session each.

    ``key_labels``: the keys to hold, the first one active. ``timeout`` (seconds) is each request's, the wait for a free
    process included; a process that exceeds it is killed and replaced.
    """

    def __init__(
        self,
        token: TokenAddress,
        pin: str,
        authority: str,
        key_labels: Sequence[str],
        processes: int = 2,
        timeout: float = 10.0,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.authority = authority
        self._token = token
        self._pin = pin
        self._labels = list(key_labels)
        self._count = processes
        self._timeout = timeout
        self._command = command
        self._keys: dict[str, PublicKey] = {}  # by label
        self._active = self._labels[0]
        self._crew = Crew(timeout)
        self._running: set[SigningProcess] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._opening = asyncio.Lock()
        self._pin_refused = False
        self._closed = False

    def __repr__(self) -> str:
        return f"Signers({self._token.name}, {self.authority!r}, {self._labels!r})"

    @property
    def public_key(self) -> PublicKey:
        """The active key. Raises HsmUnavailable before `start`."""
        return self.key_of(self._active)

    @property
    def key_id(self) -> str:
        return self.public_key.key_id

    @property
    def keys(self) -> Sequence[PublicKey]:
        """All keys that are held, the active one among them."""
        return list(self._keys.values())

    def key_of(self, label: str) -> PublicKey:
        """The held key of that label. Raises HsmUnavailable before `start`."""
        try:
            return self._keys[label]
        except KeyError:
            raise HsmUnavailable("the token is not open") from None

    @property
    def alive(self) -> int:
        """How many processes can sign now."""
        return len(self._crew.alive)

    async def start(self) -> PublicKey:
        """Start the processes, the first one alone: whether the token takes the PIN is tried once.

        Raises KeyMissing, TokenUnfit and PinRefused at once; HsmUnavailable after retries with jitter, for several
        processes that open SoftHSM at once can fail transiently.
        """
        processes: list[SigningProcess | None] = [await self._first()]
        for _ in range(self._count - 1):
            processes.append(await self._next())
        self._keepers = [asyncio.create_task(self._keep(process)) for process in processes]
        return self.public_key

    async def sign(self, batch: Sequence[Pair]) -> list[bytes]:
        """64 bytes ``r‖s`` for each (canonical statement, previous hash of 32 bytes), in order.

        A batch above 4 is split over the processes that are free. Raises HsmUnavailable: no signature of the batch is
        out then; NotSignable (a ValueError) for a statement that is not canonical, or of another authority or key.
        """
        if not batch:
            return []
        if len(batch) <= _SMALL_BATCH:
            return await self._sign_share(await self._crew.take(), batch)
        processes = [await self._crew.take()]
        while len(processes) * _SMALL_BATCH < len(batch) and (free := self._crew.take_idle()):
            processes.append(free)
        if len(processes) == 1:
            return await self._sign_share(processes[0], batch)
        shares = zip(processes, _split(batch, len(processes)), strict=True)
        signed = await asyncio.gather(*(self._sign_share(*share) for share in shares), return_exceptions=True)
        return [signature for share in signed for signature in _raised(share)]

    async def sign_checkpoint(self, note_text: bytes) -> bytes:
        """The active key's DER ECDSA signature over a C2SP checkpoint of this authority's logs.

        Raises HsmUnavailable, NotSignable.
        """
        key, digest = self.public_key, checkpoint_digest(note_text, self.authority)
        return signature_to_der(await self._sign_rare(wire.SignCheckpoint(key.key_id, note_text), key, digest))

    async def prove_possession(self, rotation: Rotation) -> bytes:
        """64 bytes ``r‖s`` of the new key over ``rotation``; both its keys must be held.

        Raises HsmUnavailable, NotSignable.
        """
        digest = rotation_digest(rotation, self.authority)
        return await self._sign_rare(wire.ProvePossession(rotation), self._held(rotation.new_key_id), digest)

    async def add_key(self, label: str) -> PublicKey:
        """Hold one more key of the token: from now on a statement that names it is signed with it.

        Raises KeyMissing, HsmUnavailable; the key is not held then.
        """
        async with self._opening:
            found = [key for process in list(self._crew.alive) if (key := await self._add_to(process, label))]
            if not found:
                raise self._crew.why()
            if any(key != found[0] for key in found):
                raise KeyMissing(f"the signing processes found different keys {label!r}")
            if label not in self._labels:
                self._labels.append(label)
            self._keys[label] = found[0]
            return found[0]

    def activate(self, key_id: str) -> None:
        """Make a held key the active one. Raises NotSignable when it is not held."""
        self._active = self._label(key_id)

    async def drop_key(self, key_id: str) -> None:
        """Sign with a held key no more; it stays on the token. Raises NotSignable when not held, or active."""
        label = self._label(key_id)
        if label == self._active:
            raise NotSignable("the active key stays; activate the other one first")
        async with self._opening:
            self._labels.remove(label)
            del self._keys[label]
            for process in list(self._crew.alive):
                if await self._crew.take_this(process):
                    await self._unless_gone(process.call(wire.DropKey(key_id), wire.Fine, self._timeout))

    async def check(self) -> None:
        """Ask the token session that has rested longest for random bytes and its keys. Raises HsmUnavailable."""
        await (await self._crew.take(deque.popleft)).call(wire.Check(), wire.Fine, self._timeout)

    def close(self) -> None:
        """Let the processes log out and end; kill those that do not within 2 s."""
        self._closed = True
        self._crew.trouble = HsmUnavailable("the signing processes are stopped")
        for keeper in self._keepers:
            keeper.cancel()
        running = list(self._running)
        for process in running:
            self._crew.dismiss(process)
            process.hang_up()
        deadline = time.monotonic() + _CLOSING_PATIENCE
        for process in running:
            process.wait(max(0.0, deadline - time.monotonic()))

    # --- Requests ----------------------------------------------------------------------------------------------------

    async def _sign_share(self, process: SigningProcess, share: Sequence[Pair]) -> list[bytes]:
        reply = await process.call(wire.SignEntries(list(share)), wire.Signed, self._timeout)
        self._verify_sample(process, share, reply.signatures)
        return reply.signatures

    async def _sign_rare(self, request: wire.Request, key: PublicKey, digest: bytes) -> bytes:
        process = await self._crew.take()
        reply = await process.call(request, wire.Signed, self._timeout)
        if len(reply.signatures) != 1 or not key.verifies(reply.signatures[0], digest):
            raise self._distrust(process)
        return reply.signatures[0]

    def _verify_sample(self, process: SigningProcess, share: Sequence[Pair], signatures: Sequence[bytes]) -> None:
        if len(signatures) != len(share):
            raise self._distrust(process)
        now = asyncio.get_running_loop().time()
        if process.checked_at is not None and now - process.checked_at < _SAMPLE_INTERVAL:
            return
        sample = 0 if process.checked_at is None else random.randrange(len(share))
        process.checked_at = now
        statement, previous_hash = share[sample]
        key = self._held(_statement_decoder.decode(statement).key_id)
        if not key.verifies(signatures[sample], entry_hash(previous_hash, statement)):
            raise self._distrust(process)

    def _distrust(self, process: SigningProcess) -> HsmUnavailable:
        _logger.error("signing process %d ended: %s", process.pid, _ERRS)
        process.expel(_ERRS)
        return HsmUnavailable(_ERRS)

    def _held(self, key_id: str) -> PublicKey:
        return self._keys[self._label(key_id)]

    def _label(self, key_id: str) -> str:
        for label, key in self._keys.items():
            if key.key_id == key_id:
                return label
        raise NotSignable(f"the key {key_id} is not held")

    async def _add_to(self, process: SigningProcess, label: str) -> PublicKey | None:
        if not await self._crew.take_this(process):
            return None
        opened = await self._unless_gone(process.call(wire.AddKey(label), wire.Opened, self._timeout))
        return PublicKey(opened.keys[0]) if opened else None

    async def _unless_gone(self, call: Awaitable[R]) -> R | None:
        """The reply; None when the process ended instead: its successor opens with the labels of then."""
        try:
            return await call
        except KeyMissing:
            raise
        except HsmUnavailable as error:
            _logger.warning("a signing process ended: %s", error)
            return None

    # --- Their lives -------------------------------------------------------------------------------------------------

    async def _first(self) -> SigningProcess:
        for attempt in range(1, _START_ATTEMPTS + 1):
            try:
                return await self._open_process()
            except (KeyMissing, TokenUnfit, PinRefused):
                raise
            except HsmUnavailable:
                if attempt == _START_ATTEMPTS:
                    raise
                await asyncio.sleep(_delay(attempt))
        raise AssertionError("unreachable: the attempts either return or raise")

    async def _next(self) -> SigningProcess | None:
        try:
            return await self._open_process()
        except HsmUnavailable as error:
            _logger.warning("no signing process could be started: %s", error)
            return None

    async def _keep(self, process: SigningProcess | None) -> None:
        """Replace a process whenever it ends, after a growing delay; for ever, unless the PIN is refused."""
        loop = asyncio.get_running_loop()
        failures = 0
        while process is not None or not self._pin_refused:
            since = loop.time()
            if process is not None:
                await self._end_of(process)
            failures = 1 if loop.time() - since > _STEADY_AFTER else failures + 1
            await asyncio.sleep(_delay(failures))
            process = await self._next()

    async def _end_of(self, process: SigningProcess) -> None:
        await asyncio.wait([process.gone])
        self._crew.dismiss(process)
        _logger.warning("signing process %d ended (%s)", process.pid, await self._bury(process))

    async def _bury(self, process: SigningProcess) -> int | None:
        code = await process.reap()
        self._running.discard(process)
        return code

    async def _open_process(self) -> SigningProcess:
        """One more process, its token open, enlisted. One at a time, so that a wrong PIN is given to the token once."""
        async with self._opening:
            if self._closed or self._pin_refused:
                raise self._crew.why()
            process = SigningProcess(self._crew.release)
            self._running.add(process)
            try:
                await self._open_token(process)
            except BaseException as error:
                process.expel("the token could not be opened")
                if isinstance(error, HsmUnavailable):
                    await self._bury(process)
                    self._crew.trouble, self._pin_refused = error, isinstance(error, PinRefused)
                raise
            self._crew.trouble = HsmUnavailable("the signing processes have ended and are being replaced")
            self._crew.enlist(process)
            return process

    async def _open_token(self, process: SigningProcess) -> None:
        try:
            await process.start(self._command)
        except OSError as error:
            raise HsmUnavailable(f"no signing process can be started: {error}") from error
        request = wire.Open(self._token, self._pin, self.authority, self._labels)
        opened = await process.call(request, wire.Opened, max(self._timeout, _OPENING_PATIENCE))
        keys = dict(zip(self._labels, map(PublicKey, opened.keys), strict=True))
        if any(self._keys.get(label, key) != key for label, key in keys.items()):
            raise KeyMissing("the token came back with another key under the same label")
        self._keys.update(keys)


def _split(batch: Sequence[Pair], count: int) -> list[Sequence[Pair]]:
    """``count`` runs of the batch, whose lengths differ by one at most."""
    edges = [len(batch) * part // count for part in range(count + 1)]
    return [batch[start:end] for start, end in pairwise(edges)]


def _raised(result: list[bytes] | BaseException) -> list[bytes]:
    if isinstance(result, BaseException):
        raise result
    return result


def _delay(failures: int) -> float:
    """Seconds before the next attempt: doubling, at most 5, with jitter so that processes do not start in step."""
    return min(_SHORTEST_DELAY * 2 ** min(failures, 10), _LONGEST_DELAY) * random.uniform(0.5, 1.0)
