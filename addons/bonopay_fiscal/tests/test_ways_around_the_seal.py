import base64
from unittest.mock import patch

from odoo import Command, fields
from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged

from .common import FiscalCase, fiscal_user, trap_seals

FORGED = b"%PDF-1.4 FACTURE forged"


@tagged("post_install", "-at_install")
class TestWaysAroundTheSeal(FiscalCase):
    """A sale of a fiscal company counts as issued only with its seal, whatever the way it takes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accountant = fiscal_user(cls.env, "bp_around", "account.group_account_manager", cls.company)

    def as_accountant(self, record):
        return record.with_user(self.accountant)

    def test_a_state_that_is_written_issues_nothing(self):
        draft = self.draft()
        for values in ({"state": "posted"}, {"state": "posted", "name": "INV/2026/09999", "posted_before": True}):
            for key in (True, "object", {}):
                with self.assertRaisesRegex(UserError, "without being sealed"), self.env.cr.savepoint():
                    self.as_accountant(draft).with_context(bonopay_issuing=key).write(values)
        self.assertEqual(draft.state, "draft")

    def test_an_entry_cannot_turn_into_an_invoice_after_posting(self):
        lines = self.draft().line_ids
        income = lines.filtered(lambda line: line.display_type == "product").account_id
        receivable = lines.filtered(lambda line: line.display_type == "payment_term").account_id
        entry = self.env["account.move"].create(
            {
                "journal_id": self.journal.id, "partner_id": self.client.id,
                "line_ids": [
                    Command.create({"account_id": income.id, "credit": 100, "name": "Riz"}),
                    Command.create({"account_id": receivable.id, "debit": 100, "name": "Riz"}),
                ],
            }
        )  # fmt: skip
        entry.action_post()
        for move_type in ("out_invoice", "out_receipt"):
            with self.assertRaisesRegex(UserError, "without being sealed"), self.env.cr.savepoint():
                self.as_accountant(entry).write({"move_type": move_type})

    def test_a_branch_is_the_same_taxpayer(self):
        values = {"name": "Succursale", "parent_id": self.company.id, "country_id": self.company.country_id.id}
        branch = self.env["res.company"].create(values)
        self.env.cr.flush()  # a branch gets its chart of accounts before the commit
        self.assertTrue(branch.bonopay_active)
        self.env.user.company_ids |= branch
        env = self.env(context={**self.env.context, "allowed_company_ids": [branch.id, self.company.id]})
        move = env["account.move"].create(
            {
                "move_type": "out_invoice", "company_id": branch.id, "partner_id": self.client.id,
                "invoice_date": fields.Date.today(), "invoice_line_ids": [self.line()],
            }
        )  # fmt: skip
        codes = {fault.code for fault in move._bonopay_faults()}
        self.assertLessEqual({"outlet.company", "signer.missing"}, codes)
        with self.assertRaisesRegex(UserError, "branch"):
            move.action_post()
        self.outlet.active = False
        self.env.invalidate_all()
        self.assertFalse(branch.bonopay_active)

    def test_an_invoice_without_date_but_with_a_later_accounting_date_is_sealed(self):
        draft = self.draft(invoice_date=False)
        draft.date = fields.Date.add(fields.Date.today(), years=1)
        with trap_seals(self.env):
            draft._post(soft=True)
        self.assertEqual((draft.state, draft.bonopay_state), ("posted", "to_seal"))

    def test_receipts_are_sealed(self):
        receipt = self.post(self.draft(move_type="out_receipt"))
        self.assertEqual((receipt.bonopay_state, receipt.bonopay_invoice_type), ("certified", "FV"))

    def test_the_automatic_posting_seals_the_good_and_leaves_the_faulty(self):
        good = self.draft(auto_post="at_date")
        faulty = self.draft(self.line(price_unit=0), auto_post="at_date")
        cron = self.env.ref("account.ir_cron_auto_post_draft_entry")
        with self.enter_registry_test_mode(), trap_seals(self.env):
            cron.with_user(cron.user_id).method_direct_trigger()
        self.assertEqual((good.state, good.bonopay_state), ("posted", "to_seal"))
        self.assertEqual(good.bonopay_seal_id.user_id, good.invoice_user_id)
        self.assertEqual((faulty.state, faulty.bonopay_state), ("draft", False))

    def test_faulty_drafts_keep_no_good_one_waiting_for_the_automatic_posting(self):
        """Core posts in batches, and finds what it could not post again in each."""
        good = self.draft(auto_post="at_date", invoice_date=fields.Date.subtract(fields.Date.today(), days=1))
        faulty = self.env["account.move"].concat(
            *(self.draft(self.line(price_unit=0), auto_post="at_date") for _ in range(3))
        )
        done = []
        moves = self.env["account.move"]
        with (
            trap_seals(self.env),
            patch.object(
                type(self.env["ir.cron"]), "_commit_progress", lambda _self, count=0, **_values: done.append(count)
            ),
        ):
            moves._autopost_draft_entries(batch_size=2)
            moves._autopost_draft_entries(batch_size=2)
        self.assertEqual((good.state, set(faulty.mapped("state"))), ("posted", {"draft"}))
        self.assertEqual(sum(done), 1, "only what was posted counts as done")
        self.assertEqual([len(move.activity_ids) for move in faulty], [1, 1, 1], "somebody is called once")

    def test_who_only_reads_sends_nothing(self):
        move = self.post(send=False)
        auditor = fiscal_user(self.env, "bp_reader", "bonopay_fiscal.group_fiscal_auditor", self.company)
        portal = new_test_user(self.env, "bp_portal", "base.group_portal", company_id=self.company.id,
                               company_ids=[Command.set(self.company.ids)])  # fmt: skip
        portal.partner_id.parent_id = self.client
        move.message_subscribe(portal.partner_id.ids)
        for user in (auditor, portal):
            self.assertEqual(move.with_user(user).bonopay_state, "to_seal")
            with trap_seals(self.env) as trapped, self.assertRaises(UserError):
                move.with_user(user).action_bonopay_seal_now()
            self.assertFalse(trapped.seals)
        with self.assertRaises(UserError):  # how the server is set up is no business of a customer's
            move.with_user(portal).read(["bonopay_message"])


@tagged("post_install", "-at_install")
class TestStoredOriginal(FiscalCase):
    """What "Send" and the portal hand out as the invoice was rendered from its seal."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accountant = fiscal_user(cls.env, "bp_storer", "account.group_account_manager", cls.company)

    def check_kept(self, function):
        with self.assertRaisesRegex(UserError, "handed to the signer"), self.env.cr.savepoint():
            function()

    def printed(self):
        move = self.post()
        report = self.env["ir.actions.report"].with_context(force_report_rendering=True)
        content, _kind = report._render_qweb_pdf("account.account_invoices", move.ids)
        self.assertEqual(move.invoice_pdf_report_id.raw, content)
        return move, move.invoice_pdf_report_id

    def test_a_file_of_somebody_s_own_does_not_become_the_original(self):
        move = self.post().with_user(self.accountant)
        encoded = base64.b64encode(FORGED).decode()
        self.check_kept(lambda: move.write({"invoice_pdf_report_file": encoded}))
        files = self.env["ir.attachment"].with_user(self.accountant)
        place = {"res_model": "account.move", "res_id": move.id, "res_field": "invoice_pdf_report_file"}
        for key in (None, True, "object"):
            context = {"bonopay_rendered": key, **{f"default_{name}": value for name, value in place.items()}}
            self.check_kept(lambda c=context: files.with_context(**c).create({"name": "f.pdf", "raw": FORGED}))
            self.check_kept(lambda: files.create({"name": "f.pdf", "raw": FORGED, **place}))
        loose = files.create({"name": "f.pdf", "raw": FORGED, "res_model": "account.move", "res_id": move.id})
        self.check_kept(lambda: loose.write({"res_field": "invoice_pdf_report_file"}))
        self.assertFalse(move.invoice_pdf_report_id)

    def test_the_stored_original_is_not_replaced_moved_or_deleted(self):
        move, original = self.printed()
        content = original.raw
        other = self.post()
        for user in (self.accountant, self.env.ref("base.user_root")):
            mine = original.with_user(user).sudo()
            for values in (
                {"raw": FORGED}, {"datas": base64.b64encode(FORGED)}, {"res_id": other.id}, {"res_field": False},
                {"name": "x.pdf"}, {"type": "url", "url": "https://example.com"}, {"mimetype": "text/html"},
            ):  # fmt: skip
                with self.subTest(values=values):
                    self.check_kept(lambda v=values, m=mine: m.write(v))
            self.check_kept(mine.unlink)
            self.check_kept(lambda u=user: move.with_user(u).sudo().write({"invoice_pdf_report_file": False}))
        original.write({"raw": content, "name": original.name, "description": "originale"})
        move.invalidate_recordset()
        self.assertEqual(move.invoice_pdf_report_id.raw, content)

    def test_a_file_stored_before_posting_is_not_sent_as_the_invoice(self):
        draft = self.draft()
        draft.with_user(self.accountant).invoice_pdf_report_file = base64.b64encode(FORGED)
        self.post(draft)
        self.assertFalse(draft.invoice_pdf_report_id)

    def test_a_report_of_the_customer_s_own_is_not_stored_as_the_invoice(self):
        arch = """<t t-call="web.html_container"><t t-foreach="docs" t-as="o">
            <div class="article" data-oe-model="account.move" t-att-data-oe-id="o.id">
            <div class="page">FACTURE</div></div></t></t>"""
        key = "bonopay_fiscal.own_report"
        self.env["ir.ui.view"].create({"name": key, "key": key, "type": "qweb", "arch": arch})
        own = self.env.ref("account.account_invoices").copy({"report_name": key, "is_invoice_report": True})
        move = self.post()
        self.client.invoice_template_pdf_report_id = own
        wizard = self.env["account.move.send.wizard"].with_context(
            active_model="account.move", active_ids=move.ids, force_report_rendering=True
        )
        wizard.create({"sending_methods": []}).action_send_and_print()
        self.assertEqual(move.bonopay_seal_id.print_count, 1)
        self.assertIn(b"FACTURE DE VENTE BONO", move.invoice_pdf_report_id.raw)
