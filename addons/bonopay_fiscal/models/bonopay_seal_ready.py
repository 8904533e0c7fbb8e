from odoo import models


class BonopaySeal(models.Model):
    _inherit = "bonopay.seal"

    def _take_answer(self, reply):
        # what was to be sent and waited for the DGI is sent now
        with self.move_id._send_only_when_ready():
            return super()._take_answer(reply)
