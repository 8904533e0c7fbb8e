"""What l10n_es_edi_verifactu does to a posted invoice, without its schema check, for which it needs the network.

A gapless number that locks the company's chain, the previous document's hash in this one's, a row and an attachment,
all in the transaction of the user; the authority is asked later.
"""

import hashlib
import json

from odoo import fields, models


class ChainedDocument(models.Model):
    _name = "chained.document"
    _description = "Chained document"
    _order = "chain_index desc"

    move_id = fields.Many2one("account.move", required=True, index=True)
    company_id = fields.Many2one("res.company", required=True, index=True)
    chain_index = fields.Integer(required=True, index=True)
    fingerprint = fields.Char(required=True)
    state = fields.Char()


class AccountMove(models.Model):
    _inherit = "account.move"

    def _post(self, soft=True):
        # EXTENDS 'account'
        posted = super()._post(soft)
        for move in posted.filtered(lambda move: move.is_sale_document()):
            move._chain_document()
        return posted

    def _chain_document(self):
        documents = self.env["chained.document"].sudo()
        index = self._chain_sequence().next_by_id()
        previous = documents.search([("company_id", "=", self.company_id.id)], limit=1)
        record = {**self._chained_record(), "previous": previous.fingerprint}
        text = json.dumps(record, indent=4)
        document = documents.create(
            {
                "move_id": self.id,
                "company_id": self.company_id.id,
                "chain_index": int(index),
                "fingerprint": hashlib.sha256(text.encode()).hexdigest(),
            }
        )
        self.env["ir.attachment"].sudo().create(
            {
                "raw": text.encode(),
                "name": f"{index}.json",
                "res_id": document.id,
                "res_model": document._name,
                "mimetype": "application/json",
            }
        )

    def _chain_sequence(self):
        sequences = self.env["ir.sequence"].sudo()
        of_company = [("code", "=", "chained.document"), ("company_id", "=", self.company_id.id)]
        return sequences.search(of_company) or sequences.create(
            {
                "name": "Chain",
                "code": "chained.document",
                "implementation": "no_gap",
                "company_id": self.company_id.id,
            }
        )

    def _chained_record(self):
        details = self._prepare_invoice_aggregated_taxes()["tax_details"]
        return {
            "number": self.name,
            "date": str(self.invoice_date),
            "issuer": self.company_id.vat,
            "client": self.partner_id.vat,
            "total": self.amount_total,
            "taxes": [
                {"base": detail["base_amount"], "tax": detail["tax_amount"]}
                for detail in details.values()
                if isinstance(detail, dict) and "base_amount" in detail
            ],
        }
