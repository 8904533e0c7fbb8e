from odoo import api, fields, models

from ..core import dgi
from .bonopay_source import BonopaySource
from .bonopay_source_status import SEAL_FIELDS

READ_ONLY_FIELDS = SEAL_FIELDS | {"bonopay_required"}


class AccountMove(models.Model):
    _name = "account.move"
    _inherit = [BonopaySource._name, "account.move"]  # by import: this file comes before the other's turn

    bonopay_seal_ids = fields.One2many("bonopay.seal", "move_id", "Seals", readonly=True, copy=False)
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

    def _bonopay_seal_of_each(self):
        # EXTENDS 'bonopay.source': it may have been sealed before it was an invoice
        foreign = {move: seal for move in self._origin.sudo() if (seal := move._bonopay_foreign_seal())}
        return foreign | super()._bonopay_seal_of_each()  # its own seal is its own

    def _bonopay_foreign_seal(self):
        """The live seal of the sale that this invoice was made from, where that was sealed as such; called with sudo.
        Hook.

        A sale is sealed once: the invoice then gets no seal of its own, and is locked, shown and printed by this one.
        Whoever gives one extends :meth:`_compute_bonopay_seal` with what it depends on, and
        :meth:`_bonopay_sealed_domain` and :meth:`_bonopay_seal_sql` so that it is found.
        """
        return self.env["bonopay.seal"]

    def _bonopay_to_seal(self):
        """Those of these invoices that are sealed when they are posted."""
        return self.filtered(lambda move: move.bonopay_required and not move.sudo()._bonopay_foreign_seal())

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
