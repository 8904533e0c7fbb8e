"""The verification pages of sealed documents."""

from bonopay_signer.verification import html
from bonopay_signer.verification.checks import Verification
from bonopay_signer.verification.words import WORDS


def form_page(language: str, number: str, path: str) -> str:
    """The form that asks for number and short code."""
    words = WORDS[language]
    body = (
        f"<h1>{html.text(words['title'])}</h1><p class=lead>{html.text(words['lead'])}</p>"
        f'<form action="/verify" method="get"><input type="hidden" name="lang" value="{language}">'
        + _field("number", words["number"], words["number_hint"], number, 40)
        + _field("code", words["code"], words["code_hint"], "", 20)
        + f"<button>{html.text(words['submit'])}</button></form>"
        + _note(words)
    )
    return html.page(language, words["title"], body, path, {"number": number} if number else {})


def result_page(language: str, verification: Verification, path: str, query: dict[str, str]) -> str:
    """The result for people; ``query`` is kept by the link to the other language."""
    words = WORDS[language]
    verdict = _verdict(verification)
    body = (
        f'<div class="verdict {verdict}" role="status"><h1>{html.text(words[verdict])}</h1>'
        f"<p>{html.text(words[f'{verdict}_text'])}</p></div>"
        + _note(words)
        + _facts(words, verification)
        + _checks(words, verification)
        + f'<p><a href="/verify?lang={language}">{html.text(words["again"])}</a></p>'
    )
    return html.page(language, words[verdict], body, path, query)


def _verdict(verification: Verification) -> str:
    """The result, and for what is authentic whether the DGI normalised it: only then is it an invoice in law."""
    dgi = verification.dgi
    if verification.result != "verified" or dgi is None or dgi.status == "certified":
        return verification.result
    return "rejected" if dgi.status == "rejected" else "waiting"


def _note(words: dict[str, str]) -> str:
    return f'<p class=secondary role="note">{html.text(words["secondary"])}</p>'


def _facts(words: dict[str, str], verification: Verification) -> str:
    dgi = verification.dgi
    if verification.result != "verified" or dgi is None:
        return ""
    waiting = "yes" if dgi.status == "certified" else "no" if dgi.status == "rejected" else "waiting"
    rows = [
        (words["seller"], html.text(verification.seller)),
        (words["merchant_nif"], html.text(verification.merchant_nif)),
        (words["number"], html.text(verification.fiscal_number)),
        (words["document_type"], html.text(words.get(verification.document_type or "", verification.document_type))),
        (words["total"], html.money(verification.total, verification.currency)),
        (words["tax"], html.money(verification.tax, verification.currency)),
        (words["sealed_at"], f"{html.moment(verification.sealed_at)} {html.text(words['zone'])}"),
        (words["dgi"], f'<span class="{waiting}">{html.text(words["dgi_" + dgi.status])}</span>'),
    ]
    if dgi.code:
        rows.append((words["dgi_code"], html.text(dgi.code)))
    return html.facts(rows)


def _checks(words: dict[str, str], verification: Verification) -> str:
    if not verification.checks:
        return ""
    rows = [(words[f"check_{check.name}"], _mark(words, check.passed)) for check in verification.checks]
    return f"<h2>{html.text(words['checks'])}</h2>{html.facts(rows)}"


def _mark(words: dict[str, str], passed: bool) -> str:
    if passed:
        return f'<span class="yes">✓ {html.text(words["passed"])}</span>'
    return f'<span class="no">✗ {html.text(words["failed"])}</span>'


def _field(name: str, label: str, hint: str, value: str, length: int) -> str:
    return (
        f'<label for="{name}">{html.text(label)}</label><input id="{name}" name="{name}" value="{html.text(value)}" '
        f'maxlength="{length}" required autocomplete="off" autocapitalize="characters" spellcheck="false" '
        f'aria-describedby="{name}-hint"><p class=hint id="{name}-hint">{html.text(hint)}</p>'
    )
