"""Traps that modules of this kind fell into, each of which has no other test here."""

from odoo.tests import TransactionCase, tagged


@tagged("post_install", "-at_install")
class TestTraps(TransactionCase):
    def test_account_edi_is_not_depended_on(self):
        """Odoo abandons it, and its queue would stand beside ours."""
        module = self.env["ir.module.module"].search([("name", "=", "bonopay_fiscal")])
        needed = module.upstream_dependencies(exclude_states=("uninstallable",)).mapped("name")
        self.assertIn("account", needed)
        self.assertNotIn("account_edi", needed)

    def test_the_banner_of_every_screen_is_read_in_a_transaction_that_cannot_write(self):
        outlets = self.env["bonopay.outlet"]
        self.assertTrue(type(outlets).dgi_banner._readonly)
        self.env.flush_all()
        savepoint = self.env.cr.savepoint()
        self.env.cr.execute("SET LOCAL transaction_read_only = on")
        try:
            self.assertIsInstance(outlets.dgi_banner(), list)
        finally:
            savepoint.close(rollback=True)
