from odoo import api, models
from odoo.exceptions import AccessError

#: Proof that a write comes from this module's own code. An object of Python cannot travel in the JSON or XML of a
#: remote call, and equality is identity: whoever calls from outside cannot put it into a context.
_WRITER = object()
WRITER_KEY = "bonopay_seal_writer"


class BonopayGuarded(models.AbstractModel):
    """What people read and only this module fills: some fields of a record, or the record as a whole.

    * A field declared with ``guarded=True`` is filled by the module's own code, which works with ``sudo()``: no person
      writes it, and no default of theirs reaches it.
    * A model with ``_is_kept`` is closed, to ``sudo()`` as well: its rows are written through :meth:`_as_writer` alone,
      and are never copied or deleted.
    """

    _name = "bonopay.guarded"
    _description = "Filled by Bono Pay alone"

    _is_kept = False

    def _valid_field_parameter(self, field, name):
        # EXTENDS 'base'
        return name == "guarded" or super()._valid_field_parameter(field, name)

    @api.model
    def _guarded_fields(self):
        """The names of the fields that no person writes.

        :rtype: set[str]
        """
        return {name for name, field in self._fields.items() if getattr(field, "guarded", False)}

    @api.private
    def _as_writer(self):
        """This recordset, allowed to write what is kept. Never hand the result to a caller.

        The caller's defaults stay outside: ``default_state`` would otherwise fill what this module leaves open.
        """
        context = {key: value for key, value in self.env.context.items() if not key.startswith("default_")}
        return self.sudo().with_context(context, **{WRITER_KEY: _WRITER})

    def _demand_writer(self, *several_vals):
        """:raises AccessError: who writes these values may not"""
        if self._is_kept:
            if self.env.context.get(WRITER_KEY) is not _WRITER:
                raise self._refusal_of_kept()
            return
        if self.env.su:
            return
        guarded = self._guarded_fields()
        if stated := sorted(name for vals in several_vals for name in vals.keys() & guarded):
            raise AccessError(
                self.env._(
                    "“%s” is filled by Bono Pay, and nobody writes it by hand. Where the signer told it wrong, have "
                    "the signer's operator correct it there.",
                    self._fields[stated[0]]._description_string(self.env),
                )
            )

    def _refusal_of_kept(self):
        kind = self.env["ir.model"].sudo()._get(self._name).name
        return AccessError(
            self.env._("%s: recorded by Bono Pay alone, and kept for ever. Nobody writes, copies or deletes it.", kind)
        )

    @api.model_create_multi
    def create(self, vals_list):
        self._demand_writer(*vals_list)
        if self._is_kept:
            return super().create(vals_list).with_context(**{WRITER_KEY: None})
        if self.env.su:
            return super().create(vals_list)
        # said out loud: a default of the caller's, in the context or stored, would fill what is left open
        fields = [self._fields[name] for name in self._guarded_fields()]
        blank = {field.name: False for field in fields if field.store and not field.type.endswith("2many")}
        records = super().create([{**vals, **blank} for vals in vals_list])
        for field in fields:
            if field.store and field.compute:
                self.env.add_to_compute(field, records)
        return records

    def write(self, vals):
        self._demand_writer(vals)
        return super().write(vals)

    # at_uninstall: a caller's context could otherwise claim to be an uninstallation
    @api.ondelete(at_uninstall=True)
    def _unlink_except_kept(self):
        """Every document is kept (arrêté 034 art. 28), also those that were refused, and who printed it."""
        if self._is_kept:
            raise self._refusal_of_kept()

    def copy(self, default=None):
        if self._is_kept:
            raise self._refusal_of_kept()
        return super().copy(default)
