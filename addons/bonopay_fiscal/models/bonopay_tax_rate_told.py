from datetime import datetime, time, timedelta

from odoo import SUPERUSER_ID, api, models

from ..core import dgi, reference
from ..core.arithmetic import exact

#: Kinshasa is an hour ahead of UTC all year.
_AHEAD = timedelta(hours=1)
_DAY = timedelta(days=1)


class BonopayTaxRate(models.Model):
    """Rates that the DGI tells (SFE §1.31) become rows of their own, beside those that an owner enters."""

    _inherit = "bonopay.tax.rate"

    def action_refresh_from_dgi(self):
        """Read the DGI's tables now, for the caller's current company.

        :raises AccessError: the caller does not manage the main company
        :raises UserError: the company is in test mode, or the signer told nothing that can be read
        """
        return self.env.company.bonopay_read_reference_now()

    @api.model
    def _take_told(self, tables, today):
        """Add the rates that the DGI tells and that are new here.

        A row that is there is never changed but for its end. What was decided here for the day that the DGI names, or
        for a later one, stands; so does the rate of each day on which a document of the group was sealed.

        :param reference.Tables tables: what the signer told
        :param date today: in Kinshasa
        :return: the rows that were added
        """
        taker = self.with_env(self.env(user=SUPERUSER_ID, su=True, context={}))
        rows = tables.rows.get(reference.TAX_GROUPS, {}).values()
        agreed = (row for row in rows if (reference.TAX_GROUPS, row.code) not in tables.disputed)
        taken = taker.browse().union(*(taker._take_one(row, today) for row in agreed))
        return taken.with_env(self.env)

    def _take_one(self, told, today):
        group = self.env["bonopay.tax.group"].search([("code", "=", told.code)])
        in_force = self._of_group(group).filtered(lambda row: row._holds_on(today))
        if not group or (told.code in dgi.LEVY_GROUPS and told.rate) or exact_rate(in_force) == told.rate:
            return self.browse()
        if self._of_group(group).filtered(lambda row: row.valid_from >= told.since):
            return self.browse()
        first_day = max(told.since, self._day_after_last_sale(group, told.since))
        before = self._of_group(group).filtered(lambda row: row._holds_on(first_day))
        values = {
            "group_id": group.id, "rate": float(told.rate), "valid_from": first_day, "valid_to": before.valid_to,
            "source": told.source,
        }  # fmt: skip
        if before:
            before._end_on(first_day - _DAY)
        return self.create(values)

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
