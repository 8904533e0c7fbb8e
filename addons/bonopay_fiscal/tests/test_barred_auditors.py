"""Auditors who could invoice before their role took that away: an owner learns of it before a sale is refused."""

from odoo.tests import tagged

from .common import FiscalCase, fiscal_user, migration

AUDITOR = "bonopay_fiscal.group_fiscal_auditor"


@tagged("post_install", "-at_install")
class TestBarredAuditors(FiscalCase):
    def calls(self, company):
        kind = self.env.ref("mail.mail_activity_data_warning")
        return company.partner_id.activity_ids.filtered(lambda activity: activity.activity_type_id == kind)

    def upgrade(self):
        migration("19.0.1.4.0", "post-auditors").migrate(self.env.cr, "19.0.1.3.0")

    def test_an_upgrade_names_the_auditors_who_could_invoice_to_the_owner_of_their_company(self):
        owner = fiscal_user(self.env, "bp_owner", "bonopay_fiscal.group_fiscal_owner", self.company)
        fiscal_user(self.env, "bp_both", f"{AUDITOR},account.group_account_invoice", self.company)
        fiscal_user(self.env, "bp_reader", AUDITOR, self.company)
        other = self._make_bare_company("Autre SARL")
        fiscal_user(self.env, "bp_other", f"{AUDITOR},account.group_account_invoice", other)
        self.upgrade()
        call = self.calls(self.company)
        self.assertEqual((len(call), call.user_id), (1, owner))
        self.assertIn("bp_both", call.note)
        for login in ("bp_reader", "bp_other", "bp_owner"):
            self.assertNotIn(login, call.note)
        self.assertEqual(self.calls(other).user_id, self.env.ref("base.user_admin"))

    def test_an_upgrade_without_such_users_calls_nobody(self):
        fiscal_user(self.env, "bp_reader", AUDITOR, self.company)
        self.upgrade()
        self.assertFalse(self.calls(self.company))
