from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL

from ..core import dgi, payload, payments


class BonopayCashMovement(models.Model):
    """Cash that is put into the till of an outlet or taken out of it, other than by a sale (SFE §1.10).

    Declared once and never changed: a mistake is corrected by the opposite movement. Numbered for each outlet without
    gap.
    """

    _name = "bonopay.cash.movement"
    _description = "Cash in or out"
    _order = "id desc"
    _check_company_auto = True

    name = fields.Char("Number", readonly=True, copy=False)
    number = fields.Integer(readonly=True, copy=False, aggregator=None)
    outlet_id = fields.Many2one(
        "bonopay.outlet",
        required=True,
        index=True,
        ondelete="restrict",
        default=lambda self: self._default_outlet(),
        domain="[('company_id', 'in', allowed_company_ids)]",
    )
    company_id = fields.Many2one(related="outlet_id.company_id", store=True, index=True)
    user_id = fields.Many2one(
        "res.users",
        "Operator",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
        default=lambda self: self.env.user,
    )
    moved_at = fields.Datetime("Date and time", required=True, readonly=True, default=fields.Datetime.now)
    direction = fields.Selection([("in", "Cash in"), ("out", "Cash out")], required=True, default="in")
    amount = fields.Monetary(required=True)
    signed_amount = fields.Monetary("In less out", compute="_compute_signed_amount", store=True)
    currency_id = fields.Many2one(
        "res.currency",
        required=True,
        compute="_compute_currency_id",
        store=True,
        readonly=False,
        precompute=True,
        domain=[("name", "in", (dgi.CURRENCY, payments.DOLLARS))],
    )
    reason = fields.Char(required=True, help="Change for the till, deposit at the bank, petty expense…")

    _number_unique = models.Constraint("UNIQUE(outlet_id, number)", "This number was given already.")
    _amount_positive = models.Constraint(
        "CHECK(amount > 0)", "The amount of cash must be above zero: choose whether it came in or went out."
    )

    @api.model
    def _default_outlet(self):
        outlets = self.env["bonopay.outlet"].search([("company_id", "=", self.env.company.id)], limit=2)
        return outlets if len(outlets) == 1 else outlets.browse()

    @api.depends("outlet_id")
    def _compute_currency_id(self):
        for movement in self:
            company = movement.outlet_id.company_id or self.env.company
            movement.currency_id = movement.currency_id or company.currency_id

    @api.depends("amount", "direction")
    def _compute_signed_amount(self):
        for movement in self:
            movement.signed_amount = movement.amount if movement.direction == "in" else -movement.amount

    @api.constrains("currency_id", "reason", "outlet_id")
    def _check_declaration(self):
        for movement in self:
            if movement.currency_id.name not in (dgi.CURRENCY, payments.DOLLARS):
                raise ValidationError(
                    self.env._("Cash is declared in CDF or USD, not in %s.", movement.currency_id.name)
                )
            if not payload.clean_text(movement.reason):
                raise ValidationError(self.env._("Say why the cash was moved: the reason is empty."))
            if not movement.outlet_id.active:
                raise ValidationError(
                    self.env._("Outlet “%s” is archived. Choose another one.", movement.outlet_id.display_name)
                )

    @api.model_create_multi
    def create(self, vals_list):
        """Whatever a caller says, the operator is who declares it, and the time is now."""
        operator = self.env.uid
        if operator == SUPERUSER_ID:
            raise UserError(self.env._("Cash is declared by a person: log in as the one who moved it."))
        stated = [{name: value for name, value in vals.items() if name in self._stated_fields()} for vals in vals_list]
        now = fields.Datetime.now()
        movements = super().create([{**vals, "user_id": operator, "moved_at": now} for vals in stated])
        for movement in movements.sudo().sorted("id"):
            movement._give_number()
        return movements

    @api.model
    def _stated_fields(self):
        return {"outlet_id", "direction", "amount", "currency_id", "reason"}

    def _give_number(self):
        outlet = self.outlet_id
        # of two at once the second starts over: it would not see the number of the first
        self.env.cr.execute(SQL("UPDATE bonopay_outlet SET code = code WHERE id = %s", outlet.id))
        [(last,)] = self._read_group([("outlet_id", "=", outlet.id)], aggregates=["number:max"])
        number = (last or 0) + 1
        self.write({"number": number, "name": f"{outlet.code}-{number:06d}"})

    def write(self, vals):
        self.check_access("write")
        if self.filtered("number"):
            raise UserError(self._words_of_refusal())
        return super().write(vals)

    def copy(self, default=None):
        if self:
            raise UserError(self._words_of_refusal())
        return super().copy(default)

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self._words_of_refusal())

    def _words_of_refusal(self):
        return self.env._(
            "A movement of cash stays as it was declared (SFE §1.10). Declare the opposite movement, and say in its "
            "reason which one it corrects."
        )
