"""The page at `/`: what the service received, for the people who integrate against it."""

import base64
import hashlib
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .accounts import Outlet
from .checklist import report
from .checklist_view import render_checklist
from .device import MAX_PENDING, Device, counters
from .disturbance import REPLY_LOST, REQUEST_LOST
from .errors import RefusalError
from .faults import from_timestamp
from .store import Transaction
from .wire import decode, in_figures

INVOICES = 20
REFUSALS = 8
UID = re.compile(r"([0-9a-f]{8})-[0-9a-f-]{27}")
SHORT_UID = r"\1…"
STATES = {"pending": "En attente", "confirmed": "Certifiée", "cancelled": "Annulée", "expired": "Expirée"}
FAULTS = {
    **dict.fromkeys(("fail_next", "status_next", "refuse_next", "duplicate_rn"), "Panne provoquée"),
    **dict.fromkeys(REPLY_LOST, "Traitée, réponse coupée (provoqué)"),
    **dict.fromkeys(REQUEST_LOST, "Coupée avant traitement (provoqué)"),
    "drop_confirm_reply": "Certifiée, réponse coupée (provoqué)",
    "drop_confirm_before_commit": "Coupée avant certification (provoqué)",
    "expired_token": "Jeton tenu pour expiré (provoqué)",
    "outage_s": "Service en panne (provoqué)",
}
HTTP_REASONS = {
    400: "Demande vide",
    401: "Jeton absent, faux ou expiré",
    404: "Adresse inconnue",
    405: "Méthode refusée",
    413: "Demande trop longue",
    500: "Panne du service d’essai",
}
INVOICE_HEAD = ("Reçue", "Numéro", "Type", "Total (CDF)", "dont TVA", "État", "Code DEF/DGI", "Compteurs")
REFUSAL_HEAD = ("Reçue", "Demande", "Code", "Motif")
AMOUNTS = frozenset({"Total (CDF)", "dont TVA"})


@dataclass(frozen=True, slots=True)
class Page:
    device: Device

    async def show(self, request: Request) -> Response:
        body = await run_in_threadpool(self._body)
        return HTMLResponse(_document(body), headers=_headers())

    def _body(self) -> str:
        now = self.device.clock.now()
        reports = {nim: report(self.device.store, nim) for nim in self.device.accounts.by_nim}
        with self.device.store.transaction() as transaction:
            sections = [
                self._outlet(transaction, outlet, render_checklist(reports[nim]))
                for nim, outlet in self.device.accounts.by_nim.items()
            ]
            strangers = transaction.recent_refusals(None, REFUSALS)
        if strangers:
            sections.append(_section("<h2>Demandes non identifiées</h2>", "", _refusals(strangers)))
        when = f"Actualisé à {now:%H:%M:%S}, heure de Kinshasa"
        header = f"<header><h1>e-MCF d’essai</h1><p>{when}</p></header>"
        return header + _faults(self.device.faults.active(self.device.clock)) + ("".join(sections) or _no_account())

    def _outlet(self, transaction: Transaction, outlet: Outlet, checklist: str) -> str:
        limit = self.device.clock.now(outlet.nim).timestamp() - self.device.pending_seconds
        transaction.expire_pending(outlet.nim, limit)
        states = transaction.states(outlet.nim)
        title = (
            f"<h2>{escape(outlet.shop_name)}</h2><p>{escape(outlet.company)}, NIF {escape(outlet.nif)}"
            f" · <code>{escape(outlet.nim)}</code></p>"
        )
        figures = _figures(
            ("Certifiées", str(states.get("confirmed", 0))),
            ("En attente", f"{states.get('pending', 0)} / {MAX_PENDING}"),
        )
        invoices = _invoices(transaction.recent_invoices(outlet.nim, INVOICES))
        refusals = transaction.recent_refusals(outlet.nim, REFUSALS)
        errors = f"<h3>Derniers refus</h3>{_refusals(refusals)}" if refusals else ""
        return _section(title, figures, checklist + invoices + errors)


