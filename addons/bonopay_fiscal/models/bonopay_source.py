from odoo import api, models
from odoo.tools import plaintext2html

#: Kind of the activities that the sealing process makes on sales, and ends by itself.
ALERT_TYPE = "bonopay_fiscal.mail_activity_fiscal_document"


class BonopaySource(models.AbstractModel):
    """A sale that is sealed, such as an invoice: what :class:`bonopay.seal` asks of it.

    A model that inherits from this one has the fields ``name``, ``company_id``, ``partner_id``, ``currency_id``,
    ``amount_total``, and ``bonopay_seal_ids``, the inverse of the seal's field that names it
    (:meth:`bonopay.seal._source_fields`). Whoever issues its records hands them to :meth:`bonopay.seal._freeze`, in
    the same transaction.
    """

    _name = "bonopay.source"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _description = "Fiscal document"

    # ------------------------------------------------------------------------------------------------------------
    # What is sealed
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_document(self):
        """The sale as it is now, under a new document id. Hook.

        :rtype: core.document.Document
        """
        raise NotImplementedError

    def _bonopay_outlet(self):
        """The outlet that issues it, empty where there is none. Hook.

        :rtype: bonopay.outlet
        """
        raise NotImplementedError

    def _bonopay_cashier(self):
        """The operator (SFE §1.2 w), empty when there is nobody. Hook.

        :rtype: res.users
        """
        raise NotImplementedError

    def _bonopay_credited_sources(self):
        """The sales that it takes back, as far as they were sealed as sources of their own. Hook.

        :return: records of one model of sources
        """
        return self.browse()

    # ------------------------------------------------------------------------------------------------------------
    # What came of it
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_seal_of_each(self):
        """The live seal of each of these sources that has one, whatever the caller's rights and cache say.

        :rtype: dict[bonopay.source, bonopay.seal]
        """
        name = self.env["bonopay.seal"]._source_field(self._name)
        domain = [(name, "in", self._origin.ids), ("superseded", "=", False)]
        return {seal[name]: seal for seal in self.env["bonopay.seal"].sudo().search(domain)}

    def _bonopay_live_seals(self):
        """The live seals of these sources, read from the database, whatever the caller's rights and cache say."""
        return self.env["bonopay.seal"].sudo().union(*self._bonopay_seal_of_each().values())

    def _bonopay_is_ready_to_be_sent(self):
        """Whether nothing keeps it from being handed on to the customer, such as a seal that waits. Hook."""
        return True

    def _bonopay_send_on(self):
        """It has just become ready to be sent, as its document was normalised. Hook."""

    # ------------------------------------------------------------------------------------------------------------
    # Who is called
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_call(self, user, summary, note):
        """One activity on the sale, which ends by itself when it is sealed."""
        # whoever posted or paid may be waiting: the mail about the activity goes by the queue
        self.sudo().with_context(mail_notify_force_send=False).activity_schedule(
            ALERT_TYPE, user_id=user.id, summary=summary, note=plaintext2html(note)
        )

    def _bonopay_open_calls(self):
        """The activities of the sealing process on these sales."""
        return self.sudo().activity_search([ALERT_TYPE])

    @api.model
    def _bonopay_administrator(self):
        """Who is called when nobody else can be."""
        admin = self.env.ref("base.user_admin", raise_if_not_found=False) or self.env.ref("base.user_root")
        return admin.sudo()
