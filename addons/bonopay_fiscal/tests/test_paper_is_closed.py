from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import fiscal_user
from .test_report_common import ReportCase
from .test_report_drafts import make_draft

REPORTS = ("account.account_invoices", "account.report_invoice", "bonopay_fiscal.report_ticket")


@tagged("post_install", "-at_install")
class TestPaperIsClosed(ReportCase):
    """The routes of reports check no rights, and paper is made with ``sudo()``: who may not read gets none of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = cls.env["res.company"].create({"name": "Autre société"})
        owner, cashier = "bonopay_fiscal.group_fiscal_owner", "bonopay_fiscal.group_fiscal_cashier"
        cls.strangers = {
            "the owner of another company": fiscal_user(cls.env, "bp_stranger", owner, cls.other),
            "a fleet manager": fiscal_user(cls.env, "bp_fleet", "bonopay_fiscal.group_fiscal_fleet", cls.company),
            "another customer": new_test_user(cls.env, "bp_portal_stranger", "base.group_portal"),
        }
        cls.cashier = fiscal_user(cls.env, "bp_cashier", cashier, cls.company)

    def _print(self, user, report, move, kind):
        self.env.invalidate_all()  # nothing that somebody else read helps
        reports = self.env(user=user, context={"force_report_rendering": True})["ir.actions.report"]
        return getattr(reports, f"_render_qweb_{kind}")(report, move.ids)[0]

    def test_row_55_who_may_not_read_an_invoice_gets_no_paper_of_it(self):
        moves = {"a sealed invoice": self.sealed_move(), "a draft": make_draft(self)}
        for who, user in self.strangers.items():
            for what, move in moves.items():
                for report in REPORTS:
                    for kind in ("html", "pdf"):
                        with self.subTest(who=who, what=what, report=report, kind=kind):
                            with self.assertRaises(AccessError):
                                self._print(user, report, move, kind)
        self.assertEqual(moves["a sealed invoice"].sudo().bonopay_seal_id.print_count, 0, "nobody took the original")

    def test_who_may_read_it_prints_it(self):
        move = self.sealed_move()
        self.assertIn(move.bonopay_fiscal_number.encode(), self._print(self.cashier, REPORTS[2], move, "html"))

    def test_a_name_of_a_file_tells_nothing_either(self):
        move = self.sealed_move()
        for user in self.strangers.values():
            with self.assertRaises(AccessError):
                move.with_user(user)._bonopay_file_name("pdf")
