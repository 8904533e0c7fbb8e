from lxml import html

from odoo import Command
from odoo.tests import Form, tagged

from .common import FiscalCase, fiscal_user


def finding(pointer, words="wrong"):
    return {
        "pointer": pointer, "code": "x", "expected": None, "actual": None, "message": {"fr": "faux", "en": words},
    }  # fmt: skip


@tagged("post_install", "-at_install")
class TestFindings(FiscalCase):
    """The invoice says what is to be mended, on which line, and opens the record where that is done."""

    def _links(self, move):
        """Words of each finding → the address it offers to open."""
        move.invalidate_recordset()
        rows = html.fromstring(move.bonopay_findings).findall(".//li")
        return {
            row.find("span").text: (row.find("a").get("href") if row.find("a") is not None else None) for row in rows
        }

    def _refused(self, *findings, lines=()):
        move = self.post(self.draft(*lines), send=False)
        self.twin.problem_next(422, "payload_invalid", findings=list(findings))
        move._bonopay_live_seals()._process()
        return move

    def test_a_finding_of_the_signer_opens_the_record_that_it_is_about(self):
        move = self._refused(
            finding("/items/0/quantity"), finding("/items/1/code"), finding("/items/1/tax_group"),
            finding("/client/nif"), finding("/merchant_nif"), finding("/outlet_id"), finding("/tax_groups/0/rate"),
            finding("/totals/total"),
            lines=[self.line(quantity=2), self.line(self.delivery)],
        )  # fmt: skip
        self.assertEqual(
            self._links(move),
            {
                "Line 1, quantity: wrong": None,
                "Line 2, code: wrong": f"/odoo/product.product/{self.delivery.id}",
                "Line 2, tax group: wrong": f"/odoo/account.tax/{self.tax_b_services.id}",
                "Customer, NIF: wrong": f"/odoo/res.partner/{self.client.id}",
                "Seller's NIF: wrong": f"/odoo/res.company/{self.company.id}",
                "Outlet: wrong": f"/odoo/bonopay.outlet/{self.outlet.id}",
                "Tax groups, rate: wrong": f"/odoo/account.tax/{self.tax_b.id}",
                "Totals, total: wrong": None,
            },
        )
        self.assertEqual(
            move.invoice_line_ids.sorted("sequence").mapped("bonopay_fault"),
            ["Line 1, quantity: wrong", "Line 2, code: wrong\nLine 2, tax group: wrong"],
        )

    def test_what_was_refused_is_still_listed_while_it_is_mended(self):
        move = self._refused(finding("/items/0/quantity"))
        move.action_bonopay_correct()
        self.assertEqual(self._links(move), {"Line 1, quantity: wrong": None})
        self.assertTrue(move.invoice_line_ids.bonopay_fault)
        move.invoice_line_ids = [Command.clear(), self.line(self.delivery)]
        move.invoice_line_ids.invalidate_recordset()
        self.assertFalse(move.invoice_line_ids.bonopay_fault, "another article than the one that was refused")
        self.post(move)
        move.invalidate_recordset()
        self.assertEqual((move.bonopay_state, move.bonopay_findings), ("certified", False))

    def test_a_draft_says_what_keeps_it_from_being_posted_and_opens_the_record(self):
        self.client.vat = False
        untaxed = self.line(self.delivery, tax_ids=[Command.clear()])
        move = self.draft(self.line(), untaxed)
        links = self._links(move)
        self.assertEqual(
            [url for words, url in links.items() if "NIF" in words], [f"/odoo/res.partner/{self.client.id}"]
        )
        self.assertEqual([bool(line.bonopay_fault) for line in move.invoice_line_ids.sorted("sequence")], [False, True])
        self.client.vat = "B7654321C"
        move.invoice_line_ids[1].unlink()
        move.invalidate_recordset()
        self.assertFalse(move.bonopay_findings)

    def test_words_of_a_finding_are_text_and_nobody_is_sent_where_he_may_not_read(self):
        move = self._refused(finding("/items/0/quantity", "<script>x</script>"), finding("/merchant_nif"))
        self.assertNotIn("<script>", move.bonopay_findings)
        clerk = fiscal_user(self.env, "bonopay_clerk", "account.group_account_invoice", self.company)
        self.env["ir.model.access"].search([("model_id.model", "=", "res.company")]).perm_read = False
        self.assertNotIn("res.company", move.with_user(clerk).bonopay_findings)
        self.assertIn("NIF", move.with_user(clerk).bonopay_findings)

    def test_malformed_findings_break_no_form(self):
        for pointer in ("", "/", "/items", "/items/x", "/items/7/code", "/tax_groups/9/rate", "/client", None, 7):
            with self.subTest(pointer=pointer):
                move = self._refused({**finding("/"), "pointer": pointer})
                self.assertTrue(move.bonopay_findings)
        move = self._refused("no object")
        self.assertFalse(move.bonopay_findings)

    def test_the_form_of_an_invoice_opens_in_every_state(self):
        for move in (self.draft(), self.post(self.draft()), self.post(self.draft(), send=False)):
            Form(move)
        move = self._refused(finding("/items/0/quantity"))
        Form(move)
        move.action_bonopay_correct()
        with Form(move) as form, form.invoice_line_ids.edit(0) as line:
            line.quantity = 5
        self.assertEqual(move.invoice_line_ids.quantity, 5)
