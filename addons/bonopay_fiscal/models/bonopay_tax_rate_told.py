from datetime import datetime, time, timedelta

from odoo import SUPERUSER_ID, api, fields, models

from ..core import dgi, reference
from ..core.arithmetic import exact

#: Kinshasa is an hour ahead of UTC all year.
_AHEAD = timedelta(hours=1)
_DAY = timedelta(days=1)
#: Writing one of these makes a row the person's own.
_RATE_FIELDS = frozenset({"group_id", "rate", "valid_from"})
#: Proof that a row comes from the daily reading; no remote call can put it into a context.
_READING = object()
_READING_KEY = "bonopay_reading_rate"


class BonopayTaxRate(models.Model):
    """Rates that the DGI tells (SFE §1.31) become rows of their own, beside those that an owner enters."""

    _inherit = "bonopay.tax.rate"

    is_told = fields.Boolean(
        "Told by the DGI",
        readonly=True,
        copy=False,
        help="The row came from the DGI's tables. Off: a person or the law entered it, and it stands against the "
        "DGI's.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        # EXTENDS base: nobody claims by hand that the DGI told it
        is_told = self.env.context.get(_READING_KEY) is _READING
        return super().create([{**vals, "is_told": is_told} for vals in vals_list])

    def write(self, vals):
        # EXTENDS base: a row that a person corrects is theirs
        if self.env.context.get(_READING_KEY) is not _READING:
            vals = {name: value for name, value in vals.items() if name != "is_told"}
            if _RATE_FIELDS & vals.keys():
                vals["is_told"] = False
        return super().write(vals)

    def action_refresh_from_dgi(self):
        """Read the DGI's tables now, for the caller's current company.

        :raises AccessError: the caller does not manage the main company
        :raises UserError: the company is in test mode, or the signer told nothing that can be read
        """
        return self.env.company.bonopay_read_reference_now()

    @api.model
    def _take_told(self, tables, today):
        """Add the rates that the DGI tells and that are new here.

        What the signer's core does not judge by is left for the reading after it does: at a rate that Odoo alone has
        the group could not be sold at all.

        A row that is there is never changed but for its end. What a person decided for the day that the DGI names, or
        for a later one, stands; so does the rate of each day on which a document of the group was sealed. A row that
        the DGI told and takes back goes while it may still be corrected.

        :param reference.Tables tables: what the signer told
        :param date today: in Kinshasa
        :return: the rows that were added
        """
        taker = self.with_env(self.env(user=SUPERUSER_ID, su=True, context={_READING_KEY: _READING}))
        taker._take_back(tables, today)
        rows = tables.rows.get(reference.TAX_GROUPS, {}).values()
        agreed = (row for row in rows if tables.may_be_taken(row.code))
        taken = taker.browse().union(*(taker._take_one(row, today) for row in agreed))
        return taken.with_env(self.env)

    def _take_back(self, tables, today):
        """Remove what the DGI told before, and tells no longer, where nothing was sealed with it."""
        theirs = tables.rows.get(reference.TAX_GROUPS)
        if not theirs:
            return  # of a table that cannot be read nothing is known
        rows = self.search([("is_told", "=", True), "|", ("valid_to", "=", False), ("valid_to", ">=", today)])
        for row in rows.sorted("valid_from", reverse=True):  # each gives its days to the one before it
            told = theirs.get(row.group_id.code)
            if not row.used and tables.may_be_taken(row.group_id.code) and exact_rate(row) != (told and told.rate):
                row.unlink()

    def _take_one(self, told, today):
        group = self.env["bonopay.tax.group"].search([("code", "=", told.code)])
        rows = self._of_group(group)
        is_there = any(exact_rate(row) == told.rate for row in rows if row._holds_on(today) or row.valid_from > today)
        if not group or is_there or rows._stand_against(told):
            return self.browse()
        after = [row.valid_from + _DAY for row in rows if row.is_told]  # those that were used stay for their first day
        first_day = max(told.since, self._day_after_last_sale(group, told.since), *after)
        before = rows.filtered(lambda row: row._holds_on(first_day))
        values = {
            "group_id": group.id, "rate": float(told.rate), "valid_from": first_day, "valid_to": before.valid_to,
            "source": told.source,
        }  # fmt: skip
        if before:
            before._end_on(first_day - _DAY)
        return self.create(values)

    def _stand_against(self, told):
        """Whether these rows of a group, or the law, keep Odoo from ever taking what the DGI tells."""
        has_no_rate = told.code in dgi.LEVY_GROUPS and told.rate
        return bool(has_no_rate or self.filtered(lambda row: not row.is_told and row.valid_from >= told.since))

    def _of_group(self, group):
        return self.search([("group_id", "=", group.id)])

    def _holds_on(self, day):
        return self.valid_from <= day and (not self.valid_to or self.valid_to >= day)

    def _day_after_last_sale(self, group, since):
        """The first day, from one on, from which no document of the group was sealed at the rate of before."""
        begun = datetime.combine(since, time()) - _AHEAD
        domain = [("issued_at", ">=", begun), ("payload", "like", f'"tax_group":"{group.code}"')]
        last = self.env["bonopay.seal"].search(domain, order="issued_at desc", limit=1)
        return (last.issued_at + _AHEAD).date() + _DAY if last else since


def exact_rate(row):
    """The rate of one row as it is told to the DGI, ``None`` without a row."""
    return exact(row.rate) if row else None
