from odoo import api, fields, models

from ..core import dgi
from .bonopay_guarded import BonopayGuarded

#: States in which nothing is sealed and nothing will be: the only ones that let the invoice go back to draft.
CORRECTABLE_STATES = ("invalid",)
#: States in which the signer has the document in its ledger.
SEALED_STATES = ("sealed", "certified", "rejected", "unknown")
#: States that the outbox works on: not sealed yet, or sealed with the DGI's answer still open.
OPEN_STATES = ("to_seal", "sealed", "unknown")

STATES = [
    ("to_seal", "Waiting to be sealed"),
    ("sealed", "Sealed, DGI pending"),
    ("certified", "Normalised invoice"),
    ("invalid", "Refused: to be corrected"),
    ("rejected", "Rejected by the DGI"),
    ("unknown", "DGI answer awaited"),
    ("dead", "Blocked: needs attention"),
]


class BonopaySeal(models.Model):
    """One document handed to the signer, and what came of it.

    Invariants:

    * the payload is frozen when the invoice is posted, in the same transaction; later changes of partners, products
      or taxes do not reach it;
    * a document id is given once; the signer seals it once, however often it is sent;
    * nobody creates, changes or deletes a seal, not even an administrator or code with ``sudo()``: only the methods
      of this model do, through :meth:`bonopay.guarded._as_writer`;
    * at most one live seal per invoice; a refused payload stays as history, superseded by the next posting.
    """

    _name = "bonopay.seal"
    _inherit = BonopayGuarded._name  # by import: others import this file before their turn
    _description = "Fiscal seal"
    _order = "id desc"
    _rec_name = "document_id"
    _check_company_auto = True
    _is_kept = True

    move_id = fields.Many2one(
        "account.move", "Invoice", required=True, readonly=True, index=True, ondelete="restrict", check_company=True
    )
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True, ondelete="restrict")
    outlet_id = fields.Many2one(
        "bonopay.outlet", required=True, readonly=True, index=True, ondelete="restrict", check_company=True
    )
    user_id = fields.Many2one("res.users", "Posted by", readonly=True, ondelete="restrict")
    document_id = fields.Char("Document ID", required=True, readonly=True, copy=False)
    document_type = fields.Selection(list(dgi.INVOICE_TYPES.items()), required=True, readonly=True)
    payload = fields.Text(required=True, readonly=True, help="Canonical JSON (RFC 8785), as it is sent to the signer.")
    payload_hash = fields.Char("Payload SHA-256", required=True, readonly=True)
    amount_total = fields.Monetary("Total", readonly=True)
    currency_id = fields.Many2one("res.currency", required=True, readonly=True, ondelete="restrict")
    test_mode = fields.Boolean(readonly=True)
    superseded = fields.Boolean(
        readonly=True, help="The invoice went back to draft after a refusal: a later posting replaces this document."
    )

    annulled = fields.Boolean(
        readonly=True, help="The DGI rejected it after it was sealed, and its invoice was cancelled and replaced."
    )

    #                 201, 200                        certified
    #   post ──▶ to_seal ───────▶ sealed ──────────────────────────▶ certified
    #            │  ▲ │             │ ▲ │            rejected
    #  no answer │  │ │             │ │ └──────────────────────────▶ rejected      (sealed, the DGI refused it after)
    #  503, 401… └──┘ │     unknown ▼ │ pending       ▲   ▲
    #                 │           unknown ────────────┘   └─ certified (above)     (asked again until known)
    #   400, 413, 422 ├──▶ invalid ──▶ back to draft: superseded, the next posting is a new document
    #   rejected ──▶ "Replace": its invoice is cancelled, another one is a new document
    #   409, attempts └──▶ dead ──▶ "Seal now" ──▶ to_seal
    #   exhausted
    state = fields.Selection(STATES, required=True, readonly=True, index=True, default="to_seal")
    attempts = fields.Integer(readonly=True)
    next_attempt_at = fields.Datetime("Next attempt", readonly=True, index=True)
    last_error_code = fields.Char(readonly=True)
    last_error_document = fields.Text(readonly=True, help="The refusal, as the signer worded it (RFC 9457).")
    last_error_message = fields.Text("Reason", compute="_compute_last_error_message")

    response = fields.Text(readonly=True, help="The signer's answer, byte for byte.")
    fiscal_number = fields.Char(readonly=True, index=True)
    fiscal_authority_id = fields.Char("Fiscal authority", readonly=True)
    auth_code = fields.Char("Authentication code", readonly=True)
    short_code = fields.Char(readonly=True, index=True)
    sealed_at = fields.Datetime(readonly=True, help="UTC; the signer's own clock.")
    certified_at = fields.Datetime(
        "Normalised on", readonly=True, help="When the DGI's answer came. Documents of before this was kept have none."
    )
    qr_payload = fields.Char("QR payload", readonly=True)
    verification_url = fields.Char("Verification URL", readonly=True)
    ledger_index = fields.Integer(readonly=True)
    ledger_previous_hash = fields.Char("Previous hash", readonly=True)
    ledger_entry_hash = fields.Char("Entry hash", readonly=True)
    key_id = fields.Char("Signing key", readonly=True)

    dgi_status = fields.Char("DGI status", readonly=True)
    dgi_code = fields.Char("DEF/DGI code", readonly=True)
    dgi_nim = fields.Char("DEF NID", readonly=True)
    dgi_isf = fields.Char("ISF", readonly=True)
    dgi_counters = fields.Char("DEF counters", readonly=True)
    dgi_time = fields.Char("DEF time", readonly=True)
    dgi_qr = fields.Char("DGI QR", readonly=True)

    print_count = fields.Integer("Prints", readonly=True)

    _document_id_unique = models.Constraint("UNIQUE(document_id)", "A document is sealed once: this id is taken.")
    _live_seal_unique = models.UniqueIndex(
        "(move_id) WHERE superseded IS NOT TRUE", "An invoice has one live seal at most."
    )
    _fiscal_number_unique = models.UniqueIndex(
        "(outlet_id, fiscal_number) WHERE fiscal_number IS NOT NULL", "A fiscal number is given once."
    )
    _outbox_index = models.Index("(next_attempt_at) WHERE state IN ('to_seal', 'sealed', 'unknown')")

    @api.depends("document_id", "fiscal_number", "move_id.name")
    def _compute_display_name(self):
        for seal in self:
            seal.display_name = seal.fiscal_number or seal.move_id.name or seal.document_id
