from odoo import api, models

from .ir_actions_report import REPORTS


class AccountMoveSend(models.AbstractModel):
    _inherit = "account.move.send"

    @api.model
    def _get_move_constraints(self, move):
        # EXTENDS 'account': what is sent is stored for ever as the legal PDF, so it must be one (SFE §1.5)
        constraints = super()._get_move_constraints(move)
        seal = move.sudo().bonopay_seal_id
        if seal and not seal._is_normalised():
            constraints["bonopay_not_normalised"] = self.env._(
                "%(invoice)s is not normalised by the DGI yet and cannot be sent as an invoice. "
                "Wait for its normalisation, or print it: it comes out as a provisional slip.",
                invoice=move.name,
            )
        return constraints

    @api.model
    def _prepare_invoice_pdf_report(self, invoices_data):
        # EXTENDS 'account': a report of the customer's or journal's own knows nothing of originals and seals
        for move, data in invoices_data.items():
            if move.sudo().bonopay_seal_id and data["pdf_report"].report_name not in REPORTS:
                data["pdf_report"] = self.env.ref("account.account_invoices")
        return super()._prepare_invoice_pdf_report(invoices_data)

    @api.model
    def _link_invoice_documents(self, invoices_data):
        # EXTENDS 'account': what it keeps was rendered by this very call
        attachments = self.env["ir.attachment"]._bonopay_as_rendered()
        return super(AccountMoveSend, self.with_env(attachments.env))._link_invoice_documents(invoices_data)
