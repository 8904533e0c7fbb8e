import io

from odoo import api, models

from .document_parts import Copy
from .pdf_finishing import embed, finish_pdf, finish_ticket
from .ticket import MARGIN_MM, PAPER_MM

INVOICE_REPORT = "account.account_invoices"
TICKET_REPORT = "bonopay_fiscal.report_ticket"
REPORTS = ("account.report_invoice", "account.report_invoice_with_payments")


class IrActionsReport(models.Model):
    _inherit = "ir.actions.report"

    def get_paperformat(self):
        # EXTENDS 'base': the printed form depends on the document, the report is the merchant's own
        if not isinstance(self.env.context.get("bonopay_copy"), Copy):
            return super().get_paperformat()
        height = self.env.context.get("bonopay_ticket_height")
        return self._bonopay_roll(height) if height else self.env.ref("bonopay_fiscal.paperformat_invoice")

    def _bonopay_roll(self, height):
        """A paper of 80 mm, as long as one ticket; none is stored, since no two are alike."""
        margins = dict.fromkeys(("margin_top", "margin_bottom", "margin_left", "margin_right"), MARGIN_MM)
        size = {"format": "custom", "page_width": PAPER_MM, "page_height": height, "dpi": 96}
        plain = {"orientation": "Portrait", "header_line": False, "header_spacing": 0}
        return self.env["report.paperformat"].new(margins | size | plain)

    @api.model
    def _render_qweb_html(self, report_ref, docids, data=None):
        # EXTENDS 'base'
        return super()._render_qweb_html(self._bonopay_report_for(report_ref, docids), docids, data=data)

    @api.model
    def _render_qweb_text(self, report_ref, docids, data=None):
        # EXTENDS 'base'
        return super()._render_qweb_text(self._bonopay_report_for(report_ref, docids), docids, data=data)

    def _render_qweb_pdf(self, report_ref, res_ids=None, data=None):
        # EXTENDS 'base': the first print is kept as the invoice's PDF, so that sending it later sends the original.
        # A PDF kept by the report's own "save as attachment" would outlive the state that it shows.
        own = self._bonopay_own_moves(report_ref, res_ids)
        if not own:
            return super()._render_qweb_pdf(report_ref, res_ids=res_ids, data=data)
        self = self.with_context(bonopay_keep_original=True, report_pdf_no_attachment=True)
        content, kind = super()._render_qweb_pdf(report_ref, res_ids=res_ids, data=data)
        if kind == "pdf" and len(own) > 1:  # merging drops what each document had embedded
            content = embed(content, self._bonopay_joint_evidence(own))
        return content, kind

    def _bonopay_joint_evidence(self, moves):
        """The evidence of several invoices, each file under the number of its invoice."""
        return {
            f"{seal.fiscal_number}-{name}": data
            for seal in moves.sudo().bonopay_seal_id
            for name, data in seal._print_attachments().items()
        }

    def _render_qweb_pdf_prepare_streams(self, report_ref, data, res_ids=None):
        # EXTENDS 'base': one call per document, which is all that wkhtmltopdf on unpatched Qt can do
        own = self._bonopay_own_moves(report_ref, res_ids)
        if not own:
            return super()._render_qweb_pdf_prepare_streams(report_ref, data, res_ids=res_ids)
        streams = {}
        for move in self.env["account.move"].browse(dict.fromkeys(res_ids)):
            report = self._bonopay_for_print(move, report_ref) if move in own else self
            parent = super(IrActionsReport, report)
            own_ref = self._bonopay_report_for(report_ref, move.ids)
            streams.update(parent._render_qweb_pdf_prepare_streams(own_ref, data, res_ids=move.ids))
            if move in own:
                report._bonopay_finish(move, streams[move.id])
        return streams

    def _bonopay_report_for(self, report_ref, res_ids):
        """The report that prints these records: another one than ours would leave the seal out and count no copy.
        The roll, the other way round, is for what is ours only."""
        name = self._get_report(report_ref).report_name
        own = self._bonopay_own_moves(report_ref, res_ids)
        if name == TICKET_REPORT:
            asked = {res_ids} if isinstance(res_ids, int) else set(res_ids or ())
            return report_ref if set(own.ids) == asked else INVOICE_REPORT
        return INVOICE_REPORT if own and name not in REPORTS else report_ref

    def _bonopay_shows_invoice(self):
        """Whether this report puts an invoice on paper.

        Whoever builds one that cannot be taken for the invoice (a packing list) says so here; a report is not believed
        because of what it claims to be.
        """
        self.ensure_one()
        return self.model == "account.move"

    def _bonopay_own_moves(self, report_ref, res_ids):
        """The invoices among the records that are ours to print: those with a seal, and those that will have one."""
        if not res_ids or not self._get_report(report_ref)._bonopay_shows_invoice():
            return self.env["account.move"]
        moves = self.env["account.move"].browse([res_ids] if isinstance(res_ids, int) else res_ids)
        # the routes of reports check nothing, and what follows reads with sudo()
        moves.check_access("read")
        return moves.filtered(lambda move: move._bonopay_has_own_paper())

    def _bonopay_for_print(self, move, report_ref):
        """This report, knowing which copy of the invoice it is about to print; the copy is counted first, so that
        two prints at once cannot both be the original."""
        seal = move.sudo().bonopay_seal_id
        is_roll = self._get_report(report_ref).report_name == TICKET_REPORT
        number = 0
        if seal and seal._is_normalised():
            number = seal.print_count
            seal._count_print("roll" if is_roll else "sheet")
        report = self.with_context(bonopay_copy=Copy(number), report_pdf_no_attachment=True)
        if not is_roll:
            return report.with_context(bonopay_ticket_height=None)
        printed = move.with_context(bonopay_copy=Copy(number))
        roll = printed._bonopay_ticket(printed._bonopay_invoice_document())
        return report.with_context(bonopay_ticket_height=roll.height_mm)

    def _bonopay_finish(self, move, stream_data):
        """Put foot, marks and evidence into a rendered invoice, and keep it when it is the original."""
        document = move.with_context(bonopay_copy=self.env.context["bonopay_copy"])._bonopay_invoice_document()
        seal = move.sudo().bonopay_seal_id
        title = " ".join(filter(None, (document.heading, seal.fiscal_number)))
        evidence = seal._print_attachments() if seal else {}
        with stream_data["stream"] as rendered:
            content = rendered.getvalue()
        is_roll = bool(self.env.context["bonopay_ticket_height"])
        if is_roll:  # its marks and its foot are part of it
            content = finish_ticket(content, title, evidence)
        else:
            content = finish_pdf(content, title, document.identity, document.marks, evidence)
        stream_data["stream"] = io.BytesIO(content)
        # a ticket is the original of whoever took it, and no page to send: what is sent later is a duplicata
        is_original = document.is_fiscal and self.env.context["bonopay_copy"].number == 0 and not is_roll
        if is_original and self.env.context.get("bonopay_keep_original") and not move.invoice_pdf_report_id:
            self._bonopay_keep(move, content)

    def _bonopay_keep(self, move, content):
        """Store the original where "Send" looks for it."""
        self.env["ir.attachment"].sudo()._bonopay_as_rendered().create(
            {
                "name": move._get_invoice_report_filename(),
                "raw": content,
                "mimetype": "application/pdf",
                "res_model": move._name,
                "res_id": move.id,
                "res_field": "invoice_pdf_report_file",
            }
        )
        move.invalidate_recordset(fnames=["invoice_pdf_report_id", "invoice_pdf_report_file"])
