import json
import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL, format_datetime, plaintext2html

from ..core import told
from .bonopay_seal import OPEN_STATES
from .bonopay_seal_alert import ALERT_TYPE

_logger = logging.getLogger(__name__)

#: From the invoice to its regularisation (arrêté 033, art. 7 g).
DEADLINE = timedelta(hours=48)
#: How long before the deadline somebody is reminded: 36 hours after the invoice.
NOTICE = timedelta(hours=12)
#: States in which nothing happens by itself any more.
STUCK_STATES = ("invalid", "rejected", "dead")
#: States of documents that somebody is reminded of. What was rejected is to be replaced, and that was said.
_REMINDED_STATES = (*OPEN_STATES, "invalid", "dead")
#: Beyond so many documents of a company that wait past their reminder, one activity an outlet tells of all others.
_MOST_REMINDERS = 20

BOARD = [
    ("waiting", "Waits"),
    ("near", "Near 48 hours"),
    ("overdue", "Over 48 hours"),
    ("refused", "Refused or blocked"),
]


class BonopaySeal(models.Model):
    """By when a document has to be normalised, and where it stands until then."""

    _inherit = "bonopay.seal"

    issued_at = fields.Datetime("Issued on", compute="_compute_deadline", store=True, precompute=True)
    deadline_at = fields.Datetime(
        "To be normalised by",
        compute="_compute_deadline",
        store=True,
        precompute=True,
        help="48 hours after the invoice was issued (arrêté 033, art. 7 g), for the first time if it was corrected.",
    )
    age = fields.Char("Waits for", compute="_compute_age", help="Since the invoice was issued; empty once normalised.")
    board = fields.Selection(
        BOARD, "Place on the board", compute="_compute_board", search="_search_board", group_expand=True
    )
    partner_id = fields.Many2one(related="move_id.partner_id", string="Customer")
    reminded = fields.Boolean(readonly=True, help="Somebody was reminded of the deadline.")

    _deadline_index = models.Index(
        "(deadline_at) WHERE state IN ('to_seal', 'sealed', 'unknown', 'invalid', 'rejected', 'dead')"
    )

    @api.depends("payload")
    def _compute_deadline(self):
        first_issues = self._first_issues()
        for seal in self:
            try:
                issued_at = told.moment(json.loads(seal.payload)["issued_at"])
            except (ValueError, KeyError, TypeError):
                issued_at = None  # altered in the database: the verifier's business
            seal.issued_at = issued_at
            seal.deadline_at = issued_at and min(issued_at, first_issues.get(seal.move_id.id, issued_at)) + DEADLINE

    def _first_issues(self):
        """When each invoice was first issued: who corrects what was refused has no other 48 hours for it."""
        earlier = [("move_id", "in", self.move_id.ids), ("superseded", "=", True), ("issued_at", "!=", False)]
        groups = self.sudo()._read_group(earlier, ["move_id"], ["issued_at:min"])
        return {move.id: issued_at for move, issued_at in groups}

    @api.depends_context("lang")
    @api.depends("deadline_at", "state", "superseded", "annulled")
    def _compute_age(self):
        now = fields.Datetime.now()
        for seal in self:
            ended = seal.superseded or seal.annulled or seal.state == "certified" or not seal.deadline_at
            seal.age = False if ended else seal._span_words(now - seal.deadline_at + DEADLINE)

    def _span_words(self, span):
        """A span of time in its two largest units.

        :param timedelta span: what is negative counts as nothing
        """
        minutes = max(int(span.total_seconds() // 60), 0)
        hours, minutes = divmod(minutes, 60)
        days, hours_of_day = divmod(hours, 24)
        if days:
            return self.env._("%(days)s d %(hours)s h", days=days, hours=hours_of_day)
        if hours:
            return self.env._("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)
        return self.env._("%(minutes)s min", minutes=minutes)

    # ------------------------------------------------------------------------------------------------------------
    # The board: a matter of the clock, so no column can hold it
    # ------------------------------------------------------------------------------------------------------------

    @api.depends("state", "superseded", "annulled", "deadline_at")
    def _compute_board(self):
        now = fields.Datetime.now()
        for seal in self:
            seal.board = seal._place_on_board(now)

    def _place_on_board(self, now):
        if self.superseded or self.annulled or self.state == "certified":
            return False
        if self.state in STUCK_STATES:
            return "refused"
        if not self.deadline_at or now < self.deadline_at - NOTICE:
            return "waiting"
        return "near" if now < self.deadline_at else "overdue"

    @api.model
    def _search_board(self, operator, value):
        if operator != "in":
            return NotImplemented
        now = fields.Datetime.now()
        live = fields.Domain("superseded", "=", False) & fields.Domain("annulled", "=", False)
        under_way = live & fields.Domain("state", "in", OPEN_STATES)
        early = fields.Domain("deadline_at", ">", now + NOTICE) | fields.Domain("deadline_at", "=", False)
        near = fields.Domain("deadline_at", ">", now) & fields.Domain("deadline_at", "<=", now + NOTICE)
        places = {
            "waiting": under_way & early,
            "near": under_way & near,
            "overdue": under_way & fields.Domain("deadline_at", "<=", now),
            "refused": live & fields.Domain("state", "in", STUCK_STATES),
            False: ~live | fields.Domain("state", "=", "certified"),
        }
        return fields.Domain.OR([places[place] for place in value if place in places])

    def _field_to_sql(self, alias, field_expr, query=None):
        # EXTENDS base: the columns of the board are groups
        if field_expr != "board":
            return super()._field_to_sql(alias, field_expr, query)
        now = fields.Datetime.now()
        return SQL(
            "(CASE WHEN %(superseded)s IS TRUE OR %(annulled)s IS TRUE OR %(state)s = 'certified' THEN NULL"
            " WHEN %(state)s IN %(stuck)s THEN 'refused'"
            " WHEN %(deadline)s <= %(now)s THEN 'overdue'"
            " WHEN %(deadline)s <= %(soon)s THEN 'near' ELSE 'waiting' END)",
            superseded=SQL.identifier(alias, "superseded"),
            annulled=SQL.identifier(alias, "annulled"),
            state=SQL.identifier(alias, "state"),
            deadline=SQL.identifier(alias, "deadline_at"),
            stuck=STUCK_STATES,
            now=now,
            soon=now + NOTICE,
        )

    def action_open_move(self):
        """Open the invoice."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "account.move",
            "res_id": self.move_id.id,
            "views": [(False, "form")],
        }

    # ------------------------------------------------------------------------------------------------------------
    # The reminder
    # ------------------------------------------------------------------------------------------------------------

    @api.model
    def _remind_surely(self):
        """Remind of what nears its deadline; never raises, as sending goes on whatever comes of it."""
        try:
            with self.env.cr.savepoint():
                self._remind()
        except Exception:
            _logger.exception("reminders of the 48 hours: unexpected error")

    @api.model
    def _remind(self):
        """Call the outlet's responsible once for each document that is not normalised 36 hours after its issue.

        However many come due, and in however many runs: a company has at most :data:`_MOST_REMINDERS` of these calls
        at a time, and beyond them one for each outlet, whose count grows.
        """
        domain = self._near_deadline_domain()
        due = self.sudo().search([*domain, ("reminded", "=", False)], order="deadline_at, id")
        due = due.try_lock_for_update(allow_referencing=True) if due else due
        for company, seals in due.grouped("company_id").items():
            waiting = self.sudo().search_count([*domain, ("reminded", "=", True), ("company_id", "=", company.id)])
            if waiting + len(seals) > _MOST_REMINDERS:
                for outlet in seals.outlet_id:
                    outlet._call_for_documents()
            else:
                for seal in seals.filtered(lambda seal: not seal._was_called_for()):
                    seal._remind_of_deadline()
        due._as_writer().write({"reminded": True})
        self.env["bonopay.outlet"].sudo()._end_calls_for_documents()

    @api.model
    def _near_deadline_domain(self):
        """Documents in earnest that wait past their reminder."""
        return [
            ("deadline_at", "<=", fields.Datetime.now() + NOTICE),
            ("state", "in", _REMINDED_STATES),
            ("superseded", "=", False),
            ("test_mode", "=", False),
        ]

    def _was_called_for(self):
        """Whether the same document was reminded of before it was corrected, and that call is still open."""
        earlier = self.move_id.sudo().bonopay_seal_ids - self
        return any(earlier.mapped("reminded")) and bool(self.move_id.sudo().activity_search([ALERT_TYPE]))

    def _remind_of_deadline(self):
        user = self._whom_to_call()
        seal = self.with_context(lang=user.lang)
        deadline = format_datetime(seal.env, self.deadline_at, tz=self.outlet_id.tz)
        words = seal.env._("Not normalised yet: it has to be by %s (arrêté 033, art. 7 g).", deadline)
        seal._call(user, "\n".join(filter(None, (words, seal.last_error_message))))


class BonopayOutlet(models.Model):
    _inherit = "bonopay.outlet"

    deadline_activity_id = fields.Many2one(
        "mail.activity", "Call for many documents", readonly=True, copy=False, guarded=True, ondelete="set null"
    )

    def _open_deadline_call(self):
        """The call for many documents, while it is open; nothing that is on any other record."""
        return self.deadline_activity_id.filtered(
            lambda call: call.active and (call.res_model, call.res_id) == (self._name, self.id)
        )

    def _near_deadline_count(self):
        domain = self.env["bonopay.seal"]._near_deadline_domain()
        return self.env["bonopay.seal"].sudo().search_count([*domain, ("outlet_id", "=", self.id)])

    def _end_calls_for_documents(self):
        """End the calls of outlets where nothing waits past its reminder any more."""
        called = self.with_context(active_test=False).search([("deadline_activity_id", "!=", False)])
        for outlet in called.filtered(lambda outlet: not outlet._near_deadline_count()):
            activity = outlet._open_deadline_call()
            words = outlet.with_context(lang=activity.user_id.lang).env._(
                "No document waits past its reminder any more."
            )
            outlet.deadline_activity_id = False
            activity.action_feedback(feedback=words)

    def _call_for_documents(self):
        """One activity for the documents that near their deadline; the one that is open tells of those to come too."""
        open_call = self._open_deadline_call()
        user = open_call.user_id or self._responsible() or self.env.ref("base.user_admin")
        outlet = self.with_context(lang=user.lang, mail_notify_force_send=False)
        words = outlet.env._(
            "%s documents are not normalised 36 hours after they were issued. The law gives 48 hours (arrêté 033, "
            "art. 7 g): look at Bono Pay ▸ Board.",
            self._near_deadline_count(),
        )
        if open_call:
            open_call.note = plaintext2html(words)
            return
        self.deadline_activity_id = outlet.activity_schedule(
            "mail.mail_activity_data_warning",
            user_id=user.id,
            summary=outlet.env._("Documents near their 48 hours"),
            note=plaintext2html(words),
        )