def _faults(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    shown = " ".join(f"<li>{_fault(row)}</li>" for row in rows)
    return f'<section class="faults"><p>Pannes provoquées en cours</p><ul>{shown}</ul></section>'


def _fault(row: dict[str, Any]) -> str:
    limits = [f"<code>{escape(row[name])}</code>" for name in ("nim", "step") if row[name]]
    values = [
        f"<code>{name} = {escape(_in_short(value))}</code>"
        for name, value in row.items()
        if name not in ("nim", "step")
    ]
    return f"{', '.join(limits) or 'Tous'}\u00a0: {', '.join(values)}"


def _in_short(value: Any) -> str:
    return ", ".join(f"{name} {member}" for name, member in value.items()) if isinstance(value, dict) else str(value)


def _section(title: str, figures: str, content: str) -> str:
    return f'<section><div class="title"><div>{title}</div>{figures}</div>{content}</section>'


def _figures(*pairs: tuple[str, str]) -> str:
    return f"<dl>{''.join(f'<div><dt>{name}</dt><dd>{value}</dd></div>' for name, value in pairs)}</dl>"


def _no_account() -> str:
    advice = "Aucun e-MCF\u00a0: ajoutez un NIM au fichier des comptes, puis relancez."
    return f'<section><p class="empty">{advice}</p></section>'


def _invoices(rows: list[sqlite3.Row]) -> str:
    if not rows:
        return '<p class="empty">Aucune facture reçue. Envoyez-en une à <code>/edef/api/invoice</code>.</p>'
    return _table(INVOICE_HEAD, map(_invoice, rows))


def _invoice(row: sqlite3.Row) -> str:
    certified = row["state"] == "confirmed"
    cells = (
        f'<td class="fixed">{_time(row["submitted_at"])}</td>',
        f"<td>{escape(row['rn'])}</td><td>{escape(row['type'])}</td>",
        *(f'<td class="amount">{in_figures(Decimal(row[name]))}</td>' for name in ("total", "vtotal")),
        f'<td><span class="state {row["state"]}">{STATES[row["state"]]}</span></td>',
        f"<td><code>{row['code']}</code></td>" if certified else "<td></td>",
        f'<td class="fixed">{counters(row) if certified else ""}</td>',
    )
    return "".join(cells)


def _refusals(rows: list[sqlite3.Row]) -> str:
    return _table(REFUSAL_HEAD, map(_refusal, rows))


def _refusal(row: sqlite3.Row) -> str:
    code = row["error_code"] or (f"HTTP {row['status']}" if not row["fault"] else "–")
    reason = row["error_desc"] or FAULTS.get(row["fault"]) or HTTP_REASONS.get(row["status"], "")
    return (
        f'<td class="fixed">{_time(row["received_at"])}</td><td>{escape(_subject(row))}</td>'
        f'<td class="fixed"><span class="state refused">{escape(code)}</span></td>'
        f'<td class="reason">{escape(reason)}</td>'
    )


def _subject(row: sqlite3.Row) -> str:
    """The invoice number when the request bears one, else what was called, a uid cut short."""
    try:
        number = decode(row["request"]).get("rn")
    except RefusalError:
        number = None
    return str(number) if number else f"{row['method']} {UID.sub(SHORT_UID, row['path'].removeprefix('/edef'))}"


def _table(head: tuple[str, ...], rows: Iterable[str]) -> str:
    cells = "".join(f"<th{' class=amount' if name in AMOUNTS else ''}>{name}</th>" for name in head)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def _time(seconds: float) -> str:
    return f"{from_timestamp(seconds):%d/%m %H:%M:%S}"


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("data", name).read_text("utf-8")


def _document(body: str) -> str:
    return (
        '<!DOCTYPE html><html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>e-MCF d’essai</title>'
        f"<style>{_asset('page.css')}</style></head><body>"
        '<p class="notice" role="status">Service d’essai\u00a0: ce n’est pas la DGI. '
        "Les codes affichés ici n’ont aucune valeur fiscale.</p>"
        f'<main>{body}</main><script type="module">{_asset("page.js")}</script></body></html>'
    )


@cache
def _headers() -> dict[str, str]:
    style, script = _source(_asset("page.css")), _source(_asset("page.js"))
    policy = f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; frame-ancestors 'none'"
    return {"Content-Security-Policy": policy, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
