from odoo import api, fields, models
from odoo.tools import SQL

from ..core import dgi
from .bonopay_seal import CORRECTABLE_STATES, STATES

#: Computed fields that mirror the live seal: field of the move → field of the seal. They have no column and no
#: inverse; a value that somebody sends for them is dropped.
MIRRORED = {
    "bonopay_state": "state",
    "bonopay_fiscal_number": "fiscal_number",
    "bonopay_short_code": "short_code",
    "bonopay_dgi_code": "dgi_code",
    "bonopay_sealed_at": "sealed_at",
    "bonopay_message": "last_error_message",
    "bonopay_next_attempt_at": "next_attempt_at",
    "bonopay_comparison": "comparison_table",
    "bonopay_is_test": "test_mode",
    "bonopay_deadline_at": "deadline_at",
}
READ_ONLY_FIELDS = frozenset(MIRRORED) | {"bonopay_seal_id", "bonopay_seal_ids", "bonopay_locked", "bonopay_required"}


class AccountMove(models.Model):
    _inherit = "account.move"

    bonopay_seal_ids = fields.One2many("bonopay.seal", "move_id", "Seals", readonly=True, copy=False)
    bonopay_seal_id = fields.Many2one(
        "bonopay.seal", "Seal", compute="_compute_bonopay_seal", search="_search_bonopay_seal_id", compute_sudo=True
    )
    bonopay_state = fields.Selection(
        STATES, "Fiscal status", compute="_compute_bonopay_seal", search="_search_bonopay_state", compute_sudo=True
    )
    bonopay_fiscal_number = fields.Char(
        "Fiscal number", compute="_compute_bonopay_seal", search="_search_bonopay_fiscal_number", compute_sudo=True
    )
    bonopay_short_code = fields.Char(
        "Short code", compute="_compute_bonopay_seal", search="_search_bonopay_short_code", compute_sudo=True
    )
    bonopay_dgi_code = fields.Char(
        "DEF/DGI code", compute="_compute_bonopay_seal", search="_search_bonopay_dgi_code", compute_sudo=True
    )
    bonopay_sealed_at = fields.Datetime("Sealed on", compute="_compute_bonopay_seal", compute_sudo=True)
    # the reason tells how the server is set up: not for the portal
    bonopay_message = fields.Text(
        "Reason", compute="_compute_bonopay_seal", compute_sudo=True, groups="base.group_user"
    )
    bonopay_comparison = fields.Html(
        "Our totals and the DGI's",
        compute="_compute_bonopay_seal",
        compute_sudo=True,
        sanitize=False,
        groups="base.group_user",
    )
    bonopay_next_attempt_at = fields.Datetime(
        "Next attempt", compute="_compute_bonopay_seal", compute_sudo=True, groups="base.group_user"
    )
    bonopay_deadline_at = fields.Datetime(
        "To be normalised by", compute="_compute_bonopay_seal", compute_sudo=True, groups="base.group_user"
    )
    bonopay_is_test = fields.Boolean("Test document", compute="_compute_bonopay_seal", compute_sudo=True)
    bonopay_locked = fields.Boolean("Handed to the signer", compute="_compute_bonopay_seal", compute_sudo=True)
    bonopay_required = fields.Boolean(
        "Sealed on posting",
        compute="_compute_bonopay_required",
        help="A sales document of a company whose sales are sealed.",
    )
    bonopay_test_mode = fields.Boolean("Test outlet of a company that is live", compute="_compute_bonopay_test_mode")
    bonopay_invoice_type = fields.Selection(
        list(dgi.INVOICE_TYPES.items()),
        "Invoice type (DGI)",
        compute="_compute_bonopay_invoice_type",
        store=True,
        readonly=False,
        copy=False,
    )
    bonopay_credit_nature = fields.Selection(
        list(dgi.CREDIT_NATURES.items()),
        "Nature of the credit note",
        copy=False,
        help="Compulsory on a credit note (SFE §1.25). A rebate (RRR) is tied to no single sale.",
    )

    bonopay_credit_reason = fields.Char(
        "Reason of the credit note",
        copy=False,
        help="For the special register of credit notes (arrêté 033, art. 7 j).",
    )
    bonopay_client_type = fields.Selection(
        list(dgi.CLIENT_TYPES.items()),
        "Client type (DGI)",
        compute="_compute_bonopay_client_type",
        store=True,
        readonly=False,
        copy=False,
        help="Stated on every sale (SFE §1.11). What is chosen for a customer without a type is kept on the customer.",
    )
    bonopay_comments = fields.Text(
        "Comment lines (DGI)",
        help="At most eight lines of 200 characters, printed on the invoice and sent to the DGI (SFE §1.24). For an "
        "embassy or international organisation the first is its exemption reference, and seven are left.",
    )

    # ------------------------------------------------------------------------------------------------------------
    # What the seal says
    # ------------------------------------------------------------------------------------------------------------

    @api.depends_context("lang")
    @api.depends(
        "bonopay_seal_ids.superseded", *(f"bonopay_seal_ids.{name}" for name in MIRRORED.values() if name != "id")
    )
    def _compute_bonopay_seal(self):
        live = self._bonopay_live_seals().grouped("move_id")
        none = self.env["bonopay.seal"]
        for move in self:
            seal = live.get(move._origin, none)
            move.bonopay_seal_id = seal
            move.bonopay_locked = bool(seal) and seal.state not in CORRECTABLE_STATES
            for mirror, name in MIRRORED.items():
                move[mirror] = seal[name]

    def _bonopay_live_seals(self):
        """The live seals of these moves, read from the database, whatever the caller's rights and cache say."""
        return self.env["bonopay.seal"].sudo().search([("move_id", "in", self._origin.ids), ("superseded", "=", False)])

    @api.depends("bonopay_state")
    def _compute_show_reset_to_draft_button(self):
        # EXTENDS 'account': a document of the signer is locked, or has its own button "Correct"
        res = super()._compute_show_reset_to_draft_button()
        for move in self.filtered("bonopay_state"):
            move.show_reset_to_draft_button = False
        return res

    @api.depends("journal_id.bonopay_outlet_id.test_mode", "company_id.bonopay_test_mode")
    def _compute_bonopay_test_mode(self):
        # what is true of the whole company stands on every screen of it already
        for move in self:
            outlet = move.journal_id.bonopay_outlet_id.sudo()
            move.bonopay_test_mode = outlet.test_mode and not move.company_id.sudo().bonopay_test_mode

    @api.depends("move_type", "company_id.bonopay_active")
    def _compute_bonopay_required(self):
        for move in self:
            move.bonopay_required = move.is_sale_document(include_receipts=True) and move.company_id.bonopay_active

    @api.depends("move_type", "reversed_entry_id", "invoice_line_ids.tax_ids", "company_id")
    def _compute_bonopay_invoice_type(self):
        for move in self:
            if not move.is_sale_document(include_receipts=True):
                move.bonopay_invoice_type = False
            elif move.state == "draft" or not move.bonopay_invoice_type:
                move.bonopay_invoice_type = move._bonopay_default_invoice_type()

    @api.depends(
        "move_type",
        "reversed_entry_id",
        "commercial_partner_id.bonopay_client_type",
        "commercial_partner_id.is_company",
    )
    def _compute_bonopay_client_type(self):
        for move in self:
            if not move.is_sale_document(include_receipts=True):
                move.bonopay_client_type = False
            elif move.state == "draft" or not move.bonopay_client_type:
                original = move.reversed_entry_id.bonopay_client_type
                move.bonopay_client_type = original or (move.partner_id and move.partner_id._bonopay_client_type())

    def _bonopay_keep_client_types(self):
        """What was stated on a document is not asked again for the same customer."""
        for move in self:
            party = move.commercial_partner_id.sudo()
            if party and not party._bonopay_client_type():
                party.bonopay_client_type = move.bonopay_client_type

    def _bonopay_default_invoice_type(self):
        """FV, EV, FA or EA; advances (FT, ET) are the author's to state, and are kept."""
        groups = set(self.invoice_line_ids.tax_ids._bonopay_split_taxes()[0].mapped("bonopay_group"))
        original = self.reversed_entry_id.bonopay_invoice_type
        export = original in dgi.EXPORT_TYPES if original else groups == {dgi.EXPORT_GROUP}
        if self.move_type == "out_refund":
            return "EA" if export else "FA"
        if self.bonopay_invoice_type in ("FT", "ET"):
            return "ET" if export else "FT"
        return "EV" if export else "FV"

    def _get_fields_to_copy_recurring_entries(self, values):
        # EXTENDS 'account': an advance that comes each month stays one
        res = super()._get_fields_to_copy_recurring_entries(values)
        for name in ("bonopay_invoice_type", "bonopay_client_type"):
            if self[name]:
                res[name] = self[name]
        return res

    # ------------------------------------------------------------------------------------------------------------
    # Searching and grouping by what the seal says
    # ------------------------------------------------------------------------------------------------------------

    def _search_bonopay_seal_id(self, operator, value):
        return self._bonopay_search("id", operator, value)

    def _search_bonopay_state(self, operator, value):
        return self._bonopay_search("state", operator, value)

    def _search_bonopay_fiscal_number(self, operator, value):
        return self._bonopay_search("fiscal_number", operator, value)

    def _search_bonopay_short_code(self, operator, value):
        return self._bonopay_search("short_code", operator, value)

    def _search_bonopay_dgi_code(self, operator, value):
        return self._bonopay_search("dgi_code", operator, value)

    def _bonopay_search(self, name, operator, value):
        if operator not in ("in", "like", "ilike", "=like", "=ilike", "any"):
            return NotImplemented
        live = fields.Domain("superseded", "=", False)
        found = fields.Domain("bonopay_seal_ids", "any!", live & fields.Domain(name, operator, value))
        if operator == "in" and False in value:
            filled = fields.Domain(name, "!=", False)
            found |= fields.Domain("bonopay_seal_ids", "not any!", live & filled)
        return found

    def _field_to_sql(self, alias, field_expr, query=None):
        # EXTENDS base: lists of invoices are grouped and sorted by fiscal status without a column to keep in step
        if field_expr in ("bonopay_state", "bonopay_fiscal_number"):
            return SQL(
                "(SELECT seal.%s FROM bonopay_seal seal WHERE seal.move_id = %s AND seal.superseded IS NOT TRUE)",
                SQL.identifier(MIRRORED[field_expr]),
                SQL.identifier(alias, "id"),
            )
        return super()._field_to_sql(alias, field_expr, query)

    # ------------------------------------------------------------------------------------------------------------
    # Buttons
    # ------------------------------------------------------------------------------------------------------------

    def action_bonopay_seal_now(self):
        """Send the waiting documents at once, or ask again for those whose outcome is open."""
        self.check_access("write")  # who may only read, on the portal or as an auditor, sends nothing
        self._bonopay_live_seals()._retry_now()

    def action_bonopay_open_seal(self):
        """Open the live seal, or the history when there is none."""
        self.ensure_one()
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("bonopay_fiscal.bonopay_seal_action")
        if self.bonopay_seal_id:
            return {**action, "view_mode": "form", "views": [(False, "form")], "res_id": self.bonopay_seal_id.id}
        return {**action, "domain": [("move_id", "=", self.id)]}

    def action_bonopay_correct(self):
        """Back to draft after a refusal: nothing was sealed, the next posting is a new document."""
        return self.button_draft()
