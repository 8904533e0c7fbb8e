"""Rules on the buyer (SFE §1.11, §1.24, annexes I and IV)."""

from collections.abc import Iterator

from .. import tables
from ..findings import Finding, finding, pointer_to
from ..forms import MAX_TEXT
from .facts import Facts


def compulsory_fields_are_given(facts: Facts) -> Iterator[Finding]:
    """SFE §1.11, annex I: what each type of client makes compulsory."""
    client = facts.invoice.client
    row = facts.tables.client_types.get(client.type)
    for member in row.compulsory if row else ():
        if getattr(client, member) is None:
            yield finding(pointer_to("client", member), f"client.{member}.missing", name=client.type)


def exemption_is_for_exempt_clients(facts: Facts) -> Iterator[Finding]:
    """Annex I: an exemption reference exists for embassies and international organisations only."""
    client = facts.invoice.client
    if client.exemption_reference is None:
        return
    row = facts.tables.client_types.get(client.type)
    if row and "exemption_reference" not in row.compulsory:
        pointer = "/client/exemption_reference"
        yield finding(pointer, "client.exemption_reference.unexpected", actual=client.exemption_reference)


def comment_lines_carry_what_annex_iv_says(facts: Facts) -> Iterator[Finding]:
    """SFE §1.24, annex IV: comment line A carries the label and the exemption reference of an AO client."""
    client = facts.invoice.client
    for line in facts.tables.comment_lines.values():
        content = getattr(client, line.member) if line.client_type == client.type else None
        if content is not None:
            yield from _line_faults(facts, line, content)


def _line_faults(facts: Facts, line: tables.CommentLine, content: str) -> Iterator[Finding]:
    expected, actual = line.label_fr + content, getattr(facts.invoice.comments, line.code)
    longest = MAX_TEXT - len(line.label_fr)
    if len(content) > longest:
        pointer = pointer_to("client", line.member)
        yield finding(pointer, f"client.{line.member}.too_long", expected=str(longest), actual=content)
    elif actual != expected:
        pointer = pointer_to("comments", line.code)
        yield finding(pointer, f"comments.{line.code}.exemption", expected=expected, actual=actual)


RULES = (compulsory_fields_are_given, exemption_is_for_exempt_clients, comment_lines_carry_what_annex_iv_says)
