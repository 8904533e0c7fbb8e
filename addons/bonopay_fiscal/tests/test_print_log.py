"""Who printed what and when stays on record, and nobody changes it (SFE §1.8, arrêté 034 art. 28)."""

from odoo.exceptions import AccessError
from odoo.tests import Form, new_test_user, tagged

from . import test_report_common as common

TICKET = "bonopay_fiscal.report_ticket"


@tagged("post_install", "-at_install")
class TestPrintLog(common.ReportCase):
    def user(self, login, groups):
        return new_test_user(self.env, login, groups, company_id=self.company.id)

    def print_as(self, user, move, report="account.account_invoices"):
        context = {"allowed_company_ids": self.company.ids, "force_report_rendering": True}
        return self.env["ir.actions.report"].with_user(user).with_context(**context)._render_qweb_pdf(report, move.ids)

    def test_row_56_every_print_says_who_made_it_when_and_which_copy_it_was(self):
        move = self.sealed_move()
        clerk = self.user("bp_print_clerk", "account.group_account_invoice")
        other = self.user("bp_print_other", "account.group_account_invoice")
        self.print_as(clerk, move)
        self.print_as(other, move, TICKET)
        self.print_as(clerk, move)
        prints = move.sudo().bonopay_seal_id.print_ids.sorted("number")
        self.assertEqual(prints.mapped("number"), [0, 1, 2])
        self.assertEqual([log.user_id for log in prints], [clerk, other, clerk])
        self.assertEqual(prints.mapped("paper"), ["sheet", "roll", "sheet"])
        self.assertEqual(prints.mapped("display_name"), ["Original", "DUPLICATA N° 1", "DUPLICATA N° 2"])
        self.assertEqual((prints.outlet_id, prints.company_id, prints.move_id), (self.outlet, self.company, move))
        self.assertTrue(all(prints.mapped("printed_at")))
        self.assertEqual(prints[0].fiscal_number, move.sudo().bonopay_seal_id.fiscal_number)

    def test_row_56_slips_and_previews_are_no_prints(self):
        slip, move = self.sealed_move(state="sealed"), self.sealed_move()
        self.print_pdf(slip)
        self.report._render_qweb_html("account.account_invoices", move.ids)
        self.assertFalse(self.env["bonopay.print"].search([("outlet_id", "=", self.outlet.id)]))

    def test_row_56_managers_and_auditors_read_it_and_nobody_else(self):
        move = self.sealed_move()
        self.print_pdf(move)
        seal = move.sudo().bonopay_seal_id
        for role in ("manager", "owner", "auditor"):
            user = self.user(f"bp_print_{role}", f"bonopay_fiscal.group_fiscal_{role}")
            prints = self.env["bonopay.print"].with_user(user).search([("seal_id", "=", seal.id)])
            self.assertEqual(prints.mapped("number"), [0], role)
            form = Form(seal.with_user(user).with_context(allowed_company_ids=self.company.ids))
            self.assertEqual(len(form.print_ids), 1, role)
        for role in ("cashier", "supervisor", "fleet"):
            user = self.user(f"bp_print_{role}", f"bonopay_fiscal.group_fiscal_{role}")
            with self.assertRaises(AccessError):
                self.env["bonopay.print"].with_user(user).search_count([("seal_id", "=", seal.id)])
        self.assertNotIn("print_ids", seal.with_user(self.user("bp_print_c2", "bonopay_fiscal.group_fiscal_cashier"))
                         .fields_get())  # fmt: skip

    def test_row_56_a_manager_of_another_company_sees_nothing(self):
        self.print_pdf(self.sealed_move())
        company = self.env["res.company"].create({"name": "Autre", "country_id": self.env.ref("base.cd").id})
        user = new_test_user(self.env, "bp_print_x", "bonopay_fiscal.group_fiscal_manager", company_id=company.id)
        prints = self.env["bonopay.print"].with_user(user).with_context(allowed_company_ids=company.ids)
        self.assertFalse(prints.search([]))

    def test_row_56_nobody_writes_the_record_of_a_print_not_even_with_sudo(self):
        move = self.sealed_move()
        self.print_pdf(move)
        log = move.sudo().bonopay_seal_id.print_ids
        forged = {"seal_id": log.seal_id.id, "user_id": self.env.uid, "number": 7, "paper": "sheet"}
        for model in (log.sudo(), log.sudo().with_context(bonopay_seal_writer=True, _force_unlink=True)):
            for attempt in (
                lambda model=model: model.write({"number": 5}),
                lambda model=model: model.create(forged),
                lambda model=model: model.copy(),
                lambda model=model: model.unlink(),
            ):
                with self.assertRaises(AccessError):
                    attempt()
        self.assertEqual(log.exists().number, 0)

    def test_row_56_a_print_of_the_website_is_on_record_as_well(self):
        move = self.sealed_move().with_context(force_report_rendering=True)
        customer = new_test_user(self.env, "bp_print_portal", "base.group_portal")
        move.with_user(customer).sudo()._get_invoice_legal_documents_all(allow_fallback=True)
        self.assertEqual(move.sudo().bonopay_seal_id.print_ids.user_id, customer)
