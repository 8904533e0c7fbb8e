"""The only thing the token signs: a typed statement and the hash of the entry before it."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bonopay_signer.fiscal.statement import Statement, entry_hash
from bonopay_signer.hsm.token import HsmUnavailable, TokenSession


@dataclass(frozen=True, slots=True)
class Seal:
    """A signed statement: its canonical bytes, ``entry_hash`` (32 bytes) and ``signature`` (64 bytes ``r‖s``)."""

    statement: Statement
    statement_bytes: bytes
    previous_hash: bytes
    entry_hash: bytes
    signature: bytes


class Sealer:
    """Signs statements of one authority with one key, in a thread of its own so that a slow token never stops the loop.

    Hashes come first and signatures after, so a batch of one chain needs no signature to wait for another.
    """

    def __init__(self, session: TokenSession, authority: str, timeout: float = 10.0) -> None:
        self._session = session
        self._authority = authority
        self._timeout = timeout
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="token")

    @property
    def authority(self) -> str:
        return self._authority

    @property
    def key_id(self) -> str:
        if self._session.public_key is None:
            raise HsmUnavailable("the token is not open")
        return self._session.public_key.key_id

    async def sign(self, batch: Sequence[tuple[Statement, bytes]]) -> list[Seal]:
        """One Seal per (statement, previous_hash), in order.

        Raises HsmUnavailable; ValueError for a statement of another authority or key.
        """
        return await self._run(self._sign_all, batch)

    async def check(self) -> None:
        """Raises HsmUnavailable unless the token answers."""
        await self._run(self._session.check)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def _run(self, call, *arguments):
        future = asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)
        try:
            return await asyncio.wait_for(future, self._timeout)
        except TimeoutError as error:
            raise HsmUnavailable(f"the token did not answer within {self._timeout:g} s") from error

    def _sign_all(self, batch: Sequence[tuple[Statement, bytes]]) -> list[Seal]:
        return [self._sign_one(statement, previous_hash) for statement, previous_hash in batch]

    def _sign_one(self, statement: Statement, previous_hash: bytes) -> Seal:
        if statement.authority != self._authority or statement.key_id != self.key_id:
            raise ValueError("the statement names another authority or key")
        encoded = statement.encode()
        digest = entry_hash(previous_hash, encoded)
        signature = self._session._sign_digest(digest)
        if not self._session.public_key.verifies(signature, digest):
            # A ledger entry is for ever: a token that errs must not get one in.
            raise HsmUnavailable("the token's signature does not verify under its own public key")
        return Seal(statement, encoded, previous_hash, digest, signature)
