"""Frozen documents for the tests of the printed invoice: payloads that obey docs/contracts.md §2, and seals."""

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from unittest.mock import patch

from odoo.tests import TransactionCase

from .common import ready_company

RATES = {"B": "16", "C": "5", "F": "16", "G": "5", "O": "1", "P": "1"}
DGI_CODE = "TESTQ7W3E9R1T5Y2U8I4O6P0"
FISCAL_NUMBER = "BONO-KIN001-01-000000001"
DGI_QR = f"RDCDEF01;CD01000001-1;{DGI_CODE};A1234567B;20261121093001"
# As long as a real one: every field of the statement, the previous hash and the signature, in base 32.
VERIFICATION_QR = "HTTPS://VERIF.BONOPAY.CD/V/" + ("AEBAGBAFAYDQQCIKBMGA2DQPCAIREEYUCULBOGAZ" * 9)[:336]
NOBODY = {"type": "PP", "name": None, "nif": None, "contact": None, "address": None, "exemption_reference": None}
COMPANY_CLIENT = {**NOBODY, "type": "PM", "name": "Client SARL", "nif": "B7654321C"}


def centimes(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def item(name="Riz 25 kg", price="45000.00", quantity="2", **changes):
    values = {
        "code": "RIZ25",
        "name": name,
        "type": "BIE",
        "unit": "Unité",
        "quantity": quantity,
        "unit_price": price,
        "original_unit_price": None,
        "price_change": None,
        "tax_group": "B",
        "specific_tax": None,
    }
    return {**values, **changes}


def group(code, items, mode):
    """Arithmetic of the contract, written once more so that the print is not checked against itself."""
    rate = Decimal(RATES.get(code, "0"))
    factor = 1 + rate / 100
    lines = sum(centimes(Decimal(line["unit_price"]) * Decimal(line["quantity"])) for line in items)
    extra = sum((Decimal(line["specific_tax"]["amount"]) for line in items if line["specific_tax"]), Decimal(0))
    if code == "N":
        base, total = Decimal("0.00"), lines
    elif mode == "ht":
        base = lines + extra
        total = centimes(base * factor)
    else:
        base = centimes(lines / factor) + extra
        total = lines + centimes(extra * factor)
    amounts = {"base": base, "tax": total - base, "total": total}
    texts = {name: str(centimes(amount)) for name, amount in amounts.items()}
    return {"code": code, "rate": str(rate), **texts}, extra


def payload(items=None, mode="ht", **changes):
    items = items or [item()]
    codes = sorted({line["tax_group"] for line in items})
    counted = [group(code, [line for line in items if line["tax_group"] == code], mode) for code in codes]
    sums = {
        name: str(centimes(sum(Decimal(entry[name]) for entry, _extra in counted))) for name in ("base", "tax", "total")
    }
    specific_tax = str(centimes(sum((extra for _entry, extra in counted), Decimal(0))))
    credit_payment = {"method": "CREDIT", "amount": sums["total"], "currency": "CDF", "rate": None, "reference": None}
    return {
        "schema": "bonopay.invoice/1",
        "document_id": "0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11",
        "merchant_nif": "A1234567B",
        "outlet_id": "KIN001",
        "pos_terminal_id": None,
        "cashier_id": "6",
        "cashier_name": "Comptable",
        "invoice_type": "FV",
        "price_mode": mode,
        "reference_number": "INV/2026/00001",
        "issued_at": "2026-11-21T23:30:00Z",
        "client": COMPANY_CLIENT,
        "items": items,
        "tax_groups": [entry for entry, _extra in counted],
        "totals": {**sums, "specific_tax": specific_tax, "currency": "CDF"},
        "payments": [credit_payment],
        "foreign_currency": None,
        "credit": None,
        "comments": dict.fromkeys("ABCDEFGH"),
        **changes,
    }


def canonical(document) -> str:
    """RFC 8785 for documents without numbers."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def sealed_values(document, state="certified"):
    """The columns of a seal in a state, as the signer's answer fills them (docs/contracts.md §5)."""
    text = canonical(document)
    payload_hash = hashlib.sha256(text.encode()).hexdigest()
    values = {"payload": text, "payload_hash": payload_hash, "state": state}
    if state in ("to_seal", "invalid", "dead"):
        return values
    values |= {
        "fiscal_number": FISCAL_NUMBER,
        "fiscal_authority_id": "BONO-CD-DEMO",
        "short_code": "7K3M-9QXD-R2TA",
        "sealed_at": datetime(2026, 11, 21, 23, 30, 1),
        "qr_payload": VERIFICATION_QR,
        "verification_url": f"https://verif.bonopay.cd/verify/{FISCAL_NUMBER}?code=7K3M-9QXD-R2TA",
        "ledger_index": 12,
        "ledger_entry_hash": "c0ffee" * 10 + "abcd",
        "response": json.dumps({"payload_hash": payload_hash, "fiscal_number": FISCAL_NUMBER}),
    }
    if state == "certified":
        values |= {
            "dgi_code": DGI_CODE,
            "dgi_nim": "CD01000001-1",
            "dgi_isf": "BON-001-01",
            "dgi_counters": "5/8 FV",
            "dgi_time": "22/11/2026 00:30:01",
            "dgi_qr": DGI_QR,
        }
    return values


def run(*command, data=None):
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def pdf_text(pdf, *options):
    """Text of a PDF; every kind of space becomes one plain space (a thin one before "%" may not come back)."""
    text = " ".join(run("pdftotext", "-layout", *options, "-", "-", data=pdf).decode().split())
    return re.sub(r"(?<=\d)%", " %", text)


def pdf_pages(pdf):
    raw = run("pdftotext", "-layout", "-", "-", data=pdf).decode()
    return [" ".join(page.split()) for page in raw.split("\f")[:-1]]


class ReportCase(TransactionCase):
    """Invoices with a seal of any state, printed for real."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        country = cls.env.ref("base.cd")
        cls.company = ready_company(cls.env)
        cls.company.write({"name": "Alimentation du Fleuve SARL", "email": "contact@fleuve.example", "vat": False})
        cls.env.user.company_ids |= cls.company
        cls.env = cls.env(context={**cls.env.context, "allowed_company_ids": cls.company.ids})
        cls.outlet = cls.env["bonopay.outlet"].create(
            {
                "name": "Boutique de la Gombe",
                "code": "KIN001",
                "company_id": cls.company.id,
                "street": "12, avenue du Commerce",
                "city": "Kinshasa / Gombe",
                "phone": "+243 810 000 000",
                "email": "gombe@fleuve.example",
                "isf": "BON-001-01",
                "nim": "CD01000001-1",
                "test_mode": False,
            }
        )
        cls.report = cls.env["ir.actions.report"].with_context(force_report_rendering=True)
        cls.partner = cls.env["res.partner"].create({"name": "Client SARL", "country_id": country.id})

    @classmethod
    def move(cls, post=True):
        """An invoice without a seal, as from before the company had an outlet."""
        cls.outlet.active = False
        with patch.object(type(cls.outlet), "_used_in_earnest", lambda outlets: outlets.browse()):
            move = cls.env["account.move"].create(
                {
                    "move_type": "out_invoice",
                    "partner_id": cls.partner.id,
                    "invoice_date": "2026-11-21",
                    "invoice_line_ids": [(0, 0, {"name": "Riz 25 kg", "quantity": 2, "price_unit": 45000})],
                }
            )
            if post:
                move.action_post()
        cls.outlet.active = True
        return move

    @classmethod
    def sealed_move(cls, document=None, state="certified", **changes):
        document = document or payload()
        move = cls.move()
        values = sealed_values(document, state) | changes
        # One number per invoice: a second one of the same test gets the next of the series.
        taken = cls.env["bonopay.seal"].sudo().search_count([("outlet_id", "=", cls.outlet.id)])
        if taken and "fiscal_number" in values and "fiscal_number" not in changes:
            number = f"BONO-KIN001-01-{taken + 1:09d}"
            values |= {"fiscal_number": number, "response": values["response"].replace(FISCAL_NUMBER, number)}
        cls.env["bonopay.seal"]._as_writer().create(
            {
                "move_id": move.id,
                "company_id": cls.company.id,
                "outlet_id": cls.outlet.id,
                "document_id": f"0b9f4b0e-6f0e-4f3c-9d7b-{taken:012d}",
                "document_type": document["invoice_type"],
                "currency_id": cls.company.currency_id.id,
                **values,
            }
        )
        move.invalidate_recordset()
        return move

    @classmethod
    def print_pdf(cls, *moves):
        ids = [move.id for move in moves]
        return cls.report._render_qweb_pdf("account.account_invoices", ids)[0]

    def raster(self, pdf, dpi, page=1):
        """One page as a grey image of PIL."""
        from PIL import Image

        with tempfile.TemporaryDirectory() as folder:
            target = str(Path(folder) / "page")
            run(
                "pdftoppm",
                "-gray",
                "-r",
                str(dpi),
                "-f",
                str(page),
                "-l",
                str(page),
                "-singlefile",
                "-",
                target,
                data=pdf,
            )
            with Image.open(f"{target}.pgm") as image:
                return image.copy()

    def decode(self, image):
        """Text → symbol, of every QR found."""
        import zxingcpp

        found = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
        return {symbol.text: symbol for symbol in found}

    def side(self, symbol):
        return symbol.position.top_right.x - symbol.position.top_left.x

    def attachments(self, pdf):
        """Name → bytes of the files embedded in a PDF."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        (folder / "in.pdf").write_bytes(pdf)
        out = folder / "out"
        out.mkdir()
        run("pdfdetach", "-saveall", "-o", str(out), str(folder / "in.pdf"))
        return {path.name: path.read_bytes() for path in out.iterdir()}
