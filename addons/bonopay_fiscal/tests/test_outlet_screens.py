"""The screens of outlets and of the onboarding, in a browser."""

import json

from odoo.tests import tagged

from .browser_case import BrowserCase
from .common import FiscalCase, fiscal_user


@tagged("post_install", "-at_install")
class TestScreens(FiscalCase, BrowserCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = fiscal_user(cls.env, "bp_screen_manager", "bonopay_fiscal.group_fiscal_manager", cls.company)
        cls.manager.lang = "en_US"

    def session_info(self):
        self.authenticate("bp_screen_manager", "bp_screen_manager")
        self.env.flush_all()
        answer = self.url_open("/web/session/get_session_info", data=json.dumps({"params": {}}), method="POST",
                               headers={"Content-Type": "application/json"})  # fmt: skip
        return answer.json()["result"]

    def test_the_screens_of_a_test_company_are_told_so_and_those_of_a_live_one_are_not(self):
        self.assertEqual(self.session_info()["bonopay_test_companies"], self.company.ids)
        self.env["bonopay.outlet"].create({"name": "Gombe", "code": "KIN002", "state": "live"})
        self.assertEqual(self.session_info()["bonopay_test_companies"], [])
        self.outlet.state = "preparation"
        self.assertEqual(self.session_info()["bonopay_test_companies"], [])

    def test_the_onboarding_is_walked_by_its_buttons(self):
        self.browser_js(
            "/odoo/action-bonopay_fiscal.bonopay_onboarding_action",
            """
            const until = async (words, found) => {
                for (let tries = 0; tries < 400; tries++) {
                    if (found()) { return found(); }
                    await new Promise((resolve) => setTimeout(resolve, 100));
                }
                throw new Error(`not on the screen: ${words}`);
            };
            const button = (name) => document.querySelector(`.o_form_statusbar button[name=${name}]`);
            const heading = (words) => until(words, () =>
                [...document.querySelectorAll(".o_form_sheet h2")].some(
                    (title) => title.offsetParent && title.textContent.includes(words)));
            (async () => {
                await heading("Check what invoices will say");
                await until("badge", () => document.querySelector(".o_bonopay_test_badge"));
                await until("red check", () => document.querySelector(".o_data_row .text-bg-danger"));
                button("action_back").click();
                await heading("Attach the outlets");
                await until("outlet", () => document.querySelector(".o_data_row [name=code]"));
                button("action_next").click();
                await heading("Check what invoices will say");
                button("action_next").click();
                await heading("Make a test sale");
                button("action_next").click();
                await heading("Go live");
                console.log("test successful");
            })().catch((error) => console.error(error.message));
            """,
            login="bp_screen_manager",
            timeout=120,
        )
