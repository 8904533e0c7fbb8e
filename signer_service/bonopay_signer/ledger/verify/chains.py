"""Entries in the order of their positions: what makes of sound entries a ledger.

A chain goes on after an entry that does not hold, but no further: its state is unknown then. Everything else is
verified to the end, so that one fault hides no other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.numbering import fiscal_number, parse_fiscal_number
from bonopay_signer.fiscal.statement import ZERO_HASH, Statement
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.columns import exact
from bonopay_signer.ledger.entries import CERTIFIED, EPOCH_OPENED, INVOICE, KEY_ROTATION, VERDICTS
from bonopay_signer.ledger.headstore import KnownHead
from bonopay_signer.ledger.opening import Opening, read_opening
from bonopay_signer.ledger.rotation import RotationInvalid, read_rotation, verify_rotation
from bonopay_signer.ledger.tills import PAYLOADS as TILL_PAYLOADS
from bonopay_signer.ledger.tills import Credential, OfflineGap, TillCloned
from bonopay_signer.ledger.tills import read as read_till_payload
from bonopay_signer.ledger.verify.credits import CreditJudge
from bonopay_signer.ledger.verify.facts import Fact, Facts, SealedTwice
from bonopay_signer.ledger.verify.outcome import Fault, Gap, Outcome, Verified
from bonopay_signer.ledger.verify.records import Checked

REPEATED = ("document_type", "total", "tax", "currency", "merchant_nif")
"""What a verdict's statement repeats of its invoice."""


@dataclass
class Chain:
    """Where a chain is after its entries so far. ``start_index`` and ``start_sequence`` are 0 but for an excerpt."""

    outlet_id: str
    merchant_nif: str | None = None
    epoch: int = 1
    index: int = 0
    sequence: int = 0
    entry_hash: bytes = ZERO_HASH
    sealed_at: str = ""
    key_id: str | None = None
    retired: set[str] = field(default_factory=set)
    tills: dict[str, tuple[str, str]] = field(default_factory=dict)  # device and terminal of each admitted key
    lost: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # counters, ends included, by the key
    start_index: int = 0
    start_sequence: int = 0
    gaps: list[Gap] = field(default_factory=list)
    fault: Fault | None = None
    missing: int = 0
    missing_invoices: int = 0

    def verified(self) -> Verified:
        entries = self.index - self.start_index - self.missing
        invoices = self.sequence - self.start_sequence - self.missing_invoices
        return Verified(self.outlet_id, entries, invoices, self.entry_hash, tuple(self.gaps))


@dataclass
class Shard:
    """Where a shard's order of positions is: ``size`` is the position that comes next."""

    id: int
    size: int = 0
    sealed_at: str = ""
    log_epoch: int = 1
    last: Checked | None = None
    fault: Fault | None = None


class Broken(Exception):
    """An entry does not follow from those before it."""

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(detail)
        self.check, self.detail = check, detail


@dataclass
class Scope:
    """What the stream is of. ``whole``: every entry of its shards; else positions only increase."""

    authority: str | None = None
    whole: bool = True
    trusted: frozenset[str] | None = None
    starts: Mapping[str, Chain] = field(default_factory=dict)


