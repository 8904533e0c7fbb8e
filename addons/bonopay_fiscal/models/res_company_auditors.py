from odoo import api, models
from odoo.tools import plaintext2html

from .role_guard import AUDITOR


class ResCompany(models.Model):
    _inherit = "res.company"

    @api.model
    def _bonopay_call_for_barred_auditors(self):
        """Tell the owner of each company which auditors have rights to invoice that the role takes away: upgrade path.

        The role wins over a user's other groups (:class:`~.role_guard.BonopayRoleGuard`). Who posted before notices it
        only when a document is refused, unless somebody is told.
        """
        auditors = self.env["res.users"].sudo().search(
            [
                ("all_group_ids", "in", self.env.ref(AUDITOR).ids),
                ("all_group_ids", "in", self.env.ref("account.group_account_invoice").ids),
                ("share", "=", False),
            ]
        )  # fmt: skip
        for company in auditors.company_ids.root_id:
            company._bonopay_call_for(auditors.filtered(lambda user, own=company: own in user.company_ids.root_id))

    def _bonopay_call_for(self, auditors):
        """One activity, on the company's own contact, that names them."""
        user = self._bonopay_owner() or self.env["account.move"]._bonopay_administrator()
        reader = self.sudo().with_context(lang=user.lang)
        words = reader.env._(
            "These users are auditors and have rights to invoice too: %s. The role of auditor takes those away: they "
            "post and change nothing any more. Whoever is to invoice needs another role, under Settings ▸ Users ▸ Bono "
            "Pay.",
            ", ".join(f"{auditor.name} ({auditor.login})" for auditor in auditors.sorted("login")),
        )
        reader.partner_id.activity_schedule(
            "mail.mail_activity_data_warning",
            user_id=user.id,
            summary=reader.env._("Auditors who can no longer invoice"),
            note=plaintext2html(words),
        )
