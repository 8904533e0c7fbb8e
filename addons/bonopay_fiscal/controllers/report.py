import json
import re

from odoo import http
from odoo.http import content_disposition, request

from odoo.addons.web.controllers.report import ReportController as WebReportController

PRINTED_RECORDS = re.compile(r"/report/(pdf|text)/([^/?]+)/([\d,]+)(?:\?.*)?")
EXTENSIONS = {"pdf": "pdf", "text": "txt"}


class ReportController(WebReportController):
    @http.route()
    def report_download(self, data, context=None, token=None, readonly=True):
        # EXTENDS 'web': the file is named after the report that was asked for, which is not what we print in its place
        response = super().report_download(data, context=context, token=token, readonly=readonly)
        if response is not None and "Content-Disposition" in response.headers:  # an error has none
            name = self._bonopay_file_name(json.loads(data)[0])
            if name:
                response.headers.set("Content-Disposition", content_disposition(name))
        return response

    def _bonopay_file_name(self, url):
        """Name of the file that a report's address downloads, or `None` where it is not ours to name."""
        asked = PRINTED_RECORDS.fullmatch(url)
        if not asked:
            return None
        kind, name, ids = asked.groups()
        report = request.env["ir.actions.report"]._get_report_from_name(name)
        if not report or not report._bonopay_shows_invoice():
            return None
        moves = request.env["account.move"].browse({int(number) for number in ids.split(",") if number})
        return moves.exists()._bonopay_file_name(EXTENSIONS[kind])
