from odoo import api, fields, models

from ..core.connection import SignerError
from ..models.res_company import connect


class BonopayConnectionTest(models.TransientModel):
    """The checks that an integrator walks through before going live: each is green, or says what to do."""

    _name = "bonopay.connection.test"
    _inherit = ["bonopay.role.guard"]
    _description = "Connection test"

    company_id = fields.Many2one("res.company", required=True, readonly=True)
    check_ids = fields.One2many("bonopay.connection.check", "test_id", readonly=True)
    passed = fields.Boolean(compute="_compute_passed")

    @api.depends("check_ids.passed")
    def _compute_passed(self):
        for test in self:
            test.passed = all(test.check_ids.mapped("passed"))

    @api.model
    def action_open_current(self):
        """Run the checks for the current company, from the menu."""
        return self._open(self.env.company)

    @api.model
    def _open(self, company):
        company._bonopay_demand_manager()
        test = self.create({"company_id": company.id})
        test._run()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Connection test"),
            "res_model": self._name,
            "res_id": test.id,
            "view_mode": "form",
            "target": "new",
        }

    def action_run_again(self):
        """Run the checks again."""
        return self._open(self.company_id)

    def _run(self):
        checks = list(self._checks())
        self.env["bonopay.connection.check"].sudo().create(
            [
                {"test_id": self.id, "sequence": number, "passed": passed, "name": name, "advice": advice}
                for number, (passed, name, advice) in enumerate(checks)
            ]
        )

    def _checks(self):
        """Yield ``(passed, name, advice)``; a check that others depend on ends the list when it fails."""
        try:
            connection = connect(self.company_id)
        except SignerError as error:
            yield False, self.env._("Address and API key"), self._advice(error)
            return
        yield True, self.env._("Address and API key"), False
        with connection:
            try:
                connection.health()
            except SignerError as error:
                yield False, self.env._("Signer reachable"), self._advice(error)
                return
            yield True, self.env._("Signer reachable"), self.company_id.sudo().bonopay_signer_url
            yield from self._outlet_checks(connection)

    def _outlet_checks(self, connection):
        outlets = self.company_id.sudo().bonopay_outlet_ids
        if not outlets:
            yield (
                False,
                self.env._("Outlets"),
                self.env._("The company has no outlet. Create one under Bono Pay ▸ Outlets."),
            )
        for outlet in outlets:
            yield from self._one_outlet_checks(connection, outlet)

    def _one_outlet_checks(self, connection, outlet):
        known, accepted = self.env._("Outlet %s known to the signer", outlet.code), self.env._("API key accepted")
        try:
            answer = connection.outlet(outlet.code).body
        except SignerError as error:
            yield False, accepted if error.status in (401, 403) else known, self._advice(error)
            return
        outlet._read_from_signer(answer)
        yield True, accepted, False
        yield True, known, " – ".join(filter(None, (outlet.name, outlet.nim, outlet.isf)))
        device = answer.get("dgi") or {}
        yield device.get("state") == "ready", self.env._("DGI device of %s ready", outlet.code), device.get("detail")
        ours = self.env["account.move"]._bonopay_nif(self.company_id.vat)
        theirs = answer.get("merchant_nif") or answer.get("nif")
        yield (
            bool(ours) and ours == theirs,
            self.env._("NIF of the company equals the signer's"),
            ours
            if ours == theirs
            else self.env._("%(ours)s here, %(theirs)s there.", ours=ours or "–", theirs=theirs or "–"),
        )
        yield (
            bool(outlet.journal_ids),
            self.env._("Outlet %s has a sales journal", outlet.code),
            ", ".join(outlet.journal_ids.mapped("name")) or self.env._("Choose a sales journal on the outlet."),
        )

    def _advice(self, error):
        """The words that a waiting document would show for the same error."""
        if error.code == "not_found":
            return self.env._("The signer does not know this outlet. Check its code, or have it registered.")
        seal = self.env["bonopay.seal"]
        return (
            seal._bilingual(error.document.get("message"))
            or seal._own_words().get(error.code)
            or self.env._("The signer answered “%s”.", error.code)
        )


class BonopayConnectionCheck(models.TransientModel):
    _name = "bonopay.connection.check"
    _description = "One check of a connection test"
    _order = "sequence"

    test_id = fields.Many2one("bonopay.connection.test", required=True, ondelete="cascade")
    sequence = fields.Integer()
    passed = fields.Boolean()
    name = fields.Char("Check")
    advice = fields.Char("Result")
