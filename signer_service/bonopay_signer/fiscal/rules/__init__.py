"""Every rule that one invoice alone can break: `check`.

What takes two documents (a credit note against its original, SFE §1.26–1.27) is in `against_original`; what takes the
central bank's rate of the day (SFE §1.30) in `against_rate`. They are pure too: the caller brings what they need.

A rule is a function from an invoice to its findings, named after what must hold; its docstring names its paragraph.
One fault gives one finding: a rule leaves alone what another one already reports.
"""

from collections.abc import Callable, Iterator

from ..findings import Finding, limited
from ..schema import Invoice
from . import amounts, client, credit, document, items, payments
from .facts import Facts

Rule = Callable[[Facts], Iterator[Finding]]

RULES: tuple[Rule, ...] = document.RULES + items.RULES + amounts.RULES + payments.RULES + client.RULES + credit.RULES
"""In the order in which findings are reported."""


def check(invoice: Invoice) -> tuple[Finding, ...]:
    """Return every fault of the invoice (at most `findings.MAX_FINDINGS`), none when the law has nothing against it."""
    facts = Facts(invoice)
    return limited(found for rule in RULES for found in rule(facts))
