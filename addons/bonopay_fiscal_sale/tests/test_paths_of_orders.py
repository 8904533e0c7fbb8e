from odoo.tests import tagged

from odoo.addons.bonopay_fiscal.tests.common import trap_seals

from .commerce_case import CommerceCase


@tagged("post_install", "-at_install")
class TestPathsOfOrders(CommerceCase):
    """From an order to a sealed invoice; what the law refuses stays a draft, says why, and nothing of it is lost."""

    # ------------------------------------------------------------------------------------------------------------
    # Sales order, batches
    # ------------------------------------------------------------------------------------------------------------

    def test_an_order_ends_sealed_with_its_own_total(self):
        order = self.order(self.order_line(quantity=3, price_unit=33333.33), self.order_line(self.delivery, 7))
        invoice = self.invoiced(order)
        self.post_all(invoice)
        self.assert_sealed(invoice)
        self.assertEqual(invoice.amount_total, order.amount_total)
        self.assertEqual(order.invoice_status, "invoiced")

    def test_an_order_with_a_free_line_is_refused_and_keeps_its_draft(self):
        order = self.order(self.order_line(quantity=3), self.order_line(self.delivery, 1, price_unit=0))
        invoice = self.invoiced(order)
        self.refused(invoice, r"Line 2 \(.*\): the unit price must be above zero")
        invoice.invoice_line_ids[1].unlink()
        self.post_all(invoice)
        self.assert_sealed(invoice)

    def test_many_orders_are_invoiced_and_sealed_at_once(self):
        orders = self.env["sale.order"].union(*(self.order() for _ in range(4)))
        orders[3].partner_id = orders[3].partner_invoice_id = self.walk_in
        invoices = orders._create_invoices(grouped=True)
        self.post_all(invoices)
        self.assert_sealed(invoices, 4)
        self.assertEqual(len(set(invoices.mapped("bonopay_fiscal_number"))), 4)

    def test_the_orders_of_a_customer_on_one_invoice(self):
        orders = self.order() | self.order()
        first = self.advance(orders[0])
        self.pay(first)
        invoice, credit = orders._create_invoices(final=True)
        self.assertEqual((invoice.amount_total, credit.reversed_entry_id), (2 * 530700.0, first))
        self.post_all(invoice)
        self.assert_sealed(invoice | credit, 2)

    def test_one_faulty_invoice_of_a_batch_is_named_and_none_is_issued(self):
        orders = self.order() | self.order(self.order_line(quantity=1, price_unit=0))
        invoices = orders._create_invoices(grouped=True)
        self.refused(invoices, "unit price must be above zero")
        self.post_all(invoices[0])
        self.assert_sealed(invoices[0])

    # ------------------------------------------------------------------------------------------------------------
    # Recurring
    # ------------------------------------------------------------------------------------------------------------

    def run_recurring(self):
        cron = self.env.ref("account.ir_cron_auto_post_draft_entry")
        with self.enter_registry_test_mode(), trap_seals(self.env) as trapped:
            cron.with_user(cron.user_id).method_direct_trigger()
        trapped.send()

    def copies_of(self, move):
        return self.env["account.move"].search([("auto_post_origin_id", "=", move.id), ("id", "!=", move.id)])

    def test_a_monthly_invoice_is_sealed_each_month_by_the_scheduler(self):
        rent = self.draft(self.line(self.delivery, quantity=1), auto_post="monthly")
        self.run_recurring()
        self.assert_sealed(rent)
        [following] = self.copies_of(rent)
        self.assertEqual((following.state, following.bonopay_state), ("draft", False))
        following.invoice_date = following.date = rent.invoice_date
        self.run_recurring()
        self.assert_sealed(following)

    def test_a_monthly_invoice_that_the_law_refuses_calls_its_salesperson_once(self):
        rent = self.draft(self.line(self.delivery, quantity=1, price_unit=0), auto_post="monthly")
        good = self.draft(auto_post="monthly")
        self.run_recurring()
        self.run_recurring()
        self.assertEqual((rent.state, good.bonopay_state), ("draft", "certified"))
        self.assertEqual((len(rent.activity_ids), rent.activity_ids.user_id), (1, self.salesperson))
        [fault] = rent.with_context(lang=self.salesperson.lang)._bonopay_faults()
        self.assertEqual(fault.code, "line.price")
        self.assertIn(fault.message, rent.activity_ids.note)

    # ------------------------------------------------------------------------------------------------------------
    # Debit note
    # ------------------------------------------------------------------------------------------------------------

    def debit_note(self, invoice, copy_lines=True):
        wizard = self.env["account.debit.note"].with_context(active_model="account.move", active_ids=invoice.ids)
        action = wizard.create({"reason": "Transport oublié", "copy_lines": copy_lines}).create_debit()
        return self.env["account.move"].browse(action["res_id"])

    def test_a_debit_note_is_a_sale_of_its_own_and_sealed(self):
        invoice = self.post()
        note = self.debit_note(invoice)
        note.invoice_user_id = self.salesperson
        self.post_all(note)
        self.assert_sealed(note)
        self.assertEqual((note.bonopay_invoice_type, note.debit_origin_id), ("FV", invoice))
        self.assertNotEqual(note.bonopay_fiscal_number, invoice.bonopay_fiscal_number)

    def test_a_debit_note_without_lines_is_refused(self):
        note = self.debit_note(self.post(), copy_lines=False)
        self.refused(note, "need to add a line|has no article")
