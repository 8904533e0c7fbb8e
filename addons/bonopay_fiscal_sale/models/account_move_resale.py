from odoo import Command, fields, models

from odoo.addons.bonopay_fiscal.core import dgi
from odoo.addons.bonopay_fiscal.core.arithmetic import exact


class AccountMove(models.Model):
    """Articles that were credited in part, and are invoiced again.

    The reductions of their order stay invoiced with the rest of the sale, and so would leave these articles alone: they
    are sold again at the net prices at which they were credited, and the order keeps its total.
    """

    _inherit = "account.move"

    def _bonopay_resell(self):
        for move in self.filtered(lambda move: move._bonopay_may_distribute()):
            commands = [command for line in move._bonopay_lines() for command in line._bonopay_resale_commands()]
            if commands:
                move.write({"invoice_line_ids": commands})

    def _bonopay_gave_reductions_back(self):
        """Whether the credit notes on this sale gave the order its reductions back, to be invoiced anew."""
        notes = self.reversal_move_ids.filtered(lambda move: move.state == "posted").invoice_line_ids
        return bool(notes.filtered(lambda line: line.display_type == "line_note").sale_line_ids)


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    bonopay_is_resold = fields.Boolean(
        "Sold again", readonly=True, help="A credit note took it back, at the net price at which it is sold again."
    )

    def _bonopay_resale_commands(self):
        """What becomes of this line of a draft where some of its units were credited at net prices."""
        parts, left = [], exact(self.quantity)
        for credited, quantity in self.sale_line_ids.sudo()._bonopay_to_sell_again():
            taken = min(left, quantity) if credited._bonopay_has_price_of(self) else 0
            if taken > 0:
                parts.append(credited._bonopay_resale_values(taken))
                left -= taken
        if not parts:
            return []
        first, *others = [*([{"quantity": float(left)}] if left else ()), *parts]
        copied = self.with_context(include_business_fields=True)
        return [
            Command.update(self.id, first),
            *(Command.create(copied.copy_data({**other, "move_id": self.move_id.id})[0]) for other in others),
        ]

    def _bonopay_has_price_of(self, line):
        """Whether this credited line was reduced from the price that the order still has."""
        return (self.bonopay_original_price, self.product_uom_id) == (line.price_unit, line.product_uom_id)

    def _bonopay_came_back(self):
        """Whether this line is of articles that were taken back at net prices; a rebate takes none back."""
        note = self.move_id
        return (
            note.move_type == "out_refund"
            and note.state == "posted"
            and note.bonopay_credit_nature != dgi.REBATE_NATURE
            and not note.reversed_entry_id._bonopay_gave_reductions_back()
        )

    def _bonopay_resale_values(self, quantity):
        names = ("price_unit", "discount", "bonopay_original_price", "bonopay_price_reason")
        return {
            **{name: self[name] for name in names},
            "quantity": float(quantity),
            "tax_ids": [Command.set(self.tax_ids.ids)],
            "extra_tax_data": False,
            "bonopay_is_resold": True,
        }


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    def _bonopay_to_sell_again(self):
        """The lines of credit notes that took something of this line back at a net price, the oldest first, each with
        the quantity that was not sold again.

        :rtype: Iterator[tuple[account.move.line, Decimal]]
        """
        lines = self.invoice_lines.filtered(lambda line: line.display_type == "product" and line.bonopay_original_price)
        sold = lines.filtered(lambda line: line.bonopay_is_resold and line.move_type == "out_invoice")
        resold = sum((exact(line.quantity) for line in sold if line.parent_state != "cancel"), exact(0))
        for line in lines.sorted("id"):
            if not line._bonopay_came_back():
                continue
            known = min(resold, exact(line.quantity))
            resold -= known
            yield line, exact(line.quantity) - known
