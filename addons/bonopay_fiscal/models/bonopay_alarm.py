from odoo import api, fields, models
from odoo.tools import plaintext2html

from ..core import dgi_status

ALARM_LEVELS = [
    ("notice", "For information"),
    ("warning", "To watch"),
    ("critical", "Act now"),
    ("overdue", "Deadline exceeded"),
]


class BonopayAlarm(models.Model):
    """What the signer wants somebody to know of an outlet; the row lives as long as the alarm does.

    No group may write: the rows follow what the signer tells (:meth:`bonopay.outlet._take_alarms`).
    """

    _name = "bonopay.alarm"
    _description = "Alarm of an outlet"
    _order = "outlet_id, rank desc, id"
    _rec_name = "code"

    outlet_id = fields.Many2one("bonopay.outlet", required=True, readonly=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="outlet_id.company_id", store=True, index=True)
    code = fields.Char(required=True, readonly=True, help="The signer's code. A later version may add codes.")
    level = fields.Selection(ALARM_LEVELS, required=True, readonly=True)
    rank = fields.Integer(compute="_compute_rank", store=True)
    is_urgent = fields.Boolean(
        "Urgent", compute="_compute_rank", store=True, help="A person is called, and the screens say it."
    )
    since = fields.Datetime(readonly=True, help="When the alarm reached this level; empty when that is not known.")
    message_fr = fields.Text("Message (French)", readonly=True)
    message_en = fields.Text("Message (English)", readonly=True)
    next_step_fr = fields.Text("Next step (French)", readonly=True)
    next_step_en = fields.Text("Next step (English)", readonly=True)
    message = fields.Text(compute="_compute_words")
    next_step = fields.Text(compute="_compute_words")
    called = fields.Boolean(readonly=True, help="A person was called for this alarm, and is not called again.")
    activity_id = fields.Many2one("mail.activity", readonly=True, ondelete="set null")

    _outlet_code_unique = models.Constraint("UNIQUE(outlet_id, code)", "An outlet has each alarm at most once.")

    @api.depends("level", "code")
    def _compute_rank(self):
        for alarm in self:
            alarm.rank = dgi_status.LEVELS.index(alarm.level) if alarm.level else 0
            alarm.is_urgent = alarm.level in dgi_status.URGENT_LEVELS or alarm.code in dgi_status.URGENT_CODES

    @api.depends_context("lang")
    @api.depends("code", "message_fr", "message_en", "next_step_fr", "next_step_en")
    def _compute_words(self):
        bilingual = self.env["bonopay.seal"]._bilingual
        for alarm in self:
            words = bilingual({"fr": alarm.message_fr, "en": alarm.message_en})
            alarm.message = words or self.env._("The signer reports “%s”.", alarm.code)
            alarm.next_step = bilingual({"fr": alarm.next_step_fr, "en": alarm.next_step_en})

    # ------------------------------------------------------------------------------------------------------------
    # Calling a person
    # ------------------------------------------------------------------------------------------------------------

    def _follow_up(self):
        """Call the responsible person once for each urgent alarm; what is no longer urgent is done by itself."""
        for alarm in self:
            if alarm.is_urgent and not alarm.called:
                alarm._call_responsible()
            elif not alarm.is_urgent and alarm.called:
                alarm._close_activity()
                alarm.called = False

    def _call_responsible(self):
        user = self.outlet_id._responsible()
        if not user:
            return
        alarm = self.with_context(lang=user.lang)
        activity = alarm.outlet_id.activity_schedule(
            "mail.mail_activity_data_warning",
            user_id=user.id,
            summary=alarm.env._("DGI, %(outlet)s: %(level)s", outlet=self.outlet_id.code, level=alarm._level_words()),
            note=plaintext2html("\n".join(filter(None, (alarm.message, alarm.next_step)))),
        )
        if activity:
            self.write({"called": True, "activity_id": activity.id})

    def _level_words(self):
        return dict(self._fields["level"]._description_selection(self.env)).get(self.level)

    def _close_activity(self):
        """The alarm ended: so does the work that it asked for, unless a person did it before."""
        activity = self.activity_id.filtered("active")
        if activity:
            lang = activity.user_id.lang
            activity.action_feedback(feedback=self.with_context(lang=lang).env._("The alarm has ended."))

    def _end(self):
        """Forget alarms that the signer no longer tells."""
        for alarm in self:
            alarm._close_activity()
        self.unlink()


class BonopayDevice(models.Model):
    """A fiscal device of an outlet, as the signer sees it: an e-MCF over the network or an MCF on a serial line."""

    _name = "bonopay.device"
    _description = "Fiscal device of an outlet"
    _order = "outlet_id, id"
    _rec_name = "nim"

    outlet_id = fields.Many2one("bonopay.outlet", required=True, readonly=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="outlet_id.company_id", store=True, index=True)
    kind = fields.Selection([("emcf", "e-MCF"), ("mcf", "MCF")], readonly=True)
    role = fields.Selection([("main", "main"), ("spare", "spare")], readonly=True)
    nim = fields.Char("NIM", readonly=True)
    in_use = fields.Boolean("In use", readonly=True)
    breaker = fields.Selection(
        [("closed", "Asked"), ("half_open", "Being tried"), ("open", "At rest")], "Circuit breaker", readonly=True
    )
    state = fields.Selection(
        [
            ("answers", "Answers"),
            ("missed", "Last request unanswered"),
            ("half_open", "Being tried"),
            ("open", "No answer"),
        ],
        compute="_compute_state",
    )
    answered_at = fields.Datetime("Last answer", readonly=True)
    silent_since = fields.Datetime(readonly=True)
    backlog = fields.Integer("To transmit", readonly=True, help="Documents that the device has yet to send to the DGI.")
    backlog_known = fields.Boolean(readonly=True)
    last_dgi_contact = fields.Datetime("Last contact with the DGI", readonly=True)

    @api.depends("breaker", "silent_since")
    def _compute_state(self):
        """A breaker that is closed says that the device is asked, not that it answers."""
        for device in self:
            at_rest = device.breaker if device.breaker in ("half_open", "open") else None
            device.state = at_rest or ("missed" if device.silent_since else "answers")

    @api.depends_context("lang")
    @api.depends("kind", "role", "nim")
    def _compute_display_name(self):
        kinds, roles = (dict(self._fields[name]._description_selection(self.env)) for name in ("kind", "role"))
        for device in self:
            name = " ".join(filter(None, (kinds.get(device.kind), device.nim))) or self.env._("Device")
            device.display_name = f"{name} ({roles[device.role]})" if device.role else name
