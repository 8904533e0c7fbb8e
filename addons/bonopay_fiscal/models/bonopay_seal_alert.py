import logging

from odoo import models

from .bonopay_seal import OPEN_STATES

_logger = logging.getLogger(__name__)


class BonopaySeal(models.Model):
    """Whom a document calls that does not go through by itself, and how that call ends."""

    _inherit = "bonopay.seal"

    def _alert(self):
        """Put each document on the list of its author, or of somebody else who can act."""
        for seal in self:
            user = seal._whom_to_call(seal.user_id)
            seal = seal.with_context(lang=user.lang)
            if seal.state == "invalid":
                seal._source()._bonopay_open_calls().unlink()  # what it was refused for before is mended
            seal._call(user, seal._alert_note())

    def _call(self, user, note):
        """One activity on the source; texts are in the language of this recordset."""
        self._source()._bonopay_call(user, self.env._("Fiscal document needs attention"), note)

    def _alert_note(self):
        late = self.env._("Not normalised for a day. The law gives 48 hours (arrêté 033, art. 7 g).")
        refused = self.env._("Refused: nothing was sealed. Press “Correct”, mend what is listed, and confirm again.")
        parts = (self.state == "invalid" and refused, self.state in OPEN_STATES and late, self.last_error_message)
        return "\n".join(filter(None, parts))

    def _whom_to_call(self, *users):
        """The first of these who can act, else whoever is responsible for the outlet, else the administrator."""
        self.ensure_one()
        admin = self._source()._bonopay_administrator()
        candidates = [*users, self.outlet_id.sudo()._responsible(), admin]
        able = next((user for user in candidates if self._can_act(user)), None)
        if not able:
            _logger.warning("seal %s: nobody can act on it, the administrator is called", self.document_id)
        return able or admin

    def _can_act(self, user):
        """Whether a user is there and may work on the source: no customer, and not the server itself."""
        if not user.active or user.share or self.company_id not in user.company_ids:
            return False
        source = self._source().with_user(user).with_context(allowed_company_ids=self.company_id.ids)
        return source.has_access("write")

    def _close_alerts(self):
        """What was called for is done: the document is sealed."""
        for activity in self._source()._bonopay_open_calls():
            words = self.with_context(lang=activity.user_id.lang).env._("Sealed as %s.", self.fiscal_number)
            activity.action_feedback(feedback=words)
