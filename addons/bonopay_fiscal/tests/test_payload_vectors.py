import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from unittest import skipUnless

from odoo.tests import BaseCase, tagged

from ..core import credit, payload

#: Not what the addon makes: it writes a text on one line.
WRITTEN_OTHERWISE = ("unicode",)
VECTORS = Path(__file__).parents[3] / "tests" / "vectors"


def _line(**values):
    defaults = {
        "code": "RIZ25", "name": "Riz 25 kg", "type": "BIE", "unit": "Unité", "quantity": Decimal(2),
        "price": payload.Price.discounted(Decimal(50000), Decimal(10)), "tax_group": "B", "rate": Decimal(16),
    }  # fmt: skip
    return payload.Line(**{**defaults, **values})


def _document(**values):
    defaults = {
        "document_id": "0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11", "merchant_nif": "A1234567B", "outlet_id": "KIN001",
        "cashier_id": "6", "cashier_name": "Comptable", "invoice_type": "FV", "price_mode": "ht",
        "reference_number": "INV/2026/00001", "issued_at": datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
        "client": payload.Client("PM", "Client SARL", "B7654321C"), "lines": (_line(),),
    }  # fmt: skip
    return payload.Document(**{**defaults, **values})


def _price(price, discount="0"):
    return payload.Price.discounted(Decimal(price), Decimal(discount))


def _lines(invoice):
    """The lines of a payload, read back."""
    rates = {group["code"]: Decimal(group["rate"]) for group in invoice["tax_groups"]}
    return tuple(
        payload.Line(
            *(item[member] for member in ("code", "name", "type", "unit")),
            quantity=Decimal(item["quantity"]),
            price=payload.Price(
                Decimal(item["unit_price"]), _decimal(item["original_unit_price"]), item["price_change"]
            ),
            tax_group=item["tax_group"],
            rate=rates[item["tax_group"]],
            specific_tax=item["specific_tax"]
            and payload.SpecificTax(item["specific_tax"]["basis"], Decimal(item["specific_tax"]["value"])),
        )
        for item in invoice["items"]
    )


def _decimal(text):
    return None if text is None else Decimal(text)


def _document_of(invoice):
    """A payload, read back."""
    same = (
        "document_id", "merchant_nif", "outlet_id", "cashier_id", "cashier_name", "invoice_type", "price_mode",
        "reference_number", "pos_terminal_id",
    )  # fmt: skip
    foreign = invoice["foreign_currency"]
    comments = [text for text in invoice["comments"].values() if text is not None]
    return payload.Document(
        **{member: invoice[member] for member in same},
        issued_at=datetime.fromisoformat(invoice["issued_at"]),
        client=payload.Client(**invoice["client"]),
        lines=_lines(invoice),
        credit=invoice["credit"] and payload.Credit(**invoice["credit"]),
        payments=tuple(
            payload.Payment(**{**one, "amount": Decimal(one["amount"]), "rate": _decimal(one["rate"])})
            for one in invoice["payments"]
        ),
        foreign_currency=foreign
        and payload.ForeignCurrency(foreign["code"], Decimal(foreign["rate"]), date.fromisoformat(foreign["date"])),
        comments=tuple(comments[1:] if invoice["client"]["type"] == "AO" else comments),
    )


