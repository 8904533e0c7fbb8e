from unittest.mock import patch

from odoo import Command
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from .common import fiscal_user
from .dgi_status_case import DgiStatusCase
from .signer_twin import API_KEY, alarm

SCRIPT = "<script>alert(1)</script><b>gras</b>"


@tagged("post_install", "-at_install")
class TestDgiAlarms(DgiStatusCase):
    """Alarms are shown, call a person once, and end when the signer tells no more of them."""

    # alarms that nobody else could end ------------------------------------------------------------------------------

    def _alarmed(self):
        self._tell(alarm("regularisation_due", "critical"), counts={"queued": 1}, devices=[{"kind": "emcf"}])
        self._read()
        self.assertEqual((self.outlet.dgi_level, len(self.outlet.activity_ids)), ("critical", 1))
        return self.outlet.device_ids

    def test_alarms_end_when_the_signer_does_not_know_the_outlet_any_more(self):
        self._alarmed()
        del self.twin.statuses["KIN001"]
        self._read()
        self.assertFalse(self.outlet.alarm_ids)
        self.assertFalse(self.outlet.device_ids)
        self.assertFalse(self.outlet.activity_ids)
        self.assertEqual((self.outlet.dgi_level, self.outlet.dgi_error), ("unread", "not_found"))
        self._alarmed()
        del self.twin.statuses["KIN001"]
        self.outlet._read_status()  # alone: the signer refuses the question as a whole
        self.assertFalse(self.outlet.alarm_ids)
        self.assertFalse(self.outlet.activity_ids)

    def test_alarms_end_with_the_connection_also_those_of_archived_outlets(self):
        for disconnect in (
            lambda: self.env["res.config.settings"].create({}).bonopay_forget_key(),
            lambda: self.company.write({"bonopay_signer_url": False}),
        ):
            devices = self._alarmed()
            self.outlet.active = False
            disconnect()
            self.assertFalse(self.outlet.alarm_ids)
            self.assertFalse(devices.exists())
            self.assertFalse(self.outlet.activity_ids)
            self.assertEqual((self.outlet.dgi_level, self.outlet.dgi_read_at), ("unread", False))
            self.company.bonopay_configure(self.twin.url, API_KEY)
            due = self.env["bonopay.outlet"].sudo()
            self.assertIn(self.outlet, due.search(due._due_status_domain()), "a document waits")
            self.outlet.active = True

    def test_banner_forgets_an_archived_outlet_unless_something_waits(self):
        self._alarmed()
        banner = self.env["bonopay.outlet"].with_user(self.clerk).dgi_banner
        self.outlet.active = False
        self.assertEqual(len(banner()), 1, "a document waits")
        self.outlet.waiting_count = 0
        self.assertEqual(banner(), [])
        self.outlet.active = True
        self.assertEqual(len(banner()), 1)

    # calling a person -----------------------------------------------------------------------------------------------

    def test_an_urgent_alarm_calls_the_responsible_person_once_and_ends_by_itself(self):
        self._tell(alarm("regularisation_due", "warning"))
        self._read()
        self.assertFalse(self.outlet.activity_ids)
        for level in ("critical", "critical", "overdue"):
            self._tell(alarm("regularisation_due", level))
            self._read()
        activity = self.outlet.activity_ids
        self.assertEqual((len(activity), activity.user_id), (1, self.manager))
        self.assertIn("fr Le délai approche", activity.note)
        self._tell()
        self._read()
        self.assertFalse(self.outlet.activity_ids)
        self.assertFalse(self.outlet.alarm_ids)
        self.assertEqual(self.outlet.dgi_level, "ok")
        self.assertIn("alerte a pris fin", "".join(self.outlet.message_ids.mapped("body")))
        self._tell(alarm("regularisation_due", "critical"))
        self._read()
        self.assertEqual(len(self.outlet.activity_ids), 1, "a new alarm is a new call")

    def test_what_a_person_did_is_not_asked_of_them_again(self):
        self.outlet.manager_id = self.clerk
        self._tell(alarm("token_expired", "critical"), alarm("regularisation_due", "critical"))
        self._read()
        self.assertEqual((len(self.outlet.activity_ids), self.outlet.activity_ids.user_id), (2, self.clerk))
        self.outlet.activity_ids.action_feedback()
        self._read()
        self.assertFalse(self.outlet.activity_ids)
        self.assertEqual(len(self.outlet.alarm_ids), 2, "the alarms themselves stay")

    def test_no_context_of_a_caller_silences_an_alarm_or_closes_other_work(self):
        other = self.client.activity_schedule("mail.mail_activity_data_todo", user_id=self.manager.id)
        self._tell(alarm("regularisation_due", "critical"), devices=[{"kind": "emcf"}])
        defaults = {"called": True, "activity_id": other.id, "active": False, "user_id": self.clerk.id, "backlog": 9}
        forged = {f"default_{name}": value for name, value in defaults.items()}
        caller = self.outlet.with_user(self.clerk).with_context(mail_activity_automation_skip=True, **forged)
        caller.action_read_status()
        activity = self.outlet.alarm_ids.activity_id
        self.assertEqual((self.outlet.activity_ids, activity.user_id, activity.active), (activity, self.manager, True))
        self.assertNotEqual(activity, other)
        self.assertEqual(self.outlet.device_ids.backlog, 0)
        self._tell()
        caller.action_read_status()
        self.assertFalse(self.outlet.activity_ids)
        self.assertTrue(other.active)

    def test_a_call_that_reached_nobody_is_made_again(self):
        self._tell(alarm("regularisation_due", "critical"))
        with patch.object(type(self.outlet), "activity_schedule", lambda *args, **kwargs: False):
            self._read()
        self.assertFalse(self.outlet.alarm_ids.called)
        self._read()
        self.assertEqual((len(self.outlet.activity_ids), self.outlet.alarm_ids.called), (1, True))

    def test_nobody_is_called_about_a_company_that_is_not_theirs(self):
        stranger = fiscal_user(
            self.env, "bp_stranger", "account.group_account_invoice", self._make_bare_company("Autre SARL")
        )
        with self.assertRaisesRegex(ValidationError, "no access"):
            self.outlet.manager_id = stranger
        self.outlet.manager_id = self.clerk
        self.clerk.write({"company_ids": [Command.link(stranger.company_id.id)], "company_id": stranger.company_id.id})
        self.clerk.company_ids -= self.company
        self.assertEqual(self.outlet._responsible(), self.manager, "who left is not called")

    def test_the_administrator_is_called_last(self):
        admin = self.env.ref("base.user_admin")
        admin.write({"company_ids": [Command.link(self.company.id)], "company_id": self.company.id})
        other = self._make_bare_company("Autre SARL")
        self.manager.write({"company_ids": [Command.link(other.id)], "company_id": other.id})
        self.assertEqual(self.outlet._responsible(), self.manager)
        self.manager.active = False
        self.assertEqual(self.outlet._responsible(), admin)

    def test_markup_in_the_signers_words_stays_text(self):
        self._tell(alarm("regularisation_due", "critical", message=SCRIPT, next_step=SCRIPT))
        self._read()
        note = self.outlet.activity_ids.note
        self.assertIn("&lt;script&gt;", note)
        self.assertNotIn("<script>", note)
        [shown] = self.env["bonopay.outlet"].with_user(self.manager).with_context(lang="en_US").dgi_banner()
        self.assertEqual(shown["message"], f"en {SCRIPT}", "text, which the banner's t-out escapes")

    def test_row_35_a_silent_mcf_is_on_the_screens_and_calls_somebody_although_it_is_a_warning(self):
        self._tell(alarm("mcf_silent", "warning"), alarm("dgi_silent", "warning"))
        self._read()
        [shown] = self.env["bonopay.outlet"].with_user(self.clerk).dgi_banner()
        self.assertEqual(shown["level"], "warning")
        self.assertEqual(self.outlet.activity_ids, self.outlet.alarm_ids.activity_id)
        self.assertEqual(self.outlet.alarm_ids.filtered("called").code, "mcf_silent")

    def test_banner_shows_urgent_alarms_of_the_readers_company_alone(self):
        self._tell(alarm("regularisation_due", "critical"), alarm("dgi_silent", "warning"))
        self._tell(alarm("regularisation_due", "overdue"), code="KIN002")
        self._read()
        other = self._make_bare_company("Autre SARL")
        stranger = fiscal_user(self.env, "bp_stranger", "bonopay_fiscal.group_fiscal_manager", other)
        shown = self.env["bonopay.outlet"].with_user(self.clerk).dgi_banner()
        self.assertEqual([alarm["level"] for alarm in shown], ["overdue", "critical"])
        outlets = self.env(user=stranger, context={})["bonopay.outlet"]
        self.assertEqual(outlets.dgi_banner(), [])
        self.assertFalse(outlets.env["bonopay.alarm"].search([]))
        for call in ("action_read_status", "action_restart_sending"):
            with self.assertRaises(AccessError):
                getattr(self.outlet.with_env(outlets.env), call)()
