from odoo import Command
from odoo.tests import tagged

from .commerce_case import CommerceCase


@tagged("post_install", "-at_install")
class TestPathsOfExpenses(CommerceCase):
    """What was spent for a customer is invoiced to them like any other sale."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hotel = cls._product("Hôtel", "HOTEL", "service", 0.0, cls.tax_b_services)
        cls.hotel.write({"can_be_expensed": True, "expense_policy": "cost", "invoice_policy": "delivery"})
        cls.employee = cls.env["hr.employee"].create(
            {"name": "Employée", "company_id": cls.company.id, "work_contact_id": cls.walk_in.id}
        )

    def reinvoiced(self, amount):
        """An invoice of an expense that was made for an order."""
        order = self.order(self.order_line(self.delivery, 1))
        expense = self.env["hr.expense"].create(
            {
                "name": "Nuit à Matadi",
                "product_id": self.hotel.id,
                "total_amount_currency": amount,
                "employee_id": self.employee.id,
                "sale_order_id": order.id,
                "tax_ids": [Command.clear()],
            }
        )
        expense.action_submit()
        expense._do_approve(check=False)
        action = expense.action_post()
        self.env[action["res_model"]].with_context(**action["context"]).browse(action["res_id"]).action_post_entry()
        return order, self.invoiced(order)

    def test_an_expense_made_for_a_customer_is_invoiced_and_sealed(self):
        order, invoice = self.reinvoiced(75000.0)
        self.assertEqual(invoice.invoice_line_ids.mapped("price_unit"), [7500.0, 75000.0])
        self.post_all(invoice)
        self.assert_sealed(invoice)
        self.assertEqual(order.invoice_status, "invoiced")

    def test_an_expense_without_a_tax_to_sell_with_is_refused(self):
        self.hotel.taxes_id = False
        _order, invoice = self.reinvoiced(75000.0)
        self.refused(invoice, "choose exactly one tax")