class Ledger:
    """Takes entries in order. ``known``: heads of the head store, to be met on the way."""

    def __init__(
        self,
        scope: Scope,
        keys: Mapping[str, PublicKey],
        facts: Facts,
        credits: CreditJudge,
        known: Mapping[str, KnownHead] | None = None,
    ) -> None:
        self.scope = scope
        self.chains: dict[str, Chain] = {outlet: start for outlet, start in scope.starts.items()}
        self.shards: dict[int, Shard] = {}
        self.facts = facts
        self.keys = keys
        self.entries = 0
        self.unjudged = 0
        self.addresses: dict[str, tuple[str, int, int]] = {}
        self._credits = credits
        self._known = dict(known or {})
        self._rules: dict[str, Callable[[Chain, Checked, Statement], None]] = {
            INVOICE: self._invoice,
            EPOCH_OPENED: self._epoch,
            KEY_ROTATION: self._rotation,
            **{kind: partial(self._of_till, payload) for kind, payload in TILL_PAYLOADS.items()},
            **dict.fromkeys(VERDICTS, self._verdict),
        }

    def add(self, entry: Checked) -> None:
        """Judge the next entry."""
        self.entries += 1
        self._note_address(entry)
        chain = self.chain(entry.outlet_id)
        self._place(self._shard(entry.shard), entry)
        if chain.fault is not None:
            return
        try:
            if entry.fault is not None:
                raise Broken(*entry.fault)
            self._follow(chain, entry)
        except Broken as broken:
            chain.fault = Fault(entry.outlet_id, entry.index, broken.check, broken.detail)

    def finish(self, outcome: Outcome) -> None:
        """Report the chains in order of their outlets, then the shards; heads that were never met are faults."""
        for outlet_id in sorted({*self.chains, *self._known}):
            chain, known = self.chain(outlet_id), self._known.get(outlet_id)
            if chain.fault is None and known is not None:
                detail = f"the head store knows entry {known.index} with hash {known.entry_hash.hex()}, it is not here"
                chain.fault = Fault(chain.outlet_id, None, "head store", detail)
            if chain.fault is None:
                outcome.chains.append(chain.verified())
            else:
                outcome.faults.append(chain.fault)
        outcome.faults += [shard.fault for shard in self.shards.values() if shard.fault is not None]
        outcome.entries = self.entries

    def chain(self, outlet_id: str) -> Chain:
        return self.chains.get(outlet_id) or self.chains.setdefault(outlet_id, Chain(outlet_id))

    def sound(self, number: str) -> bool:
        """Whether the chain that a fiscal number belongs to holds, so that tables can be compared with it."""
        try:
            outlet_id = parse_fiscal_number(number).outlet_id
        except ValueError:
            return True
        return outlet_id not in self.chains or self.chains[outlet_id].fault is None

    # --- positions

    def _shard(self, number: int) -> Shard:
        return self.shards.setdefault(number, Shard(number))

    def _place(self, shard: Shard, entry: Checked) -> None:
        detail = self._misplaced(shard, entry)
        if detail is not None and shard.fault is None:
            shard.fault = Fault(f"shard {shard.id}", None, "position", detail)
        shard.size = entry.position + 1
        if entry.statement is not None:
            shard.sealed_at = entry.statement.sealed_at
        shard.last = entry

    def _misplaced(self, shard: Shard, entry: Checked) -> str | None:
        if entry.position < shard.size:
            return (
                f"position {entry.position} is taken twice, the second time by entry {entry.index} of {entry.outlet_id}"
            )
        if entry.position > shard.size and self.scope.whole:
            return f"position {shard.size} is missing before entry {entry.index} of {entry.outlet_id}"
        if entry.statement is not None and entry.statement.sealed_at < shard.sealed_at:
            return f"entry {entry.index} of {entry.outlet_id} is older than the one at position {entry.position - 1}"
        return None

    def _note_address(self, entry: Checked) -> None:
        first, _, count = self.addresses.get(entry.public_url, (f"entry {entry.index} of {entry.outlet_id}", 0, 0))
        self.addresses[entry.public_url] = (first, entry.position, count + 1)

    # --- the chain

    def _follow(self, chain: Chain, entry: Checked) -> None:
        statement = entry.statement
        assert statement is not None
        self._link(chain, entry, statement)
        self._key(chain, statement)
        rule = self._rules.get(statement.kind)
        if rule is None:
            raise Broken("content", f"there is no kind of entry {statement.kind!r}")
        rule(chain, entry, statement)
        chain.index, chain.entry_hash, chain.sealed_at = entry.index, entry.entry_hash, statement.sealed_at
        known = self._known.get(chain.outlet_id)
        if known is not None and known.index == chain.index:
            if known.entry_hash != chain.entry_hash:
                raise Broken("head store", f"the head store knows it with hash {known.entry_hash.hex()}")
            del self._known[chain.outlet_id]

    def _link(self, chain: Chain, entry: Checked, statement: Statement) -> None:
        if self.scope.authority not in (None, statement.authority):
            raise Broken("link", f"the entry is of authority {statement.authority}")
        if chain.merchant_nif not in (None, statement.merchant_nif):
            raise Broken(
                "link", f"the entry is of merchant {statement.merchant_nif}, the chain of {chain.merchant_nif}"
            )
        chain.merchant_nif = statement.merchant_nif
        if statement.sealed_at < chain.sealed_at:
            raise Broken("link", "the entry is older than the one before it")
        if statement.kind == EPOCH_OPENED:
            return
        if statement.epoch != chain.epoch:
            raise Broken("link", f"the entry is of epoch {statement.epoch}, the chain in epoch {chain.epoch}")
        if entry.index != chain.index + 1:
            raise Broken("link", f"entry {chain.index + 1} is missing")
        if entry.previous_hash != chain.entry_hash:
            raise Broken("link", f"the entry does not follow entry {chain.index}")

    def _key(self, chain: Chain, statement: Statement) -> None:
        if chain.key_id is None:
            if self.scope.trusted is not None and statement.key_id not in self.scope.trusted:
                raise Broken("key", f"the chain begins with key {statement.key_id}, which is not trusted")
            chain.key_id = statement.key_id
        if statement.key_id != chain.key_id:
            raise Broken(
                "key", f"signed with {statement.key_id}; no key_rotation hands the chain on from {chain.key_id}"
            )

    def _invoice(self, chain: Chain, entry: Checked, statement: Statement) -> None:
        expected = fiscal_number(chain.outlet_id, chain.epoch, chain.sequence + 1)
        if statement.fiscal_number != expected:
            words = f"the number is {statement.fiscal_number}, the series continues with {expected}"
            raise Broken("numbering", words)
        fact = Fact(
            *(statement.fiscal_number, statement.merchant_nif, str(entry.document_id), statement.outlet_id),
            *(entry.position, entry.locator, entry.index, exact(statement.sealed_at), statement.payload_hash),
            *(entry.entry_hash, _terms(statement), entry.original),
        )
        if entry.original is not None:
            self._judge(fact)
        try:
            self.facts.add(fact)
        except SealedTwice as error:
            raise Broken("numbering", str(error)) from error
        chain.sequence += 1

    def _judge(self, fact: Fact) -> None:
        found = self._credits.faults(fact, self._is_elsewhere(str(fact.original)))
        if found is None:
            self.unjudged += 1
        elif found:
            raise Broken("credit", "; ".join(found))

    def _verdict(self, chain: Chain, entry: Checked, statement: Statement) -> None:
        number = statement.fiscal_number
        payload = entry.facts or {}
        invoice = self.facts.invoice(number)
        if invoice is None and self._is_elsewhere(number):
            self.unjudged += 1
            return
        if invoice is None or invoice.verdict is not None or invoice.outlet != statement.outlet_id:
            raise Broken("numbering", f"no invoice {number} waits for an answer of the DGI")
        if invoice.terms != _terms(statement) or invoice.document != entry.document_id:
            raise Broken("numbering", "the statement does not repeat its invoice")
        if (payload.get("fiscal_number"), payload.get("invoice_entry_hash")) != (number, invoice.entry_hash.hex()):
            raise Broken("content", f"the payload does not name invoice {number} and its hash")
        code = payload.get("code") if statement.kind == CERTIFIED else None
        where = (entry.position, entry.index, exact(statement.sealed_at))
        self.facts.settle(number, statement.kind, *where, code if isinstance(code, str) else None)

    def _is_elsewhere(self, number: str) -> bool:
        """Whether an excerpt leaves this invoice out: another outlet's, or one before the excerpt begins."""
        try:
            parts = parse_fiscal_number(number)
        except ValueError:
            return False
        chain = self.chains.get(parts.outlet_id)
        if chain is None:
            return not self.scope.whole
        return (parts.epoch, parts.sequence) <= (chain.epoch, chain.start_sequence)

    def _epoch(self, chain: Chain, entry: Checked, statement: Statement) -> None:
        try:
            opening = read_opening(entry.facts or {})
        except ValueError as error:
            raise Broken("content", f"the payload is no opening: {error}") from error
        found = (chain.epoch, chain.index, chain.sequence, chain.entry_hash)
        if (opening.found.epoch, opening.found.index, opening.found.sequence, opening.found.entry_hash) != found:
            raise Broken("epoch", f"it was opened over another head than entry {chain.index}, the last one here")
        follows = opening.follows()
        if (entry.index, statement.epoch) != (follows.index, follows.epoch):
            raise Broken("epoch", f"it does not continue with entry {follows.index} of epoch {follows.epoch}")
        if entry.previous_hash != opening.known.entry_hash:
            raise Broken("epoch", "it does not follow the head that it names")
        self._count_lost(chain, opening)
        chain.epoch, chain.sequence = follows.epoch, follows.sequence
        shard = self._shard(entry.shard)
        shard.log_epoch = max(shard.log_epoch, opening.log_epoch)
        known = self._known.get(chain.outlet_id)
        if known is not None and known == opening.known.of(chain.outlet_id):
            del self._known[chain.outlet_id]

    def _count_lost(self, chain: Chain, opening: Opening) -> None:
        follows = opening.follows()
        gap = Gap(
            *(chain.outlet_id, opening.known.epoch, chain.index + 1, opening.known.index),
            *(chain.sequence + 1, opening.known.sequence, opening.reason),
        )
        chain.gaps.append(gap)
        chain.missing += follows.index - 1 - chain.index
        chain.missing_invoices += follows.sequence - chain.sequence

    def _rotation(self, chain: Chain, entry: Checked, statement: Statement) -> None:
        payload = canonical.encode(entry.facts)
        try:
            following = self.keys.get(read_rotation(payload).new_key_id)
            if following is None:
                raise Broken("key", "the new key is not among the published keys")
            verify_rotation(statement, entry.previous_hash, payload, self.keys[statement.key_id], following)
        except RotationInvalid as error:
            raise Broken("key", str(error)) from error
        chain.retired.add(statement.key_id)
        if following.key_id in chain.retired:
            raise Broken("key", f"the chain is handed back to {following.key_id}, which was retired in it")
        chain.key_id = following.key_id

    def _of_till(
        self, payload: type[Credential | OfflineGap | TillCloned], chain: Chain, entry: Checked, _statement: Statement
    ) -> None:
        """A key is of one device and one terminal for ever, and admitted before a gap or a clone is told of it, unless
        an excerpt leaves that out."""
        try:
            told = read_till_payload(canonical.encode(entry.facts), payload)
        except ValueError as error:
            raise Broken("content", str(error)) from error
        whose = (told.device_id, told.terminal)
        admitted = chain.tills.get(told.key_id)
        if admitted is None and self.scope.whole and not isinstance(told, Credential):
            raise Broken("content", f"the chain never admitted the key {told.key_id}")
        if admitted not in (None, whose):
            raise Broken("content", f"the chain admitted {told.key_id} as another device or terminal")
        if any(device == told.device_id and key != told.key_id for key, (device, _) in chain.tills.items()):
            raise Broken("content", f"the chain admitted the device {told.device_id} with another key")
        chain.tills[told.key_id] = whose
        if isinstance(told, OfflineGap):
            chain.lost.setdefault(told.key_id, []).append((told.counter_from, told.counter_to))


def _terms(statement: Statement) -> str:
    return "|".join(getattr(statement, name) for name in REPEATED)
