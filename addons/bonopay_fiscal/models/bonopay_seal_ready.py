from odoo import models


class BonopaySeal(models.Model):
    _inherit = "bonopay.seal"

    def _take_answer(self, reply):
        # what was to be sent and waited for the DGI is sent now
        source = self._source()
        waited = not source._bonopay_is_ready_to_be_sent()
        res = super()._take_answer(reply)
        if waited and source._bonopay_is_ready_to_be_sent():
            self._surely(source._bonopay_send_on)
        return res


class AccountMove(models.Model):
    _inherit = "account.move"

    def _bonopay_is_ready_to_be_sent(self):
        # EXTENDS 'bonopay.source'
        return self._is_ready_to_be_sent()

    def _bonopay_send_on(self):
        # EXTENDS 'bonopay.source'
        self._action_invoice_ready_to_be_sent()