@tagged("standard", "at_install")
class TestPayload(BaseCase):
    def test_example_of_the_contract_to_the_byte(self):
        built = payload.canonical_bytes(payload.build(_document()))
        expected = (
            '{"cashier_id":"6","cashier_name":"Comptable","client":{"address":null,"contact":null,'
            '"exemption_reference":null,"name":"Client SARL","nif":"B7654321C","type":"PM"},"comments":{"A":null,'
            '"B":null,"C":null,"D":null,"E":null,"F":null,"G":null,"H":null},"credit":null,'
            '"document_id":"0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11","foreign_currency":null,"invoice_type":"FV",'
            '"issued_at":"2026-11-21T08:30:00Z","items":[{"code":"RIZ25","name":"Riz 25 kg",'
            '"original_unit_price":"50000.00","price_change":"Remise 10 %","quantity":"2","specific_tax":null,'
            '"tax_group":"B","type":"BIE","unit":"Unité","unit_price":"45000.00"}],"merchant_nif":"A1234567B",'
            '"outlet_id":"KIN001","payments":[{"amount":"104400.00","currency":"CDF","method":"CREDIT","rate":null,'
            '"reference":null}],"pos_terminal_id":null,"price_mode":"ht","reference_number":"INV/2026/00001",'
            '"schema":"bonopay.invoice/1","tax_groups":[{"base":"90000.00","code":"B","rate":"16","tax":"14400.00",'
            '"total":"104400.00"}],"totals":{"base":"90000.00","currency":"CDF","specific_tax":"0.00",'
            '"tax":"14400.00","total":"104400.00"}}'
        )
        self.assertEqual(built.decode(), expected)

    def test_numbers_have_one_spelling(self):
        line = _line(quantity=Decimal("2.1250"), price=_price("50000", "0.00"))
        item = payload.build(_document(lines=(line,)))["items"][0]
        self.assertEqual((item["quantity"], item["original_unit_price"], item["price_change"]), ("2.125", None, None))
        item = payload.build(_document(lines=(_line(quantity=Decimal(100), price=_price("50000", "12.50")),)))["items"][
            0
        ]
        self.assertEqual((item["quantity"], item["price_change"]), ("100", "Remise 12,5 %"))

    def test_texts_are_one_printable_line_of_200_characters(self):
        item = payload.build(_document(lines=(_line(name=" Riz\n\x07 25\u2028kg " + "x" * 300),)))["items"][0]
        self.assertTrue(item["name"].startswith("Riz 25 kg x"))
        self.assertEqual(len(item["name"]), 200)

    def test_annex_iv_embassy_is_named_in_comment_a(self):
        client = payload.Client("AO", "Ambassade", exemption_reference="EXO/1")
        comments = payload.build(_document(client=client))["comments"]
        self.assertEqual(comments, {"A": "Réf. Exo. : EXO/1", **dict.fromkeys("BCDEFGH")})

    def test_sfe_1_14_group_n_is_tax_as_a_whole(self):
        line = _line(tax_group="N", type="TAX", rate=Decimal(0), price=_price("50000"), quantity=Decimal(1))
        group = payload.build(_document(lines=(line,)))["tax_groups"][0]
        self.assertEqual(group, {"code": "N", "rate": "0", "base": "0.00", "tax": "50000.00", "total": "50000.00"})

    def test_two_rates_in_one_group_are_refused(self):
        with self.assertRaisesRegex(ValueError, "two rates"):
            payload.build(_document(lines=(_line(), _line(rate=Decimal(5)))))


@tagged("standard", "at_install")
@skipUnless(VECTORS.is_dir(), "the addon was installed without the project's repository around it")
class TestPayloadVectors(BaseCase):
    def test_arithmetic_vectors_shared_with_the_signer(self):
        for vector in _vectors("arithmetic.json"):
            built = payload.build(_document(lines=_lines(vector), price_mode=vector["price_mode"]))
            with self.subTest(vector["name"]):
                self.assertEqual(built["tax_groups"], vector["tax_groups"])
                self.assertEqual(built["totals"], vector["totals"])
                self.assertEqual([item["specific_tax"] for item in built["items"]],
                                 [item["specific_tax"] for item in vector["items"]])  # fmt: skip

    def test_every_shared_vector_is_built_to_the_byte(self):
        """Whatever the contract can say, the addon can: specific taxes, dollars, splits, comments, credit notes."""
        invoices = [one for one in _vectors("payloads.json") if one["payload"].get("schema") == payload.SCHEMA]
        built_here = [one for one in invoices if one["name"] not in WRITTEN_OTHERWISE]
        self.assertGreater(len(built_here), 15)
        for vector in built_here:
            built = payload.canonical_bytes(payload.build(_document_of(vector["payload"])))
            with self.subTest(vector["name"]):
                self.assertEqual(built, payload.canonical_bytes(vector["payload"]))
                self.assertEqual(payload.payload_hash(built), vector["payload_hash"])

    def test_canonical_bytes_of_the_shared_vectors(self):
        vectors = _vectors("payloads.json")
        self.assertGreater(len(vectors), 5)
        for vector in vectors:
            with self.subTest(vector["name"]):
                canonical = payload.canonical_bytes(vector["payload"])
                self.assertEqual(payload.payload_hash(canonical), vector["payload_hash"])

    def test_sfe_1_26_to_1_28_credit_notes_are_judged_as_the_signer_does(self):
        judged = 0
        for vector in _vectors("credits.json"):
            sale, note = vector["original"], vector["credit_note"]
            if sale is None or note["price_mode"] != sale["price_mode"] or not note["credit"]["original_fiscal_number"]:
                continue  # judged before the lines are
            stock = credit.Stock(sale, vector["earlier"])
            found = [(number, *one) for number, item in enumerate(note["items"]) for one in stock.credit(item)]
            expected = [finding for finding in vector["findings"] if finding["pointer"].startswith("/items/")]
            with self.subTest(vector["name"]):
                self.assertEqual([_pointer(number, one) for number, one, *_rest in found],
                                 [finding["pointer"] for finding in expected])  # fmt: skip
                self.assertEqual([(sold, given) for *_place, sold, given in found if sold != "–" != given],
                                 [(one["expected"], one["actual"]) for one in expected
                                  if "null" not in (one["expected"], one["actual"])])  # fmt: skip
            judged += bool(expected)
        self.assertGreater(judged, 10)


def _pointer(number, member):
    return f"/items/{number}/{member.replace('specific_tax_amount', 'specific_tax/amount')}"


def _vectors(name):
    """Vectors shared with the signer; they lie beside the addons in the project's repository."""
    return json.loads((VECTORS / name).read_text())["vectors"]
