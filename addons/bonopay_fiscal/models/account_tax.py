from decimal import Decimal

from odoo import api, fields, models
from odoo.tools import format_date

from ..core import dgi, payload
from ..core.arithmetic import exact


class AccountTax(models.Model):
    _inherit = "account.tax"

    bonopay_group = fields.Selection(
        [(letter, f"{letter} – {label}") for letter, label in dgi.TAX_GROUPS.items()],
        "DGI tax group",
        tracking=True,
        help="Group under which the DGI counts the lines that carry this tax (SFE §1.12). "
        "A later change reaches new invoices only: what is sealed keeps the group it was sealed with.",
    )
    bonopay_rate_finding = fields.Char("Rate to be mended", compute="_compute_bonopay_rate_finding")

    @api.depends_context("lang")
    @api.depends("bonopay_group", "amount", "name", "type_tax_use")
    def _compute_bonopay_rate_finding(self):
        """Shown, and never put right by itself: which tax replaces this one is the accountant's to decide."""
        for tax in self:
            sold = tax.type_tax_use == "sale" and tax.bonopay_group
            fault = tax._bonopay_rate_fault() if sold else None
            tax.bonopay_rate_finding = fault and fault[0].upper() + fault[1:]

    def _bonopay_rate(self):
        """The rate in percent by which the DGI knows the tax: 0 for group N, though its whole line is VAT."""
        return Decimal(0) if self.bonopay_group == dgi.SPECIFIC_VAT_GROUP else exact(self.amount)

    def _bonopay_rate_fault(self):
        """Why a tax with a group cannot be sold with today (SFE §1.12, §1.31), in words; ``None`` when it can."""
        groups = self.env["bonopay.tax.group"]
        today = groups._fiscal_day()
        in_force = groups._rates_on(today).get(self.bonopay_group)
        if in_force is None:
            return self.env._(
                "tax “%(tax)s”: the DGI has no group %(group)s on %(day)s. Choose a tax of another group.",
                tax=self.name,
                group=self.bonopay_group,
                day=format_date(self.env, today),
            )
        if in_force.rate != self._bonopay_rate():
            return self.env._(
                "tax “%(tax)s” is at %(own)s %%, and the rate of group %(group)s is %(rate)s %% since %(day)s. Choose "
                "a tax at this rate, or create it under Invoicing ▸ Configuration ▸ Taxes and archive the old one.",
                tax=self.name,
                own=payload.percent(self._bonopay_rate()),
                group=self.bonopay_group,
                rate=payload.percent(in_force.rate),
                day=format_date(self.env, in_force.since),
            )
        return None
