import os
import stat
import tempfile
from pathlib import Path
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import config

from ..core import secret
from ..models.bonopay_credential import reveal
from .common import FiscalCase, fiscal_user

KEY = "bp_live_very_secret"


@tagged("post_install", "-at_install")
class TestSecrets(FiscalCase):
    """The signer's key goes in and never comes out."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.key_file = Path(folder.name) / "secret.key"
        Path(folder.name, "filestore").symlink_to(Path(config["data_dir"]) / "filestore")
        self.enterContext(patch.dict(config.options, {"data_dir": folder.name, "bonopay_secret_key_file": None}))
        self.enterContext(patch.dict(os.environ))
        os.environ.pop("BONOPAY_SECRET_KEY_FILE", None)

    def _stored(self):
        self.env.flush_all()
        self.env.cr.execute("SELECT ciphertext FROM bonopay_credential WHERE company_id = %s", [self.company.id])
        return self.env.cr.fetchone()[0]

    def test_key_is_encrypted_at_rest_and_bound_to_its_company(self):
        self.company.bonopay_configure("https://signer.example.com", KEY)
        self.assertNotIn(KEY, self._stored())
        self.assertEqual(reveal(self.company), KEY)
        other = self._make_bare_company("Autre")
        other.bonopay_signer_url = self.company.bonopay_signer_url
        self.env.cr.execute(
            "INSERT INTO bonopay_credential (company_id, ciphertext) VALUES (%s, %s)", [other.id, self._stored()]
        )
        with self.assertRaises(secret.SecretError):
            reveal(other)

    def test_key_file_is_made_for_its_owner_alone_outside_the_filestore(self):
        self.company.bonopay_configure("https://signer.example.com", KEY)
        path, _create = self.env["bonopay.credential"]._key_path()
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertNotIn("filestore", path.parts)

    def test_key_file_is_named_by_configuration_or_environment(self):
        named = self.key_file.with_name("named.key")
        with patch.dict(os.environ, {"BONOPAY_SECRET_KEY_FILE": str(named)}):
            with self.assertRaisesRegex(UserError, "named.key"):
                self.company.bonopay_configure("https://signer.example.com", KEY)
            secret.load_key(named, create=True)
            self.company.bonopay_configure("https://signer.example.com", KEY)
            self.assertEqual(reveal(self.company), KEY)
        with patch.dict(config.options, {"bonopay_secret_key_file": str(named)}):
            self.assertEqual(reveal(self.company), KEY)

    def test_lost_key_file_is_told_and_posting_still_works(self):
        self.company.bonopay_configure(self.twin.url, KEY)
        path, _create = self.env["bonopay.credential"]._key_path()
        path.unlink()
        secret.load_key(path, create=True)
        move = self.post()
        self.assertEqual((move.state, move.bonopay_state), ("posted", "to_seal"))
        self.assertIn("cannot be decrypted", move.bonopay_message)
        path.write_text("short")
        self.post(move := self.draft())
        self.assertIn("key file", move.bonopay_message)

    def test_no_field_and_no_call_gives_the_key_back(self):
        self.company.bonopay_configure("https://signer.example.com", KEY)
        admin = fiscal_user(self.env, "bp_admin", "base.group_system,account.group_account_manager", self.company)
        settings = self.env["res.config.settings"].with_user(admin).create({"bonopay_new_api_key": KEY + "2"})
        settings.execute()
        self.assertEqual(reveal(self.company), KEY + "2")
        self.env.flush_all()
        settings.invalidate_recordset()
        for record in (settings, self.company.with_user(admin)):
            self.assertNotIn(KEY, str(record.read()))
        self.assertFalse(settings.bonopay_new_api_key)
        self.assertTrue(settings.bonopay_key_set)
        record = self.env["bonopay.credential"].search([]).with_user(admin)
        self.assertTrue(record)
        for call in (
            lambda: record.read(["ciphertext"]),
            lambda: record.search([]),
            lambda: record.search_read([], ["ciphertext"]),
            lambda: record.web_search_read([], {"ciphertext": {}}),
            lambda: record.export_data(["ciphertext"]),
            lambda: record.write({"ciphertext": "x"}),
        ):
            with self.assertRaises(AccessError):
                call()
        self.env.cr.execute("SELECT to_jsonb(s)::text FROM res_config_settings s WHERE id = %s", [settings.id])
        self.assertNotIn(KEY, self.env.cr.fetchone()[0])

    def test_saving_the_settings_without_a_key_keeps_it_and_forgetting_removes_it(self):
        self.company.bonopay_configure("https://signer.example.com", KEY)
        settings = self.env["res.config.settings"].create({})
        settings.execute()
        self.assertEqual(reveal(self.company), KEY)
        settings.bonopay_forget_key()
        self.assertFalse(self.company.bonopay_key_set)

    def test_only_managers_of_the_company_connect_it(self):
        clerk = fiscal_user(self.env, "bp_clerk", "account.group_account_invoice", self.company)
        with self.assertRaises(AccessError):
            self.company.with_user(clerk).bonopay_configure("https://evil.example.com", "x")
        stranger = fiscal_user(
            self.env, "bp_stranger", "bonopay_fiscal.group_fiscal_manager", self._make_bare_company("Autre")
        )
        with self.assertRaises(AccessError):
            self.company.with_user(stranger).bonopay_configure("https://evil.example.com", "x")
        with self.assertRaises(UserError):
            self.company.bonopay_configure("ftp://signer", "x")
        self.assertEqual(self.company.bonopay_signer_url, self.twin.url)

    def test_the_key_does_not_follow_the_address_to_another_server(self):
        self.company.bonopay_configure("https://signer.example.com", KEY)
        self.company.bonopay_signer_url = "https://signer.example.com"
        self.assertTrue(self.company.bonopay_key_set)
        settings = self.env["res.config.settings"].create({"bonopay_signer_url": "https://evil.example.com"})
        settings.execute()
        self.assertEqual(self.company.bonopay_signer_url, "https://evil.example.com")
        self.assertFalse(self.company.bonopay_key_set)
        self.env["res.config.settings"].create(
            {"bonopay_signer_url": "https://other.example.com", "bonopay_new_api_key": KEY}
        ).execute()
        self.assertEqual(reveal(self.company), KEY)

    def test_the_key_is_bound_to_its_address_even_when_that_is_changed_in_the_database(self):
        self.company.bonopay_configure("https://signer.example.com", KEY)
        self.env.flush_all()
        query = "UPDATE res_company SET bonopay_signer_url = 'https://evil.example.com' WHERE id = %s"
        self.env.cr.execute(query, [self.company.id])
        self.company.invalidate_recordset()
        with self.assertRaises(secret.SecretError):
            reveal(self.company)

    def test_code_of_an_administrator_does_not_reach_the_key(self):
        self.company.bonopay_configure("https://signer.example.com", KEY)
        for name in ("bonopay.credential", "res.company", "bonopay.seal"):
            methods = [method for method in dir(self.env.registry[name]) if "reveal" in method or "connect" in method]
            self.assertEqual([method for method in methods if method != "button_connect"], [], name)

    def test_row_56_every_change_of_the_connection_is_on_record(self):
        self.company.bonopay_configure("https://signer.example.com", KEY)
        self.company.bonopay_signer_url = "https://evil.example.com"
        bodies = "".join(self.company.partner_id.message_ids.mapped("body"))
        for expected in ("https://signer.example.com", "https://evil.example.com", "stored", "forgotten"):
            self.assertIn(expected, bodies)
        self.assertNotIn(KEY, bodies)
