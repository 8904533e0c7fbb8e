"""Orders of a Congolese company whose sales are sealed."""

from odoo import Command
from odoo.exceptions import UserError

from odoo.addons.bonopay_fiscal.tests.common import trap_seals

from .common import SaleCase


class CommerceCase(SaleCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.user.group_ids |= cls.env.ref("sales_team.group_sale_manager")
        (cls.rice | cls.delivery).invoice_policy = "order"

    @classmethod
    def order_line(cls, product=None, quantity=2, **values):
        """Values of a line of an order."""
        return Command.create({"product_id": (product or cls.rice).id, "product_uom_qty": quantity, **values})

    @classmethod
    def order(cls, *lines, confirm=True, **values):
        """An order for a company; ten bags of rice and their delivery unless told: 457 500.00 without tax."""
        order = cls.env["sale.order"].create(
            {
                "partner_id": cls.client.id,
                "user_id": cls.salesperson.id,
                "order_line": list(lines) or [cls.order_line(quantity=10), cls.order_line(cls.delivery, 1)],
                **values,
            }
        )
        if confirm:
            order.action_confirm()
        return order

    def invoice_wizard(self, order, method="delivered", **values):
        wizard = self.env["sale.advance.payment.inv"].with_context(active_ids=order.ids)
        return wizard.create({"advance_payment_method": method, "sale_order_ids": [Command.set(order.ids)], **values})

    def advance(self, order, method="percentage", amount=30.0, post=True):
        """An advance on an order, sealed."""
        field = "amount" if method == "percentage" else "fixed_amount"
        invoice = self.invoice_wizard(order, method, **{field: amount})._create_invoices(order)
        invoice = self.env["account.move"].browse(invoice.id)
        return self.post(invoice) if post else invoice

    def invoiced(self, order):
        """What the final invoicing of an order makes."""
        return self.env["account.move"].browse(self.invoice_wizard(order)._create_invoices(order).ids)

    def pay(self, invoice):
        wizard = self.env["account.payment.register"].with_context(active_model="account.move", active_ids=invoice.ids)
        wizard.create({})._create_payments()

    def post_all(self, moves):
        """Post invoices, and whatever is issued with them; send the seals."""
        return self.seal(moves).move_id

    def assert_sealed(self, moves, count=1):
        """All of them are normalised, and there are as many as expected."""
        self.assertEqual(len(moves), count)
        self.assertEqual(set(moves.mapped("bonopay_state")), {"certified"})

    def refused(self, moves, words):
        """Posting them is refused in such words, and they stay drafts."""
        with trap_seals(self.env) as trapped, self.assertRaisesRegex(UserError, words), self.env.cr.savepoint():
            moves.action_post()
        self.assertEqual((set(moves.mapped("state")), len(trapped.seals)), ({"draft"}, 0))
