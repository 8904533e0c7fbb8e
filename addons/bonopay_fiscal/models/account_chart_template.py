from copy import deepcopy

from odoo import api, models
from odoo.fields import Command

from odoo.addons.account.models.chart_template import template

from ..core import dgi
from ..core.payload import percent

#: DGI group of the sale taxes of l10n_cd (xml id without the company prefix). What a business delivers to itself is
#: taxed as a sale but never invoiced to a client, so it is group B as well. "Non imposable" (NI) is what a seller
#: who is not liable to VAT invoices: group K; exempt operations of a VAT payer are A.
CORE_GROUPS = {
    "tva_sale_16": "B",
    "tva_sale_16_services": "B",
    "tva_sale_16_pm": "F",
    "tva_sale_16_goods_sd": "B",
    "tva_sale_16_services_sd": "B",
    "tva_export_0": "E",
    "tva_exempt_0": "A",
    "tva_non_imposable_0": "K",
}
#: Sale taxes that l10n_cd lacks: xml id, group, short name at the rate of the day, active by default.
MISSING_TAXES = (
    ("bonopay_sale_c", "C", "{rate}%", True),
    ("bonopay_sale_d", "D", "0% D", False),
    ("bonopay_sale_g", "G", "{rate}% PM", False),
    ("bonopay_sale_h", "H", "0% H", False),
    ("bonopay_sale_i", "I", "0% I", False),
    ("bonopay_sale_j", "J", "0% J", False),
    ("bonopay_sale_l", "L", "0% L", False),
    ("bonopay_sale_m", "M", "0% M", False),
    ("bonopay_sale_n", "N", "TVA N", False),
    ("bonopay_sale_o", "O", "{rate}%", False),
    ("bonopay_sale_p", "P", "{rate}% PM", False),
)
#: Examples of specific taxes (SFE §1.13), inactive: xml id, basis, amount, names in English and French.
SPECIFIC_TAXES = (
    ("bonopay_specific_amount", "amount", 100.0, "Specific tax per line", "Taxe spécifique par ligne"),
    ("bonopay_specific_quantity", "quantity", 100.0, "Specific tax per unit", "Taxe spécifique par unité"),
    ("bonopay_specific_percent", "percent", 10.0, "Specific tax 10%", "Taxe spécifique 10%"),
)
#: Prefix of the xml ids, and the accounts of VAT due and of other sales taxes, in each chart of the country.
CHARTS = {"cd": ("", "pcg_4431", "pcg_446"), "cd_syscebnl": ("syscebnl_", "syscebnl_443", "syscebnl_446")}


