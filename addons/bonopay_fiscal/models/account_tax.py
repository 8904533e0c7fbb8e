from odoo import fields, models

from ..core import dgi


class AccountTax(models.Model):
    _inherit = "account.tax"

    bonopay_group = fields.Selection(
        [(letter, f"{letter} – {label}") for letter, label in dgi.TAX_GROUPS.items()],
        "DGI tax group",
        tracking=True,
        help="Group under which the DGI counts the lines that carry this tax (SFE §1.12). "
        "A later change reaches new invoices only: what is sealed keeps the group it was sealed with.",
    )
