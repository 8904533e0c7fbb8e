from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Ship the provinces, and choose the one that an outlet has as text."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    env["res.country.state"]._bonopay_create_provinces()
    env["bonopay.outlet"]._choose_provinces()
