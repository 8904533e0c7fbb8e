from odoo import models
from odoo.exceptions import UserError

#: System parameter that neutralize.sql sets: the id of the last seal of the database that this one was copied from.
LAST_OF_THE_ORIGINAL = "bonopay_fiscal.last_seal_of_the_original"


class BonopaySeal(models.Model):
    """What waited in a production database stays with it: a copy sends none of it, to no signer.

    Neutralising a copy notes the last seal that it was made with; those up to it are the original's. The outlet tells
    nothing: in version 1.2.0 one could be put to tests while documents in earnest waited. This file is loaded after
    those that it extends.
    """

    _inherit = "bonopay.seal"

    def _is_of_the_original(self):
        """Whether this document is for the database that this one was copied from to send."""
        last = self.env["ir.config_parameter"].sudo().get_param(LAST_OF_THE_ORIGINAL)
        return not self.test_mode and bool(last) and self.id <= int(last)

    def _process(self, patience=None):
        # EXTENDS: the last step before the network, whichever way led here
        return True if self.sudo()._is_of_the_original() else super()._process(patience)

    def _lease(self):
        # EXTENDS: the same for what goes in batches
        return super(BonopaySeal, self.filtered(lambda seal: not seal._is_of_the_original()))._lease()

    def _retry_now(self):
        # EXTENDS: who presses the button is told why nothing happens
        held = self.filtered(lambda seal: seal._is_of_the_original())
        if self and held == self:
            raise UserError(
                self.env._(
                    "This database is a copy: what waited in the original is sent from there, and never from here. "
                    "Post a new document to try something out."
                )
            )
        return super(BonopaySeal, self - held)._retry_now()

    def _own_words(self):
        # EXTENDS
        return {
            **super()._own_words(),
            "copied_database": self.env._(
                "This database is a copy: the document is sent from the original, and never from here."
            ),
        }