class AccountChartTemplate(models.AbstractModel):
    _inherit = "account.chart.template"

    @template("cd", "account.tax.group")
    def _get_bonopay_cd_tax_group(self):
        return self._bonopay_tax_groups("cd")

    @template("cd", "account.tax")
    def _get_bonopay_cd_taxes(self):
        return self._bonopay_taxes("cd")

    @template("cd_syscebnl", "account.tax.group")
    def _get_bonopay_cd_syscebnl_tax_group(self):
        return self._bonopay_tax_groups("cd_syscebnl")

    @template("cd_syscebnl", "account.tax")
    def _get_bonopay_cd_syscebnl_taxes(self):
        return self._bonopay_taxes("cd_syscebnl")

    def _bonopay_taxes(self, chart):
        """Chart data: the group of the taxes that exist, and the taxes that are missing."""
        prefix, account, _account_of_specific = CHARTS[chart]
        mapped = {f"{prefix}{name}": {"bonopay_group": letter} for name, letter in CORE_GROUPS.items()}
        added = {
            f"{prefix}{name}": self._bonopay_tax(prefix, account, sequence, *values)
            for sequence, (name, *values) in enumerate(MISSING_TAXES, start=20)
        }
        return {**mapped, **added, **self._bonopay_specific_taxes(chart)}

    def _bonopay_specific_taxes(self, chart):
        prefix, _account, account = CHARTS[chart]
        return {
            f"{prefix}{name}": self._bonopay_specific_tax(prefix, account, *values) for name, *values in SPECIFIC_TAXES
        }

    def _bonopay_tax_groups(self, chart):
        prefix = CHARTS[chart][0]
        rates = filter(None, (self._bonopay_rate_of_new_tax(letter) for _name, letter, *_rest in MISSING_TAXES))
        names = {
            f"{prefix}{self._bonopay_tax_group(rate)}": (f"VAT {percent(rate)}%", f"T.V.A. {percent(rate)}%")
            for rate in rates
        }
        names[f"{prefix}bonopay_tax_group_n"] = ("Specific VAT", "T.V.A. spécifique")
        names[f"{prefix}bonopay_tax_group_specific"] = ("Specific tax", "Taxe spécifique")
        return {xmlid: {"name": english, "name@fr": french} for xmlid, (english, french) in names.items()}

    def _bonopay_rate_of_new_tax(self, letter):
        return self.env["bonopay.tax.group"]._rate_of_new_tax(letter)

    def _bonopay_tax_group(self, rate):
        return f"bonopay_tax_group_{percent(rate).replace('.', '_')}" if rate else "tax_group_0"

    def _bonopay_tax(self, prefix, account, sequence, letter, name, active):
        whole = letter == dgi.SPECIFIC_VAT_GROUP
        rate = self._bonopay_rate_of_new_tax(letter)
        group = "bonopay_tax_group_n" if whole else self._bonopay_tax_group(rate)
        return {
            "name": name.format(rate=percent(rate)),
            "description": dgi.TAX_GROUPS[letter],
            "sequence": sequence,
            # group N: the line is VAT as a whole (SFE §1.14), that is 100 % of a price that includes it
            "amount": 100.0 if whole else float(rate),
            "amount_type": "division" if whole else "percent",
            **({"price_include_override": "tax_included"} if whole else {}),
            "type_tax_use": "sale",
            "active": active,
            "tax_group_id": f"{prefix}{group}",
            "bonopay_group": letter,
            "repartition_line_ids": self._bonopay_repartition(account if rate or whole else False),
        }

    def _bonopay_specific_tax(self, prefix, account, basis, amount, english, french):
        return {
            "name": english,
            "name@fr": french,
            "sequence": 0,  # before the VAT that it bears
            "amount": amount,
            "active": False,
            "tax_group_id": f"{prefix}bonopay_tax_group_specific",
            "bonopay_specific": basis,
            **self.env["account.tax"]._bonopay_specific_setup(basis),
            "repartition_line_ids": self._bonopay_repartition(account),
        }

    def _bonopay_repartition(self, account):
        return [
            Command.create(
                {
                    "document_type": document,
                    "repartition_type": part,
                    **({"account_id": account} if part == "tax" and account else {}),
                }
            )
            for document in ("invoice", "refund")
            for part in ("base", "tax")
        ]

    @api.model
    def _bonopay_upgrade_companies(self):
        """Give the companies whose chart was loaded before this module what it adds: install and upgrade path.

        A group that somebody chose is kept; a tax that exists is not touched otherwise.
        """
        for company in self._bonopay_charted_companies():
            self.with_company(company)._bonopay_upgrade_company(company)

    @api.model
    def _bonopay_add_specific_taxes(self):
        """Give them the examples of specific taxes, and nothing else: upgrade path."""
        for company in self._bonopay_charted_companies():
            self._bonopay_load_absent(company, self._bonopay_specific_taxes(company.chart_template))

    def _bonopay_charted_companies(self):
        domain = [("chart_template", "in", list(CHARTS)), ("parent_id", "=", False)]
        return self.env["res.company"].sudo().search(domain)

    def _bonopay_upgrade_company(self, company):
        chart = company.chart_template
        prefix = CHARTS[chart][0]
        for name, letter in CORE_GROUPS.items():
            tax = self.with_company(company).ref(f"{prefix}{name}", raise_if_not_found=False)
            if tax and not tax.bonopay_group:
                tax.bonopay_group = letter
        self._bonopay_load_absent(company, {k: v for k, v in self._bonopay_taxes(chart).items() if "amount" in v})

    def _bonopay_load_absent(self, company, taxes):
        """Load those of the taxes, with their groups in Odoo's sense, that a company has not."""
        used = {values["tax_group_id"] for values in taxes.values()}
        groups = {k: v for k, v in self._bonopay_tax_groups(company.chart_template).items() if k in used}
        missing = {
            "account.tax.group": self._bonopay_absent(company, groups),
            "account.tax": self._bonopay_absent(company, taxes),
        }
        absent = {model: data for model, data in missing.items() if data}
        named = deepcopy(absent)  # loading takes the French names out
        self.with_company(company)._load_data(absent)
        self.sudo()._load_translations(companies=company, template_data=named)

    def _bonopay_absent(self, company, data):
        chart = self.with_company(company)
        return {xmlid: values for xmlid, values in data.items() if not chart.ref(xmlid, raise_if_not_found=False)}
