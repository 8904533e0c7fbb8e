from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from odoo import api, fields, models, tools
from odoo.exceptions import UserError, ValidationError

from ..core import dgi, payload
from ..core.arithmetic import exact

#: The capital's day is the fiscal day of the whole country, and the one that the signer judges by.
FISCAL_TIME_ZONE = "Africa/Kinshasa"

#: Proof that only the last day of a row is moved, by this module's own code; it is in no remote call's reach.
_ENDING = object()
_ENDING_KEY = "bonopay_ending"
#: Days in which a rate that nothing was sealed with yet may still be corrected.
SECOND_THOUGHTS = timedelta(days=7)


class RateInForce(NamedTuple):
    """A group's rate in percent, and the first day of it, as `datetime.date`."""

    rate: Decimal
    since: object


class BonopayTaxGroup(models.Model):
    """The DGI's tax groups (SFE §1.12, annex II). What a letter means is the law's; its rate has a date."""

    _name = "bonopay.tax.group"
    _description = "DGI tax group"
    _order = "code"
    _rec_name = "code"

    code = fields.Char("Letter", required=True)
    label = fields.Char(required=True, help="The DGI's words; {rate} stands for the rate in percent.")
    item_types = fields.Selection(
        [("supplies", "Goods and services (BIE, SER)"), ("levies", "Taxes and levies (TAX)")], required=True
    )
    rate_ids = fields.One2many("bonopay.tax.rate", "group_id", "Rates")

    _code_unique = models.Constraint("UNIQUE(code)", "There is a tax group of this letter already.")

    @api.model
    def _fiscal_day(self):
        """Today in Kinshasa: the day whose rates apply, wherever the outlet and the user are."""
        return fields.Date.context_today(self.with_context(tz=FISCAL_TIME_ZONE))

    @api.model
    @tools.ormcache("day")
    def _rates_on(self, day):
        """The groups in force on a day.

        :return: ``{letter: RateInForce}``
        """
        rows = self.env["bonopay.tax.rate"].sudo().search(
            [("valid_from", "<=", day), "|", ("valid_to", "=", False), ("valid_to", ">=", day)]
        )  # fmt: skip
        return {row.group_id.code: RateInForce(exact(row.rate), row.valid_from) for row in rows}

    @api.model
    def _rate_of_new_tax(self, letter):
        """The rate in percent of a tax that is made today: that in force, else the first to come."""
        domain = [("group_id.code", "=", letter), "|", ("valid_to", "=", False), ("valid_to", ">=", self._fiscal_day())]
        return exact(self.env["bonopay.tax.rate"].sudo().search(domain, order="valid_from", limit=1).rate)


