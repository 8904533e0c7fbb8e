from odoo import Command, fields, models
from odoo.exceptions import UserError


class AccountMove(models.Model):
    """What a card pays, in the books: the debt to its bearer settles what the customer owes."""

    _inherit = "account.move"

    bonopay_card_invoice_id = fields.Many2one(
        "account.move",
        "Paid with a card",
        readonly=True,
        copy=False,
        index="btree_not_null",
        help="The invoice that a gift card or e-wallet paid, or the credit note that gave it back.",
    )
    bonopay_card_entry_ids = fields.One2many(
        "account.move", "bonopay_card_invoice_id", "Entries of cards", readonly=True, copy=False
    )

    def _post(self, soft=True):
        # EXTENDS 'account'
        for note in self._bonopay_to_post(soft):
            rows = [note._bonopay_card_values(card, amount) for card, amount in note._bonopay_back_to_cards()]
            note.env["bonopay.payment"].sudo().create(rows)
        return super()._post(soft)

    def _bonopay_reconcile_settlement(self):
        # EXTENDS: advances settle what cards leave
        for move in self.filtered("bonopay_required"):
            for row in move.sudo().bonopay_payment_ids.filtered("sale_line_id"):
                move._bonopay_settle_with_card(row)
        return super()._bonopay_reconcile_settlement()

    def _bonopay_settle_with_card(self, row):
        """Book what a card pays or gets back, and move its balance."""
        card, sign = row.sale_line_id, -self.direction_sign
        needed = card._bonopay_card_used() - card._bonopay_francs_of_points(card.points_cost)
        if needed > 0 or sign < 0:
            card._bonopay_move_points(needed if sign > 0 else -row._value().in_francs)
        entry = self.env["account.move"].sudo().create(self._bonopay_card_entry(row, sign))
        entry._post()
        owed = self.sudo()._bonopay_owed_lines() | entry._bonopay_owed_lines()
        owed.filtered(lambda line: not line.reconciled).reconcile()

    def _bonopay_card_entry(self, row, sign):
        journal = self.env["account.journal"].sudo().search(
            [*self.env["account.journal"]._check_company_domain(self.company_id), ("type", "=", "general")], limit=1
        )  # fmt: skip
        if not journal:
            raise UserError(
                self.env._("A journal of miscellaneous operations is missing: what cards pay is booked there.")
            )
        partner, words = self.commercial_partner_id, f"{row.reference} – {self.name}"
        sides = (
            (row.sale_line_id._bonopay_card_account(), sign),
            (self.sudo()._bonopay_owed_lines().account_id[:1], -sign),
        )
        return {
            "move_type": "entry",
            "journal_id": journal.id,
            "date": self.date,
            "ref": words,
            "bonopay_card_invoice_id": self.id,
            "line_ids": [
                Command.create(
                    {"account_id": account.id, "partner_id": partner.id, "name": words, "balance": side * row.francs}
                )
                for account, side in sides
            ],
        }

    def button_draft(self):
        # EXTENDS 'account': an invoice that is corrected or annulled is not paid, and a credit note gives nothing back
        entries = self.sudo().bonopay_card_entry_ids.filtered(lambda entry: entry.state == "posted")
        res = super().button_draft()
        for note in entries.bonopay_card_invoice_id.filtered(lambda move: move.move_type == "out_refund"):
            for row in note.bonopay_payment_ids.filtered("sale_line_id"):
                row.sale_line_id._bonopay_move_points(row._value().in_francs)
        if entries:
            entries.button_cancel()
        return res
