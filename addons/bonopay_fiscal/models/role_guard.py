from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError

AUDITOR = "bonopay_fiscal.group_fiscal_auditor"
FLEET = "bonopay_fiscal.group_fiscal_fleet"


class BonopayRoleGuard(models.AbstractModel):
    """Records that a role closes to its users, whatever their other groups give.

    Groups only ever add rights: an auditor who is also an accountant could post. Here the role wins. What runs with
    `sudo()`, as scheduled actions do, is not the person's doing and goes on.
    """

    _name = "bonopay.role.guard"
    _description = "Closed to roles that only read"

    def _check_access(self, operation):
        # EXTENDS base
        barred = self._bonopay_barred() if operation != "read" else None
        return barred or super()._check_access(operation)

    def _bonopay_barred(self):
        """What a role closes of these records, in the form of :meth:`_check_access`.

        :return: ``None``, or the closed records and a function that makes the error
        """
        if self.env.user.has_group(AUDITOR):
            return self, self._bonopay_auditor_error
        if self.env.user.has_group(FLEET) and (closed := self._bonopay_closed_to_fleet()):
            return closed, self._bonopay_fleet_error
        return None

    def _bonopay_demand_role(self):
        """Refuse what no write announces before much else was done, such as posting.

        :raises AccessError: the caller's role closes one of these records
        """
        if not self.env.su and (barred := self._bonopay_barred()):
            _records, error = barred
            raise error()

    def _bonopay_closed_to_fleet(self):
        """Those of these records that are sales documents, or part of one."""
        return self.browse()

    def _bonopay_auditor_error(self):
        return AccessError(
            self.env._(
                "You are an auditor: you read and export everything, and change nothing. Ask an administrator for "
                "another role under Bono Pay if you have to work with these records."
            )
        )

    def _bonopay_fleet_error(self):
        return AccessError(
            self.env._(
                "You are a fleet manager: you watch outlets, and make no sales documents. Ask an administrator for "
                "another role under Bono Pay if you have to invoice."
            )
        )


class AccountMove(models.Model):
    _name = "account.move"
    _inherit = ["bonopay.role.guard", "account.move"]

    def _bonopay_closed_to_fleet(self):
        return self.filtered(lambda move: move.sudo().is_sale_document(include_receipts=True))

    def write(self, vals):
        # EXTENDS 'account': what was no sales document when it was checked may have become one
        res = super().write(vals)
        if "move_type" in vals:
            self._bonopay_demand_role()
        return res

    def _post(self, soft=True):
        # EXTENDS 'account'
        self._bonopay_demand_role()
        return super()._post(soft)


class AccountMoveLine(models.Model):
    _name = "account.move.line"
    _inherit = ["bonopay.role.guard", "account.move.line"]

    def _bonopay_closed_to_fleet(self):
        closed = self.sudo().move_id._bonopay_closed_to_fleet()
        return self.filtered(lambda line: line.sudo().move_id in closed)


class AccountMoveSend(models.AbstractModel):
    _inherit = "account.move.send"

    @api.model
    def _check_sending_data(self, moves, **custom_settings):
        # EXTENDS 'account': sending writes with sudo()
        moves._bonopay_demand_role()
        return super()._check_sending_data(moves, **custom_settings)


class AccountPartialReconcile(models.Model):
    _name = "account.partial.reconcile"
    _inherit = ["bonopay.role.guard", "account.partial.reconcile"]


class AccountPayment(models.Model):
    _name = "account.payment"
    _inherit = ["bonopay.role.guard", "account.payment"]


class AccountPaymentMethodLine(models.Model):
    _name = "account.payment.method.line"
    _inherit = ["bonopay.role.guard", "account.payment.method.line"]


class PaymentMethod(models.Model):
    _name = "payment.method"
    _inherit = ["bonopay.role.guard", "payment.method"]


class BonopayCashMovement(models.Model):
    _name = "bonopay.cash.movement"
    _inherit = ["bonopay.role.guard", "bonopay.cash.movement"]


class BonopayPayment(models.Model):
    _name = "bonopay.payment"
    _inherit = ["bonopay.role.guard", "bonopay.payment"]

    def _bonopay_closed_to_fleet(self):
        closed = self.sudo().move_id._bonopay_closed_to_fleet()
        return self.filtered(lambda payment: payment.sudo().move_id in closed)


class PaymentTransaction(models.Model):
    _name = "payment.transaction"
    _inherit = ["bonopay.role.guard", "payment.transaction"]


class ResCountryState(models.Model):
    _name = "res.country.state"
    _inherit = ["bonopay.role.guard", "res.country.state"]


class AccountJournal(models.Model):
    _name = "account.journal"
    _inherit = ["bonopay.role.guard", "account.journal"]


class AccountTax(models.Model):
    _name = "account.tax"
    _inherit = ["bonopay.role.guard", "account.tax"]


class ProductTemplate(models.Model):
    _name = "product.template"
    _inherit = ["bonopay.role.guard", "product.template"]


class ProductProduct(models.Model):
    _name = "product.product"
    _inherit = ["bonopay.role.guard", "product.product"]


class ResPartner(models.Model):
    _name = "res.partner"
    _inherit = ["bonopay.role.guard", "res.partner"]


class ResCurrencyRate(models.Model):
    _name = "res.currency.rate"
    _inherit = ["bonopay.role.guard", "res.currency.rate"]


class ResCompany(models.Model):
    _name = "res.company"
    _inherit = ["bonopay.role.guard", "res.company"]

    def _bonopay_demand_manager(self):
        # EXTENDS: a manager who is also an auditor connects nothing
        self._bonopay_demand_role()
        return super()._bonopay_demand_manager()


class BonopayOutlet(models.Model):
    _name = "bonopay.outlet"
    _inherit = ["bonopay.role.guard", "bonopay.outlet"]

    user_ids = fields.Many2many(
        "res.users",
        string="Assigned people",
        domain="[('share', '=', False), ('company_ids', 'in', company_id)]",
        copy=False,
        help="The cashiers and supervisors of this outlet. Supervisors see its seals, both see its alarms. Left empty: "
        "all cashiers and supervisors of the company.",
    )

    @api.constrains("user_ids", "company_id")
    def _check_user_ids(self):
        for outlet in self:
            if strangers := outlet.user_ids.filtered(lambda user, outlet=outlet: not outlet._is_of_company(user)):
                raise ValidationError(
                    self.env._(
                        "%(user)s has no access to company %(company)s and cannot be assigned to its outlet.",
                        user=strangers[0].name,
                        company=outlet.company_id.name,
                    )
                )


class BonopayTaxRate(models.Model):
    _name = "bonopay.tax.rate"
    _inherit = ["bonopay.role.guard", "bonopay.tax.rate"]


class BonopaySeal(models.Model):
    _inherit = "bonopay.seal"

    user_id = fields.Many2one(index=True)  # cashiers' lists are searched by it