class BonopayTaxRate(models.Model):
    """The rate of a group from one day to another (SFE §1.31).

    A row whose first day has come may have been sealed with: it is only ever closed. A change is a new row, which ends
    the one before it.
    """

    _name = "bonopay.tax.rate"
    _description = "Rate of a DGI tax group"
    _order = "group_id, valid_from desc"
    _rec_name = "label"

    group_id = fields.Many2one("bonopay.tax.group", "DGI tax group", required=True, ondelete="restrict", index=True)
    label = fields.Char(compute="_compute_label")
    item_types = fields.Selection(related="group_id.item_types")
    rate = fields.Float("Rate (%)", digits=(5, 2), required=True)
    valid_from = fields.Date("First day", required=True)
    valid_to = fields.Date("Last day", help="Empty while no end is known.")
    source = fields.Char(required=True, help="The text of law, or the table of the DGI, that sets this rate.")
    used = fields.Boolean(compute="_compute_used")

    _rate_percent = models.Constraint("CHECK(rate >= 0 AND rate < 100)", "A rate lies between 0 and 100 percent.")
    _days_in_order = models.Constraint("CHECK(valid_to >= valid_from)", "A rate cannot end before its first day.")

    @api.depends("group_id.label", "rate")
    def _compute_label(self):
        for row in self:
            row.label = (row.group_id.label or "").replace("{rate}", payload.percent(exact(row.rate)))

    @api.depends("valid_from")
    def _compute_used(self):
        today = self.env["bonopay.tax.group"]._fiscal_day()
        for row in self:
            begun = bool(row._origin) and bool(row.valid_from) and row.valid_from <= today
            is_new = begun and row.valid_from > today - SECOND_THOUGHTS
            row.used = begun and not (is_new and not row._is_sealed_with())

    def _is_sealed_with(self):
        """Whether a document of the group was frozen since the first day of this row."""
        begun = datetime.combine(self.valid_from, time()) - timedelta(hours=1)  # midnight in Kinshasa
        domain = [("issued_at", ">=", begun), ("payload", "like", f'"tax_group":"{self.group_id.code}"')]
        return bool(self.env["bonopay.seal"].sudo().search_count(domain, limit=1))

    @api.constrains("group_id", "valid_from", "valid_to")
    def _check_one_rate_a_day(self):
        for row in self:
            later = [("valid_from", "<=", row.valid_to)] if row.valid_to else []
            same_days = [("id", "!=", row.id), ("group_id", "=", row.group_id.id), *later]
            other = self.search(
                [*same_days, "|", ("valid_to", "=", False), ("valid_to", ">=", row.valid_from)], limit=1
            )
            if other:
                raise ValidationError(
                    self.env._(
                        "Group %(group)s has a rate on these days already: %(rate)s %% from %(day)s on. A new rate "
                        "begins after it.",
                        group=row.group_id.code,
                        rate=payload.percent(exact(other.rate)),
                        day=tools.format_date(self.env, other.valid_from),
                    )
                )

    @api.constrains("group_id", "rate")
    def _check_levies_have_no_rate(self):
        for row in self.filtered("rate"):
            if row.group_id.code in dgi.LEVY_GROUPS:
                raise ValidationError(
                    self.env._(
                        "Group %s has no rate: what its lines say is a levy as a whole. Enter 0.", row.group_id.code
                    )
                )

    # ------------------------------------------------------------------------------------------------------------
    # Append-only once used
    # ------------------------------------------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        # EXTENDS base: a new rate ends the one that was open
        for vals in vals_list:
            if vals.get("group_id") and vals.get("valid_from"):
                first_day = fields.Date.to_date(vals["valid_from"])
                domain = [("group_id", "=", vals["group_id"]), ("valid_to", "=", False), ("valid_from", "<", first_day)]
                self.search(domain).write({"valid_to": first_day - timedelta(days=1)})
        self.env.registry.clear_cache()
        return super().create(vals_list)

    def write(self, vals):
        # EXTENDS base
        ending = self.env.context.get(_ENDING_KEY) is _ENDING
        for row in self.filtered("used") if not ending else ():
            if vals.keys() - {"valid_to"} or row.valid_to:
                row._refuse_change()
        before = {row: row._ended() for row in self} if "valid_from" in vals else {}
        self.env.registry.clear_cache()
        res = super().write(vals)
        for row, ended in before.items():
            ended._end_on(row.valid_from - timedelta(days=1))
        return res

    def unlink(self):
        # EXTENDS base: what a row ended goes on
        before = [(row._ended(), row.valid_to) for row in self]
        res = super().unlink()
        for ended, last_day in before:
            ended._end_on(last_day)
        return res

    def _ended(self):
        """The row that this one ended."""
        eve = self.valid_from - timedelta(days=1)
        return self.search([("group_id", "=", self.group_id.id), ("valid_to", "=", eve)], limit=1)

    def _end_on(self, last_day):
        """Move the last day of a row, also of a used one: what was sealed lies before it."""
        self.with_context(**{_ENDING_KEY: _ENDING}).write({"valid_to": last_day})

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        for row in self.filtered("used"):
            row._refuse_change()
        self.env.registry.clear_cache()

    def _refuse_change(self):
        raise UserError(
            self.env._(
                "“%(label)s” is in force since %(day)s: documents are sealed with it, and it stays. Add the new rate "
                "with its first day; this one then ends the day before.",
                label=self.label,
                day=tools.format_date(self.env, self.valid_from),
            )
        )
