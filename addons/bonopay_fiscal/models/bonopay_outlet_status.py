import logging

from markupsafe import Markup
from psycopg2.errors import SerializationFailure

from odoo import SUPERUSER_ID, Command, api, fields, models
from odoo.exceptions import AccessError, ValidationError

from ..core import dgi_status
from ..core.connection import SignerError
from .bonopay_alarm import ALARM_LEVELS
from .res_company import connect

_logger = logging.getLogger(__name__)

#: How an outlet stands, the worst last. Not being able to look is worse than a notice, and hides no real alarm.
STATUS_LEVELS = [
    ("ok", "All is well"),
    ("notice", "For information"),
    ("unread", "Not known"),
    *(level for level in ALARM_LEVELS if level[0] != "notice"),
]
_RANKS = {level: rank for rank, (level, _words) in enumerate(STATUS_LEVELS)}
#: Who reads alarms and devices; outlets themselves are read by everybody.
_READERS = "account.group_account_invoice,account.group_account_readonly,bonopay_fiscal.group_fiscal_fleet"
#: Minutes after which a status is read again; a little less than the cron's interval.
_FRESH_MINUTES = 4


class BonopayOutlet(models.Model):
    """How each outlet stands with the DGI.

    It is read from the signer, every few minutes and on demand, and says nothing about what is sealed: a status that
    cannot be read blocks no sale.
    """

    _inherit = "bonopay.outlet"

    manager_id = fields.Many2one(
        "res.users",
        "Responsible for the DGI",
        domain="[('share', '=', False), ('company_ids', 'in', company_id)]",
        tracking=True,
        copy=False,
        help="Is called when an alarm needs somebody. Left empty: a fiscal manager of the company.",
    )
    dgi_level = fields.Selection(
        STATUS_LEVELS, "DGI status", compute="_compute_dgi_level", store=True, copy=False, guarded=True
    )
    dgi_rank = fields.Integer(compute="_compute_dgi_level", store=True, copy=False, guarded=True)
    dgi_read_at = fields.Datetime("Last read", readonly=True, copy=False, guarded=True)
    dgi_asked_at = fields.Datetime("Last asked", readonly=True, copy=False, guarded=True)
    dgi_error = fields.Char(
        readonly=True, copy=False, guarded=True, help="Why the last reading failed; empty when it did not."
    )
    dgi_error_message = fields.Text("Why it could not be read", compute="_compute_dgi_error_message")
    waiting_count = fields.Integer(
        "Waiting for the DGI",
        readonly=True,
        copy=False,
        guarded=True,
        help="Sealed documents that the DGI has yet to answer for.",
    )
    to_seal_count = fields.Integer(
        "Waiting to be sealed",
        compute="_compute_to_seal_count",
        help="Posted documents that the signer has not sealed yet; they are sent by themselves.",
    )
    oldest_number = fields.Char("Oldest waiting", readonly=True, copy=False, guarded=True)
    oldest_sealed_at = fields.Datetime("Waits since", readonly=True, copy=False, guarded=True)
    oldest_deadline = fields.Datetime(
        "To be regularised by",
        readonly=True,
        copy=False,
        guarded=True,
        help="48 hours after the seal (arrêté 033, art. 7 g).",
    )
    rejected_count = fields.Integer(
        "Rejected (7 days)",
        readonly=True,
        copy=False,
        guarded=True,
        help="Sealed documents that the DGI rejected in 7 days.",
    )
    token_expires_at = fields.Datetime("e-MCF token valid until", readonly=True, copy=False, guarded=True)
    dgi_answered_at = fields.Datetime("DGI's last answer", readonly=True, copy=False, guarded=True)
    dgi_silent_since = fields.Datetime("DGI silent since", readonly=True, copy=False, guarded=True)
    dgi_closed = fields.Boolean("Closed at the signer", readonly=True, copy=False, guarded=True)
    alarm_ids = fields.One2many(
        "bonopay.alarm", "outlet_id", "Alarms", readonly=True, copy=False, guarded=True, groups=_READERS
    )
    device_ids = fields.One2many(
        "bonopay.device", "outlet_id", "Fiscal devices", readonly=True, copy=False, guarded=True, groups=_READERS
    )
    dgi_summary = fields.Text("What to know", compute="_compute_dgi_summary", groups=_READERS)

    @api.depends("alarm_ids.level", "dgi_error", "dgi_read_at", "dgi_silent_since")
    def _compute_dgi_level(self):
        for outlet in self:
            # an alarm of its own comes after a quarter of an hour: until then nothing is wrong, nor is all well
            levels = [*outlet.alarm_ids.mapped("level"), "notice" if outlet.dgi_silent_since else "ok"]
            if outlet.dgi_error or not outlet.dgi_read_at:
                levels.append("unread")
            outlet.dgi_level = max(levels, key=_RANKS.__getitem__)
            outlet.dgi_rank = _RANKS[outlet.dgi_level]

    def _compute_to_seal_count(self):
        """What the signer cannot tell, as it does not have it."""
        domain = [("outlet_id", "in", self.ids), ("superseded", "=", False), ("state", "in", ("to_seal", "dead"))]
        counted = dict(self.env["bonopay.seal"].sudo()._read_group(domain, ["outlet_id"], ["__count"]))
        for outlet in self:
            outlet.to_seal_count = counted.get(outlet._origin, 0)

    @api.depends_context("lang")
    @api.depends("alarm_ids.rank", "alarm_ids.message", "dgi_error_message")
    def _compute_dgi_summary(self):
        for outlet in self:
            worst = outlet.alarm_ids.sorted("rank", reverse=True)[:1]
            outlet.dgi_summary = worst.message or outlet.dgi_error_message

    @api.depends_context("lang")
    @api.depends("dgi_error")
    def _compute_dgi_error_message(self):
        for outlet in self:
            outlet.dgi_error_message = (
                outlet._signer_words(SignerError(outlet.dgi_error)) if outlet.dgi_error else False
            )

    @api.constrains("manager_id", "company_id")
    def _check_manager_id(self):
        for outlet in self:
            if outlet.manager_id and not outlet._is_of_company(outlet.manager_id):
                raise ValidationError(
                    self.env._(
                        "%(user)s has no access to company %(company)s and cannot be responsible for its outlet.",
                        user=outlet.manager_id.name,
                        company=outlet.company_id.name,
                    )
                )

    def _is_of_company(self, user):
        return self.company_id in user.sudo().company_ids

    # ------------------------------------------------------------------------------------------------------------
    # Reading from the signer
    # ------------------------------------------------------------------------------------------------------------

    @api.model
    def _cron_read_status(self):
        """Read the status of all outlets that are in use, a company at a time. Never raises on a signer's refusal."""
        by_company = (
            self.sudo().search(self._due_status_domain(), order="dgi_asked_at NULLS FIRST").grouped("company_id")
        )
        self.env["ir.cron"]._commit_progress(remaining=len(by_company))
        for outlets in by_company.values():
            outlets._read_status_surely()
            if not self.env["ir.cron"]._commit_progress(1):
                break

    @api.model
    def _due_status_domain(self):
        """Outlets of companies that are connected to a signer. An archived or closed one stays until nothing waits."""
        due = fields.Datetime.subtract(fields.Datetime.now(), minutes=_FRESH_MINUTES)
        return [
            ("company_id", "in", self.env["res.company"]._bonopay_live_companies().ids),
            "|", "&", ("active", "=", True), ("state", "!=", "closed"), "&", ("active", "in", (True, False)),
            "|", ("waiting_count", ">", 0), ("alarm_ids", "!=", False),
            "|", ("dgi_asked_at", "=", False), ("dgi_asked_at", "<=", due),
        ]  # fmt: skip

    def _read_status_surely(self):
        """:meth:`_read_status`, where an unexpected error of one company does not stop the others."""
        try:
            with self.env.cr.savepoint():
                self._read_status()
        except SerializationFailure:
            return  # somebody else wrote these outlets since our snapshot: their status is fresh
        except Exception:
            _logger.exception("status of outlets %s: unexpected error", self.mapped("code"))
            self._note_asked()

    def _note_asked(self):
        """Others come first: what fails each time must not be the first of each run."""
        try:
            with self.env.cr.savepoint():
                self._free_to_write().write({"dgi_asked_at": fields.Datetime.now()})
        except SerializationFailure:
            return  # as above

    def _read_status(self):
        """Ask the signer of one company, and keep what it tells or why it tells nothing.

        Nothing is written before the answer is there: no lock is held while the network is waited for.

        :return: the error, or ``None``
        """
        try:
            with connect(self.company_id) as connection:
                items = connection.sync_status(self.code if len(self) == 1 else None)
                identities = self._ask_identities(connection)
        except SignerError as error:
            self._free_to_write()._take_status_error(error)
            return error
        told = {item["outlet_id"]: item for item in items if isinstance(item.get("outlet_id"), str)}
        for outlet in self._free_to_write():
            if outlet.code in identities:
                outlet._read_from_signer(identities[outlet.code])
            if outlet.code in told:
                outlet._take_status(dgi_status.parse(told[outlet.code]))
            else:
                outlet._take_status_error(SignerError("not_found"))
        return None

    def _unattended(self):
        """These outlets as the scheduled action sees them.

        Nothing of the caller's context comes along: its ``default_*`` would fill what the signer left open, its
        ``mail_activity_automation_skip`` would silence an alarm for everybody.
        """
        return self.with_env(self.env(user=SUPERUSER_ID, su=True, context={"tracking_disable": True}))

    def _free_to_write(self):
        """Those that nobody else is writing: a status is worth no waiting."""
        return self._unattended().try_lock_for_update(allow_referencing=True)

    def _take_status_error(self, error):
        # what was known before stays: an alarm does not end because nobody can look
        if error.code == "not_found":
            # but this signer looked: it will tell no end of what it does not know
            self._end_alarms()
        self.write({"dgi_error": error.code, "dgi_asked_at": fields.Datetime.now()})

    def _end_alarms(self):
        self.alarm_ids._end()
        self.device_ids.unlink()

    def _disconnect(self):
        """Their company left its signer: nobody would tell the end of an alarm any more.

        The counts stay: an archived outlet where something waits is read again after the next connection.
        """
        outlets = self._unattended()
        outlets._end_alarms()
        outlets.write({"dgi_read_at": False, "dgi_asked_at": False, "dgi_error": False})

    def _take_status(self, status):
        now = fields.Datetime.now()
        devices = [Command.clear(), *(Command.create(device) for device in status.devices)]
        self.write(
            {**status.values, "dgi_read_at": now, "dgi_asked_at": now, "dgi_error": False, "device_ids": devices}
        )
        self._take_alarms(status.alarms)

    def _take_alarms(self, alarms):
        known = {alarm.code: alarm for alarm in self.alarm_ids}
        for code, values in alarms.items():
            if code in known:
                known[code].write(values)
            else:
                self.env["bonopay.alarm"].create({"outlet_id": self.id, **values})
        self.alarm_ids.filtered(lambda alarm: alarm.code not in alarms)._end()
        self.alarm_ids._follow_up()

    def _responsible(self):
        """Who is called: the person named on the outlet, else a fiscal manager of its company.

        The administrator is a fiscal manager of every company by installation, and the last to be called.
        """
        self.ensure_one()
        if self.manager_id.active and self._is_of_company(self.manager_id):
            return self.manager_id
        managers = self.env["res.users"].search(
            [
                ("all_group_ids", "in", self.env.ref("bonopay_fiscal.group_fiscal_manager").ids),
                ("company_ids", "in", self.company_id.ids),
                ("share", "=", False),
            ],
            order="id",
        )
        admin = self.env.ref("base.user_admin", raise_if_not_found=False)
        return managers.sorted(lambda user: (user == admin, user.company_id != self.company_id))[:1]

    def _signer_words(self, error):
        """Why the signer did not do what a person asked for, and what to do about it, in the reader's language."""
        seal = self.env["bonopay.seal"]
        own = {
            "signer_unreachable": self.env._(
                "The signer cannot be reached. Check the network and the signer's address; invoices wait and are sent "
                "by themselves."
            ),
            "signer_timeout": self.env._("The signer did not answer in time. Try again in a few minutes."),
            "not_found": self.env._(
                "The signer does not know this outlet, or its version lacks this function. Check the outlet's code, "
                "or ask the signer's operator."
            ),
            "forbidden": self.env._("The API key is not allowed to do this for the outlet. Ask the signer's operator."),
            "answer_malformed": self.env._(
                "The signer's answer cannot be read, so it was not believed. Check the signer's address."
            ),
        }
        return (
            own.get(error.code)
            or seal._bilingual(error.document.get("message"))
            or seal._own_words().get(error.code)
            or self.env._("The signer answered “%s”. Try again, or call support with this code.", error.code)
        )

    # ------------------------------------------------------------------------------------------------------------
    # What people press and see
    # ------------------------------------------------------------------------------------------------------------

    def action_read_status(self):
        """Read the status of these outlets now.

        :raises AccessError: the caller does not read alarms
        """
        self.check_access("read")
        if not self.env.su and not self.env.user.has_groups(_READERS):
            raise AccessError(self.env._("Only people of invoicing and auditors read the DGI status of an outlet."))
        errors = [outlets._read_status() for outlets in self.sudo().grouped("company_id").values()]
        error = next(filter(None, errors), None)
        if error:
            return self._notification("warning", self._signer_words(error))
        return self._notification("success", self.env._("The status has been read."))

    def action_restart_sending(self):
        """Have everything of this outlet that waits for the DGI sent now, without waiting for the signer's own pace."""
        self.ensure_one()
        self.check_access("write")  # a fiscal manager, of a company of their own
        try:
            with connect(self.company_id) as connection:
                documents = connection.restart_sending(self.code)
        except SignerError as error:
            return self._notification("warning", self._signer_words(error))
        done = self.env._("Sending restarted: %s documents are being sent to the DGI.", documents)
        if documents == 1:
            done = self.env._("Sending restarted: 1 document is being sent to the DGI.")
        if not documents:
            done = self.env._("Sending restarted: no document was waiting.")
        self.message_post(body=done)
        self.sudo()._read_status_surely()
        return self._notification("success", done)

    @api.model
    def get_empty_list_help(self, help_message):
        # EXTENDS base: an empty list of the DGI's status is good news only where every outlet is well
        if self.env.context.get("bonopay_status"):
            # loading an action asks with sudo(): record rules alone would let other companies' outlets count
            outlets = self.search([("company_id", "in", self.env.companies.ids)])
            words = None
            if not outlets:
                words = self.env._("There is no outlet yet. Create one under Bono Pay ▸ Outlets.")
            elif set(outlets.mapped("dgi_level")) - {"ok", "notice"}:
                words = self.env._("No outlet matches. Others need attention: remove the filter to see them.")
            if words:
                help_message = Markup('<p class="o_view_nocontent_neutral_face">{}</p>').format(words)
        return super().get_empty_list_help(help_message)

    def _notification(self, kind, message):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": kind,
                "message": message,
                "sticky": kind != "success",
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    @api.readonly
    @api.model
    def dgi_banner(self):
        """What the main screens show above everything else: the urgent alarms of the caller's companies.

        :return: at most five ``{"outlet_id", "outlet", "level", "level_words", "message", "next_step"}``, worst first;
            none for a caller who does not read alarms
        """
        if not self.env["bonopay.alarm"].has_access("read"):
            return []
        in_use = ["|", ("active", "=", True), "&", ("active", "=", False), ("waiting_count", ">", 0)]
        urgent = self.env["bonopay.alarm"].search(
            [
                ("is_urgent", "=", True),
                ("company_id", "in", self.env.companies.ids),
                ("outlet_id", "any", in_use),
            ],
            order="rank desc, id",
            limit=5,
        )
        return [
            {
                "outlet_id": alarm.outlet_id.id,
                "outlet": alarm.outlet_id.display_name,
                "level": alarm.level,
                "level_words": alarm._level_words(),
                "message": alarm.message,
                "next_step": alarm.next_step or "",
            }
            for alarm in urgent
        ]
