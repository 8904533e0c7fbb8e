"""Sales orders of a fiscal company."""

from odoo import Command

from odoo.addons.bonopay_fiscal.tests.common import FiscalCase, trap_seals


class SaleCase(FiscalCase):
    """A fiscal company that sells by order."""

    def make_order(self, *lines, partner=None, **values):
        """A confirmed sales order.

        :param lines: ``(product, quantity, price)``
        """
        order = self.env["sale.order"].create(
            {
                "partner_id": (partner or self.client).id,
                "user_id": self.salesperson.id,
                "order_line": [
                    Command.create({"product_id": product.id, "product_uom_qty": quantity, "price_unit": price})
                    for product, quantity, price in lines
                ],
                **values,
            }
        )
        order.action_confirm()
        return order

    def seal(self, invoices):
        """Post invoices and have the signer's twin answer.

        :return: their seals
        """
        with trap_seals(self.env) as trapped:
            invoices.action_post()
        return trapped.send()
