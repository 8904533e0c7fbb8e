import logging

from odoo import SUPERUSER_ID, api

_logger = logging.getLogger(__name__)


def migrate(cr, version):
    """Bring orders in dollars to what their francs are worth, as far as they are still to be invoiced: they were
    rounded as Odoo does, and counted the francs of specific taxes as dollars."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    orders = env["sale.order"].search(
        [
            ("currency_id", "=", env.ref("base.USD").id),
            ("company_id.currency_id", "=", env.ref("base.CDF").id),
            ("state", "in", ("draft", "sent", "sale")),
            ("invoice_status", "!=", "invoiced"),
        ]
    )
    for order in orders.filtered("company_id.bonopay_active"):
        try:
            with cr.savepoint():
                _reckon(order)
        except Exception:
            _logger.exception("Order %s keeps its amounts in dollars: open it, and compare its total.", order.id)


def _reckon(order):
    lines = order.order_line
    for name in ("price_subtotal", "price_tax", "price_total"):
        order.env.add_to_compute(lines._fields[name], lines)
    for name in ("amount_untaxed", "amount_tax", "amount_total"):
        order.env.add_to_compute(order._fields[name], order)
    order.env.flush_all()
