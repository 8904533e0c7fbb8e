from odoo import models

from ..core import dgi, payload
from ..core.arithmetic import CENT, exact
from .account_move_checks import NIF
from .bonopay_readiness import check

#: Seconds between the clocks of Odoo and signer: a sale states Odoo's time, its seal the signer's.
_CLOCK_HINT, _CLOCK_FAULT = 30, 300
#: The DGI's code of a means of payment that is none of the others.
_OTHER_METHOD = "AUTRE"
#: Records that are looked for and opened of what lacks something, and those of them that are named.
_SHOWN, _NAMED = 80, 5


class ResCompany(models.Model):
    """What must be right in a company before an outlet of it goes live."""

    _inherit = "res.company"

    def _bonopay_readiness_checks(self):
        """The checks of the company, in the order in which they are shown.

        A module adds its own by extending this::

            def _bonopay_readiness_checks(self):
                return [*super()._bonopay_readiness_checks(), self._bonopay_ready_tills]

            def _bonopay_ready_tills(self, told):
                lacking = self.env["pos.config"].search([…])
                words = lacking and self.env._("These tills have no printer: …")
                return check("tills", self.env._("Tills"), words, record=lacking)

        Each takes what the signer :class:`~.bonopay_readiness.Told`, reads and writes nothing else, and gives a
        :class:`~.bonopay_readiness.Check`, or ``None`` where it has nothing to say. Those of an outlet:
        ``bonopay.outlet._readiness_checks``.
        """
        return [
            self._bonopay_ready_signer,
            self._bonopay_ready_core,
            self._bonopay_ready_reference,
            self._bonopay_ready_clock,
            self._bonopay_ready_nif,
            self._bonopay_ready_currency,
            self._bonopay_ready_taxes,
            self._bonopay_ready_products,
            self._bonopay_ready_codes,
            self._bonopay_ready_clients,
            self._bonopay_ready_payments,
            self._bonopay_ready_language,
            self._bonopay_ready_test_sale,
        ]

    def _bonopay_ready_signer(self, told):
        words = told.error and self.env["bonopay.outlet"]._signer_words(told.error)
        url = self.sudo().bonopay_signer_url
        passing = bool(told.error) and told.error.passes
        return check("connection", self.env._("Connection to the signer"), words, url, step="connect", passing=passing)

    def _bonopay_ready_core(self, told):
        """Which fiscal core seals, to be compared with the homologated one (arrêté 034, art. 15–16)."""
        core = told.health.get("fiscal_core")
        if not isinstance(core, dict):
            return None
        fine = self.env._(
            "Version %(version)s, %(fingerprint)s", version=core.get("version"), fingerprint=core.get("fingerprint")
        )
        return check("core", self.env._("Fiscal core of the signer"), "", fine)

    def _bonopay_ready_reference(self, told):
        """How the last reading of the DGI's tables went; nothing before a first outlet is live."""
        root = self.root_id.sudo()
        words = root.bonopay_reference_words
        if not words:
            return None
        troubled = root.bonopay_reference_error or root._bonopay_told_findings()
        return check("reference", self.env._("The DGI's tables"), troubled and words, words, level="hint")

    def _bonopay_ready_clock(self, told):
        if told.ahead is None:
            return None
        apart = abs(round(told.ahead))
        words = apart > _CLOCK_HINT and self.env._(
            "The signer's clock and this server's are %s seconds apart. Have the server's administrator switch on time "
            "synchronisation (NTP).",
            apart,
        )
        fine = self.env._("%s seconds apart.", apart)
        level = "fault" if apart > _CLOCK_FAULT else "hint"
        return check("clock", self.env._("Clock"), words, fine, level=level)

    def _bonopay_ready_nif(self, told):
        ours = self.env["account.move"]._bonopay_nif(self.vat)
        theirs = {answer.get("nif") for answer in told.outlets.values() if isinstance(answer, dict)}
        words = ""
        if not NIF.fullmatch(ours):
            words = self.env._("The NIF is missing or malformed: enter it on the company (5 to 20 letters and digits).")
        elif theirs - {ours}:
            words = self.env._(
                "%(ours)s here, %(theirs)s at the signer. Correct the company's NIF, or ask the signer's operator.",
                ours=ours,
                theirs=", ".join(sorted(str(nif or "–") for nif in theirs)),
            )
        return check("nif", self.env._("NIF of the company"), words, ours, record=self)

    def _bonopay_ready_currency(self, told):
        own = self.currency_id
        words = ""
        if own.name != payload.CURRENCY:
            words = self.env._("The company keeps its accounts in %s; the DGI counts in CDF.", own.name)
        elif exact(own.rounding) != CENT:
            words = self.env._("Currency %s must be rounded to 0.01: correct its rounding factor.", own.name)
        record = own if own.name == payload.CURRENCY else self
        return check("currency", self.env._("Currency"), words, own.name, record=record)

    def _bonopay_ready_taxes(self, told):
        taxes = self.env["account.tax"].sudo().search([("company_id", "=", self.id), ("type_tax_use", "=", "sale")])
        lacking = taxes.filtered(lambda tax: tax._bonopay_needs_group() and not tax.bonopay_group)
        words = lacking and self.env._(
            "Without a DGI group: %s. Choose the group of each, or archive it.", self._bonopay_names(lacking)
        )
        if not taxes:
            words = self.env._("The company has no sale tax. Load its chart of accounts first.")
        fine = self.env._("%s sale taxes with their DGI groups.", len(taxes))
        return check("taxes", self.env._("DGI groups of the sale taxes"), words, fine, record=lacking)

    def _bonopay_sold_products(self, *domain):
        own = [("sale_ok", "=", True), ("company_id", "in", (False, self.id))]
        return self.env["product.template"].search([*own, *domain], limit=_SHOWN)

    def _bonopay_ready_products(self, told):
        lacking = self._bonopay_sold_products("|", ("bonopay_item_type", "=", False), ("uom_id", "=", False))
        words = lacking and self.env._("Without item type or unit: %s. Complete them.", self._bonopay_names(lacking))
        return check("products", self.env._("Item types and units of the products"), words, record=lacking)

    def _bonopay_ready_codes(self, told):
        lacking = self._bonopay_sold_products(
            "|", ("default_code", "=", False), ("taxes_id", "not any", [("company_id", "parent_of", self.id)])
        )
        words = lacking and self.env._(
            "Without internal reference or sale tax: %s. Without a reference a product is known to the DGI by its "
            "number in this database; without a tax it cannot be sold.",
            self._bonopay_names(lacking),
        )
        name = self.env._("References and taxes of the products")
        return check("product_codes", name, words, level="hint", record=lacking)

    def _bonopay_ready_clients(self, told):
        lacking = self.env["res.partner"].search(
            [
                ("customer_rank", ">", 0),
                ("parent_id", "=", False),
                ("company_id", "in", (False, self.id)),
                "|",
                *("&", ("is_company", "=", True), ("bonopay_client_type", "=", False)),
                *("&", ("bonopay_client_type", "in", list(dgi.NIF_CLIENT_TYPES)), ("vat", "=", False)),
            ],
            limit=_SHOWN,
        )
        words = lacking and self.env._(
            "Without client type or NIF: %s. Each will be asked for on its next invoice.", self._bonopay_names(lacking)
        )
        return check("clients", self.env._("Client types and NIF"), words, level="hint", record=lacking)

    def _bonopay_ready_payments(self, told):
        lines = self.env["account.payment.method.line"].sudo()
        if "bonopay_method" not in lines._fields:
            return None
        domain = [("journal_id.company_id", "=", self.id), ("payment_type", "=", "inbound")]
        lacking = lines.search([*domain, ("bonopay_method", "in", (False, _OTHER_METHOD))])
        words = lacking and self.env._(
            "Told to the DGI as “other”: %s. Choose the means of payment of each on its journal.",
            self._bonopay_names(lacking),
        )
        return check("payments", self.env._("Means of payment"), words, level="hint", record=lacking.journal_id)

    def _bonopay_ready_language(self, told):
        french = self.env["res.lang"].with_context(active_test=False).search([("code", "=like", "fr%")])
        words = not any(french.mapped("active")) and self.env._(
            "French is not installed, and legal documents are in French. Add the language under Settings ▸ "
            "Translations ▸ Languages."
        )
        return check("language", self.env._("Language of the documents"), words, level="hint", record=french[:1])

    def _bonopay_ready_test_sale(self, told):
        """A sale that went all the way to the DGI and back: in test, or in earnest under another outlet."""
        domain = [("company_id", "=", self.id), ("state", "=", "certified"), ("dgi_code", "!=", False)]
        sold = self.env["bonopay.seal"].sudo().search(domain, order="id desc", limit=1)
        words = not sold and self.env._("No sale was normalised yet. Make a test sale under an outlet for tests.")
        fine = self.env._("%(number)s, DEF/DGI code %(code)s", number=sold.fiscal_number, code=sold.dgi_code)
        return check("test_sale", self.env._("Test sale"), words, fine, step="sale", passing=True)

    def _bonopay_names(self, records):
        """The first of them by name."""
        names = ", ".join(f"“{record.display_name}”" for record in records[:_NAMED])
        return self.env._("%s and others", names) if len(records) > _NAMED else names


class AccountTax(models.Model):
    _inherit = "account.tax"

    def _bonopay_needs_group(self):
        """Whether the lines that carry this tax are counted under a DGI group by it."""
        specific = "bonopay_specific" in self._fields and self.bonopay_specific
        return self.amount_type in ("percent", "division") and not specific
