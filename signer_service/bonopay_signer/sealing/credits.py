"""Credit notes against what they take back (SFE §1.26–1.27), judged where no other entry can come in between.

The writer calls the judge while it alone may append, and the batch that follows is refused if anything was appended
since: two tills cannot credit the same goods twice.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import psycopg

from bonopay_signer.fiscal.findings import Finding
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.fiscal.rules.against_original import Original, check_credit
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.batch import Draft
from bonopay_signer.ledger.entries import CERTIFIED
from bonopay_signer.sealing.errors import Invalid


async def judge(connection: psycopg.AsyncConnection, credit_notes: Sequence[Draft]) -> Mapping[int, Exception]:
    """Refusals by place. A note that is accepted counts for those that come after it in the same batch."""
    accepted: defaultdict[str, list[Invoice]] = defaultdict(list)
    refused: dict[int, Exception] = {}
    for place, draft in enumerate(credit_notes):
        assert draft.original is not None
        invoice = parse(draft.payload)
        found = await findings(connection, invoice, accepted[draft.original])
        if found:
            refused[place] = Invalid(found)
        else:
            accepted[draft.original].append(invoice)
    return refused


async def findings(
    connection: psycopg.AsyncConnection, credit_note: Invoice, besides: Sequence[Invoice] = ()
) -> tuple[Finding, ...]:
    """What the law has against a credit note, given its original and the notes before it, and ``besides``."""
    number = credit_note.credit.original_fiscal_number if credit_note.credit else None
    if number is None:
        return ()
    entry = await reader.invoice_by_number(connection, number)
    if entry is None or entry.merchant_nif != credit_note.merchant_nif:
        return check_credit(credit_note, None, ())
    verdict = await reader.verdict(connection, number)
    code = verdict.payload_fields["code"] if verdict is not None and verdict.kind == CERTIFIED else None
    earlier = [parse(payload) for payload in await reader.credit_notes_of(connection, number)]
    return check_credit(credit_note, Original(parse(entry.payload), code), (*earlier, *besides))
