"""The catalogue of findings: every code, with its message in French and English.

Codes are stable: programs branch on them. Messages may improve.
"""

from . import credit, form, invoice
from .message import Message

CATALOGUE: dict[str, Message] = (
    form.JSON
    | form.MEMBERS
    | form.FORMS
    | invoice.DOCUMENT
    | invoice.ITEMS
    | invoice.AMOUNTS
    | invoice.PAYMENTS
    | invoice.CLIENT
    | credit.CREDIT
    | credit.AGAINST_ORIGINAL
)
"""Every code, with its message templates."""
