from odoo import SUPERUSER_ID, api, models
from odoo.fields import Domain

#: Proof that nobody waits for a posting. No remote call can put it into a context.
_UNATTENDED = object()
_UNATTENDED_KEY = "bonopay_unattended"
#: Ids of the drafts that searches leave out; heard only beside that proof.
_FAULTY_KEY = "bonopay_faulty"


class AccountMove(models.Model):
    """What cannot be issued while nobody is there to read why stays a draft, and somebody is called.

    A customer who pays on the website has paid, whatever the law refuses of their invoice: an error would undo the
    payment and the order with it. What comes each month by itself has nobody who reads an error either.
    """

    _inherit = "account.move"

    @api.private
    def _bonopay_unattended(self):
        """These moves, to be posted for nobody: a faulty one stays a draft, instead of an error."""
        return self.with_context(**{_UNATTENDED_KEY: _UNATTENDED})

    def _bonopay_is_unattended(self):
        """Whether nobody is there to read an error."""
        return self.env.context.get(_UNATTENDED_KEY) is _UNATTENDED

    def _post(self, soft=True):
        # EXTENDS 'account'
        if not self._bonopay_is_unattended():
            return super()._post(soft)
        faulty = self._bonopay_to_post(soft).filtered(lambda move: move._bonopay_faults())
        for move in faulty:
            move._bonopay_call_for_correction()
        return super(AccountMove, (self - faulty).with_context(**{_FAULTY_KEY: None}))._post(soft)

    def _autopost_draft_entries(self, batch_size=100):
        # EXTENDS 'account': core leaves a line in the chatter, which nobody reads in time. It would also find the same
        # faulty drafts in each batch and count them as done, and those behind them would wait for ever.
        unattended = self._bonopay_unattended()
        due = [("state", "=", "draft"), ("auto_post", "!=", "no"), ("move_type", "in", self.get_sale_types())]
        faulty = unattended.search(due)._bonopay_to_post(soft=True).filtered(lambda move: move._bonopay_faults())
        for move in faulty:
            move._bonopay_call_for_correction()
        unattended = unattended.with_context(**{_FAULTY_KEY: tuple(faulty.ids)})
        return super(AccountMove, unattended)._autopost_draft_entries(batch_size=batch_size)

    @api.model
    def _search(self, domain, *args, **kwargs):
        # EXTENDS 'base'
        left_out = self.env.context.get(_FAULTY_KEY)
        if left_out and self._bonopay_is_unattended():
            domain = Domain(domain) & Domain("id", "not in", left_out)
        return super()._search(domain, *args, **kwargs)

    def _bonopay_call_for_correction(self):
        """Tell whoever is in charge why this draft could not be issued; once, however often it is tried."""
        user = self._bonopay_cashier() or self._bonopay_administrator()
        move = self.with_user(SUPERUSER_ID).with_context(lang=user.lang)
        paid = self.sudo().transaction_ids.filtered(lambda transaction: transaction.state == "done")
        summary = move.env._("Paid, and not issued as an invoice") if paid else move.env._("Not issued as an invoice")
        if move.activity_ids.filtered(lambda activity: activity.user_id == user and activity.summary == summary):
            return
        words = [move.env._("The law does not let this document be issued as it is:")]
        words += [f"• {fault.message}" for fault in self.with_context(lang=user.lang)._bonopay_faults()]
        words += [move.env._("Correct it and confirm it: the law gives 48 hours after the sale.")]
        move._bonopay_call(user, summary, "\n".join(words))

    def _is_ready_to_be_sent(self):
        # EXTENDS 'account': what waits for the DGI is sent as soon as it is normalised (SFE §1.5)
        seal = self.sudo().bonopay_seal_id
        return super()._is_ready_to_be_sent() and (not seal or seal._is_normalised())
