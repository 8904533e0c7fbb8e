from odoo import models

from ..core import payload
from ..core.arithmetic import exact

#: Texts of a tax that name its rate.
_NAMES = ("name", "invoice_label")
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
        copy = self.copy(
            {
                "name": self._bonopay_free_name(self._bonopay_renamed("name", rate)),
                "amount": float(rate),
                "active": False,
                "tax_group_id": self._bonopay_tax_group_at(rate).id,
            }
        )
        for code, _name in self.env["res.lang"].get_installed():
            own = self.with_context(lang=code)
            for field in _NAMES if code != _LANG else _NAMES[1:]:
                if own[field]:
                    copy.with_context(lang=code)[field] = own._bonopay_renamed(field, rate)
        return copy

    def _bonopay_renamed(self, field, rate):
        """One of its texts with another rate in it; a name that tells none has it added."""
        old, new = payload.percent(exact(self.amount)), payload.percent(rate)
        text = self[field]
        for form in ("{}%", "{} %", "{}\N{NO-BREAK SPACE}%"):
            if form.format(old) in text:
                return text.replace(form.format(old), form.format(new))
        return f"{text} {new}%" if field == "name" else text

    def _bonopay_free_name(self, name):
        """The name, with the letter of the DGI's group where another sale tax has it already."""
        domain = [
            ("company_id", "child_of", self.company_id.root_id.id), ("type_tax_use", "=", self.type_tax_use),
            ("name", "=", name),
        ]  # fmt: skip
        return f"{name} {self.bonopay_group}" if self.search_count(domain, limit=1) else name

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
