from odoo import api, models


class AccountMoveSend(models.AbstractModel):
    _inherit = "account.move.send"

    @api.model
    def _get_default_sending_settings(self, move, from_cron=False, **custom_settings):
        # EXTENDS 'account': what a shop sends by itself goes by a template of the settings. Where that is still Odoo's,
        # the e-mail names the legal number as any other does; what a person chose or wrote stays.
        odoo_s = self.env.ref("account.email_template_edi_invoice", raise_if_not_found=False)
        if "mail_body" not in custom_settings and odoo_s and custom_settings.get("mail_template") == odoo_s:
            custom_settings["mail_template"] = move._get_mail_template()
        return super()._get_default_sending_settings(move, from_cron=from_cron, **custom_settings)
