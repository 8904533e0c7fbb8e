from odoo import api, fields, models

from ..core.connection import SignerError
from ..models.res_company import connect

STEPS = [
    ("connect", "Connection"),
    ("outlets", "Outlets"),
    ("checks", "Checks"),
    ("sale", "Test sale"),
    ("live", "Going live"),
]
_ORDER = [step for step, _label in STEPS]


class BonopayOnboarding(models.TransientModel):
    """From nothing to an outlet that sells in earnest, and the checks of the connection at any time after.

    Nothing is lost by leaving it: each step writes what it does, and the next visit begins where there is something
    to do.
    """

    _name = "bonopay.onboarding"
    _inherit = ["bonopay.connection.form"]
    _description = "Onboarding"

    step = fields.Selection(STEPS, required=True, default="connect", readonly=True)
    error_message = fields.Text(readonly=True)
    line_ids = fields.One2many("bonopay.onboarding.outlet", "onboarding_id", "Outlets")
    operator_command = fields.Text(compute="_compute_operator_command")

    @api.depends("company_id")
    def _compute_display_name(self):
        for onboarding in self:
            onboarding.display_name = self.env._("Onboarding of %s", onboarding.company_id.name)

    @api.depends("company_id")
    def _compute_operator_command(self):
        for onboarding in self:
            nif = self.env["account.move"]._bonopay_nif(onboarding.company_id.sudo().vat) or "NIF"
            onboarding.operator_command = (
                f'bonopay-signer outlet add --id KIN001 --merchant {nif} --name "…" --address "…" '
                "--nim … --isf … --dgi-url https://… --dgi-token-file …"
            )

    # ------------------------------------------------------------------------------------------------------------
    # Opening
    # ------------------------------------------------------------------------------------------------------------

    @api.model
    def action_open_current(self):
        """Open the onboarding of the current company, from the menu."""
        return self._open(self.env.company)

    @api.model
    def _open(self, company):
        """Open it for a company, where there is something to do.

        :raises AccessError: the caller does not manage the company
        """
        company._bonopay_demand_manager()
        url = company.sudo().bonopay_signer_url
        onboarding = self.create({"company_id": company.id, "signer_url": url, "shown_signer_url": url})
        onboarding._begin()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Onboarding"),
            "res_model": self._name,
            "res_id": onboarding.id,
            "view_mode": "form",
            "views": [(False, "form")],
            "target": "current",
        }

    def _begin(self):
        company = self.company_id.sudo()
        if not company.bonopay_signer_url or not company.bonopay_key_set:
            self.step = "connect"
        elif not company.bonopay_outlet_ids:
            self._enter("outlets")
        else:
            self._enter("checks")

    # ------------------------------------------------------------------------------------------------------------
    # Walking
    # ------------------------------------------------------------------------------------------------------------

    def action_next(self):
        """Do what this step is for, and go on; stay, with the reason, where it does not succeed."""
        self.ensure_one()
        if self.step == "connect":
            self._save_connection()
        elif self.step == "outlets" and (chosen := self.line_ids._chosen()):
            items = self._ask_outlets()
            if items is None:
                return
            chosen._attach(items)
        self._enter(_ORDER[min(_ORDER.index(self.step) + 1, len(_ORDER) - 1)])

    def action_back(self):
        """Go back one step."""
        self.ensure_one()
        self._enter(_ORDER[max(_ORDER.index(self.step) - 1, 0)])

    def action_refresh(self):
        """Look again: at the signer, at the checks, at the test sale."""
        self.ensure_one()
        self._enter(self.step)

    def _enter(self, step):
        """Come to a step, with what it shows read afresh."""
        self.company_id._bonopay_demand_manager()
        self.error_message = False
        if step == "outlets" and not self._list_outlets():
            step = "connect"
        elif step in ("checks", "live"):
            self._run_checks()
        self.step = step

    def _ask_outlets(self):
        """The signer's outlets.

        :return: items of ``GET /api/v1/outlets``, or ``None``; why is in ``error_message`` then
        """
        try:
            with connect(self.company_id) as connection:
                items = connection.outlets()
        except SignerError as error:
            self.error_message = self.env["bonopay.outlet"]._signer_words(error)
            return None
        return [item for item in items if isinstance(item.get("outlet_id"), str)]

    def _list_outlets(self):
        """The signer's outlets and the company's, side by side.

        :return: whether the signer told; why not is in ``error_message``
        """
        items = self._ask_outlets()
        if items is None:
            return False
        self.line_ids._list(items, self)
        return True
