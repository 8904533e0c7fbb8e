"""Every credit note judged again, as it was when it was sealed (SFE §1.26–1.27)."""

from collections.abc import Callable

from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.fiscal.rules.against_original import Original, check_credit
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.ledger.entries import REJECTED
from bonopay_signer.ledger.verify.facts import Fact, Facts

PayloadOf = Callable[[int], bytes]
"""The payload of the entry that a locator finds; raises LookupError."""


class CreditJudge:
    """Judges with what came before in the ledger: neither a later verdict nor a later credit note counts."""

    def __init__(self, facts: Facts, payload_of: PayloadOf) -> None:
        self._facts = facts
        self._payload_of = payload_of

    def faults(self, note: Fact, original_may_be_elsewhere: bool) -> list[str] | None:
        """What the law has against a credit note; None when its original is not in the excerpt that is verified."""
        original = self._facts.invoice(str(note.original))
        if original is None and original_may_be_elsewhere:
            return None
        try:
            return self._judged(note, original)
        except LookupError as error:
            return [str(error)]

    def _judged(self, note: Fact, original: Fact | None) -> list[str]:
        invoice = self._invoice(note)
        if original is None or original.merchant != note.merchant:
            found = check_credit(invoice, None, ())
        else:
            earlier = [self._invoice(fact) for fact in self._earlier(note)]
            found = check_credit(invoice, Original(self._invoice(original), original.code), earlier)
        return [f"{finding.pointer} {finding.code}: {finding.message['en']}" for finding in found]

    def _earlier(self, note: Fact) -> list[Fact]:
        """Those that were sealed before, but for what the DGI had rejected by then: all of it is in the facts."""
        sealed = self._facts.credit_notes(str(note.original))
        return [fact for fact in sealed if fact.verdict != REJECTED]

    def _invoice(self, fact: Fact) -> Invoice:
        return parse(self._payload_of(fact.locator))
