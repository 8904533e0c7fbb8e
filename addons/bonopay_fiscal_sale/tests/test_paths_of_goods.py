from odoo.exceptions import UserError
from odoo.tests import Form, tagged

from .commerce_case import CommerceCase


@tagged("post_install", "-at_install")
class TestPathsOfGoods(CommerceCase):
    """Delivered quantities are what is invoiced; what comes back is credited on the invoice that sold it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rice.is_storable = True
        cls.rice.invoice_policy = "delivery"
        cls.warehouse = cls.env["stock.warehouse"].search([("company_id", "=", cls.company.id)], limit=1)
        cls.env["stock.quant"]._update_available_quantity(cls.rice, cls.warehouse.lot_stock_id, 100)

    def deliver(self, order, quantity):
        [picking] = order.picking_ids.filtered(lambda one: one.state not in ("done", "cancel"))
        picking.move_ids.quantity = quantity
        picking.move_ids.picked = True
        picking.with_context(skip_backorder=True).button_validate()
        return picking

    def take_back(self, picking, quantity):
        form = Form(self.env["stock.return.picking"].with_context(active_id=picking.id, active_model="stock.picking"))
        wizard = form.save()
        wizard.product_return_moves.quantity = quantity
        wizard.product_return_moves.to_refund = True
        back = self.env["stock.picking"].browse(wizard.action_create_returns()["res_id"])
        back.move_ids.quantity = quantity
        back.move_ids.picked = True
        back.button_validate()

    def delivered_and_invoiced(self, ordered=10, delivered=6):
        order = self.order(self.order_line(quantity=ordered))
        picking = self.deliver(order, delivered)
        invoice = self.invoiced(order)
        self.post_all(invoice)
        return order, picking, invoice

    def test_row_13_what_was_delivered_is_what_is_sealed(self):
        _order, _picking, invoice = self.delivered_and_invoiced()
        self.assert_sealed(invoice)
        self.assertIn('"quantity":"6"', invoice.bonopay_seal_id.payload)

    def test_row_13_nothing_delivered_nothing_invoiced(self):
        order = self.order(self.order_line(quantity=10))
        with self.assertRaisesRegex(UserError, "have been delivered"):
            self.invoiced(order)

    def test_sfe_1_26_goods_that_come_back_are_credited_on_their_invoice(self):
        order, picking, invoice = self.delivered_and_invoiced()
        self.take_back(picking, 2)
        credit = self.invoiced(order)
        self.assertEqual((credit.move_type, credit.reversed_entry_id), ("out_refund", invoice))
        self.assertEqual(credit.invoice_line_ids.quantity, 2)
        self.refused(credit, "State the nature")
        credit.write({"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Sacs déchirés"})
        self.post_all(credit)
        self.assert_sealed(credit)
        self.assertEqual(order.order_line.qty_to_invoice, 0)

    def test_sfe_1_22_more_delivered_and_some_taken_back_are_two_documents(self):
        order = self.order(self.order_line(quantity=10), self.order_line(self.delivery, 1))
        picking = self.deliver(order, 10)
        sold = self.invoiced(order)
        self.post_all(sold)
        self.take_back(picking, 3)
        order.order_line = [self.order_line(self.delivery, 2)]
        invoice, credit = self.invoiced(order)
        self.assertEqual((invoice.move_type, invoice.invoice_line_ids.quantity), ("out_invoice", 2))
        self.assertEqual((credit.reversed_entry_id, credit.invoice_line_ids.quantity), (sold, 3))
        credit.write({"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Sacs déchirés"})
        self.post_all(invoice | credit)
        self.assert_sealed(invoice | credit, 2)

    def delivered_twice(self):
        """An order, its first picking, and the invoices of six bags and of four."""
        order = self.order(self.order_line(quantity=10))
        picking = self.deliver_part(order, 6)
        first = self.invoiced(order)
        self.post_all(first)
        self.deliver(order, 4)
        second = self.invoiced(order)
        self.post_all(second)
        return order, picking, first, second

    def credited(self, order):
        """Invoice → quantity, of the credit notes on what came back; they are sealed."""
        notes = self.invoiced(order)
        notes.write({"bonopay_credit_nature": "RAM", "bonopay_credit_reason": "Sacs déchirés"})
        self.post_all(notes)
        self.assert_sealed(notes, len(notes))
        return {note.reversed_entry_id: note.invoice_line_ids.quantity for note in notes}

    def test_sfe_1_26_what_comes_back_of_two_invoices_is_credited_on_each(self):
        order, picking, first, second = self.delivered_twice()
        self.take_back(picking, 5)
        self.assertEqual(self.credited(order), {second: 4, first: 1})

    def test_sfe_1_27_what_earlier_credit_notes_took_is_not_credited_again(self):
        order, picking, first, second = self.delivered_twice()
        self.take_back(picking, 3)
        self.assertEqual(self.credited(order), {second: 3})
        self.take_back(picking, 3)
        self.assertEqual(self.credited(order), {second: 1, first: 2})

    def deliver_part(self, order, quantity):
        """Deliver a part; the rest waits in a picking of its own."""
        picking = order.picking_ids
        picking.move_ids.quantity = quantity
        picking.move_ids.picked = True
        action = picking.button_validate()
        self.env[action["res_model"]].with_context(**action["context"]).create({}).process()
        return picking
