from datetime import timedelta
from unittest.mock import patch

from odoo import Command, fields
from odoo.exceptions import AccessError
from odoo.tests import tagged

from ..models import bonopay_outlet_status
from .common import fiscal_user
from .dgi_status_case import DgiStatusCase
from .signer_twin import API_KEY, SignerTwin, alarm, calm_status

NOWHERE = "http://127.0.0.1:9"


@tagged("post_install", "-at_install")
class TestDgiStatus(DgiStatusCase):
    """What the signer knows of an outlet reaches the merchant, and nothing else does."""

    # reading --------------------------------------------------------------------------------------------------------

    def test_row_42_a_merchant_reads_what_waits_until_when_and_what_to_do_in_their_language(self):
        self._tell(
            alarm("regularisation_due", "critical"), alarm("documents_rejected", "warning"),
            counts={"queued": 4, "unknown": 1, "prepared": 1},
            oldest_waiting={"fiscal_number": "BONO-KIN001-01-000000007", "sealed_at": "2026-11-20T08:00:00Z",
                            "age_seconds": 88200, "deadline": "2026-11-22T09:00:00+01:00"},
            rejected={"count": 2, "days": 7},
            devices=[{"kind": "mcf", "role": "spare", "nim": "CD02", "in_use": True, "breaker": "half_open",
                      "answered_at": None, "silent_since": None, "backlog": 3, "last_dgi_contact": None}],
        )  # fmt: skip
        self._run_cron()
        outlet = self.outlet
        self.assertEqual((outlet.dgi_level, outlet.waiting_count, outlet.rejected_count), ("critical", 5, 2))
        self.assertEqual(outlet.oldest_number, "BONO-KIN001-01-000000007")
        self.assertEqual(outlet.oldest_deadline, fields.Datetime.to_datetime("2026-11-22 08:00:00"))
        self.assertEqual(outlet.token_expires_at, fields.Datetime.to_datetime("2027-05-31 00:00:00"))
        self.assertTrue(outlet.dgi_read_at)
        self.assertEqual(outlet.alarm_ids.mapped("code"), ["regularisation_due", "documents_rejected"])
        worst = outlet.alarm_ids[0]
        self.assertEqual((worst.message, worst.next_step), ("en Le délai approche", "en Rétablir la connexion"))
        self.assertEqual(worst.with_context(lang="fr_FR").message, "fr Le délai approche")
        self.assertEqual(outlet.dgi_summary, worst.message)
        self.assertEqual(outlet.device_ids.display_name, "MCF CD02 (spare)")
        self.assertEqual((self.second.dgi_level, self.second.device_ids.ids), ("ok", []))

    def test_what_waits_to_be_sealed_is_counted_although_the_signer_does_not_have_it(self):
        """During an outage of the DGI an inline outlet seals nothing: "nothing waits" would be untrue."""
        for sent in (False, False, True):
            self.post(send=sent)
        self._read()
        outlets = (self.outlet | self.second).with_user(self.clerk)
        self.assertEqual(outlets.mapped("to_seal_count"), [2, 0])
        self.assertEqual(outlets.mapped("waiting_count"), [0, 0])

    def test_a_device_whose_last_request_had_no_answer_is_not_said_to_answer(self):
        moment = "2026-11-20T08:00:00Z"
        cases = {("closed", None): "answers", ("closed", moment): "missed",
                 ("half_open", moment): "half_open", ("open", moment): "open"}  # fmt: skip
        self._tell(devices=[{"kind": "emcf", "role": "main", "nim": "CD01", "breaker": breaker, "silent_since": silent}
                            for breaker, silent in cases])  # fmt: skip
        self._read()
        self.assertEqual(self.outlet.device_ids.mapped("state"), list(cases.values()))

    def test_outlet_whose_dgi_is_silent_is_not_well_before_its_alarm_comes(self):
        self._tell(contact={"answered_at": "2026-11-21T08:00:00Z", "silent_since": "2026-11-21T08:30:00Z"})
        self._read()
        self.assertEqual((self.outlet.dgi_level, self.outlet.alarm_ids.ids), ("notice", []))
        self._tell(contact={"answered_at": "2026-11-21T08:40:00Z", "silent_since": None})
        self._read()
        self.assertEqual(self.outlet.dgi_level, "ok")

    def test_pages_of_a_large_merchant_are_all_read(self):
        self.twin.page_size = 1
        self._tell(alarm("dgi_silent", "warning"), code="KIN002")
        asked = len(self._asked())
        self._read()
        self.assertEqual((self.outlet.dgi_level, self.second.dgi_level), ("ok", "warning"))
        self.assertEqual(len(self._asked()), asked + 2)

    def test_codes_and_levels_of_a_later_signer_are_shown_and_break_nothing(self):
        self._tell(
            alarm("mcf_silent", "notice"),
            {"code": "comet", "level": "cosmic", "since": "hier", "message": {"fr": "Comète"}, "next_step": None},
            {"code": "wordless", "level": "notice"}, {"level": "critical"}, "nonsense",
            counts=None, oldest_waiting=[], rejected="many", contact=7, token_expires_at="soon", closed="no",
            devices=[{"kind": "quantum", "nim": "A\x00B", "backlog": True}, None],
        )  # fmt: skip
        self.assertIsNone(self._read())
        self.assertEqual(self.outlet.dgi_level, "warning")
        self.outlet.invalidate_recordset()
        comet, mcf, wordless = self.outlet.alarm_ids
        self.assertEqual((comet.code, comet.level, comet.since, comet.message), ("comet", "warning", False, "Comète"))
        self.assertEqual(mcf.code, "mcf_silent")
        self.assertIn("wordless", wordless.message)
        self.assertEqual((self.outlet.waiting_count, self.outlet.token_expires_at), (0, False))
        self.assertEqual((self.outlet.device_ids.kind, self.outlet.device_ids.nim), (False, "AB"))

    def test_signer_away_is_said_and_what_was_known_stays(self):
        with SignerTwin() as away:
            self.company.bonopay_configure(away.url, API_KEY)
            away.statuses = {
                "KIN001": {**calm_status("KIN001"), "alarms": [alarm("regularisation_due", "critical")],
                           "counts": {"queued": 1}}
            }  # fmt: skip
            self._run_cron()
        read_at = self.outlet.dgi_read_at
        self._run_cron()
        self.assertEqual((self.outlet.dgi_error, self.outlet.dgi_level), ("signer_unreachable", "critical"))
        self.assertIn("cannot be reached", self.outlet.dgi_error_message)
        self.assertEqual((self.outlet.waiting_count, self.outlet.dgi_read_at), (1, read_at))
        self.assertEqual((self.second.dgi_level, self.second.dgi_summary), ("unread", self.second.dgi_error_message))
        told = self.outlet.with_user(self.manager).action_read_status()["params"]
        self.assertEqual(told["type"], "warning")
        self.assertEqual(self.post().state, "posted")
        self.company.bonopay_configure(self.twin.url, "wrong")
        self._run_cron()
        self.assertIn("API key", self.outlet.dgi_error_message)
        self.company.bonopay_configure(self.twin.url, API_KEY)
        self.twin.answer_next(200, {"outlets": "none", "next_cursor": None})
        self._run_cron()
        self.assertEqual(self.outlet.dgi_error, "answer_malformed")
        del self.twin.statuses["KIN002"]
        self.assertEqual(self.outlet.action_read_status()["params"]["type"], "success")
        self._run_cron()
        self.assertEqual((self.outlet.dgi_error, self.second.dgi_error), (False, "not_found"))

    def test_only_live_companies_are_asked_and_no_more_often_than_needed(self):
        other = self._make_bare_company("Autre SARL")
        self.env["bonopay.outlet"].create({"name": "Autre", "code": "LUB001", "company_id": other.id})
        self._run_cron()
        asked = len(self._asked())
        with patch.object(self.env.registry["ir.cron"], "_commit_progress", lambda *args, **kwargs: 100.0):
            self.env["bonopay.outlet"]._cron_read_status()
        self.assertEqual(len(self._asked()), asked, "read a moment ago")
        (self.outlet | self.second).active = False
        self._run_cron()
        self.assertEqual(len(self._asked()), asked, "archived, and nothing waits")
        self.outlet.waiting_count = 1
        self._run_cron()
        self.assertEqual(len(self._asked()), asked + 1, "archived, but a document waits")
        (self.outlet | self.second).active = True
        self.company.bonopay_configure(self.twin.url, "")
        self._run_cron()
        self.assertEqual(len(self._asked()), asked + 1, "not connected")

    def test_an_unexpected_error_of_one_company_does_not_stop_the_others(self):
        other = self._make_bare_company("Autre SARL")
        other.bonopay_configure(self.twin.url, API_KEY)
        foreign = self.env["bonopay.outlet"].create({"name": "Autre", "code": "KIN001", "company_id": other.id})
        take = type(foreign)._take_status

        def explode(outlet, status):
            if outlet == foreign:
                raise RuntimeError("boom")
            take(outlet, status)

        with (
            patch.object(self.env.registry["bonopay.outlet"], "_take_status", explode),
            self.assertLogs(bonopay_outlet_status._logger, "ERROR"),
        ):
            self._run_cron()
        self.assertEqual((self.outlet.dgi_level, foreign.dgi_level), ("ok", "unread"))
        self.assertTrue(foreign.dgi_asked_at, "the next run begins with others")

    def test_an_item_about_no_outlet_is_passed_over(self):
        for nobody in (["KIN001"], {}, None, 7):
            items = [{**calm_status("KIN001"), "outlet_id": nobody}, calm_status("KIN002"), calm_status("KIN001")]
            self.twin.answer_next(200, {"outlets": items, "next_cursor": None})
            self.assertIsNone(self._read(), nobody)
        self.assertEqual((self.outlet.dgi_level, self.second.dgi_level), ("ok", "ok"))

    # who may --------------------------------------------------------------------------------------------------------

    def test_nobody_writes_what_the_signer_tells(self):
        self._tell(alarm("regularisation_due", "critical"), devices=[{"kind": "emcf"}])
        self._read()
        outlet = self.outlet.with_user(self.manager)
        for values in ({"waiting_count": 9}, {"dgi_error": "x"}, {"alarm_ids": [Command.clear()]}, {"dgi_level": "ok"}):
            with self.assertRaises(AccessError):
                outlet.write(values)
        with self.assertRaises(AccessError):
            outlet.create({"name": "x", "code": "KIN003", "waiting_count": 0})
        for records in (outlet.alarm_ids, outlet.device_ids):
            for call in (lambda r: r.write({"company_id": False}), lambda r: r.unlink(), lambda r: r.create({})):
                with self.assertRaises(AccessError):
                    call(records)
        outlet.write({"name": "Nouveau nom"})

    def test_defaults_of_a_persons_context_fill_no_status_of_a_new_outlet(self):
        moment = "2026-11-21 08:00:00"
        told = {
            "waiting_count": 9, "oldest_number": "X", "oldest_sealed_at": moment, "oldest_deadline": moment,
            "rejected_count": 9, "token_expires_at": moment, "dgi_answered_at": moment, "dgi_silent_since": moment,
            "dgi_closed": True, "dgi_read_at": moment, "dgi_asked_at": moment, "dgi_error": "x", "dgi_level": "ok",
            "dgi_rank": 0,
        }  # fmt: skip
        creator = self.env["bonopay.outlet"].with_user(self.manager)
        defaults = {f"default_{name}": value for name, value in told.items()}
        outlet = creator.with_context(**defaults).create({"name": "x", "code": "KIN003"})
        outlet.flush_recordset()
        outlet.invalidate_recordset()
        expected = {**dict.fromkeys(told, False), "waiting_count": 0, "rejected_count": 0, "dgi_level": "unread",
                    "dgi_rank": 2}  # fmt: skip
        self.assertEqual({name: outlet[name] for name in told}, expected)
        self.assertLessEqual(set(told), outlet._guarded_fields())

    def test_who_reads_no_alarms_sees_the_level_and_asks_nothing(self):
        self._tell(alarm("regularisation_due", "critical"))
        self._read()
        plain = fiscal_user(self.env, "bp_plain", "base.group_user", self.company)
        outlet = self.outlet.with_user(plain)
        self.assertEqual(outlet.dgi_level, "critical")
        self.assertFalse({"alarm_ids", "device_ids"} & outlet.fields_get().keys())
        asked = len(self._asked())
        with self.assertRaisesRegex(AccessError, "auditors"):
            outlet.action_read_status()
        self.assertEqual(outlet.dgi_banner(), [])
        self.assertEqual(len(self._asked()), asked)

    # restarting -----------------------------------------------------------------------------------------------------

    def test_row_35_a_fiscal_manager_restarts_the_sending_and_learns_how_much_goes(self):
        outlet = self.outlet.with_user(self.manager).with_context(lang="en_US")
        for documents, words in ((17, "17 documents"), (1, "1 document is"), (0, "no document")):
            self.twin.restartable["KIN001"] = documents
            told = outlet.action_restart_sending()["params"]
            self.assertEqual(told["type"], "success")
            self.assertIn(words, told["message"])
        self.assertIn("17 documents", "".join(self.outlet.message_ids.mapped("body")))
        self.assertIn(("POST", "/api/v1/outlets/KIN001/sync/restart", b""), self.twin.requests)
        self.assertTrue(self.outlet.dgi_read_at, "the status is read again")

    def test_somebody_who_may_not_restarts_nothing(self):
        auditor = fiscal_user(self.env, "bp_auditor", "bonopay_fiscal.group_fiscal_auditor", self.company)
        asked = len(self.twin.requests)
        for user in (self.clerk, auditor):
            with self.assertRaises(AccessError):
                self.outlet.with_user(user).action_restart_sending()
        self.assertEqual(len(self.twin.requests), asked)

    def test_restart_with_the_signer_away_or_too_old_says_so(self):
        del self.twin.restartable["KIN001"]
        outlet = self.outlet.with_user(self.manager).with_context(lang="en_US")
        self.assertIn("lacks this function", outlet.action_restart_sending()["params"]["message"])
        self.twin.answer_next(202, {"outlet_id": "KIN001"})
        self.assertIn("not believed", outlet.action_restart_sending()["params"]["message"])
        self.company.bonopay_configure(NOWHERE, API_KEY)
        told = outlet.action_restart_sending()["params"]
        self.assertEqual(told["type"], "warning")
        self.assertIn("cannot be reached", told["message"])

    def test_empty_list_is_good_news_only_where_there_are_outlets(self):
        # with sudo(), as the client's loading of an action asks
        outlets = self.env["bonopay.outlet"].with_user(self.manager).sudo()
        outlets = outlets.with_context(bonopay_status=True, lang="en_US")
        self._read()
        self.assertEqual(outlets.get_empty_list_help("All is well"), "All is well")
        self._tell(alarm("dgi_silent", "warning"))
        self._read()
        self.assertIn("need attention", outlets.get_empty_list_help("All is well"))
        (self.outlet | self.second).active = False
        self.assertIn("no outlet yet", outlets.get_empty_list_help("All is well"))

    def test_status_is_due_again_after_five_minutes(self):
        self._read()
        due = self.env["bonopay.outlet"].sudo()
        self.assertFalse(due.search(due._due_status_domain()) & self.outlet)
        self.outlet.dgi_asked_at = fields.Datetime.now() - timedelta(minutes=5)
        self.assertIn(self.outlet, due.search(due._due_status_domain()))
