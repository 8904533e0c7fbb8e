from odoo import api, models
from odoo.exceptions import UserError

from .account_move import READ_ONLY_FIELDS

#: Proof that an invoice becomes posted by `_post`, which seals it. No remote call can put it into a context.
_ISSUING = object()
_ISSUING_KEY = "bonopay_issuing"
#: Fields that can make an issued sale out of something else.
ISSUING_FIELDS = frozenset({"state", "move_type", "company_id"})
#: Fields of an invoice that say what was sealed. Payments, reconciliation, follow-up, attachments and notes stay free.
LOCKED_FIELDS = frozenset(
    {
        "name", "state", "move_type", "journal_id", "company_id", "currency_id", "partner_id", "commercial_partner_id",
        "partner_shipping_id", "date", "invoice_date",
        "taxable_supply_date",
        "fiscal_position_id", "invoice_cash_rounding_id", "invoice_currency_rate", "line_ids", "invoice_line_ids",
        "reversed_entry_id", "sequence_number", "sequence_prefix", "posted_before", "tax_totals",
        "quick_edit_total_amount", "is_storno", "direction_sign",
        "amount_untaxed", "amount_tax", "amount_total", "amount_untaxed_signed", "amount_tax_signed",
        "amount_total_signed", "amount_total_in_currency_signed", "amount_untaxed_in_currency_signed",
        "bonopay_invoice_type", "bonopay_credit_nature", "bonopay_credit_reason",
        "bonopay_client_type", "bonopay_comments", "bonopay_payment_ids",
    }
)  # fmt: skip
#: The same for journal items.
LOCKED_LINE_FIELDS = frozenset(
    {
        "move_id", "company_id", "journal_id", "name", "product_id", "product_uom_id", "quantity", "price_unit",
        "discount", "tax_ids", "display_type", "date", "invoice_date", "partner_id", "currency_id", "currency_rate",
        "balance", "debit", "credit", "amount_currency", "price_subtotal", "price_total", "tax_base_amount",
        "tax_line_id", "tax_group_id", "tax_repartition_line_id", "group_tax_id", "tax_tag_ids", "extra_tax_data",
        "move_name", "parent_state", "account_id", "is_storno",
        "bonopay_original_price", "bonopay_price_reason",
    }
)  # fmt: skip


