"""What is odd about a ticket that its till did sign. It is kept all the same: a sale that was made is not lost."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from bonopay_signer.fiscal.ticket import Ticket
from bonopay_signer.ledger.tills import Credential

Remark = Literal["no_credential", "outside_counters", "after_credential", "signed_twice"]


def remarks_on(ticket: Ticket, credential: Credential | None, is_doubled: bool) -> Iterator[Remark]:
    """``credential``: the one of its key that the ticket names, None when there is none. ``is_doubled``: another ticket
    is of the same document.

    When a ticket was signed is known by the till's clock alone, so that a wrong one is not told from a late ticket.
    """
    if credential is None:
        yield "no_credential"
    else:
        if not credential.counter_from <= ticket.counter <= credential.counter_to:
            yield "outside_counters"
        if datetime.fromisoformat(ticket.issued_at) > datetime.fromisoformat(credential.not_after):
            yield "after_credential"
    if is_doubled:
        yield "signed_twice"
