from odoo import fields, models


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
