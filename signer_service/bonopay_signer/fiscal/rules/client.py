"""Rules on the buyer (SFE §1.11, §1.24, annexes I and IV)."""

from collections.abc import Iterator

from .. import tables
from ..findings import Finding, finding, pointer_to
from ..forms import MAX_TEXT
from ..schema import Invoice

_LONGEST_REFERENCE = MAX_TEXT - len(tables.EXEMPTION_LABEL)


def compulsory_fields_are_given(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.11, annex I: what each type of client makes compulsory."""
    for member in tables.CLIENT_TYPES[invoice.client.type].compulsory:
        if getattr(invoice.client, member) is None:
            yield finding(pointer_to("client", member), f"client.{member}.missing", name=invoice.client.type)


def exemption_is_for_exempt_clients(invoice: Invoice) -> Iterator[Finding]:
    """Annex I: an exemption reference exists for embassies and international organisations only."""
    reference = invoice.client.exemption_reference
    if reference is not None and invoice.client.type != tables.EXEMPT_CLIENT:
        yield finding("/client/exemption_reference", "client.exemption_reference.unexpected", actual=reference)


def exemption_is_in_comment_a(invoice: Invoice) -> Iterator[Finding]:
    """Annex IV: comment line A carries the label and the exemption reference of an AO client."""
    reference = invoice.client.exemption_reference
    if invoice.client.type != tables.EXEMPT_CLIENT or reference is None:
        return
    expected = tables.EXEMPTION_LABEL + reference
    if len(reference) > _LONGEST_REFERENCE:
        code = "client.exemption_reference.too_long"
        longest = str(_LONGEST_REFERENCE)
        yield finding("/client/exemption_reference", code, expected=longest, actual=reference)
    elif invoice.comments.A != expected:
        yield finding("/comments/A", "comments.A.exemption", expected=expected, actual=invoice.comments.A)


RULES = (compulsory_fields_are_given, exemption_is_for_exempt_clients, exemption_is_in_comment_a)
