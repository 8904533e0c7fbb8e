from odoo import models

POSTER_REPORT = "bonopay_fiscal.report_poster"


class IrActionsReport(models.Model):
    _inherit = "ir.actions.report"

    def _render_qweb_pdf_prepare_streams(self, report_ref, data, res_ids=None):
        # EXTENDS 'base': one call per poster, which is all that wkhtmltopdf on unpatched Qt can do
        prepare = super()._render_qweb_pdf_prepare_streams
        if not res_ids or self._get_report(report_ref).report_name != POSTER_REPORT:
            return prepare(report_ref, data, res_ids=res_ids)
        streams = {}
        for outlet_id in dict.fromkeys(res_ids):
            streams.update(prepare(report_ref, data, res_ids=[outlet_id]))
        return streams


class BonopayOutlet(models.Model):
    _inherit = "bonopay.outlet"

    def _poster_lines(self):
        """Whose poster it is: `(label or None, text)` of what is known, in the order of the paper."""
        self.ensure_one()
        street = ", ".join(filter(None, (self.street, self.street2)))
        town = ", ".join(filter(None, (self.city, self.state_id.name or self.province)))
        lines = (
            (None, self.company_id.name),
            (None, self.name),
            (None, ", ".join(filter(None, (street, town)))),
            ("NIF", self.company_id.vat),
            ("ISF", self.isf),
        )
        return [(label, text) for label, text in lines if text]
