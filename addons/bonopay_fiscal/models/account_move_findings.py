import json
from typing import NamedTuple

from odoo import api, fields, models

#: Members of an item that come from its tax, and from its product: first token of a pointer below ``/items/N``.
_OF_THE_TAX = frozenset({"tax_group", "rate"})
_OF_THE_SPECIFIC_TAX = "specific_tax"
_OF_THE_PRODUCT = frozenset({"code", "name", "type", "unit"})


class Found(NamedTuple):
    """One thing to mend.

    :ivar words: place, rule and way out, in the reader's language
    :ivar line: the invoice line that it is about, or none
    :ivar record: where it is put right, or none: then on the invoice itself
    """

    words: str
    line: models.Model
    record: models.Model | None


class AccountMove(models.Model):
    """What keeps an invoice from being issued, each with its line and the record where it is put right."""

    _inherit = "account.move"

    bonopay_findings = fields.Html(
        "To be mended",
        compute="_compute_bonopay_findings",
        compute_sudo=True,
        sanitize=False,
        groups="base.group_user",
    )

    @api.depends_context("lang", "uid")
    @api.depends("state", "bonopay_state")
    def _compute_bonopay_findings(self):
        # sanitize=False: the template escapes every value, and nothing else makes this field
        for move in self:
            found = move._bonopay_found()
            rows = [{"words": one.words, **move._bonopay_link(one.record)} for one in found]
            move.bonopay_findings = bool(rows) and self.env["ir.qweb"]._render(
                "bonopay_fiscal.findings", {"rows": rows, "refused": bool(move._bonopay_refused_seal())}
            )

    def _bonopay_refused_seal(self):
        """The refusal that this invoice is about to be mended for: the live one, or the last that was taken back."""
        if self.bonopay_state == "invalid":
            return self._bonopay_live_seals()
        if self.state != "draft" or not self._origin.id:
            return self.env["bonopay.seal"]
        return self.env["bonopay.seal"].sudo().search([("move_id", "=", self._origin.id)], order="id desc", limit=1)

    def _bonopay_found(self):
        """What is to be mended on a saved invoice that is refused or not yet posted.

        :rtype: list[Found]
        """
        if not self._origin.id or not self.bonopay_required or (self.state, self.bonopay_state) == ("posted", False):
            return []
        if self.sudo()._bonopay_foreign_seal():
            return []  # what is to be mended is what it was made from
        refused = self._bonopay_refused_seal()
        if refused:
            return self._bonopay_findings_of(refused)
        # who has not begun to fill it in needs no list of what is missing
        if self.state != "draft" or not self.partner_id or not self.invoice_line_ids:
            return []
        return [self._bonopay_found_fault(fault) for fault in self._bonopay_faults()]

    # ------------------------------------------------------------------------------------------------------------
    # From a rule of our own
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_found_fault(self, fault):
        line = fault.record if fault.record._name == "account.move.line" else self.env["account.move.line"]
        record = fault.record
        if line:
            tax, specific = line.tax_ids._bonopay_split_taxes()
            tax = (specific if "specific" in fault.code else tax)[:1]
            record = {"tax": tax, "item": line.product_id}.get(fault.code.split(".")[0])
        elif record == self:
            record = None
        return Found(fault.message, line, record or None)

    # ------------------------------------------------------------------------------------------------------------
    # From a finding of the signer
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_findings_of(self, seal):
        """What the signer refused a document for; the comparison of totals says more than such a list."""
        if seal.comparison:
            return []
        payload = json.loads(seal.payload)
        return [
            Found(seal._finding_line(finding), *self._bonopay_place(str(finding.get("pointer") or ""), payload))
            for finding in seal._findings(seal._error_document())
        ]

    def _bonopay_place(self, pointer, payload):
        """The line and the record that a JSON pointer into the payload is about."""
        none = self.env["account.move.line"]
        match pointer.split("/")[1:]:
            case ["items", index, *member]:
                line = self._bonopay_line_at(index, payload)
                return line, self._bonopay_member_record(line, member[:1])
            case ["tax_groups", index, *_member]:
                groups = payload.get("tax_groups") or []
                code = groups[int(index)]["code"] if index.isdecimal() and int(index) < len(groups) else None
                taxes = self._bonopay_lines().tax_ids.flatten_taxes_hierarchy()
                return none, taxes.filtered(lambda tax: tax.bonopay_group == code)[:1] or None
            case ["client", *_member]:
                return none, self.commercial_partner_id or None
            case ["merchant_nif"]:
                return none, self.company_id
            case ["outlet_id"]:
                return none, self.journal_id.bonopay_outlet_id or None
            case ["credit", *_member]:
                return none, self.reversed_entry_id or None
        return none, None

    def _bonopay_line_at(self, index, payload):
        """The line that became an item, if it is still the same article: what was refused may be half mended."""
        lines, items = self._bonopay_lines(), payload.get("items") or []
        none = self.env["account.move.line"]
        if not index.isdecimal() or int(index) >= min(len(lines), len(items)) or len(lines) != len(items):
            return none
        line = lines[int(index)]
        return line if self._bonopay_item_code(line) == items[int(index)].get("code") else none

    def _bonopay_member_record(self, line, member):
        name = member[0] if member else ""
        tax, specific = line.tax_ids._bonopay_split_taxes()
        if name in _OF_THE_TAX:
            return tax[:1] or None
        if name == _OF_THE_SPECIFIC_TAX:
            return specific[:1] or None
        return (line.product_id if name in _OF_THE_PRODUCT else None) or None

    def _bonopay_link(self, record):
        """Where to open a record that the reader may read."""
        if not record or not record.with_user(self.env.user).has_access("read"):
            return {"url": False, "label": False}
        url = f"/odoo/{record._name}/{record.id}"
        return {"url": url, "label": self.env._("Open “%s”", record.display_name)}


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    bonopay_fault = fields.Char(
        "To be mended", compute="_compute_bonopay_fault", compute_sudo=True, groups="base.group_user"
    )

    @api.depends_context("lang", "uid")
    @api.depends("move_id.state", "move_id.bonopay_state")
    def _compute_bonopay_fault(self):
        """What the invoice's list of findings says about each line; nothing on what is being edited."""
        self.bonopay_fault = False
        for move, lines in self.filtered(lambda line: isinstance(line.id, int)).grouped("move_id").items():
            for found in move._bonopay_found():
                for line in found.line & lines:
                    line.bonopay_fault = "\n".join(filter(None, (line.bonopay_fault, found.words)))
