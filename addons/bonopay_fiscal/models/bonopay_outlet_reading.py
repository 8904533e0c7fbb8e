import logging

from psycopg2.errors import SerializationFailure

from odoo import SUPERUSER_ID, Command, api, fields, models

from ..core import dgi_status
from ..core.connection import SignerError
from .res_company import connect

_logger = logging.getLogger(__name__)

#: Minutes after which a status is read again; a little less than the cron's interval.
_FRESH_MINUTES = 4


class BonopayOutlet(models.Model):
    """The way from the signer to the status of an outlet: every few minutes, and on demand."""

    _inherit = "bonopay.outlet"

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
