"""The page of a scanned provisional ticket. Never green: only a normalised invoice is what the buyer is owed."""

from bonopay_signer.tills.checks import TicketCheck
from bonopay_signer.tills.words import WORDS
from bonopay_signer.verification import html

_COLOURS = {
    "forged": "mismatch",
    "not_found": "not_found",
    "overdue": "mismatch",
    "differs": "mismatch",
    "rejected": "rejected",
}


def ticket_page(language: str, check: TicketCheck, path: str) -> str:
    words = WORDS[language]
    verdict = _verdict(check)
    body = (
        _stamp(words, check)
        + f'<div class="verdict {_COLOURS.get(verdict, "waiting")}" role="status"><h1>{html.text(words[verdict])}</h1>'
        f"<p>{html.text(words[f'{verdict}_text'])}</p></div>"
        + _invoice(words, check)
        + "".join(_note(words[remark]) for remark in check.remarks)
        + (_note(words[check.till_state]) if check.till_state not in (None, "active") else "")
        + _facts(words, check)
    )
    title = words["not_found" if verdict == "not_found" else "stamp"]
    return html.page(language, title, body, path, {})


def _verdict(check: TicketCheck) -> str:
    if check.result != "genuine":
        return check.result
    if check.sealed_as is None:
        return "overdue" if check.overdue else "received" if check.received else "awaited"
    if check.differs:
        return "differs"
    return {"certified": "normalised", "rejected": "rejected"}.get(check.dgi_status or "", "sealed")


def _stamp(words: dict[str, str], check: TicketCheck) -> str:
    """What the paper says too, above everything else: whatever became of the sale, this is no invoice."""
    return "" if check.result == "not_found" else f"<p class=stamp>{html.text(words['stamp'])}</p>"


def _note(words: str) -> str:
    return f'<p class=secondary role="note">{html.text(words)}</p>'


def _facts(words: dict[str, str], check: TicketCheck) -> str:
    if check.result != "genuine":
        return ""
    rows = [
        (words["seller"], html.text(check.seller)),
        (words["merchant_nif"], html.text(check.merchant_nif)),
        (words["number"], html.text(check.number)),
        (words["total"], html.money(check.total, check.currency)),
        (words["tax"], html.money(check.tax, check.currency)),
        (words["issued_at"], f"{html.moment(check.issued_at)} {html.text(words['zone'])}"),
    ]
    if check.deadline:
        rows.append((words["deadline"], f"{html.moment(check.deadline)} {html.text(words['zone'])}"))
    return html.facts(rows)


def _invoice(words: dict[str, str], check: TicketCheck) -> str:
    """The way to the page of the sealed invoice."""
    if not check.sealed_as:
        return ""
    link = html.text(check.verification_url)
    total = f" – {html.money(check.sealed_total, check.currency)}" if check.sealed_total else ""
    return f'<p><a class=onward href="{link}">{html.text(words["invoice"])} {html.text(check.sealed_as)}{total}</a></p>'
