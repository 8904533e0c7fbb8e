import json

from odoo import models
from odoo.exceptions import UserError

from ..core import credit, dgi, payload
from ..core.arithmetic import exact
from .account_move_checks import Fault

#: States of a seal in which nothing was sealed, or the DGI refused it: its goods were not credited.
_WITHOUT_EFFECT = ("invalid", "rejected")


class AccountMove(models.Model):
    """What the law wants of a credit note (SFE §1.25–28)."""

    _inherit = "account.move"

    def _bonopay_check_credit(self):
        if self.move_type != "out_refund":
            return
        if not payload.clean_text(self.bonopay_credit_reason):
            yield Fault(
                "credit.reason",
                self,
                self.env._("Say why the credit note is issued: the special register wants it (arrêté 033, art. 7 j)."),
            )
        if not self.bonopay_credit_nature:
            yield Fault(
                "credit.nature",
                self,
                self.env._(
                    "State the nature of the credit note: correction, cancellation, return or rebate (COR, RAN, RAM, "
                    "RRR)."
                ),
            )
        elif self.bonopay_credit_nature != dgi.REBATE_NATURE:
            yield from self._bonopay_check_original(self.reversed_entry_id)

    def _bonopay_check_original(self, original):
        """Whether there is a sale that the DGI knows, and that this credit note may take from."""
        seal = original._bonopay_live_seals()
        if not original:
            words = self.env._(
                "A credit note names the invoice that it corrects: open that invoice and press “Credit note”. Only "
                "a rebate (RRR) has no original."
            )
            yield Fault("credit.original", self, words)
        elif not self._bonopay_is_of_same_sale(original):
            words = self.env._(
                "%s is no invoice of this customer: a credit note corrects an invoice of the same customer and "
                "company, never a credit note.",
                original.name,
            )
            yield Fault("credit.other_sale", original, words)
        elif seal.state != "certified" or not seal.dgi_code:
            words = original._bonopay_never_normalised() or self.env._(
                "Original invoice %s is not normalised yet: wait for its DEF/DGI code, then post the credit note.",
                original.name,
            )
            yield Fault("credit.not_certified", original, words)
        else:
            yield from self._bonopay_check_kind_of_credit(original, seal)

    def _bonopay_check_kind_of_credit(self, original, seal):
        """A sale in earnest is not taken back by a test, nor a test in earnest."""
        outlet = self.journal_id.bonopay_outlet_id
        if not outlet or outlet.test_mode == seal.test_mode:
            return
        words = (
            self.env._(
                "%(original)s is a test document, and outlet %(outlet)s issues documents with fiscal value. Choose a "
                "journal of an outlet for tests.",
                original=original.name,
                outlet=outlet.display_name,
            )
            if seal.test_mode
            else self.env._(
                "%(original)s has fiscal value, and what outlet %(outlet)s issues has none: it is for tests. Choose a "
                "journal of a live outlet.",
                original=original.name,
                outlet=outlet.display_name,
            )
        )
        yield Fault("credit.other_kind", self, words)

    def _bonopay_never_normalised(self):
        """Why waiting does not make a sale one that a credit note can name, and the way out.

        :rtype: str | None
        """
        name, seal = self._bonopay_label(), self._bonopay_live_seals()
        if self.state == "draft":
            return self.env._("%s is a draft: confirm it first.", name)
        match seal.state:
            case "rejected":
                return self.env._(
                    "The DGI rejected %s, so no credit note can name it: press “Replace” on it, and go on with the "
                    "document that replaces it.",
                    name,
                )
            case "invalid":
                return self.env._(
                    "%s was refused, and nothing was sealed: press “Correct” on it, mend what is listed, and confirm "
                    "it again.",
                    name,
                )
            case "dead":
                return self.env._(
                    "The sealing of %s is blocked: remove the cause that it shows, and press “Seal now” on it.", name
                )
            case False:
                return self.env._(
                    "%s was issued before your sales were sealed, so no credit note can name it: credit it as a rebate "
                    "(RRR).",
                    name,
                )
        return None

    def _bonopay_is_of_same_sale(self, original):
        return (
            original.move_type in ("out_invoice", "out_receipt")
            and original.partner_id.commercial_partner_id == self.partner_id.commercial_partner_id
            and original.company_id == self.company_id
        )

    # ------------------------------------------------------------------------------------------------------------
    # Against the original (SFE §1.26–27)
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_check_against_original(self):
        """What the signer would refuse, before anything is posted; it judges again, over all tills, when it seals."""
        sale = self._bonopay_credited_sale()
        if sale is None:
            return
        original = self.reversed_entry_id
        if not credit.is_of_family(self.bonopay_invoice_type, sale["invoice_type"]):
            yield Fault(
                "credit.family",
                original,
                self.env._(
                    "%(original)s is of type %(sold)s and cannot be corrected by a credit note of type %(given)s: FA "
                    "is for sales and advances, EA for exports.",
                    original=original.name,
                    sold=sale["invoice_type"],
                    given=self.bonopay_invoice_type,
                ),
            )
        elif sale["price_mode"] != self._bonopay_price_mode():
            yield Fault(
                "credit.price_mode",
                original,
                self.env._(
                    "%s was sold at prices of the other kind (with or without tax): use the taxes of the invoice.",
                    original.name,
                ),
            )
        else:
            yield from self._bonopay_check_credited_lines(credit.Stock(sale, self._bonopay_earlier_credits()))

    def _bonopay_check_credited_lines(self, stock):
        for number, line in enumerate(self._bonopay_lines(), start=1):
            item = payload.item(self._bonopay_line(line))
            prefix = self.env._("Line %(number)s (%(label)s): ", number=number, label=(item["name"] or "–")[:40])
            for found in stock.credit(item):
                yield Fault(f"credit.{found.member}", line, prefix + self._bonopay_difference_words(found))

    def _bonopay_difference_words(self, found):
        if found.member == "code":
            return self.env._("article %s is not on the invoice. Credit only what was sold.", found.given)
        if found.member == "quantity":
            return self.env._(
                "only %(left)s is left to credit, and %(given)s is asked: earlier credit notes count. Lower the "
                "quantity.",
                left=found.sold,
                given=found.given,
            )
        if found.member == "specific_tax_amount":
            return self.env._(
                "only %(left)s of its specific tax is left to credit, and the line has %(given)s: earlier credit notes "
                "count. Remove the specific tax from the line.",
                left=found.sold,
                given=found.given,
            )
        names = {
            "type": self.env._("item type"),
            "tax_group": self.env._("tax group"),
            "unit_price": self.env._("unit price"),
        }
        return self.env._(
            "the %(member)s is %(given)s and was %(sold)s on the invoice. Set it back: a credit note takes articles "
            "back as they were sold.",
            member=names.get(found.member, self.env._("specific tax")),
            given=found.given,
            sold=found.sold,
        )

    def _bonopay_credited_sale(self):
        """The payload of the sale that this credit note takes from, ``None`` where there is none."""
        original = self.reversed_entry_id._bonopay_live_seals()
        if self.move_type != "out_refund" or self.bonopay_credit_nature == dgi.REBATE_NATURE or not original:
            return None
        return json.loads(original.payload)

    def _bonopay_earlier_credits(self):
        """The payloads of the other credit notes that took from the same sale, whatever the caller may read."""
        original = self.reversed_entry_id
        found = self.env["bonopay.seal"].sudo().search(
            [
                ("superseded", "=", False),
                ("state", "not in", _WITHOUT_EFFECT),
                ("move_id.reversed_entry_id", "=", original.id),
                ("move_id", "!=", self._origin.id),
            ]
        )  # fmt: skip
        payloads = map(json.loads, found.mapped("payload"))
        return [one for one in payloads if one["credit"] and one["credit"]["original_fiscal_number"]]

    def _bonopay_propose_what_is_left(self):
        """Lower a fresh credit note to what earlier ones left of its sale.

        :raises UserError: nothing is left
        """
        sale = self._bonopay_credited_sale()
        earlier = sale and self._bonopay_earlier_credits()
        if not earlier:
            return
        stock, nothing = credit.Stock(sale, earlier), self.env["account.move.line"]
        for line in self._bonopay_lines():
            item = payload.item(self._bonopay_line(line))
            left = stock.left(item)
            if left is None:
                continue  # the product was changed since: what differs is told before posting
            if stock.has_no_tax_left_for(item):
                line.tax_ids = line.tax_ids._bonopay_split_taxes()[0]
                item["specific_tax"] = None
            left = min(left, exact(line.quantity))
            stock.take({**item, "quantity": str(left)})
            if left <= 0:
                nothing |= line
            elif left != exact(line.quantity):
                line.quantity = float(left)
        if nothing == self._bonopay_lines():
            raise UserError(
                self.env._("Everything on %s was credited already: nothing is left.", self.reversed_entry_id.name)
            )
        nothing.unlink()
