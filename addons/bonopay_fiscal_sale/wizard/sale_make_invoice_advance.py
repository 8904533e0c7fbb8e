from odoo import models

#: Odoo rounds the parts of an advance by its taxes, the law by DGI group: they differ by a centime a part or so.
CENTIMES_TO_TRY = 5


class SaleAdvancePaymentInv(models.TransientModel):
    """An advance is an invoice like any other: its unit prices decide, and its taxes follow (SFE §1.5)."""

    _inherit = "sale.advance.payment.inv"

    def _prepare_down_payment_invoice_line_values(self, order, so_line, account):
        # EXTENDS 'sale': core forces the tax amounts of the percentage; the law computes them from the line
        values = super()._prepare_down_payment_invoice_line_values(order, so_line, account)
        return {**values, "extra_tax_data": False} if order.company_id.bonopay_active else values

    def _create_invoices(self, sale_orders):
        # EXTENDS 'sale'
        invoices = super()._create_invoices(sale_orders)
        if self.advance_payment_method != "delivered" and self.company_id.bonopay_active:
            self._bonopay_reach(invoices.sudo())  # as core made it: a salesperson may only read it
        return invoices

    def _bonopay_reach(self, invoice):
        """Bring an advance to the amount asked for; where no price reaches it, say so on the order.

        What is asked for has taxes in it: with prices without tax, 0.01 more of price is 0.01 or 0.02 more in all.
        """
        percentage = self.advance_payment_method == "percentage"
        asked = self.sale_order_ids.amount_total * self.amount / 100 if percentage else self.fixed_amount
        asked, line = invoice.currency_id.round(asked), invoice.invoice_line_ids.sorted("price_total")[-1:]
        direction, price = invoice.currency_id.compare_amounts(asked, invoice.amount_total), line.price_unit
        for centimes in range(1, CENTIMES_TO_TRY + 1) if direction else ():
            line.price_unit = price + direction * centimes / 100
            side = invoice.currency_id.compare_amounts(asked, invoice.amount_total)
            if not side:
                return
            if side != direction:
                line.price_unit = price + direction * (centimes - 1) / 100
                break
        if direction:
            self._bonopay_tell_difference(invoice, asked)

    def _bonopay_tell_difference(self, invoice, asked):
        currency = invoice.currency_id
        self.sale_order_ids.message_post(
            body=self.env._(
                "An advance of %(asked)s was asked for, and %(invoiced)s is invoiced: with the taxes of the order, no "
                "price comes to the amount asked for.",
                asked=currency.format(asked),
                invoiced=currency.format(invoice.amount_total),
            )
        )
