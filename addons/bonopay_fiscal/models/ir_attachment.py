import base64

from odoo import api, models
from odoo.exceptions import UserError

#: Proof that a PDF was rendered from its seal: no remote call can put this object into a context.
_RENDERED = object()
_RENDERED_KEY = "bonopay_rendered"
#: Fields that say what a stored PDF is and whose.
KEPT_FIELDS = frozenset(
    {"name", "raw", "datas", "db_datas", "mimetype", "type", "url", "res_model", "res_id", "res_field"}
)


class IrAttachment(models.Model):
    """The stored original of an invoice that was handed to the signer is what was printed, or nothing."""

    _inherit = "ir.attachment"

    @api.private
    def _bonopay_as_rendered(self):
        """These attachments, allowed to hold an original. Never hand the result to a caller."""
        return self.with_context(**{_RENDERED_KEY: _RENDERED})

    @api.model_create_multi
    def create(self, vals_list):
        # EXTENDS base
        attachments = super().create(vals_list)
        if self.env.context.get(_RENDERED_KEY) is not _RENDERED:
            attachments._bonopay_refuse_originals()
            return attachments
        return attachments.with_context(**{_RENDERED_KEY: None})

    def write(self, vals):
        # EXTENDS base
        touched = KEPT_FIELDS & vals.keys()
        if not touched:
            return super().write(vals)
        self.filtered(
            lambda file: any(file._bonopay_differs(name, vals[name]) for name in touched)
        )._bonopay_refuse_originals()
        before = self._bonopay_originals()
        res = super().write(vals)
        (self._bonopay_originals() - before)._bonopay_refuse_originals()
        return res

    @api.ondelete(at_uninstall=True)
    def _unlink_except_bonopay_original(self):
        self._bonopay_refuse_originals()

    def _bonopay_differs(self, name, value):
        if name == "datas":
            return base64.b64decode(value or b"") != (self.raw or b"")
        if name == "raw":
            return (value.encode() if isinstance(value, str) else value or b"") != (self.raw or b"")
        return (value or False) != (self[name] or False)

    def _bonopay_originals(self):
        """Those that are the stored PDF of a locked invoice."""
        files = self.sudo().filtered(
            lambda file: file.res_model == "account.move" and file.res_field == "invoice_pdf_report_file"
        )
        if not files:
            return self.browse()
        locked = self.env["account.move"].browse(files.mapped("res_id"))._bonopay_locked_moves()
        return files.filtered(lambda file: file.res_id in locked.ids).sudo(False)

    def _bonopay_refuse_originals(self):
        if originals := self._bonopay_originals():
            raise UserError(
                self.env._(
                    "“%s” is the PDF of an invoice that was handed to the signer: it is made by printing, and nobody "
                    "replaces or deletes it.",
                    originals[0].sudo().name,
                )
            )
