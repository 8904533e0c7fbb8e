from odoo import models


class ResConfigSettings(models.TransientModel):
    """Closed to an auditor, also to one who is an administrator."""

    _name = "res.config.settings"
    _inherit = ["bonopay.role.guard", "res.config.settings"]