class AccountMove(models.Model):
    """Once a document was handed to the signer, nothing of what it says changes any more.

    Nobody is exempt: not an administrator, not code with ``sudo()``. Archiving the outlet lifts nothing.
    """

    _inherit = "account.move"

    @api.model_create_multi
    def create(self, vals_list):
        # EXTENDS 'account': what only a seal can say is not taken from a caller, a context or a file
        cleaned = [self._bonopay_without_seal_fields(vals) for vals in vals_list]
        defaults = {f"default_{name}": False for name in READ_ONLY_FIELDS if f"default_{name}" in self.env.context}
        return super(AccountMove, self.with_context(**defaults) if defaults else self).create(cleaned)

    def write(self, vals):
        # EXTENDS 'account'
        vals = self._bonopay_without_seal_fields(vals)
        self._bonopay_demand_unlocked(vals)
        if not ISSUING_FIELDS & vals.keys() or self.env.context.get(_ISSUING_KEY) is _ISSUING:
            return super().write(vals)
        before = self._bonopay_issued()
        res = super().write(vals)
        (self._bonopay_issued() - before)._bonopay_refuse_issuing()
        return res

    def _bonopay_issued(self):
        """The sales that count as issued, and so must have a seal."""
        return self.filtered(lambda move: move.state == "posted" and move.bonopay_required)

    def _bonopay_refuse_issuing(self):
        if self:
            raise UserError(
                self.env._(
                    "%s would be issued without being sealed. Create it as an invoice, and confirm it.",
                    self[0]._bonopay_label(),
                )
            )

    @api.private
    def _bonopay_issuing(self):
        """These moves, allowed to become posted: for `_post`, which seals them. Never hand the result to a caller."""
        return self.with_context(**{_ISSUING_KEY: _ISSUING})

    # at_uninstall: a caller's context could otherwise claim to be an uninstallation
    @api.ondelete(at_uninstall=True)
    def _unlink_except_handed_to_signer(self):
        own = self.env["bonopay.seal"].sudo().search_count([("move_id", "in", self.ids)], limit=1)
        if own or self._bonopay_locked_moves():
            raise UserError(
                self.env._("A document that was handed to the signer is kept, also when it was refused: cancel it.")
            )

    def _bonopay_without_seal_fields(self, vals):
        return {name: value for name, value in vals.items() if name not in READ_ONLY_FIELDS}

    def _bonopay_locked_moves(self):
        # drafts have no seal: their many writes need no look into the database
        sealed = self.sudo().filtered("posted_before")._bonopay_seal_of_each()
        return self.sudo().browse().concat(*(move for move, seal in sealed.items() if seal._locks_source()))

    def _bonopay_demand_unlocked(self, vals):
        touched = LOCKED_FIELDS & vals.keys()
        if not touched:
            return
        for move in self._bonopay_locked_moves() - self._bonopay_annulled_by(vals):
            changing = sorted(name for name in touched if self._bonopay_changes(move, vals, name))
            if changing:
                move._bonopay_refuse_change(changing)

    @api.model
    def _bonopay_changes(self, record, vals, name):
        """Whether a write would change a field; commands on lines always count."""
        field = record._fields[name]
        if field.type in ("one2many", "many2many"):
            return field.type == "one2many" or set(self._bonopay_new_ids(record, vals, name)) != set(record[name].ids)
        if field.type in ("json", "binary"):
            return True
        return self.env["account.move"]._field_will_change(record, vals, name)

    def _bonopay_new_ids(self, record, vals, name):
        return record.new({name: vals[name]}, origin=record)[name]._origin.ids

    def _bonopay_refuse_change(self, names):
        labels = ", ".join(field["string"] for field in self.fields_get(names, ["string"]).values())
        raise UserError(
            self.env._(
                "%(document)s was handed to the signer: it can no longer be changed (%(fields)s). "
                "Correct it with a credit note.",
                document=self.sudo().name or self.display_name,
                fields=labels,
            )
        )

    def button_draft(self):
        # EXTENDS 'account'
        self._bonopay_demand_unlocked({"state": "draft"})
        res = super().button_draft()
        if not self._bonopay_is_annulling():
            self._bonopay_live_seals().filtered("move_id")._supersede()  # what it was made from keeps its own
        return res


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    @api.model_create_multi
    def create(self, vals_list):
        # EXTENDS 'account'
        moves = self.env["account.move"].browse({vals["move_id"] for vals in vals_list if vals.get("move_id")})
        if default := self.env.context.get("default_move_id"):
            moves |= self.env["account.move"].browse(default)
        for move in moves._bonopay_locked_moves():
            move._bonopay_refuse_change(["invoice_line_ids"])
        return super().create(vals_list)

    def write(self, vals):
        # EXTENDS 'account'
        touched = LOCKED_LINE_FIELDS & vals.keys()
        if touched:
            self._bonopay_demand_unlocked(vals, touched)
        return super().write(vals)

    def unlink(self):
        # EXTENDS 'account'
        for move in self.move_id._bonopay_locked_moves():
            move._bonopay_refuse_change(["invoice_line_ids"])
        return super().unlink()

    def _bonopay_demand_unlocked(self, vals, touched):
        moves = self.move_id | self.env["account.move"].browse(vals.get("move_id") or [])
        locked = moves._bonopay_locked_moves()
        if not locked:
            return
        if vals.get("move_id") in locked.ids and self.filtered(lambda line: line.move_id.id != vals["move_id"]):
            self.env["account.move"].browse(vals["move_id"])._bonopay_refuse_change(["invoice_line_ids"])
        moves_api = self.env["account.move"]
        for line in self.filtered(lambda line: line.move_id in locked):
            if any(moves_api._bonopay_changes(line, vals, name) for name in touched):
                line.move_id._bonopay_refuse_change(["invoice_line_ids"])
