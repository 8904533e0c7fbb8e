from odoo import models

from ..core.connection import SignerError
from .bonopay_readiness import check


class BonopayOutlet(models.Model):
    """What must be right of an outlet before it goes live."""

    _inherit = "bonopay.outlet"

    def _readiness_checks(self):
        """The checks of an outlet, in the order in which they are shown.

        Extended as ``res.company._bonopay_readiness_checks`` is, where it is told how.
        """
        self.ensure_one()
        return [
            self._ready_known,
            self._ready_device,
            self._ready_identity,
            self._ready_journals,
            self._ready_unsecured,
            self._ready_address,
            self._ready_province,
            self._ready_price_mode,
            self._ready_responsible,
        ]

    def _told_of_it(self, told):
        """The signer's answer about this outlet; ``None`` when there is none."""
        answer = told.outlets.get(self.code)
        return answer if isinstance(answer, dict) else None

    def _ready_known(self, told):
        if told.error:
            return None
        answer = told.outlets.get(self.code)
        words = ""
        if isinstance(answer, SignerError) and answer.code == "not_found":
            words = self.env._("The signer does not know this outlet. Correct its code, or have it registered there.")
        elif isinstance(answer, SignerError):
            words = self._signer_words(answer)
        fine = str((answer if isinstance(answer, dict) else {}).get("name") or "")
        passing = isinstance(answer, SignerError) and answer.passes
        return check("known", self.env._("Known to the signer"), words, fine, record=self, passing=passing)

    def _ready_device(self, told):
        answer = self._told_of_it(told)
        if answer is None and not self.dgi_closed:
            return None
        dgi = (answer or {}).get("dgi")
        dgi = dgi if isinstance(dgi, dict) else {}
        words = ""
        if self.dgi_closed:
            words = self.env._("The signer has closed this outlet. Ask the signer's operator.")
        elif dgi.get("state") != "ready":
            words = self.env._(
                "The DGI's device does not answer as it should (%s). Ask the signer's operator.",
                dgi.get("detail") or dgi.get("state") or "–",
            )
        # its documents wait at the signer; one that is closed there has none sealed any more
        passing = not self.dgi_closed
        return check("device", self.env._("DGI device"), words, self.nim, record=self, passing=passing)

    def _ready_identity(self, told):
        lacking = ", ".join(name for name, value in (("NIM", self.nim), ("ISF", self.isf)) if not value)
        words = lacking and self.env._(
            "The signer has told no %s. Have its operator register them: bonopay-signer outlet change.", lacking
        )
        fine = " – ".join(filter(None, (self.nim, self.isf)))
        passing = self._told_of_it(told) is None
        return check("identity", self.env._("NIM and ISF"), words, fine, record=self, passing=passing)

    def _ready_journals(self, told):
        journals = self.sudo().journal_ids.filtered(lambda journal: journal.type == "sale")
        words = not journals and self.env._("Choose a sales journal on the outlet: its invoices are the outlet's.")
        return check("journals", self.env._("Sales journals"), words, ", ".join(journals.mapped("name")), record=self)

    def _ready_unsecured(self, told):
        words = self.sudo().journal_ids._bonopay_secured_words()
        return check("unsecured", self.env._("Rejected documents can be replaced"), words, record=self)

    def _ready_address(self, told):
        words = not (self.street and self.city) and self.env._(
            "Enter street and city: the address of the sale is printed on each invoice."
        )
        fine = ", ".join(filter(None, (self.street, self.city)))
        return check("address", self.env._("Address"), words, fine, record=self)

    def _ready_province(self, told):
        words = not self.state_id and self.env._("Choose the province: it tells the time zone, too.")
        return check("province", self.env._("Province"), words, self.state_id.name, record=self)

    def _ready_price_mode(self, told):
        """The custom that a company's own tax follows; where they differ, most invoices will have the tax's mode."""
        tax = self.company_id.sudo().account_sale_tax_id
        modes = dict(self._fields["price_mode"]._description_selection(self.env))
        proposed = "ttc" if tax.price_include else "ht"
        words = (
            tax
            and proposed != self.price_mode
            and self.env._(
                "The outlet says “%(mode)s”, and the prices of the company's usual tax “%(tax)s” are “%(proposed)s”.",
                mode=modes[self.price_mode],
                tax=tax.name,
                proposed=modes[proposed],
            )
        )
        fine = modes[self.price_mode]
        return check("price_mode", self.env._("Price mode"), words, fine, level="hint", record=self)

    def _ready_responsible(self, told):
        person = self._responsible()
        words = not person and self.env._("Nobody is called by an alarm. Choose who is responsible for the DGI.")
        return check(
            "responsible", self.env._("Responsible for the DGI"), words, person.name, level="hint", record=self
        )
