"""Every rule that one invoice alone can break. What takes two documents (a credit note against its original, SFE
§1.26–1.27) or the outside world (the central bank's rate, SFE §1.30) is checked elsewhere.

A rule is a function from an invoice to its findings, named after what must hold; its docstring names its paragraph.
One fault gives one finding: a rule leaves alone what another one already reports.
"""

from collections.abc import Callable, Iterator

from ..findings import Finding
from ..schema import Invoice
from . import amounts, client, credit, items, payments

Rule = Callable[[Invoice], Iterator[Finding]]

RULES: tuple[Rule, ...] = items.RULES + amounts.RULES + payments.RULES + client.RULES + credit.RULES
"""In the order in which findings are reported."""


def check(invoice: Invoice) -> tuple[Finding, ...]:
    """Return every fault of the invoice, none when the law has nothing against it."""
    return tuple(found for rule in RULES for found in rule(invoice))
