"""The verification pages: self-contained HTML, no script, no outside resource, under a strict CSP."""

import base64
import hashlib
from datetime import datetime, timedelta, timezone
from html import escape
from importlib import resources
from urllib.parse import urlencode

from bonopay_signer.verification.checks import Verification
from bonopay_signer.verification.words import WORDS

LANGUAGES = tuple(WORDS)
_STYLE = (resources.files("bonopay_signer.verification") / "page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Africa/Kinshasa, without the operating system's time zones: UTC+1, which the country has never shifted in summer.
_KINSHASA = timezone(timedelta(hours=1))
_LANGUAGE_OF_LINK = {"fr": "en", "en": "fr"}


def form_page(language: str, number: str, path: str) -> str:
    """The form that asks for number and short code."""
    words = WORDS[language]
    body = (
        f"<h1>{_text(words['title'])}</h1><p class=lead>{_text(words['lead'])}</p>"
        f'<form action="/verify" method="get"><input type="hidden" name="lang" value="{language}">'
        + _field("number", words["number"], words["number_hint"], number, 40)
        + _field("code", words["code"], words["code_hint"], "", 20)
        + f"<button>{_text(words['submit'])}</button></form>"
        + _note(words)
    )
    return _page(language, words["title"], body, path, {"number": number} if number else {})


def result_page(language: str, verification: Verification, path: str, query: dict[str, str]) -> str:
    """The result for people; ``query`` is kept by the link to the other language."""
    words = WORDS[language]
    verdict = _verdict(verification)
    body = (
        f'<div class="verdict {verdict}" role="status"><h1>{_text(words[verdict])}</h1>'
        f"<p>{_text(words[f'{verdict}_text'])}</p></div>"
        + _note(words)
        + _facts(words, verification)
        + _checks(words, verification)
        + f'<p><a href="/verify?lang={language}">{_text(words["again"])}</a></p>'
    )
    return _page(language, words[verdict], body, path, query)


def _verdict(verification: Verification) -> str:
    """The result, and for what is authentic whether the DGI normalised it: only then is it an invoice in law."""
    dgi = verification.dgi
    if verification.result != "verified" or dgi is None or dgi.status == "certified":
        return verification.result
    return "rejected" if dgi.status == "rejected" else "waiting"


def _note(words: dict[str, str]) -> str:
    return f'<p class=secondary role="note">{_text(words["secondary"])}</p>'


def _facts(words: dict[str, str], verification: Verification) -> str:
    dgi = verification.dgi
    if verification.result != "verified" or dgi is None:
        return ""
    waiting = "yes" if dgi.status == "certified" else "no" if dgi.status == "rejected" else "waiting"
    rows = [
        (words["seller"], _text(verification.seller)),
        (words["merchant_nif"], _text(verification.merchant_nif)),
        (words["number"], _text(verification.fiscal_number)),
        (words["document_type"], _text(words.get(verification.document_type or "", verification.document_type))),
        (words["total"], _money(verification.total, verification.currency)),
        (words["tax"], _money(verification.tax, verification.currency)),
        (words["sealed_at"], f"{_moment(verification.sealed_at)} {_text(words['zone'])}"),
        (words["dgi"], f'<span class="{waiting}">{_text(words["dgi_" + dgi.status])}</span>'),
    ]
    if dgi.code:
        rows.append((words["dgi_code"], _text(dgi.code)))
    return _list(rows)


def _checks(words: dict[str, str], verification: Verification) -> str:
    if not verification.checks:
        return ""
    rows = [(words[f"check_{check.name}"], _mark(words, check.passed)) for check in verification.checks]
    return f"<h2>{_text(words['checks'])}</h2>{_list(rows)}"


def _mark(words: dict[str, str], passed: bool) -> str:
    if passed:
        return f'<span class="yes">✓ {_text(words["passed"])}</span>'
    return f'<span class="no">✗ {_text(words["failed"])}</span>'


def _list(rows: list[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<div><dt>{_text(name)}</dt><dd>{value}</dd></div>" for name, value in rows) + "</dl>"


def _field(name: str, label: str, hint: str, value: str, length: int) -> str:
    return (
        f'<label for="{name}">{_text(label)}</label><input id="{name}" name="{name}" value="{_text(value)}" '
        f'maxlength="{length}" required autocomplete="off" autocapitalize="characters" spellcheck="false" '
        f'aria-describedby="{name}-hint"><p class=hint id="{name}-hint">{_text(hint)}</p>'
    )


def _page(language: str, title: str, body: str, path: str, query: dict[str, str]) -> str:
    words, other = WORDS[language], _LANGUAGE_OF_LINK[language]
    link = _text(f"{path}?{urlencode({**query, 'lang': other})}")
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{_text(title)} – Bono Pay</title><style>{_STYLE}</style></head><body><div class=wrap>"
        f'<header><strong>Bono Pay</strong><a href="{link}" hreflang="{other}" lang="{other}">'
        f"{_text(words['other_language'])}</a></header>"
        f"<main>{body}</main></div></body></html>"
    )


def _money(amount: str | None, currency: str | None) -> str:
    """``104 400,00 CDF``, with no-break spaces."""
    whole, _, cents = (amount or "0.00").partition(".")
    grouped = f"{int(whole):,}".replace(",", "\u202f")
    return _text(f"{grouped},{cents}\u00a0{currency}")


def _moment(sealed_at: str | None) -> str:
    """In Kinshasa's time, as on the paper."""
    return _text(datetime.fromisoformat(sealed_at or "").astimezone(_KINSHASA).strftime("%d/%m/%Y %H:%M:%S"))


def _text(value: str | None) -> str:
    return escape(value or "")
