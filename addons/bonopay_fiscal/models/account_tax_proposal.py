import logging
from itertools import chain, count

from psycopg2.errors import SerializationFailure

from odoo import models

from ..core import payload
from ..core.arithmetic import exact

_logger = logging.getLogger(__name__)
#: Taxes are made in the language that Odoo compares their names in.
_LANG = "en_US"


class AccountTax(models.Model):
    """Taxes at a new rate of the DGI: prepared for the owner, who decides when they are sold with."""

    _inherit = "account.tax"

    def _bonopay_of_other_rate(self, company, letter, rate):
        """Active sale taxes of a company and its branches that carry a DGI group at another rate.

        :param Decimal rate: percent
        """
        domain = [
            ("company_id", "child_of", company.id), ("type_tax_use", "=", "sale"), ("bonopay_group", "=", letter),
        ]  # fmt: skip
        return self.search(domain).filtered(lambda tax: tax._bonopay_needs_group() and tax._bonopay_rate() != rate)

    def _bonopay_prepare_surely(self, rate):
        """:meth:`_bonopay_prepare_at`; what cannot be prepared is left to the owner, and costs nothing else."""
        try:
            with self.env.cr.savepoint():
                return self._bonopay_prepare_at(rate)
        except SerializationFailure:
            raise  # somebody else is writing them: the whole reading is for later
        except Exception:
            _logger.exception("taxes %s at %s %%", self.ids, rate)
            return self.browse()

    def _bonopay_prepare_at(self, rate):
        """These taxes at another rate: those that are there, and inactive copies of the others.

        :param Decimal rate: percent
        :return: the taxes at that rate
        """
        prepared = self.browse()
        for tax in self.with_context(lang=_LANG, active_test=False):
            prepared |= tax._bonopay_same_at(rate) or tax._bonopay_copy_at(rate)
        return prepared.with_env(self.env)

    def _bonopay_same_at(self, rate):
        domain = [
            ("company_id", "=", self.company_id.id), ("type_tax_use", "=", self.type_tax_use),
            ("bonopay_group", "=", self.bonopay_group), ("tax_scope", "=", self.tax_scope),
            ("price_include_override", "=", self.price_include_override),
        ]  # fmt: skip
        return self.search(domain).filtered(lambda tax: tax._bonopay_rate() == rate)[:1]

    def _bonopay_copy_at(self, rate):
        languages = [code for code, _name in self.env["res.lang"].get_installed()]
        # before the copy is there, whose own name would not be free in a language that has none of its own
        names = {code: self.with_context(lang=code)._bonopay_free_name(rate) for code in {*languages, _LANG}}
        copy = self.copy(
            {
                "name": names[_LANG],
                "amount": float(rate),
                "active": False,
                "tax_group_id": self._bonopay_tax_group_at(rate).id,
            }
        )
        for code in languages:
            own, made = self.with_context(lang=code), copy.with_context(lang=code)
            if code != _LANG:
                made.name = names[code]
            if own.invoice_label:
                made.invoice_label = own._bonopay_renamed("invoice_label", rate)
        return copy

    def _bonopay_renamed(self, field, rate):
        """One of its texts with another rate in it; a name that tells none has it added."""
        old, new = payload.percent(exact(self.amount)), payload.percent(rate)
        text = self[field]
        for form in ("{}%", "{} %", "{}\N{NO-BREAK SPACE}%"):
            if form.format(old) in text:
                return text.replace(form.format(old), form.format(new))
        return f"{text} {new}%" if field == "name" else text

    def _bonopay_free_name(self, rate):
        """Its name at another rate, in the language of this recordset.

        Where another tax has it already the letter of the DGI's group is added, and then a number.
        """
        name = self._bonopay_renamed("name", rate)
        domain = [
            ("company_id", "child_of", self.company_id.root_id.id), ("type_tax_use", "=", self.type_tax_use),
        ]  # fmt: skip
        taken = set(self.search(domain).mapped("name"))
        lettered = f"{name} {self.bonopay_group}"
        numbered = (f"{lettered} {number}" for number in count(2))
        return next(free for free in chain((name, lettered), numbered) if free not in taken)

    def _bonopay_tax_group_at(self, rate):
        """The heading, in Odoo's sense, under which totals show the rate."""
        domain = [
            ("company_id", "=", self.company_id.id), ("type_tax_use", "=", "sale"), ("amount", "=", float(rate)),
            ("amount_type", "=", self.amount_type), ("bonopay_group", "!=", False),
        ]  # fmt: skip
        found = self.search(domain, limit=1).tax_group_id
        old, new = (f"{payload.percent(one)}%" for one in (exact(self.amount), rate))
        heading = self.tax_group_id
        if found or old not in heading.name:
            return found or heading
        copy = heading.copy({"name": heading.name.replace(old, new)})
        for code, _name in self.env["res.lang"].get_installed():
            copy.with_context(lang=code).name = heading.with_context(lang=code).name.replace(old, new)
        return copy
