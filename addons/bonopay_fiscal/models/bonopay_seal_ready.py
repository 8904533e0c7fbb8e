from odoo import models


class BonopaySeal(models.Model):
    _inherit = "bonopay.seal"

    def _take_answer(self, reply):
        # what was to be sent and waited for the DGI is sent now
        waited = not self.move_id._is_ready_to_be_sent()
        res = super()._take_answer(reply)
        if waited and self.move_id._is_ready_to_be_sent():
            self._surely(self.move_id._action_invoice_ready_to_be_sent)
        return res
