from decimal import Decimal

from odoo import api, fields, models

from odoo.addons.bonopay_fiscal.core.arithmetic import exact, round2
from odoo.addons.bonopay_fiscal.models.account_move_checks import Fault

#: An invoice whose lines are all down payments of orders is an advance.
ADVANCE_TYPES = {"FV": "FT", "EV": "ET"}


class AccountMove(models.Model):
    """Advances on sales orders (FT, ET), and how they are settled.

    The law knows no negative line (SFE §1.22), so a final invoice states the whole sale, and a credit note takes each
    advance back. They are issued together: one alone would state a sale twice, or not at all.
    """

    _inherit = "account.move"

    bonopay_final_invoice_id = fields.Many2one(
        "account.move",
        "Final invoice",
        readonly=True,
        copy=False,
        index="btree_not_null",
        help="The invoice of the whole sale, with which this credit note on an advance is issued.",
    )
    bonopay_advance_credit_ids = fields.One2many(
        "account.move", "bonopay_final_invoice_id", "Credit notes on advances", readonly=True, copy=False
    )

    # ------------------------------------------------------------------------------------------------------------
    # Type
    # ------------------------------------------------------------------------------------------------------------

    @api.depends("line_ids.sale_line_ids.is_downpayment")
    def _compute_bonopay_invoice_type(self):
        return super()._compute_bonopay_invoice_type()

    def _bonopay_default_invoice_type(self):
        # EXTENDS 'bonopay_fiscal'
        kind = super()._bonopay_default_invoice_type()
        return ADVANCE_TYPES.get(kind, kind) if self._is_downpayment() else kind

    def _bonopay_check_document(self):
        # EXTENDS 'bonopay_fiscal': stated as a sale, it would be sold a second time by the final invoice
        yield from super()._bonopay_check_document()
        wanted = ADVANCE_TYPES.get(self.bonopay_invoice_type)
        if others := self._bonopay_articles_on_advance():
            yield Fault(
                "type.advance_with_articles",
                others[0],
                self.env._(
                    "“%s” is no advance on an order, and the final invoice would give it back with the advance: remove "
                    "it here, and invoice it apart.",
                    others[0].product_id.display_name or others[0].name,
                ),
            )
        elif wanted and self._is_downpayment():
            yield Fault(
                "type.advance",
                self,
                self.env._("Every line is an advance on an order: choose invoice type %s.", wanted),
            )

    def _bonopay_articles_on_advance(self):
        """The articles on an invoice of advances: it is settled as one."""
        lines = self._bonopay_lines()
        advances = lines.filtered(lambda line: any(line.sale_line_ids.sudo().mapped("is_downpayment")))
        is_advance = self.bonopay_invoice_type in ADVANCE_TYPES.values() or self._is_downpayment()
        if self.move_type != "out_invoice" or not advances or not is_advance:
            return lines.browse()
        return lines - advances

    # ------------------------------------------------------------------------------------------------------------
    # Issued together
    # ------------------------------------------------------------------------------------------------------------

    def _post(self, soft=True):
        # EXTENDS 'account'
        posted = super(AccountMove, self._bonopay_with_settlement())._post(soft)
        posted._bonopay_reconcile_settlement()
        return posted

    def _bonopay_with_settlement(self):
        """These moves, and the drafts that are issued with them."""
        drafts = (self.bonopay_advance_credit_ids | self.bonopay_final_invoice_id) - self
        drafts = (drafts | drafts.bonopay_advance_credit_ids).filtered(lambda move: move.state == "draft")
        for note in (self | drafts).filtered(lambda move: move.bonopay_final_invoice_id and move.state == "draft"):
            note.invoice_date = note.bonopay_final_invoice_id.invoice_date or note.invoice_date
        return self | drafts

    def _bonopay_due_at_once(self):
        # EXTENDS 'bonopay_fiscal': what the advances paid is not paid again
        notes = self.bonopay_advance_credit_ids.filtered(lambda note: note.state != "cancel")
        settled = sum((self._bonopay_settled_by(note) for note in notes), Decimal(0))
        return max(super()._bonopay_due_at_once() - settled, Decimal(0))

    def _bonopay_settled_by(self, note):
        """Francs of this final invoice that a credit note on an advance settles: of dollars, at the invoice's rate.

        :rtype: Decimal
        """
        rate = self._bonopay_usd_rate() if note.currency_id == self.currency_id else None
        return round2(exact(note.amount_total) * rate) if rate else note._bonopay_total_in_francs()

    def _bonopay_reconcile_settlement(self):
        """What was not paid of an advance is no longer owed; what was paid of it is paid of the final invoice."""
        notes = (self | self.bonopay_advance_credit_ids).filtered("bonopay_final_invoice_id")
        for note in notes.filtered(lambda move: move.state == "posted"):
            for sale in note.reversed_entry_id, note.bonopay_final_invoice_id:
                note._bonopay_reconcile_with(sale)

    def _bonopay_reconcile_with(self, sale):
        lines = (self + sale).line_ids.filtered(
            lambda line: (
                line.account_type == "asset_receivable" and line.parent_state == "posted" and not line.reconciled
            )
        )
        for of_account in lines.grouped("account_id").values():
            if len(of_account.move_id) == 2:
                of_account.reconcile()

    def _bonopay_check_credit(self):
        # EXTENDS 'bonopay_fiscal'
        yield from super()._bonopay_check_credit()
        invoice = self.bonopay_final_invoice_id
        if invoice.state == "draft" and invoice._bonopay_faults():
            yield Fault(
                "settlement.invoice",
                invoice,
                self.env._(
                    "This credit note on an advance is issued with the final invoice of the sale, which cannot be "
                    "issued as it is: correct that first."
                ),
            )

    def _bonopay_take_over(self, rejected):
        # EXTENDS 'bonopay_fiscal': a final invoice and its credit notes stay together, whichever of them was rejected
        res = super()._bonopay_take_over(rejected)
        self.bonopay_final_invoice_id = rejected.bonopay_final_invoice_id
        rejected.bonopay_final_invoice_id = False
        rejected.bonopay_advance_credit_ids.bonopay_final_invoice_id = self
        return res

    # ------------------------------------------------------------------------------------------------------------
    # Given up together
    # ------------------------------------------------------------------------------------------------------------

    def unlink(self):
        # EXTENDS 'account'
        return super(AccountMove, self | self._bonopay_draft_advance_credits()).unlink()

    def button_cancel(self):
        # EXTENDS 'account'
        return super(AccountMove, self | self._bonopay_draft_advance_credits()).button_cancel()

    def _bonopay_draft_advance_credits(self):
        return self.filtered(lambda move: move.state == "draft").bonopay_advance_credit_ids.filtered(
            lambda move: move.state == "draft"
        )
