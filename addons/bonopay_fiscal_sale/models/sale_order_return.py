from odoo import models

from odoo.addons.bonopay_fiscal.core import credit, payload
from odoo.addons.bonopay_fiscal.core.arithmetic import exact


class SaleOrderLine(models.Model):
    """Goods that come back after they were invoiced: a credit note on the invoice that sold them (SFE §1.25–27)."""

    _inherit = "sale.order.line"

    def _bonopay_is_taken_back(self):
        """Whether more was invoiced of this line than is due, by invoices that a credit note can name."""
        return not self.is_downpayment and self.qty_to_invoice < 0 and bool(self._bonopay_sales())

    def _bonopay_taken_back(self):
        return self.filtered(lambda line: line._bonopay_is_taken_back())

    def _bonopay_sales(self):
        """The posted invoices of these lines, the latest first."""
        invoices = self.sudo().invoice_lines.move_id
        invoices = invoices.filtered(lambda move: move.move_type == "out_invoice" and move.state == "posted")
        return invoices.sorted(lambda move: (move.invoice_date, move.id), reverse=True)

    def _bonopay_credit(self):
        """Draft the credit notes that take back what was invoiced too much; their author states the nature.

        :return: the credit notes, one per invoice that sold something of it
        """
        due = {line: -exact(line.qty_to_invoice) for line in self}
        notes = self.env["account.move"]
        for sale in self._bonopay_sales():
            lines = self.filtered(lambda line, sale=sale: due[line] > 0 and line in sale.line_ids.sale_line_ids)
            if not lines:
                continue
            note = sale._reverse_moves([lines._bonopay_return_values(sale)])
            lines._bonopay_keep_only(note, due)
            if note._bonopay_lines():
                notes += note
            else:
                note.unlink()
        return notes

    def _bonopay_return_values(self, sale):
        return {
            "invoice_origin": ", ".join(self.order_id.mapped("name")),
            "invoice_user_id": sale.invoice_user_id.id,
            "ref": self.env._("Return on %s", sale.name),
        }

    def _bonopay_keep_only(self, note, due):
        """Lower a fresh credit note to the quantities that came back, as far as its invoice has them left.

        :param dict due: line → quantity in its unit that is still to be credited; what is taken is taken off
        """
        sale = note._bonopay_credited_sale()
        stock = credit.Stock(sale, note._bonopay_earlier_credits()) if sale else None
        for line in note.invoice_line_ids:
            order_line = line.sale_line_ids & self
            taken = order_line and line._bonopay_take_back(order_line[:1], due, stock)
            if not taken:
                line.unlink()
            elif taken != exact(line.quantity):
                line.quantity = float(taken)


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    def _bonopay_take_back(self, order_line, due, stock):
        """The quantity that this line of a credit note may have.

        :rtype: Decimal
        """
        wanted = exact(order_line.product_uom_id._compute_quantity(float(due[order_line]), self.product_uom_id))
        taken = min(wanted, exact(self.quantity))
        item = payload.item(self.move_id._bonopay_line(self))
        if stock:
            taken = max(min(taken, stock.left(item) or 0), 0)
            stock.take({**item, "quantity": str(taken)})
        if taken == wanted:
            due[order_line] = exact(0)
        else:
            due[order_line] -= exact(self.product_uom_id._compute_quantity(float(taken), order_line.product_uom_id))
        return taken
