from odoo import api, fields, models
from odoo.exceptions import ValidationError


class AccountJournal(models.Model):
    _inherit = "account.journal"

    bonopay_outlet_id = fields.Many2one(
        "bonopay.outlet",
        "Fiscal outlet",
        check_company=True,
        copy=False,
        index="btree_not_null",
        tracking=True,
        help="Invoices of this journal are sealed and normalised under this outlet.",
    )

    _bonopay_outlet_sale = models.Constraint(
        "CHECK(bonopay_outlet_id IS NULL OR type = 'sale')", "Only a sales journal belongs to a fiscal outlet."
    )

    @api.constrains("bonopay_outlet_id", "restrict_mode_hash_table")
    def _check_bonopay_secured(self):
        for journal in self:
            if words := journal._bonopay_secured_words():
                raise ValidationError(words)

    def _bonopay_secured_words(self):
        """Why a journal cannot be an outlet's: a document that the DGI rejects could not leave its books."""
        secured = self.filtered(lambda journal: journal.bonopay_outlet_id and journal.restrict_mode_hash_table)
        return secured and self.env._(
            "Journal “%s” secures its posted entries with a hash: the seal does this already, and a document that the "
            "DGI rejects could not be replaced. Switch “Secure Posted Entries with Hash” off, or choose another "
            "journal for the outlet.",
            secured[0].name,
        )
