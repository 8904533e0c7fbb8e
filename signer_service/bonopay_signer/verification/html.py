"""What the public pages are made of: self-contained HTML, no script, no outside resource, under a strict CSP."""

import base64
import hashlib
from datetime import datetime, timedelta, timezone
from html import escape
from importlib import resources
from urllib.parse import urlencode

LANGUAGES = ("fr", "en")
_STYLE = (resources.files("bonopay_signer.verification") / "page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Africa/Kinshasa, without the operating system's time zones: UTC+1, which the country has never shifted in summer.
_KINSHASA = timezone(timedelta(hours=1))
_OTHER_LANGUAGE = {"fr": "en", "en": "fr"}
_NAME_OF_LANGUAGE = {"fr": "Français", "en": "English"}


def page(language: str, title: str, body: str, path: str, query: dict[str, str]) -> str:
    """``query`` is kept by the link to the other language."""
    other = _OTHER_LANGUAGE[language]
    link = text(f"{path}?{urlencode({**query, 'lang': other})}")
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{text(title)} – Bono Pay</title><style>{_STYLE}</style></head><body><div class=wrap>"
        f'<header><strong>Bono Pay</strong><a href="{link}" hreflang="{other}" lang="{other}">'
        f"{_NAME_OF_LANGUAGE[other]}</a></header>"
        f"<main>{body}</main></div></body></html>"
    )


def facts(rows: list[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in rows) + "</dl>"


def money(amount: str | None, currency: str | None) -> str:
    """``104 400,00 CDF``, with no-break spaces."""
    whole, _, cents = (amount or "0.00").partition(".")
    grouped = f"{int(whole):,}".replace(",", "\u202f")
    return text(f"{grouped},{cents}\u00a0{currency}")


def moment(sealed_at: str | None) -> str:
    """In Kinshasa's time, as on the paper."""
    return text(datetime.fromisoformat(sealed_at or "").astimezone(_KINSHASA).strftime("%d/%m/%Y %H:%M:%S"))


def text(value: str | None) -> str:
    return escape(value or "")
