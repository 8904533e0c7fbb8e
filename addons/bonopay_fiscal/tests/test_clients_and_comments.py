import json

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import Form, tagged

from ..report.invoice_document import invoice_document
from .common import FiscalCase, fiscal_user, migration


@tagged("post_install", "-at_install")
class TestClientsAndComments(FiscalCase):
    """Who is invoiced is stated (SFE §1.11, annex I); what is said beside the articles are eight lines (SFE §1.24)."""

    def _company(self, **values):
        country = self.env.ref("base.cd").id
        return self.env["res.partner"].create({"name": "Nouveau Client", "is_company": True, "vat": "C1112223D",
                                               "country_id": country, **values})  # fmt: skip

    def _codes(self, move):
        return {fault.code for fault in move._bonopay_faults()}

    def _sent(self, move):
        return json.loads(move.bonopay_seal_id.payload)

    def test_sfe_1_11_the_type_of_a_company_is_asked_and_never_guessed(self):
        move = self.draft(partner_id=self._company().id)
        self.assertFalse(move.bonopay_client_type)
        self.assertEqual(self._codes(move), {"client.type"})
        with self.assertRaisesRegex(UserError, "choose the client type"):
            move.action_post()

    def test_sfe_1_11_what_was_stated_is_kept_on_the_customer_and_not_asked_again(self):
        customer = self._company()
        clerk = fiscal_user(self.env, "bp_clerk", "account.group_account_invoice", self.company)
        first = self.draft(partner_id=customer.id).with_user(clerk)
        first.bonopay_client_type = "PC"
        self.post(first)
        self.assertEqual(self._sent(first)["client"]["type"], "PC")
        self.assertEqual(customer.bonopay_client_type, "PC")
        self.assertEqual(self.draft(partner_id=customer.id).bonopay_client_type, "PC")

    def test_sfe_1_11_a_walk_in_is_a_private_person(self):
        move = self.post(self.draft(partner_id=self.walk_in.id))
        self.assertEqual(self._sent(move)["client"]["type"], "PP")
        self.assertFalse(self.walk_in.bonopay_client_type, "nothing was stated")

    def test_sfe_1_11_another_customer_is_another_type(self):
        move = self.draft()
        self.assertEqual(move.bonopay_client_type, "PM")
        move.partner_id = self._company()
        self.assertFalse(move.bonopay_client_type)

    def test_sfe_1_11_the_form_forces_the_choice(self):
        customer = self._company()
        with self.assertRaisesRegex(AssertionError, "bonopay_client_type.*required"):
            with Form(self.env["account.move"].with_context(default_move_type="out_invoice")) as form:
                form.partner_id = customer

    def test_annex_i_the_stated_type_has_its_compulsory_fields(self):
        move = self.draft(partner_id=self._company(vat=False).id)
        move.bonopay_client_type = "PL"
        self.assertEqual(self._codes(move), {"client.nif"})

    def test_an_upgrade_gives_sealed_invoices_the_type_that_was_sealed(self):
        move = self.post()
        self.client.bonopay_client_type = False
        self.env.cr.execute("UPDATE account_move SET bonopay_client_type = NULL WHERE id = %s", [move.id])
        migration("19.0.1.2.0", "post-client-types").migrate(self.env.cr, "19.0.1.1.0")
        move.invalidate_recordset()
        self.assertEqual(move.bonopay_client_type, "PM")
        self.client.bonopay_client_type = "PL"
        self.assertEqual(move.bonopay_client_type, "PM", "what comes later changes no issued document")

    def test_a_stated_type_is_sealed_for_good(self):
        move = self.post()
        self.client.bonopay_client_type = "PC"
        self.assertEqual(move.bonopay_client_type, "PM")
        with self.assertRaisesRegex(UserError, "can no longer be changed"):
            move.bonopay_client_type = "PC"
        with self.assertRaisesRegex(UserError, "can no longer be changed"):
            move.bonopay_comments = "autre"

    def test_sfe_1_24_eight_comment_lines_reach_the_paper(self):
        said = [f"Ligne {number}" for number in range(1, 9)]
        move = self.post(self.draft(bonopay_comments="\n\n".join(said)))
        comments = self._sent(move)["comments"]
        self.assertEqual([comments[letter] for letter in "ABCDEFGH"], said)
        page = invoice_document(*move.bonopay_seal_id._print_facts(), copy=None)
        printed = tuple(f"{letter} – {line}" for letter, line in zip("ABCDEFGH", said, strict=True))
        self.assertEqual(page.comments, printed)

    def test_annex_iv_line_a_of_an_embassy_is_its_exemption_and_seven_are_left(self):
        self.client.write({"bonopay_client_type": "AO", "bonopay_exemption_reference": "EXO/1"})
        seven = "\n".join("abcdefg")
        comments = self._sent(self.post(self.draft(bonopay_comments=seven)))["comments"]
        self.assertEqual((comments["A"], comments["B"], comments["H"]), ("Réf. Exo. : EXO/1", "a", "g"))
        self.assertEqual(self._codes(self.draft(bonopay_comments=seven + "\nh")), {"comments.count"})

    def test_annex_iv_a_reference_that_does_not_fit_its_line_is_not_cut(self):
        self.client.write({"bonopay_client_type": "AO", "bonopay_exemption_reference": "E" * 189})
        self.assertEqual(self._codes(self.draft()), {"client.exemption_length"})
        self.client.bonopay_exemption_reference = "E" * 188
        self.assertEqual(self._sent(self.post())["comments"]["A"], "Réf. Exo. : " + "E" * 188)

    def test_sfe_1_24_too_many_or_too_long_lines_are_refused_whole(self):
        nine = "\n".join("abcdefghi")
        self.assertEqual(self._codes(self.draft(bonopay_comments=nine)), {"comments.count"})
        self.assertEqual(self._codes(self.draft(bonopay_comments="x" * 201)), {"comments.length"})
        self.assertEqual(self._codes(self.draft(bonopay_comments="x" * 200)), set())

    def test_comments_and_type_come_along_each_month(self):
        move = self.draft(auto_post="monthly", bonopay_comments="Loyer")
        self.post(move, send=False)
        copy = self.env["account.move"].search([("auto_post_origin_id", "=", move.id), ("id", "!=", move.id)])
        self.assertEqual((copy.bonopay_comments, copy.bonopay_client_type), ("Loyer", "PM"))

    def test_a_credit_note_is_for_what_the_customer_was_when_they_bought(self):
        move = self.draft()
        move.bonopay_client_type = "PC"
        self.post(move)
        wizard = self.env["account.move.reversal"].create(
            {
                "move_ids": [Command.set(move.ids)],
                "journal_id": self.journal.id,
                "bonopay_credit_nature": "RAM",
                "reason": "Retour",
            }
        )
        credit = self.env["account.move"].browse(wizard.reverse_moves()["res_id"])
        self.assertEqual(credit.bonopay_client_type, "PC")
