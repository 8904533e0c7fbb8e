"""Invoices that come from files and from other programs (SFE §1.21–22: also these)."""

import json
from datetime import datetime, timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import HttpCase, tagged

from .common import FiscalCase, fiscal_user, trap_seals

COLUMNS = [
    "partner_id",
    "invoice_date",
    "invoice_user_id",
    "invoice_line_ids/product_id",
    "invoice_line_ids/quantity",
    "invoice_line_ids/price_unit",
]


@tagged("post_install", "-at_install")
class TestPathsOfFiles(FiscalCase):
    """A file that a person imports makes drafts; posting them is where the law is asked."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.flour = cls._product("Farine de manioc du fichier", "FARINE", "consu", 45000.0, cls.tax_b)

    def load(self, *lines):
        """Import one invoice of ``(quantity, price)``, as the import screen of the list of invoices does."""
        head = [self.client.name, str(fields.Date.today()), self.salesperson.name]
        heads = [head, *[[""] * len(head)] * (len(lines) - 1)]
        rows = [[*head, self.flour.name, *map(str, line)] for head, line in zip(heads, lines, strict=True)]
        result = self.env["account.move"].with_context(default_move_type="out_invoice").load(COLUMNS, rows)
        self.assertFalse(result["messages"], result["messages"])
        return self.env["account.move"].browse(result["ids"])

    def test_an_invoice_of_a_file_is_sealed_when_it_is_posted(self):
        move = self.post(self.load((2, 45000), (1, 44000)))
        self.assertEqual((move.bonopay_state, move.amount_untaxed), ("certified", 134000.0))

    def test_sfe_1_21_a_zero_line_of_a_file_is_refused_in_clear_words(self):
        move = self.load((2, 45000), (1, 0))
        with self.assertRaisesRegex(UserError, r"Line 2 \(.*\): the unit price must be above zero"):
            self.post(move)
        self.assertEqual((move.state, len(move.invoice_line_ids)), ("draft", 2))

    def test_sfe_1_22_a_negative_line_of_a_file_is_refused_in_clear_words(self):
        refusals = {
            (-1, 45000): r"Line 2 \(.*\): the quantity must be above zero",
            (1, -45000): r"Line 2 \(.*\): a reduction .* press “Distribute reductions”",
        }
        for line, words in refusals.items():
            move = self.load((5, 45000), line)
            with self.assertRaisesRegex(UserError, words):
                self.post(move)
            self.assertEqual(move.state, "draft")

    def test_a_file_cannot_say_that_its_invoice_is_posted(self):
        columns = [*COLUMNS, "state"]
        row = [
            self.client.name,
            str(fields.Date.today()),
            self.salesperson.name,
            self.flour.name,
            "1",
            "45000",
            "posted",
        ]
        invoices = self.env["account.move"].with_context(default_move_type="out_invoice")
        before = invoices.search_count([])
        result = invoices.load(columns, [row])
        self.assertFalse(result["ids"])
        self.assertIn("create a draft move and post it after", result["messages"][0]["message"])
        self.assertEqual(invoices.search_count([]), before)


@tagged("post_install", "-at_install")
class TestPathsOfPrograms(FiscalCase, HttpCase):
    """Another program, with a key of a user's, over the API for integrators."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = fiscal_user(cls.env, "bp_program", "account.group_account_invoice", cls.company)
        cls.user.lang = "en_US"
        keys = cls.env["res.users.apikeys"].with_user(cls.user)
        cls.key = keys._generate("rpc", "till of the shop", datetime.now() + timedelta(hours=1))

    def call(self, method, key=None, **arguments):
        """The HTTP answer to a call on invoices."""
        self.env.flush_all()
        answer = self.url_open(
            f"/json/2/account.move/{method}",
            data=json.dumps(arguments),
            headers={"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"},
        )
        self.env.invalidate_all()
        return answer

    def created(self, **line):
        values = {
            "move_type": "out_invoice",
            "partner_id": self.client.id,
            "invoice_date": str(fields.Date.today()),
            "invoice_line_ids": [[0, 0, {"product_id": self.rice.id, "quantity": 2, **line}]],
        }
        [move_id] = self.call("create", vals_list=[values]).json()
        return move_id

    def test_a_program_creates_posts_and_reads_a_sealed_invoice(self):
        move_id = self.created()
        with trap_seals(self.env) as trapped:
            answer = self.call("action_post", ids=[move_id])
        self.assertEqual(answer.status_code, 200, answer.text)
        trapped.send()
        self.env.flush_all()
        names = ["bonopay_state", "bonopay_fiscal_number", "bonopay_dgi_code"]
        [read] = self.call("read", ids=[move_id], fields=names).json()
        self.assertEqual(read["bonopay_state"], "certified")
        self.assertTrue(read["bonopay_fiscal_number"] and read["bonopay_dgi_code"])
        self.assertEqual(trapped.seals.user_id, self.user)

    def test_sfe_1_21_a_program_is_told_why_and_its_draft_stays(self):
        move_id = self.created(price_unit=0)
        with trap_seals(self.env) as trapped, self.assertLogs("odoo.http", "WARNING"):
            answer = self.call("action_post", ids=[move_id])
        self.assertEqual((answer.status_code, len(trapped.seals)), (422, 0))
        self.assertIn("the unit price must be above zero", answer.json()["message"])
        self.assertEqual(self.env["account.move"].browse(move_id).state, "draft")

    def test_a_program_without_a_valid_key_does_nothing(self):
        before = self.env["account.move"].search_count([])
        self.assertEqual(self.call("create", key="no key", vals_list=[{"move_type": "out_invoice"}]).status_code, 401)
        self.assertEqual(self.env["account.move"].search_count([]), before)
