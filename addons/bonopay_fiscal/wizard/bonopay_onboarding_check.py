from odoo import api, fields, models

from ..models.bonopay_readiness import LEVELS, ask_signer


class BonopayOnboarding(models.TransientModel):
    """The checks: the company's, then those of each outlet that is not live yet. A live one has its status."""

    _inherit = "bonopay.onboarding"

    check_ids = fields.One2many("bonopay.onboarding.check", "onboarding_id", "Checks", readonly=True)
    passed = fields.Boolean(compute="_compute_progress")
    fault_count = fields.Integer(compute="_compute_progress")
    progress = fields.Integer(compute="_compute_progress", help="How many checks in a hundred are right.")

    @api.depends("check_ids.level")
    def _compute_progress(self):
        for onboarding in self:
            levels = onboarding.check_ids.mapped("level")
            onboarding.fault_count = levels.count("fault")
            onboarding.passed = bool(levels) and not onboarding.fault_count
            onboarding.progress = 100 * levels.count("ok") // len(levels) if levels else 0

    def _run_checks(self):
        """Run them all, and keep what came of each."""
        self.check_ids.sudo().unlink()
        attached = self.env["bonopay.outlet"].search(
            [("company_id", "=", self.company_id.id), ("state", "!=", "closed")]
        )
        # the signer is asked of each in turn, and a company may have hundreds that are live
        coming = attached.filtered(lambda outlet: outlet.state in ("preparation", "test"))
        # one is asked of in any case: its answer names the company
        found = coming._readiness() if coming else self._company_readiness(attached[:1])
        values = [self._check_values(*pair, number) for number, pair in enumerate(found)]
        self.env["bonopay.onboarding.check"].sudo().create(values)
        self._list_attached(attached)

    def _company_readiness(self, witness):
        return self.company_id._bonopay_readiness(ask_signer(self.company_id, witness))

    def _check_values(self, outlet, found, number):
        return {
            "onboarding_id": self.id,
            "sequence": number,
            "outlet_id": outlet.id,
            "code": found.code,
            "name": found.name,
            "level": found.level,
            "words": found.words,
            "step": found.step,
            "res_model": found.record._name if found.record else False,
            "res_ids": ",".join(map(str, found.record.ids)) if found.record else False,
        }

    def _list_attached(self, outlets):
        """The lines of the last step, where somebody came to it without the list of the signer."""
        missing = outlets - self.line_ids.outlet_id
        self.env["bonopay.onboarding.outlet"].create(
            [
                {"onboarding_id": self.id, "code": outlet.code, "name": outlet.name, "outlet_id": outlet.id}
                for outlet in missing
            ]
        )


class BonopayOnboardingCheck(models.TransientModel):
    """What came of one check, and where it is mended."""

    _name = "bonopay.onboarding.check"
    _description = "One check of the onboarding"
    _order = "sequence"

    onboarding_id = fields.Many2one("bonopay.onboarding", required=True, ondelete="cascade")
    sequence = fields.Integer()
    outlet_id = fields.Many2one("bonopay.outlet", ondelete="cascade")
    code = fields.Char()
    name = fields.Char("Check")
    level = fields.Selection(LEVELS, "Result", required=True, default="ok")
    words = fields.Text("What was found")
    step = fields.Char()
    res_model = fields.Char()
    res_ids = fields.Char()

    def action_open(self):
        """Go where this is mended: to a record, to a list of them, or to a step of the onboarding."""
        self.ensure_one()
        if self.res_model and self.res_ids:
            return self.env[self.res_model].browse(map(int, self.res_ids.split(",")))._get_records_action()
        if self.step:
            self.onboarding_id._enter(self.step)
        return None
