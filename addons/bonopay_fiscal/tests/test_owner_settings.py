"""The settings of Bono Pay, for an owner who is no administrator of the server."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from ..models.bonopay_credential import reveal
from .common import API_KEY, fiscal_user
from .roles_case import ROLES, RolesCase


@tagged("post_install", "-at_install")
class TestOwnerSettings(RolesCase):
    def form(self, role="owner"):
        return Form(self.env(user=self.users[role], context={})["bonopay.settings"])

    def test_an_owner_connects_their_company(self):
        self.company.bonopay_configure("https://old.example.com", False)
        form = self.form()
        self.assertEqual(form.signer_url, "https://old.example.com")
        self.assertFalse(form.key_set)
        form.signer_url, form.new_api_key = self.twin.url, API_KEY
        settings = form.save()
        settings.action_test_connection()
        self.assertEqual(self.company.bonopay_signer_url, self.twin.url)
        self.assertTrue(self.company.bonopay_key_set)
        self.assertFalse(settings.new_api_key, "a key is never shown")
        self.assertEqual(self.post().bonopay_state, "certified")

    def test_saving_without_a_key_keeps_the_key_and_a_new_address_drops_it(self):
        self.form().save().action_save()
        self.assertTrue(self.company.bonopay_key_set)
        form = self.form()
        form.signer_url = "https://other.example.com"
        form.save().action_save()
        self.assertFalse(self.company.bonopay_key_set, "the key belongs to the address that it was entered for")

    def test_what_somebody_else_changed_meanwhile_is_not_written_back(self):
        settings = self.form().save()
        self.company.bonopay_configure("https://new.example.com", "new key")
        self.company.bonopay_take_rate = False
        settings.action_save()
        self.assertEqual(self.company.bonopay_signer_url, "https://new.example.com")
        self.assertTrue(self.company.bonopay_key_set)
        self.assertFalse(self.company.bonopay_take_rate)

    def test_nothing_goes_over_an_address_that_the_person_never_saw(self):
        for name, value in (("signer_url", "https://mine.example.com"), ("new_api_key", "mine")):
            form = self.form()
            self.company.bonopay_configure(f"https://{name}.example.com".replace("_", "-"), "new key")
            setattr(form, name, value)
            with self.assertRaisesRegex(UserError, "meanwhile"):
                form.save().action_save()
            self.assertTrue(self.company.bonopay_key_set)

    def test_the_administrator_s_page_writes_back_nothing_that_somebody_else_changed_meanwhile(self):
        pages = self.env["res.config.settings"]
        names = [name for name in pages._fields if name.startswith("bonopay_") or name == "company_id"]

        def opened(**changes):
            shown = pages.default_get(names)
            return {**shown, "bonopay_signer_url": shown["bonopay_shown_signer_url"],
                    "bonopay_take_rate": shown["bonopay_shown_take_rate"], **changes}  # fmt: skip

        stale = opened()
        with_key = opened(bonopay_new_api_key="mine")
        with_url = opened(bonopay_signer_url="https://mine.example.com")
        self.company.bonopay_configure("https://new.example.com", "new key")
        self.company.bonopay_take_rate = False
        pages.create(stale).execute()
        self.assertEqual(self.company.bonopay_signer_url, "https://new.example.com")
        self.assertTrue(self.company.bonopay_key_set)
        self.assertFalse(self.company.bonopay_take_rate)
        for values in (with_key, with_url):
            with self.assertRaisesRegex(UserError, "meanwhile"):
                pages.create(values)
        pages.create(opened(bonopay_signer_url=self.twin.url, bonopay_new_api_key=API_KEY)).execute()
        self.assertEqual(self.company.bonopay_signer_url, self.twin.url)
        self.assertEqual(self.post().bonopay_state, "certified")

    def test_the_administrator_s_page_that_is_saved_again_stores_no_key_for_an_address_that_somebody_else_entered(self):
        page = self.env["res.config.settings"].create({"bonopay_signer_url": "https://mine.example.com"})
        page.write({"bonopay_new_api_key": "mine"})
        page.write({"bonopay_signer_url": "https://other.example.com", "bonopay_new_api_key": " mine "})
        page.write({"bonopay_new_api_key": "mine too"})
        self.assertEqual(self.company.bonopay_signer_url, "https://other.example.com")
        self.assertEqual(reveal(self.company), "mine too")
        self.company.bonopay_configure("https://new.example.com", "new key")
        for values in ({"bonopay_new_api_key": "mine"}, {"bonopay_signer_url": "https://mine.example.com"}):
            with self.assertRaisesRegex(UserError, "meanwhile"):
                page.write(values)
        page.write({"bonopay_take_rate": False})
        self.assertEqual(self.company.bonopay_signer_url, "https://new.example.com")
        self.assertEqual(reveal(self.company), "new key")

    def test_a_key_of_blanks_is_none_and_forgets_no_key(self):
        pages = self.env["res.config.settings"]
        page = pages.create({"bonopay_new_api_key": "  "})
        page.write({"bonopay_new_api_key": " "})
        self.assertEqual(reveal(self.company), API_KEY)
        page.write({"bonopay_signer_url": "https://other.example.com", "bonopay_new_api_key": " "})
        self.assertEqual(self.company.bonopay_signer_url, "https://other.example.com")

    def test_an_owner_switches_the_rate_of_the_day(self):
        form = self.form()
        self.assertTrue(form.take_rate)
        form.take_rate = False
        form.save().action_save()
        self.assertFalse(self.company.bonopay_take_rate)

    def test_the_settings_of_another_company_are_closed(self):
        stranger = fiscal_user(self.env, "bp_role_stranger", ROLES["owner"], self._make_bare_company("Autre société"))
        values = {"company_id": self.company.id, "signer_url": "https://evil.example.com", "new_api_key": "x"}
        with self.assertRaises(AccessError):
            self.remote(stranger, "bonopay.settings", "create", values)
        self.assertEqual(self.company.bonopay_signer_url, self.twin.url)

    def test_defaults_tell_the_signer_to_nobody_else(self):
        for role in ("cashier", "auditor", "fleet"):
            with self.assertRaises(AccessError):
                self.remote(self.users[role], "bonopay.settings", "default_get", ["signer_url"])
