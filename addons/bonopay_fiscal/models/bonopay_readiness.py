"""What must be right before an outlet goes live: small checks, in registries that other modules extend."""

from typing import NamedTuple

from odoo import fields, models
from odoo.exceptions import UserError

from ..core.connection import SignerError
from .res_company import connect

_NOT_ALLOWED = 403
LEVELS = [("ok", "Right"), ("hint", "Worth a look"), ("fault", "To be mended")]


class Check(NamedTuple):
    """What came of one check.

    :ivar code: its stable name
    :ivar name: what was checked, in the reader's language
    :ivar level: ``ok``, ``hint`` (does not keep an outlet from going live) or ``fault``
    :ivar words: what was found, and the way out where something is wrong
    :ivar record: where it is mended: one record, several, or ``None``
    :ivar step: the step of the onboarding where it is mended otherwise
    :ivar passing: a fault that says nothing against an outlet that sold before: documents can wait until it is over
    """

    code: str
    name: str
    level: str
    words: str = ""
    record: models.Model | None = None
    step: str = ""
    passing: bool = False


class Told(NamedTuple):
    """What the signer told when it was asked for the checks.

    :ivar error: why it told nothing, or ``None``
    :ivar outlets: outlet code → answer of ``GET /api/v1/outlets/{outlet_id}``, or the :class:`SignerError` in its place
    :ivar ahead: seconds that its clock is ahead of this server's, or ``None``
    :ivar health: answer of ``GET /health``
    """

    error: SignerError | None
    outlets: dict
    ahead: float | None = None
    health: dict = {}  # noqa: RUF012 - never written


def check(code, name, trouble, fine="", *, level="fault", record=None, step="", passing=False):
    """A check that is right unless there is trouble: words that say it, with the way out."""
    if trouble:
        return Check(code, name, level, trouble, record, step, passing)
    return Check(code, name, "ok", fine or "")


def ask_signer(company, outlets):
    """Ask the signer of a company for what the checks need. Never raises on its refusals.

    :rtype: Told
    """
    try:
        with connect(company) as connection:
            health = connection.health().body
            ahead = _ahead(connection)
            answers = {outlet.code: _answer(connection, outlet.code) for outlet in outlets}
            return Told(None, answers, ahead, health)
    except SignerError as error:
        return Told(error, {})


def _ahead(connection):
    now = fields.Datetime.now()
    try:
        clock = connection.clock()
    except SignerError as error:
        if error.status != _NOT_ALLOWED:
            raise
        return None  # a key for sealing alone: no reason against going live
    return (clock - now).total_seconds() if clock else None


def _answer(connection, code):
    try:
        return connection.outlet(code).body
    except SignerError as error:
        return error


class BonopayOutlet(models.Model):
    """The gate: an outlet goes live, or sells again, when no check of its own or of its company is a fault."""

    _inherit = "bonopay.outlet"

    def _readiness(self):
        """The checks of these outlets of one company, after the company's own.

        :return: ``[(outlet or none, Check), …]``
        """
        company = self.company_id.ensure_one()
        told = ask_signer(company, self)
        for outlet in self:
            answer = told.outlets.get(outlet.code)
            if isinstance(answer, dict):
                outlet._read_from_signer(answer)
        checks = company._bonopay_readiness(told)
        for outlet in self:
            checks += [(outlet, found) for made in outlet._readiness_checks() if (found := made(told))]
        return checks

    def _go_live(self):
        """Sell in earnest under this outlet.

        :raises UserError: a check is a fault, or the outlet was used for tests
        """
        self.ensure_one()
        self.check_access("write")
        self._demand_reachable("live")
        if self.state not in ("preparation", "test"):
            raise UserError(self.env._("Outlet %s has gone live already, or is closed.", self.code))
        self._demand_ready(self.env._("Outlet %s cannot go live yet:", self.code))
        self.sudo().write({"state": "live"})

    def _demand_ready(self, title, again=False):
        """:raises UserError: a check is a fault; under the title, all that are

        :param bool again: these outlets sold before: what passes by itself keeps none of them from it
        """
        faults = [found for _outlet, found in self._readiness() if found.level == "fault"]
        faults = [found for found in faults if not (again and found.passing)]
        if faults:
            raise UserError("\n".join([title, *(f"• {found.name}: {found.words}" for found in faults)]))


class ResCompany(models.Model):
    _inherit = "res.company"

    def _bonopay_readiness(self, told=None):
        """The checks of the company alone, in the form of ``bonopay.outlet._readiness``."""
        told = told or ask_signer(self, self.env["bonopay.outlet"])
        none = self.env["bonopay.outlet"]
        return [(none, found) for made in self._bonopay_readiness_checks() if (found := made(told))]
