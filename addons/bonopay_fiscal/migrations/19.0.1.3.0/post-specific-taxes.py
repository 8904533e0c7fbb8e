from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """The companies whose chart of accounts is loaded already get the examples of specific taxes, inactive."""
    api.Environment(cr, SUPERUSER_ID, {})["account.chart.template"]._bonopay_add_specific_taxes()
