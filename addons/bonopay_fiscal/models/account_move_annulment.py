from odoo import Command, api, fields, models
from odoo.exceptions import UserError

#: Proof that a rejected document is being cancelled by this module's own code; it is in no remote call's reach.
_ANNULLING = object()
_ANNULLING_KEY = "bonopay_annulling"


class AccountMove(models.Model):
    """The way out of a document that the DGI rejected after it was sealed.

    No credit note can correct it, as that names a normalised original (SFE §1.26), and nothing is owed to the DGI for
    it: it leaves the books, cancelled, with its seal and its number, and another document takes its place.
    """

    _inherit = "account.move"

    bonopay_counterpart_ids = fields.Many2many(
        "account.move.line",
        "bonopay_replacement_counterpart_rel",
        "move_id",
        "line_id",
        "Settlements of the replaced document",
        readonly=True,
        copy=False,
        help="What had settled the rejected document settles this one, once it is posted.",
    )

    def action_bonopay_replace(self):
        """Cancel a rejected document and open the draft that replaces it.

        :return: an action that opens the draft
        :raises UserError: the DGI did not reject this document, or it was replaced already
        """
        self.ensure_one()
        self.check_access("write")
        seal = self._bonopay_live_seals()
        if seal.state != "rejected" or self.state != "posted":
            raise UserError(
                self.env._(
                    "%s cannot be replaced: only a document that the DGI rejected is, and once. A normalised invoice "
                    "is corrected with a credit note.",
                    self.display_name,
                )
            )
        if self.inalterable_hash:
            raise UserError(
                self.env._(
                    "The entry of %(document)s was secured with a hash and cannot be cancelled. Have your accountant "
                    "reverse it by an entry of the miscellaneous operations, issue the sale anew, and switch “Secure "
                    "Posted Entries with Hash” off for journal “%(journal)s”, or give its outlet another journal: the "
                    "seal does this already.",
                    document=self.name,
                    journal=self.journal_id.name,
                )
            )
        replacement = self.with_context(include_business_fields=True).copy(self._bonopay_replacement_values())
        self.with_context(**{_ANNULLING_KEY: _ANNULLING}).button_cancel()
        seal._annul()
        replacement.sudo()._bonopay_take_over(self.sudo())
        self._bonopay_tell_replacement(replacement)
        return replacement._get_records_action()

    def _bonopay_replacement_values(self):
        """What a copy leaves out and the document that takes the place of a rejected one says again."""
        names = ("bonopay_invoice_type", "bonopay_client_type", "bonopay_credit_nature", "bonopay_credit_reason")
        return {
            "reversed_entry_id": self.reversed_entry_id.id,
            "invoice_user_id": self.invoice_user_id.id,
            "bonopay_counterpart_ids": [Command.set(self._bonopay_counterparts().ids)],
            **{name: self[name] for name in names},
        }

    def _bonopay_counterparts(self):
        """The journal items that settle this document, which its cancelling sets free."""
        lines = self._bonopay_owed_lines()
        return lines.matched_debit_ids.debit_move_id | lines.matched_credit_ids.credit_move_id

    def _bonopay_owed_lines(self):
        return self.line_ids.filtered(lambda line: line.account_type == "asset_receivable")

    def _bonopay_take_over(self, rejected):
        """Have what belongs to a rejected document, now cancelled, belong to this one. Hook; it is called with sudo."""
        self.transaction_ids = rejected.transaction_ids
        self.matched_payment_ids = rejected.matched_payment_ids
        rejected.matched_payment_ids = False  # a payment counts as done when all its invoices are paid

    def _post(self, soft=True):
        # EXTENDS 'account'
        posted = super()._post(soft)
        for move in posted.filtered("bonopay_counterpart_ids"):
            move._bonopay_reconcile_counterparts()
        return posted

    def _bonopay_reconcile_counterparts(self):
        """Settle this document with what had settled the one that it replaces, as far as that is still there."""
        owed = self._bonopay_owed_lines()
        lines = (owed | self.bonopay_counterpart_ids).filtered(
            lambda line: line.parent_state == "posted" and not line.reconciled and line.partner_id in owed.partner_id
        )
        for of_account in lines.grouped("account_id").values():
            if of_account & owed and of_account - owed:
                of_account.reconcile()

    def _bonopay_tell_replacement(self, replacement):
        link, origin = replacement._get_html_link(title=self.env._("a draft")), self._get_html_link()
        self.message_post(body=self.env._("Rejected by the DGI, and cancelled: %s replaces it.", link))
        replacement.message_post(body=self.env._("Replaces %s, which the DGI rejected.", origin))

    @api.model
    def _bonopay_is_annulling(self):
        return self.env.context.get(_ANNULLING_KEY) is _ANNULLING

    def _bonopay_annulled_by(self, vals):
        """Those of these moves that a write may cancel, through "draft": the rejected ones."""
        if not self._bonopay_is_annulling() or vals.get("state") not in ("draft", "cancel"):
            return self.browse()
        sealed = self._bonopay_seal_of_each()
        return self.browse().concat(*(move for move, seal in sealed.items() if seal.state == "rejected"))
