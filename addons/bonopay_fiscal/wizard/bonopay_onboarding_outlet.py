from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ..core import told
from ..models.bonopay_outlet_life import STATES

_LONGEST = 200


class BonopayOnboardingOutlet(models.TransientModel):
    """An outlet that the signer knows, or that Odoo has, or both."""

    _name = "bonopay.onboarding.outlet"
    _inherit = ["bonopay.role.guard"]
    _description = "Outlet in the onboarding"
    _order = "code"

    onboarding_id = fields.Many2one("bonopay.onboarding", required=True, ondelete="cascade", readonly=True)
    company_id = fields.Many2one(related="onboarding_id.company_id")
    code = fields.Char(readonly=True)
    name = fields.Char(readonly=True)
    address = fields.Char(readonly=True)
    nim = fields.Char("NIM", readonly=True)
    isf = fields.Char("ISF", readonly=True)
    known = fields.Boolean("Known to the signer", readonly=True)
    outlet_id = fields.Many2one("bonopay.outlet", "Attached as", readonly=True, ondelete="cascade")
    state = fields.Selection(STATES, compute="_compute_state")
    attach = fields.Boolean(help="Make it an outlet of this company.")
    for_tests = fields.Boolean(
        "For tests", help="At the signer it is registered with the DGI's test address: its sales have no fiscal value."
    )
    journal_id = fields.Many2one(
        "account.journal",
        "Sales journal",
        domain="[('type', '=', 'sale'), ('company_id', '=', company_id), ('bonopay_outlet_id', '=', False)]",
        help="Invoices of this journal will be those of the outlet. More of them can be chosen on the outlet.",
    )
    fault_count = fields.Integer("To be mended", compute="_compute_fault_count")
    result = fields.Char(compute="_compute_fault_count")

    @api.depends("outlet_id.state")
    def _compute_state(self):
        for line in self:
            line.state = line.outlet_id.state

    @api.depends_context("lang")
    @api.depends("outlet_id.state", "onboarding_id.check_ids.level")
    def _compute_fault_count(self):
        """The faults that keep it from going live: its own, and the company's."""
        for line in self:
            faults = line.onboarding_id.check_ids.filtered(lambda check: check.level == "fault")
            own = faults.filtered(
                lambda check, line=line: check.outlet_id in (line.outlet_id, check.outlet_id.browse())
            )
            line.fault_count = len(own)
            line.result = line._result_words(own)

    def _result_words(self, faults):
        """What stands between the outlet and going live; nothing where it does not go there."""
        if self.state != "preparation":
            return False
        if faults:
            return self.env._("To be mended: %s", ", ".join(faults.mapped("name")))
        return self.env._("Ready to go live")

    def _list(self, items, onboarding):
        """Show what the signer told, and what Odoo has beside it.

        :param list items: of ``GET /api/v1/outlets`` (contracts §5)
        """
        self.unlink()
        outlets = self.env["bonopay.outlet"].with_context(active_test=False)
        ours = {outlet.code: outlet for outlet in outlets.search([("company_id", "=", onboarding.company_id.id)])}
        known = {item["outlet_id"]: item for item in items}
        self.create(
            [
                {
                    "onboarding_id": onboarding.id,
                    "code": told.text(code, _LONGEST),
                    "name": told.text(known.get(code, {}).get("name"), _LONGEST) or ours[code].name,
                    **{name: told.text(known.get(code, {}).get(name), _LONGEST) for name in ("address", "nim", "isf")},
                    "known": code in known,
                    "outlet_id": ours[code].id if code in ours else False,
                }
                for code in sorted(known.keys() | ours.keys())
            ]
        )

    def _chosen(self):
        """Those that somebody wants to attach."""
        return self.filtered(lambda line: line.attach and line.known and not line.outlet_id)

    def _attach(self, items):
        """Make these outlets of the company, in preparation or for tests, if the signer knows them at this moment.

        :param list items: of ``GET /api/v1/outlets``; the lines themselves are a client's to write
        """
        told_of = {item["outlet_id"]: item for item in items}
        for line in self.filtered(lambda line: line.code in told_of):
            item = told_of[line.code]
            line.outlet_id = self.env["bonopay.outlet"].create(
                {
                    "name": told.text(item.get("name"), _LONGEST) or line.code,
                    "code": line.code,
                    "company_id": line.company_id.id,
                    "street": told.text(item.get("address"), _LONGEST),
                    "journal_ids": [Command.set(line.journal_id.ids)],
                }
            )
            line.outlet_id._read_from_signer(item)
            if line.for_tests:
                line.outlet_id.action_start_test()
            line.attach = False

    def action_open_outlet(self):
        """Open the outlet."""
        self.ensure_one()
        return self.outlet_id._get_records_action() if self.outlet_id else None

    def action_go_live(self):
        """Let the outlet sell in earnest, if every check is right at this moment.

        :raises UserError: which is not, and what to do about it
        """
        self.ensure_one()
        if not self.outlet_id:
            raise UserError(self.env._("Attach outlet %s first.", self.code))
        self.outlet_id._go_live()
