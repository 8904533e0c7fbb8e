from odoo import api, models
from odoo.tools import remove_accents

from ..core.provinces import PROVINCES


class ResCountryState(models.Model):
    _inherit = "res.country.state"

    @api.private
    @api.model
    def _bonopay_create_provinces(self):
        """The provinces that the database lacks: those that somebody made by hand keep their names."""
        country = self.env.ref("base.cd")
        known = self.search([("country_id", "=", country.id)])
        codes, names = {state.code.upper() for state in known}, {_plain(state.name) for state in known}
        return self.create(
            [
                {"country_id": country.id, "code": code, "name": name}
                for code, (name, _zone) in PROVINCES.items()
                if code not in codes and _plain(name) not in names
            ]
        )

    @api.private
    @api.model
    def _bonopay_find_province(self, text):
        """The province that somebody wrote as text, accents and hyphens aside; empty when it is none."""
        wanted = _plain(text)
        states = self.search([("country_id", "=", self.env.ref("base.cd").id)])
        return states.filtered(lambda state: wanted and _plain(state.name) == wanted)[:1]


def _plain(text):
    return "".join(char for char in remove_accents(text or "").lower() if char.isalnum())
