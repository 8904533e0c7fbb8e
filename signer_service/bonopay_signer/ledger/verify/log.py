"""The transparency log: a database's tiles and checkpoints, an exported file's checkpoints."""

from collections.abc import Iterator, Mapping, Sequence

from bonopay_signer.db.pool import make_pool
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.verify.outcome import Fault, Outcome
from bonopay_signer.ledger.verify.records import Checked
from bonopay_signer.transparency.checkpoints import Checkpoint, log_of, parse_checkpoint
from bonopay_signer.transparency.merkle import Frontier, entry_leaf
from bonopay_signer.transparency.notes import EcdsaVerifier, NoteMalformed, NoteUntrusted, parse_note, verified
from bonopay_signer.transparency.store import LogStore
from bonopay_signer.transparency.verification import LogFault, verify_log


async def verify_logs(dsn: str, authority: str, outcome: Outcome) -> None:
    """Add what is wrong with the log of any shard; a checkpoint may be signed with any published key.

    Raises psycopg.Error.
    """
    async with make_pool(dsn, 2) as pool:
        async with pool.connection() as connection:
            keys = [key for key, _ in await reader.signing_keys(connection)]
        store = LogStore(pool)
        for log, size in await store.shards():
            found = await verify_log(store, authority, log.shard, [key.der for key in keys])
            if isinstance(found, LogFault):
                subject = f"log {found.log_epoch} of shard {found.shard}"
                outcome.faults.append(Fault(subject, None, found.check, f"up to size {found.size}: {found.detail}"))
            elif size > found.covered:
                outcome.notes.append(f"the last {size - found.covered} entries are under no checkpoint yet")


class Notes:
    """Signed checkpoints beside the entries that they are of: ``add`` every entry in order, then ask for the faults."""

    def __init__(self, notes: Sequence[str], authority: str, keys: Mapping[str, PublicKey]) -> None:
        self._frontiers: dict[int, Frontier] = {}
        self._waiting: list[tuple[int, Checkpoint]] = []
        self._faults: list[Fault] = []
        for note in notes:
            try:
                self._waiting.append(_read(note, authority, keys))
            except (NoteMalformed, NoteUntrusted) as error:
                self._faults.append(Fault("checkpoint", None, "note", str(error)))

    def add(self, entry: Checked) -> None:
        if not self._waiting:
            return
        frontier = self._frontiers.setdefault(entry.shard, Frontier())
        frontier.append(entry_leaf(entry.entry_hash, entry.signature))
        reached = [item for item in self._waiting if (item[0], item[1].size) == (entry.shard, frontier.size)]
        for item in reached:
            self._waiting.remove(item)
            if frontier.root() != item[1].root:
                detail = f"the first {item[1].size} entries do not give the root that was signed"
                self._faults.append(Fault(item[1].origin, None, "root", detail))

    def faults(self) -> Iterator[Fault]:
        yield from self._faults
        for _, checkpoint in self._waiting:
            yield Fault(checkpoint.origin, None, "leaves", f"there are fewer than the {checkpoint.size} entries signed")


def _read(note: str, authority: str, keys: Mapping[str, PublicKey]) -> tuple[int, Checkpoint]:
    """The shard and the checkpoint of a note. Raises NoteMalformed, NoteUntrusted."""
    parsed = parse_note(note.encode())
    checkpoint = parse_checkpoint(parsed.text)
    log = log_of(checkpoint.origin, authority)
    if log is None:
        raise NoteMalformed(f"{checkpoint.origin} is no log of {authority}")
    verified(parsed, [EcdsaVerifier(checkpoint.origin, key.der) for key in keys.values()])
    return log[0], checkpoint
