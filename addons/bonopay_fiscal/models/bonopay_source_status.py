from odoo import api, fields, models
from odoo.tools import SQL

from .bonopay_seal import CORRECTABLE_STATES, STATES

#: Computed fields that mirror the live seal: field of the source → field of the seal. They have no column and no
#: inverse; a value that somebody sends for them is dropped.
MIRRORED = {
    "bonopay_state": "state",
    "bonopay_fiscal_number": "fiscal_number",
    "bonopay_short_code": "short_code",
    "bonopay_dgi_code": "dgi_code",
    "bonopay_sealed_at": "sealed_at",
    "bonopay_message": "last_error_message",
    "bonopay_next_attempt_at": "next_attempt_at",
    "bonopay_comparison": "comparison_table",
    "bonopay_is_test": "test_mode",
    "bonopay_deadline_at": "deadline_at",
}
#: What only a seal can say of its source.
SEAL_FIELDS = frozenset(MIRRORED) | {"bonopay_seal_id", "bonopay_seal_ids", "bonopay_locked"}


class BonopaySource(models.AbstractModel):
    """What the live seal says, on the sale that it is of."""

    _inherit = "bonopay.source"

    bonopay_seal_id = fields.Many2one(
        "bonopay.seal", "Seal", compute="_compute_bonopay_seal", search="_search_bonopay_seal_id", compute_sudo=True
    )
    bonopay_state = fields.Selection(
        STATES, "Fiscal status", compute="_compute_bonopay_seal", search="_search_bonopay_state", compute_sudo=True
    )
    bonopay_fiscal_number = fields.Char(
        "Fiscal number", compute="_compute_bonopay_seal", search="_search_bonopay_fiscal_number", compute_sudo=True
    )
    bonopay_short_code = fields.Char(
        "Short code", compute="_compute_bonopay_seal", search="_search_bonopay_short_code", compute_sudo=True
    )
    bonopay_dgi_code = fields.Char(
        "DEF/DGI code", compute="_compute_bonopay_seal", search="_search_bonopay_dgi_code", compute_sudo=True
    )
    bonopay_sealed_at = fields.Datetime("Sealed on", compute="_compute_bonopay_seal", compute_sudo=True)
    # the reason tells how the server is set up: not for the portal
    bonopay_message = fields.Text(
        "Reason", compute="_compute_bonopay_seal", compute_sudo=True, groups="base.group_user"
    )
    bonopay_comparison = fields.Html(
        "Our totals and the DGI's",
        compute="_compute_bonopay_seal",
        compute_sudo=True,
        sanitize=False,
        groups="base.group_user",
    )
    bonopay_next_attempt_at = fields.Datetime(
        "Next attempt", compute="_compute_bonopay_seal", compute_sudo=True, groups="base.group_user"
    )
    bonopay_deadline_at = fields.Datetime(
        "To be normalised by", compute="_compute_bonopay_seal", compute_sudo=True, groups="base.group_user"
    )
    bonopay_is_test = fields.Boolean("Test document", compute="_compute_bonopay_seal", compute_sudo=True)
    bonopay_locked = fields.Boolean("Handed to the signer", compute="_compute_bonopay_seal", compute_sudo=True)

    @api.depends_context("lang")
    @api.depends("bonopay_seal_ids.superseded", *(f"bonopay_seal_ids.{name}" for name in MIRRORED.values()))
    def _compute_bonopay_seal(self):
        live = self._bonopay_seal_of_each()
        none = self.env["bonopay.seal"]
        for source in self:
            seal = live.get(source._origin, none)
            source.bonopay_seal_id = seal
            source.bonopay_locked = bool(seal) and seal.state not in CORRECTABLE_STATES
            for mirror, name in MIRRORED.items():
                source[mirror] = seal[name]

    # ------------------------------------------------------------------------------------------------------------
    # Searching and grouping by it
    # ------------------------------------------------------------------------------------------------------------

    def _search_bonopay_seal_id(self, operator, value):
        return self._bonopay_search("id", operator, value)

    def _search_bonopay_state(self, operator, value):
        return self._bonopay_search("state", operator, value)

    def _search_bonopay_fiscal_number(self, operator, value):
        return self._bonopay_search("fiscal_number", operator, value)

    def _search_bonopay_short_code(self, operator, value):
        return self._bonopay_search("short_code", operator, value)

    def _search_bonopay_dgi_code(self, operator, value):
        return self._bonopay_search("dgi_code", operator, value)

    def _bonopay_search(self, name, operator, value):
        if operator not in ("in", "like", "ilike", "=like", "=ilike", "any"):
            return NotImplemented
        live = fields.Domain("superseded", "=", False)
        found = self._bonopay_sealed_domain(live & fields.Domain(name, operator, value))
        if operator == "in" and False in value:
            found |= ~self._bonopay_sealed_domain(live & fields.Domain(name, "!=", False))
        return found

    @api.model
    def _bonopay_sealed_domain(self, seals):
        """The sources whose seals some are in a domain. Hook.

        :param Domain seals: of ``bonopay.seal``
        :rtype: Domain
        """
        return fields.Domain("bonopay_seal_ids", "any!", seals)

    @api.model
    def _bonopay_seal_sql(self, alias, name):
        """A column of the live seal, for a row of the sources' table. Hook.

        :param str alias: of that table in the query
        :param str name: the column, one of the seal's
        :rtype: odoo.tools.SQL
        """
        return SQL(
            "(SELECT seal.%s FROM bonopay_seal seal WHERE seal.%s = %s AND seal.superseded IS NOT TRUE)",
            SQL.identifier(name),
            SQL.identifier(self.env["bonopay.seal"]._source_field(self._name)),
            SQL.identifier(alias, "id"),
        )

    def _field_to_sql(self, alias, field_expr, query=None):
        # EXTENDS base: lists of sales are grouped and sorted by fiscal status without a column to keep in step
        if field_expr in ("bonopay_state", "bonopay_fiscal_number"):
            return self._bonopay_seal_sql(alias, MIRRORED[field_expr])
        return super()._field_to_sql(alias, field_expr, query)
