"""The page of a scanned provisional ticket."""

from bonopay_signer.tills.checks import TicketCheck
from bonopay_signer.tills.words import WORDS
from bonopay_signer.verification import html


def ticket_page(language: str, check: TicketCheck, path: str) -> str:
    words = WORDS[language]
    verdict = _verdict(check)
    # never green: only the normalised invoice itself is what the buyer is owed
    colour = {"forged": "mismatch", "not_found": "not_found"}.get(verdict, "waiting")
    body = (
        f'<div class="verdict {colour}" role="status"><h1>{html.text(words[verdict])}</h1>'
        f"<p>{html.text(words[f'{verdict}_text'])}</p></div>"
        + (f'<p class=secondary role="note">{html.text(words["cloned"])}</p>' if check.till_state == "cloned" else "")
        + _facts(words, check)
        + _invoice(words, check)
    )
    return html.page(language, words[verdict], body, path, {})


def _verdict(check: TicketCheck) -> str:
    if check.result != "genuine":
        return check.result
    if check.sealed_as:
        return "sealed"
    return "received" if check.received else "awaited"


def _facts(words: dict[str, str], check: TicketCheck) -> str:
    if check.result != "genuine":
        return ""
    return html.facts(
        [
            (words["seller"], html.text(check.seller)),
            (words["merchant_nif"], html.text(check.merchant_nif)),
            (words["number"], html.text(check.number)),
            (words["total"], html.money(check.total, check.currency)),
            (words["tax"], html.money(check.tax, check.currency)),
            (words["issued_at"], f"{html.moment(check.issued_at)} {html.text(words['zone'])}"),
        ]
    )


def _invoice(words: dict[str, str], check: TicketCheck) -> str:
    if not check.sealed_as:
        return ""
    link = html.text(check.verification_url)
    return f'<p><a href="{link}">{html.text(words["invoice"])} {html.text(check.sealed_as)}</a></p>'
