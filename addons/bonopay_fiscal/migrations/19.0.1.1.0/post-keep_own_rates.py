from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Leave the rates of companies alone that already keep dollar rates: they switch the reading on themselves."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    kept = env["res.currency.rate"].search(
        [("currency_id", "=", env.ref("base.USD").id), ("company_id", "!=", False), ("bonopay_source", "=", False)]
    )
    kept.company_id.root_id.write({"bonopay_take_rate": False})
