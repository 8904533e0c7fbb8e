from unittest.mock import patch

from odoo.tests import tagged

from .common import FiscalCase, fiscal_user

FINDING = {
    "pointer": "/items/0/quantity", "code": "item.quantity.zero", "expected": None, "actual": "0",
    "message": {"fr": "la quantité est nulle", "en": "the quantity is zero"},
}  # fmt: skip


@tagged("post_install", "-at_install")
class TestCalls(FiscalCase):
    """A document that does not go through by itself calls somebody who can act, and the call ends with its cause."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.author = fiscal_user(cls.env, "bonopay_author", "account.group_account_invoice", cls.company)
        cls.chief = fiscal_user(cls.env, "bonopay_chief", "bonopay_fiscal.group_fiscal_manager", cls.company)
        (cls.author | cls.chief).lang = "en_US"
        cls.outlet.manager_id = cls.chief

    def _refuse(self, move):
        """Send a posted invoice to a signer that refuses it."""
        self.twin.problem_next(422, "payload_invalid", message={"fr": "Refusé.", "en": "Refused."}, findings=[FINDING])
        move._bonopay_live_seals()._process()
        move.invalidate_recordset()
        self.assertEqual(move.bonopay_state, "invalid")

    def _refused(self, author=None):
        move = self.post(self.draft(), send=False)
        if author:
            move.bonopay_seal_id._as_writer().write({"user_id": author.id})
        self._refuse(move)
        return move

    def test_row_42_a_refusal_in_the_background_calls_its_author(self):
        move = self.draft().with_user(self.author)
        self.post(move, send=False)
        self._refuse(move.sudo())
        activity = move.activity_ids
        self.assertEqual(activity.user_id, self.author)
        self.assertIn("the quantity is zero", activity.note)
        self.assertIn("Correct", activity.note)

    def test_row_42_the_responsible_is_called_when_the_author_cannot_act(self):
        gone = fiscal_user(self.env, "bonopay_gone", "account.group_account_invoice", self.company)
        gone.active = False
        elsewhere = fiscal_user(
            self.env, "bonopay_elsewhere", "account.group_account_invoice", self._make_bare_company("Ailleurs")
        )
        authors = {
            "a customer": fiscal_user(self.env, "bonopay_portal", "base.group_portal", self.company),
            "the public": self.env.ref("base.public_user"),
            "the server": self.env.ref("base.user_root"),
            "who left": gone,
            "who may not write invoices": fiscal_user(self.env, "bonopay_plain", "base.group_user", self.company),
            "another company's": elsewhere,
        }
        for who, author in authors.items():
            with self.subTest(author=who):
                self.assertEqual(self._refused(author).activity_ids.user_id, self.chief)

    def test_row_42_somebody_is_called_when_nobody_is_named(self):
        self.outlet.manager_id = False
        self.chief.active = False
        with self.assertLogs("odoo.addons.bonopay_fiscal.models.bonopay_seal_alert", "WARNING"):
            move = self._refused(self.env.ref("base.public_user"))
        self.assertEqual(move.activity_ids.user_id, self.env.ref("base.user_admin"))

    def test_row_42_the_call_ends_by_itself_when_the_document_is_corrected_and_sealed(self):
        move = self._refused(self.author)
        move.action_bonopay_correct()
        self.assertTrue(move.activity_ids, "nothing is sealed yet")
        self.post(move, send=False)
        self._refuse(move)
        self.assertEqual(len(move.activity_ids), 1, "one call, for what it is refused for now")
        move.action_bonopay_correct()
        self.post(move)
        self.assertEqual(move.bonopay_state, "certified")
        self.assertFalse(move.activity_ids)
        self.assertIn(move.bonopay_fiscal_number, "".join(move.message_ids.mapped("body")))

    def test_a_refusal_sends_no_mail_while_somebody_waits(self):
        with patch.object(self.env.registry["mail.mail"], "send") as send:
            move = self._refused(self.author)
        self.assertTrue(move.activity_ids)
        send.assert_not_called()
