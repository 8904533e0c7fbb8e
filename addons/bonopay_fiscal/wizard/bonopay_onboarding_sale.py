from odoo import Command, api, fields, models
from odoo.exceptions import UserError

#: What is sold for a test, in CDF.
_PRICE = 1000.0


class BonopayOnboarding(models.TransientModel):
    """A test sale, all the way through the signer to the DGI's test environment, and its cancellation."""

    _inherit = "bonopay.onboarding"

    test_outlet_id = fields.Many2one(
        "bonopay.outlet",
        "Outlet for tests",
        domain="[('company_id', '=', company_id), ('state', '=', 'test')]",
        compute="_compute_test_outlet_id",
        store=True,
        readonly=False,
    )
    has_test_outlet = fields.Boolean(compute="_compute_has_test_outlet")
    sale_id = fields.Many2one("account.move", "Test sale", readonly=True)
    sale_state = fields.Selection(related="sale_id.bonopay_state", string="State of the test sale")
    sale_number = fields.Char(related="sale_id.bonopay_fiscal_number")
    sale_code = fields.Char(related="sale_id.bonopay_dgi_code")
    sale_message = fields.Text(related="sale_id.bonopay_message")
    credit_id = fields.Many2one("account.move", "Credit note of the test sale", readonly=True)
    credit_state = fields.Selection(related="credit_id.bonopay_state", string="State of the credit note")

    def _test_outlets(self):
        return self.env["bonopay.outlet"].search([("company_id", "=", self.company_id.id), ("state", "=", "test")])

    @api.depends("company_id", "step")
    def _compute_test_outlet_id(self):
        for onboarding in self:
            outlets = onboarding._test_outlets()
            kept = onboarding.test_outlet_id & outlets
            onboarding.test_outlet_id = kept or outlets.filtered(lambda outlet: outlet.sudo().journal_ids)[:1]

    @api.depends("company_id", "step")
    def _compute_has_test_outlet(self):
        for onboarding in self:
            onboarding.has_test_outlet = bool(onboarding._test_outlets())

    def action_make_test_sale(self):
        """Sell one article under the outlet for tests; the seal follows at once, after commit.

        :raises UserError: there is no outlet for tests, or it lacks a journal, or the law refuses the document
        """
        self.ensure_one()
        self.company_id._bonopay_demand_manager()
        move = self.env["account.move"].with_company(self.company_id).create(self._test_sale_values())
        move._bonopay_as_test_sale().action_post()
        self.write({"sale_id": move.id, "credit_id": False})

    def action_cancel_test_sale(self):
        """Take the test sale back by a credit note, so that it leaves nothing in the accounts."""
        self.ensure_one()
        self.company_id._bonopay_demand_manager()
        if not self.sale_id or self.credit_id:
            raise UserError(self.env._("There is no test sale to cancel."))
        stated = {"bonopay_credit_nature": "RAN", "bonopay_credit_reason": self.env._("Cancellation of a test sale")}
        self.credit_id = self.sale_id._reverse_moves([stated])
        self.credit_id._bonopay_as_test_sale().action_post()

    def action_open_sale(self):
        """Open the test sale."""
        return self.sale_id._get_records_action()

    def _test_sale_values(self):
        journal = self.test_outlet_id.sudo().journal_ids[:1]
        if self.test_outlet_id.state != "test" or not journal:
            raise UserError(
                self.env._(
                    "Choose an outlet that is in test and has a sales journal: attach one for tests, or start the test "
                    "on an outlet that was not used yet."
                )
            )
        line = {
            "name": self.env._("Test article"),
            "account_id": self._test_sale_account(journal).id,
            "quantity": 1,
            "price_unit": _PRICE,
            "tax_ids": [Command.set(self._test_sale_tax().ids)],
        }
        return {
            "move_type": "out_invoice",
            "journal_id": journal.id,
            "partner_id": self.env.user.partner_id.id,
            "bonopay_client_type": "PP",
            "invoice_date": fields.Date.context_today(self),
            "invoice_line_ids": [Command.create(line)],
        }

    def _test_sale_account(self, journal):
        """The journal's, or any income account: a line without product finds none by itself."""
        accounts = self.env["account.account"].sudo()
        income = [*accounts._check_company_domain(self.company_id), ("account_type", "=", "income")]
        return journal.default_account_id or accounts.search(income, limit=1)

    def _test_sale_tax(self):
        """The company's usual tax, or another of group B or A, which every article may carry."""
        own = self.company_id.sudo().account_sale_tax_id
        domain = [
            ("company_id", "=", self.company_id.id),
            ("type_tax_use", "=", "sale"),
            ("amount_type", "=", "percent"),
        ]
        usual = own.filtered(lambda tax: tax.bonopay_group in ("A", "B") and tax.amount_type == "percent")
        return usual or self.env["account.tax"].sudo().search([*domain, ("bonopay_group", "in", ("A", "B"))], limit=1)
