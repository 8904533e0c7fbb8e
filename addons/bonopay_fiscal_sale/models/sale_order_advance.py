from markupsafe import Markup

from odoo import models
from odoo.exceptions import UserError


class SaleOrder(models.Model):
    """Invoices of an order in the form that the law has for them: no line takes anything back (SFE §1.22)."""

    _inherit = "sale.order"

    def _get_invoiceable_lines(self, final=False):
        # EXTENDS 'sale': advances and goods taken back are credited by documents of their own
        lines = super()._get_invoiceable_lines(final)
        if not self.company_id.bonopay_active:
            return lines
        return lines.filtered(lambda line: not line.is_downpayment and not line._bonopay_is_taken_back())

    def _create_invoices(self, grouped=False, final=False, date=None):
        # EXTENDS 'sale'
        fiscal = self.filtered("company_id.bonopay_active") if final and self._bonopay_may_invoice() else self.browse()
        advances, returned = fiscal._bonopay_open_advances(), fiscal.order_line._bonopay_taken_back()
        if not advances and not returned:
            return super()._create_invoices(grouped=grouped, final=final, date=date)
        advances._bonopay_demand_settlement()
        quiet = self.with_context(raise_if_nothing_to_invoice=False)
        invoices = super(SaleOrder, quiet)._create_invoices(grouped=grouped, final=final, date=date)
        notes = advances.sudo()._bonopay_settle(invoices) + returned.sudo()._bonopay_credit()
        if not invoices + notes and self.env.context.get("raise_if_nothing_to_invoice", True):
            raise UserError(self._nothing_to_invoice_error_message())
        return invoices + notes.with_env(invoices.env)

    def _validate_order(self):
        # EXTENDS 'sale': a customer confirms it. What `sale_loyalty` invoices of an order that rewards pay as a whole
        # has nobody who reads an error, which would undo the order.
        unattended = self.with_env(self.env["account.move"]._bonopay_unattended().env)
        return super(SaleOrder, unattended)._validate_order()

    def _bonopay_may_invoice(self):
        """What core asks before it goes on with ``sudo()``."""
        return self.env["account.move"].has_access("create") or self.has_access("write")

    def _bonopay_open_advances(self):
        """The advances on these orders that no credit note took back."""
        lines = self.order_line.filtered("is_downpayment").sudo()
        advances = lines.invoice_lines.move_id.filtered(
            lambda move: move.move_type == "out_invoice" and move.state != "cancel" and move._is_downpayment()
        )
        invoiced = lines.filtered(lambda line: line.qty_invoiced > 0).invoice_lines.move_id
        return advances.filtered(
            lambda move: (move in invoiced or move._bonopay_is_rebated()) and not move._bonopay_is_credited()
        ).sorted("id")

    def _bonopay_tell_settlement(self, advance, note, invoice):
        link = note._get_html_link(title=self.env._("credit note"))
        for order in self:
            if invoice:
                body = order.env._(
                    "Advance %(advance)s is taken back by a %(credit)s, which is issued with the %(invoice)s of the "
                    "whole sale.",
                    advance=advance._get_html_link(),
                    credit=link,
                    invoice=invoice._get_html_link(title=order.env._("final invoice")),
                )
            else:
                body = order.env._(
                    "Advance %(advance)s is given back by a %(credit)s: state its nature, and confirm it.",
                    advance=advance._get_html_link(),
                    credit=link,
                )
            if not advance._bonopay_live_seals():
                body += Markup("<br/>") + order.env._(
                    "The advance was invoiced before your sales were sealed, so no credit note can name it: this one "
                    "is a rebate (RRR), which names no invoice."
                )
            order.message_post(body=body)
