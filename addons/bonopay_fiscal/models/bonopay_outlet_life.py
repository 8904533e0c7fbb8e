from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

STATES = [
    ("preparation", "In preparation"),
    ("test", "Test"),
    ("live", "Live"),
    ("suspended", "Suspended"),
    ("closed", "Closed"),
]
#: States in which an outlet binds its company: what it sells is sealed, or not sold.
BINDING_STATES = ("test", "live", "suspended")
#: State → whether the documents that an outlet may have when it enters it are test documents; ``None``: it has none.
_KIND_OF_DOCUMENTS = {"preparation": None, "test": True, "live": False, "suspended": False}


class BonopayOutlet(models.Model):
    """From its preparation to its closure.

    An outlet has documents of one kind, for their numbers are one series: an outlet for tests is one at the signer too,
    under a code of its own, and never goes live once it was used.
    """

    _inherit = "bonopay.outlet"

    #            checks of the onboarding are green
    #   preparation ─────────────────────────▶ live ◀────▶ suspended      resumed past the same checks, in an outage too
    #      │  ▲ no document yet                 │             │
    #      ▼  │                                 ▼             ▼
    #     test ────────────────────────────▶ closed ◀─────────┘        closed is final; also from preparation
    state = fields.Selection(
        STATES,
        required=True,
        readonly=True,
        default="preparation",
        copy=False,
        tracking=True,
        help="In preparation it sells nothing. In test its documents have no fiscal value. It goes live by the "
        "onboarding, once every check is green. Suspended or closed it sells nothing.",
    )
    test_mode = fields.Boolean(
        compute="_compute_test_mode",
        store=True,
        precompute=True,
        tracking=True,
        help="Invoices of this outlet go to a test environment: they have no fiscal value.",
    )

    @api.depends("state")
    def _compute_test_mode(self):
        for outlet in self:
            # a closed one stays what it was
            outlet.test_mode = outlet.test_mode if outlet.state == "closed" else outlet.state in ("preparation", "test")

    @api.model_create_multi
    def create(self, vals_list):
        vals_list = [self._with_state(vals) for vals in vals_list]
        if not self.env.su:
            # said out loud: a caller's default_state would be taken otherwise
            vals_list = [{**vals, "state": "preparation"} for vals in vals_list]
        return super().create(vals_list)

    def write(self, vals):
        vals = self._with_state(vals)
        if "state" in vals:
            for outlet in self:
                outlet._demand_reachable(vals["state"])
        return super().write(vals)

    @api.model
    def _with_state(self, vals):
        """Values in which whoever says test mode says the state.

        :raises AccessError: they come from a person, who has buttons for it
        """
        if not {"state", "test_mode"} & vals.keys():
            return vals
        if not self.env.su:
            raise AccessError(
                self.env._("The state of an outlet changes by its buttons and by the onboarding, not by writing it.")
            )
        values = {name: value for name, value in vals.items() if name != "test_mode"}
        return {"state": "test" if vals.get("test_mode") else "live", **values}

    def _demand_reachable(self, state):
        """:raises UserError: this outlet may not become that, whoever asks"""
        if state == self.state:
            return
        if self.state == "closed":
            raise UserError(
                self.env._(
                    "Outlet %s is closed for good. Register another code with the signer, and attach it.", self.code
                )
            )
        if state not in _KIND_OF_DOCUMENTS or {self.state, state} == {"live", "suspended"}:
            return  # an outlet of version 1.2.0 may be live with test documents: it is suspended and resumed as any
        kind = _KIND_OF_DOCUMENTS[state]
        if self._used_in([] if kind is None else [("test_mode", "!=", kind)]):
            raise UserError(self._other_kind_words(state))

    def _other_kind_words(self, state):
        return {
            "preparation": self.env._("Outlet %s has issued documents: suspend or close it instead.", self.code),
            "test": self.env._(
                "Outlet %s has issued documents with fiscal value: it cannot become an outlet for tests. Register "
                "another code with the signer for them.",
                self.code,
            ),
        }.get(
            state,
            self.env._(
                "Outlet %s has issued test documents, with which its series of numbers begins: it cannot go live. "
                "Register another code with the signer, attach it, and close this one.",
                self.code,
            ),
        )

    def _no_sale_words(self):
        """Why nothing is sold under this outlet now, and the way out; empty when it sells."""
        return {
            "preparation": self.env._(
                "Outlet %s is in preparation and sells nothing yet. Let it go live under Bono Pay ▸ Onboarding, or "
                "choose another journal.",
                self.display_name,
            ),
            "suspended": self.env._(
                "Outlet %s is suspended. Have a fiscal manager resume it, or choose another journal.",
                self.display_name,
            ),
            "closed": self.env._("Outlet %s is closed. Choose another journal.", self.display_name),
        }.get(self.state, "")

    # ------------------------------------------------------------------------------------------------------------
    # What a fiscal manager presses
    # ------------------------------------------------------------------------------------------------------------

    def action_onboard(self):
        """Open the onboarding of the outlet's company, by which it goes live."""
        return self.env["bonopay.onboarding"]._open(self.company_id)

    def action_start_test(self):
        """Let these outlets issue documents without fiscal value."""
        self._move_on("test", "preparation")

    def action_back_to_preparation(self):
        """Take outlets that nothing was issued under out of test."""
        self._move_on("preparation", "test")

    def action_suspend(self):
        """Sell nothing under these outlets until they are resumed; what waits goes on being sent."""
        self._move_on("suspended", "live")

    def action_resume(self):
        """Sell again under these outlets.

        In an outage too: what they sell waits for the signer or the DGI, as it does under an outlet that is live
        (48 hours: arrêté 033, art. 7 g).

        :raises UserError: a check is a fault, as for going live: what was right may have changed meanwhile
        """
        self.check_access("write")
        for outlet in self.filtered(lambda outlet: outlet.state == "suspended"):
            outlet._demand_ready(self.env._("Outlet %s cannot be resumed yet:", outlet.code), again=True)
        self._move_on("live", "suspended")

    def action_close(self):
        """Sell nothing under these outlets ever again; what waits goes on being sent."""
        self._move_on("closed", "preparation", "test", "live", "suspended")

    def _move_on(self, state, *origins):
        self.check_access("write")
        words = dict(self._fields["state"]._description_selection(self.env))
        for outlet in self:
            if outlet.state not in origins:
                raise UserError(
                    self.env._(
                        "Outlet %(outlet)s is “%(state)s”: this step starts from “%(origins)s”.",
                        outlet=outlet.code,
                        state=words[outlet.state],
                        origins="”, “".join(words[origin] for origin in origins),
                    )
                )
        self.sudo().write({"state": state})
