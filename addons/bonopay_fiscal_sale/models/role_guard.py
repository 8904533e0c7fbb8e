from odoo import models


class SaleOrder(models.Model):
    """Orders are closed to the roles that invoices are closed to: an order makes invoices with ``sudo()``."""

    _name = "sale.order"
    _inherit = ["bonopay.role.guard", "sale.order"]

    def _bonopay_closed_to_fleet(self):
        return self

    def _create_invoices(self, grouped=False, final=False, date=None):
        # EXTENDS 'sale'
        self._bonopay_demand_role()
        return super()._create_invoices(grouped=grouped, final=final, date=date)


class SaleOrderLine(models.Model):
    _name = "sale.order.line"
    _inherit = ["bonopay.role.guard", "sale.order.line"]

    def _bonopay_closed_to_fleet(self):
        return self
