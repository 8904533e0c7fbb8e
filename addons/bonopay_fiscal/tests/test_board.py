from ast import literal_eval
from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged

from ..models.bonopay_seal_deadline import BOARD
from .common import FiscalCase, fiscal_user

ISSUED = "2026-11-21 08:00:00"


@tagged("post_install", "-at_install")
class TestBoard(FiscalCase):
    """Each document has 48 hours (arrêté 033, art. 7 g), and everybody can see what is left of them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chief = fiscal_user(cls.env, "bonopay_chief", "bonopay_fiscal.group_fiscal_manager", cls.company)
        cls.chief.lang = "en_US"
        cls.outlet.manager_id = cls.chief
        cls.outlet.test_mode = False

    def setUp(self):
        super().setUp()
        self.clock = freeze_time(ISSUED)
        self.frozen = self.clock.start()
        self.addCleanup(self.clock.stop)

    def _waiting(self, count=1):
        moves = self.env["account.move"].union(*[self.draft() for _number in range(count)])
        return self.post(moves, send=False).bonopay_seal_ids.sorted("id")

    def _pass(self, **span):
        self.frozen.tick(timedelta(**span))
        self.env.invalidate_all()

    def _mine(self, seals):
        return [("id", "in", seals.ids)]

    def test_row_42_the_deadline_is_48_hours_after_the_invoice_and_the_age_is_shown(self):
        seal = self._waiting()
        self.assertEqual(seal.issued_at, fields.Datetime.to_datetime(ISSUED))
        self.assertEqual(seal.deadline_at, fields.Datetime.to_datetime("2026-11-23 08:00:00"))
        self.assertEqual(seal.move_id.bonopay_deadline_at, seal.deadline_at)
        ages = [seal.age]
        for span in ({"minutes": 59}, {"hours": 5}, {"hours": 50}):
            self._pass(**span)
            ages.append(seal.age)
        self.assertEqual(ages, ["0 min", "59 min", "5 h 59 min", "2 d 7 h"])
        seal._process()
        self.assertEqual((seal.state, seal.age), ("certified", False))
        self.assertEqual(seal.deadline_at, fields.Datetime.to_datetime("2026-11-23 08:00:00"))

    def test_row_42_a_corrected_invoice_has_no_other_48_hours(self):
        refused = self._waiting()
        self.twin.problem_next(422, "payload_invalid")
        refused._process()
        self._pass(hours=30)
        refused.move_id.action_bonopay_correct()
        again = self.post(refused.move_id, send=False).bonopay_seal_id
        self.assertNotEqual(again, refused)
        self.assertEqual(again.issued_at, refused.issued_at + timedelta(hours=30))
        self.assertEqual((again.deadline_at, again.age), (refused.deadline_at, "1 d 6 h"))

    def test_row_42_the_board_tells_what_waits_was_refused_is_near_or_over_48_hours(self):
        overdue = self._waiting()
        self._pass(hours=9)
        near = self._waiting()
        self._pass(hours=37)
        waiting, refused = self._waiting(2)
        seals = overdue | near | waiting | refused
        self.twin.problem_next(422, "payload_invalid")
        refused._process()
        self._pass(hours=3)
        places = {waiting: "waiting", near: "near", overdue: "overdue", refused: "refused"}
        self.assertEqual({seal: seal.board for seal in seals}, places)
        board = self.env["bonopay.seal"]
        for seal, place in places.items():
            self.assertEqual(board.search([*self._mine(seals), ("board", "=", place)]), seal)
        groups = board.formatted_read_group(self._mine(seals), ["board"], ["__count"])
        self.assertEqual({group["board"]: group["__count"] for group in groups}, dict.fromkeys(places.values(), 1))
        self.assertEqual(
            self.env["account.move"].search([("bonopay_seal_ids.board", "in", ("near", "overdue"))]) & seals.move_id,
            (near | overdue).move_id,
        )
        self.assertEqual([name for name, _words in BOARD], ["waiting", "near", "overdue", "refused"])
        for seal in waiting | near | overdue:
            seal._process()
        self.assertEqual(board.search([*self._mine(seals), ("board", "!=", False)]), refused)
        done = board.search([*self._mine(seals), ("board", "=", False)], order="id")
        self.assertEqual(done, overdue | near | waiting)

    def test_what_was_rejected_and_replaced_is_not_on_the_board(self):
        self.twin.dgi_status = "rejected"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        move = self.post()
        shown = literal_eval(self.env.ref("bonopay_fiscal.bonopay_seal_board_action").domain)
        board = self.env["bonopay.seal"].with_context(active_test=False)
        self.assertEqual(board.search([*self._mine(move.bonopay_seal_id), *shown]), move.bonopay_seal_id)
        move.action_bonopay_replace()
        self.assertFalse(board.search([*self._mine(move.bonopay_seal_id), *shown]))

    def test_the_board_shows_every_column_and_opens_the_invoice(self):
        seal = self._waiting()
        action = self.env["ir.actions.act_window"]._for_xml_id("bonopay_fiscal.bonopay_seal_board_action")
        domain = [*self._mine(seal), ("superseded", "=", False), ("state", "!=", "certified")]
        user = fiscal_user(self.env, "bonopay_clerk", "account.group_account_invoice", self.company)
        board = self.env["bonopay.seal"].with_user(user)
        shown = board.with_context(read_group_expand=True).web_read_group(domain, ["board"], [])
        self.assertEqual(
            {group["board"]: group["__count"] for group in shown["groups"]},
            {"waiting": 1, "near": 0, "overdue": 0, "refused": 0},
        )
        self.assertEqual(action["views"][0][1], "kanban")
        views = board.get_views([(view_id, kind) for view_id, kind in action["views"]])["views"]
        self.assertEqual(set(views), {"kanban", "list", "form"})
        self.assertEqual(board.browse(seal.id).action_open_move()["res_id"], seal.move_id.id)

    def _reminders(self, seals):
        return seals.move_id.activity_ids.filtered(lambda activity: activity.user_id == self.chief)

    def test_row_42_the_responsible_is_reminded_once_36_hours_after_the_invoice(self):
        seal = self._waiting()
        self._pass(hours=35, minutes=59)
        self.env["bonopay.seal"]._remind()
        self.assertFalse(self._reminders(seal))
        self._pass(minutes=1)
        for _run in range(2):
            self.env["bonopay.seal"]._remind()
        reminder = self._reminders(seal)
        self.assertEqual(len(reminder), 1)
        # in the time of the outlet, not in UTC
        self.assertIn("9:00", reminder.note)
        self.assertIn("33", reminder.note)
        seal._process()
        seal.move_id.invalidate_recordset()
        self.assertFalse(self._reminders(seal), "it ends with the seal")

    def test_row_42_what_is_refused_is_reminded_of_too_and_what_is_done_is_not(self):
        refused, certified, rejected, test = seals = self._waiting(4)
        self.twin.problem_next(422, "payload_invalid")
        refused._process()
        certified._process()
        self.twin.dgi_status = "rejected"
        self.addCleanup(setattr, self.twin, "dgi_status", "certified")
        rejected._process()
        test._as_writer().write({"test_mode": True})
        seals.move_id.activity_ids.unlink()
        self._pass(hours=37)
        self.env["bonopay.seal"]._remind()
        self.assertEqual(seals.filtered(self._reminders), refused)

    def test_many_documents_near_their_deadline_make_one_activity_on_the_outlet(self):
        seals = self._waiting(21)
        before = self.outlet.activity_ids
        self._pass(hours=36)
        self.env["bonopay.seal"]._remind()
        self.assertFalse(self._reminders(seals))
        activity = self.outlet.activity_ids - before
        self.assertEqual(activity.user_id, self.chief)
        self.assertIn("21 documents", activity.note)
        self.assertEqual(set(seals.mapped("reminded")), {True})

    def test_an_activity_that_is_not_the_outlet_s_own_call_is_neither_overwritten_nor_ended(self):
        other = self.outlet.copy({"code": "KIN077"}).activity_schedule(user_id=self.chief.id, note="Mine")
        theirs = self.company.partner_id.activity_schedule(user_id=self.chief.id, note="Mine")
        seals = self._waiting(21)
        self._pass(hours=36)
        for activity in other | theirs:
            self.outlet.deadline_activity_id = activity
            self.env["bonopay.seal"]._remind()
            seals._as_writer().write({"reminded": False})
            self.assertNotEqual(self.outlet.deadline_activity_id, activity)
            self.assertIn("Mine", activity.note)
        for seal in seals:
            seal._process()
        self.outlet.deadline_activity_id = theirs
        self.env["bonopay.seal"]._remind()
        self.assertFalse(self.outlet.deadline_activity_id)
        self.assertTrue(theirs.active)

    def test_row_42_a_company_is_called_for_twenty_documents_at_most_however_many_runs_they_come_due_in(self):
        before = self.outlet.activity_ids
        seals = self.env["bonopay.seal"]
        for _run in range(3):
            seals |= self._waiting(8)
            self._pass(minutes=10)
        self._pass(hours=35, minutes=30)
        for _run in range(5):
            self.env["bonopay.seal"]._remind()
            self._pass(minutes=10)
        self.assertEqual(len(seals.filtered(self._reminders)), 16)
        activity = self.outlet.activity_ids - before
        self.assertEqual(len(activity), 1)
        self.assertIn("24 documents", activity.note)
        seals |= self._waiting()
        self._pass(hours=37)
        self.env["bonopay.seal"]._remind()
        self.assertEqual(self.outlet.activity_ids - before, activity, "one call, which tells of those to come")
        self.assertIn("25 documents", activity.note)
        for seal in seals:
            seal._process()
        self.env["bonopay.seal"]._remind()
        self.assertFalse(self.outlet.activity_ids - before, "it ends when nothing waits")

    def test_row_42_the_limit_is_each_company_s_own(self):
        seals = self._waiting(22)
        other = self._make_bare_company("Autre SARL")
        self.env.flush_all()
        self.env.cr.execute("UPDATE bonopay_seal SET company_id = %s WHERE id IN %s", [other.id, tuple(seals[11:].ids)])
        before = self.outlet.activity_ids
        self._pass(hours=36)
        self.env["bonopay.seal"]._remind()
        self.assertEqual(self.outlet.activity_ids, before)
        self.assertEqual(seals.filtered("move_id.activity_ids"), seals)

    def test_row_42_a_document_that_was_corrected_is_not_reminded_of_twice(self):
        refused = self._waiting()
        self._pass(hours=37)
        self.env["bonopay.seal"]._remind()
        self.twin.problem_next(422, "payload_invalid")
        refused._process()
        move = refused.move_id
        calls = move.activity_ids
        self.assertTrue(calls)
        move.action_bonopay_correct()
        again = self.post(move, send=False).bonopay_seal_id
        self.env["bonopay.seal"]._remind()
        self.assertEqual((again.reminded, move.activity_ids), (True, calls))
