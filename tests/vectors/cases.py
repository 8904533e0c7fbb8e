"""What the vectors are made of: invoices that are accepted, lines to calculate, and faults, each in one place."""

import copy
from typing import Any

MERCHANT_NIF = "A1234567B"
OUTLET_ID = "KIN001"

REMOVED = object()
"""As a changed value: the member is taken out."""

COMMENTS = dict.fromkeys("ABCDEFGH")
WALK_IN = {"type": "PP", "name": None, "nif": None, "contact": None, "address": None, "exemption_reference": None}
COMPANY = WALK_IN | {"type": "PM", "name": "Client SARL", "nif": "B7654321C"}
EMBASSY = WALK_IN | {"type": "AO", "name": "Ambassade", "exemption_reference": "EXO/2026/117"}
CASH = {"method": "ESPECES", "amount": "1.00", "currency": "CDF", "rate": None, "reference": None}


def item(unit_price: str = "45000.00", quantity: str = "2", tax_group: str = "B", **members: Any) -> dict:
    """A line; of type TAX in groups L and N."""
    return {
        "code": "RIZ25",
        "name": "Riz 25 kg",
        "type": "TAX" if tax_group in "LN" else "BIE",
        "unit": "Unité",
        "quantity": quantity,
        "unit_price": unit_price,
        "original_unit_price": None,
        "price_change": None,
        "tax_group": tax_group,
        "specific_tax": None,
    } | members


def specific(basis: str, value: str, amount: str) -> dict:
    """The specific tax of a line."""
    return {"basis": basis, "value": value, "amount": amount}


def invoice(**members: Any) -> dict:
    """A payload whose tax groups, totals and single payment are yet to be filled in."""
    return {
        "schema": "bonopay.invoice/1",
        "document_id": "0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11",
        "merchant_nif": MERCHANT_NIF,
        "outlet_id": OUTLET_ID,
        "pos_terminal_id": None,
        "cashier_id": "6",
        "cashier_name": "Comptable",
        "invoice_type": "FV",
        "price_mode": "ht",
        "reference_number": "INV/2026/00001",
        "issued_at": "2026-11-21T08:30:00Z",
        "client": WALK_IN,
        "items": [item()],
        "tax_groups": [],
        "totals": dict.fromkeys(("base", "tax", "specific_tax", "total"), "0.00") | {"currency": "CDF"},
        "payments": [CASH],
        "foreign_currency": None,
        "credit": None,
        "comments": COMMENTS,
    } | members


def changed(payload: dict, changes: dict[str, Any]) -> dict:
    """A copy of `payload` with members set, or REMOVED, at RFC 6901 pointers; `-` appends to an array."""
    payload = copy.deepcopy(payload)
    for pointer, value in changes.items():
        *parents, last = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
        target = payload
        for token in parents:
            target = target[int(token) if isinstance(target, list) else token]
        if value is REMOVED:
            del target[int(last) if isinstance(target, list) else last]
        elif last == "-":
            target.append(copy.deepcopy(value))
        else:
            target[int(last) if isinstance(target, list) else last] = copy.deepcopy(value)
    return payload


def original(nature: str) -> dict:
    """The `credit` of a credit note that names an original."""
    return {
        "nature": nature,
        "original_fiscal_number": "BONO-KIN001-01-000000001",
        "original_dgi_code": "TESTABCDEFGHIJKLMNOP2345",
    }


_NO_ORIGINAL = {"nature": "RRR", "original_fiscal_number": None, "original_dgi_code": None}
_USD = {"code": "USD", "rate": "2300", "date": "2026-11-21"}
_REBATE = {"original_unit_price": "50000.00", "price_change": "Remise 10 %"}
_EVERY_GROUP = [item("100.00", "1.5", code) for code in "PONMLKJIHGFEDCBA"]
_UNICODE = {
    "name": 'Thé « vert » 😀 \\ "50 %" \u2028 日本 \u007e',
    "code": "É/~1",
    "unit": "boîte",
}

ACCEPTED: dict[str, dict] = {
    "sale-to-a-company": invoice(client=COMPANY, items=[item(**_REBATE)], payments=[CASH | {"method": "CREDIT"}]),
    "sale-ttc-three-lines": invoice(price_mode="ttc", items=[item("9.99", "1")] * 3),
    "every-group": invoice(items=_EVERY_GROUP),
    "every-group-ttc": invoice(price_mode="ttc", items=_EVERY_GROUP),
    "specific-taxes": invoice(
        items=[
            item("1500.00", "12", specific_tax=specific("quantity", "35.125", "421.50")),
            item("800.00", "3", specific_tax=specific("percent", "2.5", "60.00")),
            item("999.99", "1", "C", specific_tax=specific("amount", "50", "50.00")),
        ]
    ),
    "specific-vat-and-levy": invoice(
        items=[item("100000.00", "1", "M"), item("500.00", "1", "L"), item("16000.00", "1", "N")]
    ),
    "embassy": invoice(
        client=EMBASSY,
        items=[item(tax_group="A")],
        comments=COMMENTS | {"A": "Réf. Exo. : EXO/2026/117", "B": "Livraison à l'ambassade"},
    ),
    "dollars": invoice(
        items=[item("230000.00", "1")],
        foreign_currency=_USD,
        payments=[
            CASH | {"amount": "100.00", "currency": "USD", "rate": "2300"},
            CASH | {"method": "MOBILEMONEY", "amount": "36800.00", "reference": "MP261121.0830.A1"},
        ],
    ),
    "advance": invoice(invoice_type="FT", items=[item("250000.00", "1", type="SER", code="ACOMPTE", unit="Forfait")]),
    "credit-note-correction": invoice(invoice_type="FA", credit=original("COR")),
    "credit-note-rebate": invoice(invoice_type="FA", credit=_NO_ORIGINAL),
    "export": invoice(invoice_type="EV", items=[item(tax_group="E"), item("15.00", "4", "H")]),
    "export-credit-note": invoice(invoice_type="EA", items=[item(tax_group="E")], credit=original("RAM")),
    "export-advance": invoice(invoice_type="ET", items=[item(tax_group="E")]),
    "unicode": invoice(items=[item(**_UNICODE)], cashier_name="Élodie 😀", pos_terminal_id="Caisse n° 2"),
    "largest-amount": invoice(items=[item("999999999999999.99", "1", "A")]),
    "last-day-of-8-percent": invoice(issued_at="2026-05-31T22:59:59Z", items=[item("100.00", "1", "C")]),
    "first-day-of-5-percent": invoice(issued_at="2026-05-31T23:00:00Z", items=[item("100.00", "1", "C")]),
    "every-payment-method": invoice(
        client=COMPANY | {"type": "PC", "contact": "client@exemple.cd", "address": "Avenue du Commerce 1, Gombe"},
        items=[item("700.00", "1", "A")],
        payments=[
            CASH | {"method": method, "amount": "100.00", "reference": None if method == "ESPECES" else f"REF {method}"}
            for method in ("ESPECES", "VIREMENT", "CARTEBANCAIRE", "MOBILEMONEY", "CHEQUES", "CREDIT", "AUTRE")
        ],
    ),
    "every-comment-line": invoice(
        client=COMPANY | {"type": "PL"}, comments={letter: f"Ligne {letter}" for letter in "ABCDEFGH"}
    ),
    "credit-note-cancellation": invoice(invoice_type="FA", credit=original("RAN")),
}

# What the signer notes of the DGI's answer is canonical JSON like every payload; these members are examples. The second
# entry answers an invoice of epoch 1 in epoch 2, so that its QR spells the number out.
ANSWERS = (
    ("certified", "dgi_certified", 1, {"schema": "bonopay.dgi_certified/1", "code": "TESTABCDEFGHIJKLMNOP2345"}),
    ("rejected-in-the-next-epoch", "dgi_rejected", 2, {"schema": "bonopay.dgi_rejected/1", "error": "11"}),
)

# Entries that belong to no document; their payloads too are examples. They have no QR: nothing is printed for them.
WITHOUT_DOCUMENT = (("epoch-opened", "epoch_opened", 2, {"schema": "bonopay.epoch_opened/1", "last_index": 1}),)

_NOW = "2026-11-21T08:30:00Z"

ARITHMETIC = (
    ("ttc-100", "ttc", _NOW, [item("100.00", "1")]),
    ("ttc-99.99", "ttc", _NOW, [item("99.99", "1")]),
    ("ttc-33333.33", "ttc", _NOW, [item("33333.33", "1")]),
    ("ttc-three-lines-per-group", "ttc", _NOW, [item("9.99", "1")] * 3),
    ("ht-33.33", "ht", _NOW, [item("33.33", "1")]),
    ("ht-seven-lines-per-group", "ht", _NOW, [item("0.33", "1")] * 7),
    ("ht-tie-at-5-percent", "ht", _NOW, [item("0.10", "1", "C")]),
    ("ht-tie-at-1-percent", "ht", _NOW, [item("0.50", "1", "O")]),
    ("ht-8-percent-before-june", "ht", "2026-05-31T22:59:59Z", [item("99.99", "3", "G")]),
    ("line-tie", "ht", _NOW, [item("0.01", "0.5", "A")]),
    ("line-just-below-a-tie", "ht", _NOW, [item("0.03", "0.499", "A")]),
    ("three-decimals-of-quantity", "ht", _NOW, [item("1234.56", "0.125")]),
    ("specific-tax-ht", "ht", _NOW, [item("1000.00", "3", specific_tax=specific("quantity", "12.345678", "37.04"))]),
    ("specific-tax-ttc", "ttc", _NOW, [item("1160.00", "1", specific_tax=specific("percent", "10", "116.00"))]),
    ("specific-tax-tie", "ht", _NOW, [item("0.30", "1", specific_tax=specific("percent", "15", "0.05"))]),
    ("specific-vat-is-all-vat", "ttc", _NOW, [item("16000.00", "1", "N"), item("500.00", "2", "L")]),
    ("fifteen-digits", "ttc", _NOW, [item("999999999999999.99", "0.999")]),
    ("fifteen-digits-at-5-percent", "ht", _NOW, [item("123456789012345.67", "3.333", "C")] * 2),
)

_SECOND = item("10.00", "1", "C")

REFUSED: dict[str, dict[str, Any]] = {
    "missing-members": {"/cashier_name": REMOVED, "/items/0/unit": REMOVED, "/comments/H": REMOVED},
    "unknown-members": {"/isf": "X", "/items/0/tax~1group": "B", "/client/e~0mail": None},
    "wrong-types": {"/client": [], "/items": {}, "/cashier_id": True, "/comments": "A"},
    "null-where-a-value-is-compulsory": {"/cashier_name": None, "/totals": None, "/items/0/quantity": None},
    "numbers-instead-of-strings": {"/items/0/quantity": 2, "/items/0/unit_price": 45000.5, "/totals/tax": 1},
    "negative-values": {"/items/0/quantity": "-2", "/items/0/unit_price": "-45000.00"},
    "unknown-codes": {"/invoice_type": "FX", "/items/0/tax_group": "Z", "/payments/0/method": "TROC"},
    "money-in-other-spellings": {"/totals/base": "90000", "/totals/tax": "014400.00", "/totals/total": "1e5"},
    "quantity-in-other-spellings": {"/items/0/quantity": "2.0"},
    "quantity-of-four-decimals": {"/items/0/quantity": "0.0001"},
    "percent-in-another-spelling": {"/tax_groups/0/rate": "16.00"},
    "rate-in-another-spelling": {"/payments/0/rate": "2300.50"},
    "specific-tax-value-in-another-spelling": {"/items/0/specific_tax": specific("amount", "50.00", "50.00")},
    "day-that-does-not-exist": {
        "/issued_at": "2026-02-29T08:30:00Z",
        "/foreign_currency": _USD | {"date": "2026-11-31"},
    },
    "time-with-offset": {"/issued_at": "2026-11-21T09:30:00+01:00"},
    "identifiers-of-another-form": {
        "/document_id": "0B9F4B0E-6F0E-4F3C-9D7B-0F6A1D4F7C11",
        "/merchant_nif": "A 1234567 B",
        "/outlet_id": "kin001",
    },
    "original-number-of-another-form": {"/credit": original("COR") | {"original_fiscal_number": "INV/1"}},
    "texts": {
        "/cashier_id": "",
        "/cashier_name": " Comptable",
        "/reference_number": "INV\n1",
        "/items/0/name": "x" * 201,
        "/items/0/unit": "\uffff",
    },
    "no-items": {
        "/items": [],
        "/tax_groups": [],
        "/payments": [],
        "/totals/base": "0.00",
        "/totals/tax": "0.00",
        "/totals/total": "0.00",
    },
    "zero-price": {"/items/-": item("0.00", "1")},
    "zero-original-price": {"/items/0/original_unit_price": "0.00", "/items/0/price_change": "Remise"},
    "zero-quantity": {"/items/-": item("10.00", "0")},
    "line-rounds-to-zero": {"/items/-": item("0.01", "0.499")},
    "goods-in-a-levy-group": {"/items/0/type": "TAX"},
    "before-the-first-table": {"/issued_at": "2021-12-31T22:59:59Z"},
    "group-not-yet-in-force": {
        "/issued_at": "2026-05-31T22:59:59Z",
        "/items/0/tax_group": "O",
        "/tax_groups/0/code": "O",
    },
    "vat-on-an-export": {"/invoice_type": "EV"},
    "price-change-without-reason": {"/items/0/original_unit_price": "50000.00"},
    "price-change-without-original-price": {"/items/0/price_change": "Remise 10 %"},
    "specific-tax-on-a-levy": {
        "/items/0/type": "TAX",
        "/items/0/tax_group": "L",
        "/items/0/specific_tax": specific("amount", "1", "1.00"),
        "/tax_groups/0": {"code": "L", "rate": "0", "base": "90001.00", "tax": "0.00", "total": "90001.00"},
        "/totals": {"base": "90001.00", "tax": "0.00", "specific_tax": "1.00", "total": "90001.00", "currency": "CDF"},
        "/payments/0/amount": "90001.00",
    },
    "specific-tax-of-zero": {"/items/0/specific_tax": specific("amount", "0", "0.00")},
    "specific-tax-not-its-basis": {
        "/items/0/specific_tax": specific("quantity", "10", "10.00"),
        "/tax_groups/0": {"code": "B", "rate": "16", "base": "90010.00", "tax": "14401.60", "total": "104411.60"},
        "/totals": {
            "base": "90010.00",
            "tax": "14401.60",
            "specific_tax": "10.00",
            "total": "104411.60",
            "currency": "CDF",
        },
        "/payments/0/amount": "104411.60",
    },
    "group-missing": {
        "/items/-": _SECOND,
        "/totals": {
            "base": "90010.00",
            "tax": "14400.50",
            "specific_tax": "0.00",
            "total": "104410.50",
            "currency": "CDF",
        },
        "/payments/0/amount": "104410.50",
    },
    "group-unused": {"/tax_groups/-": {"code": "C", "rate": "5", "base": "0.00", "tax": "0.00", "total": "0.00"}},
    "group-twice": {"/tax_groups/-": {"code": "B", "rate": "16", "base": "0.00", "tax": "0.00", "total": "0.00"}},
    "groups-out-of-order": {
        "/items/-": item("10.00", "1", "A"),
        "/tax_groups/-": {"code": "A", "rate": "0", "base": "10.00", "tax": "0.00", "total": "10.00"},
        "/totals": {
            "base": "90010.00",
            "tax": "14400.00",
            "specific_tax": "0.00",
            "total": "104410.00",
            "currency": "CDF",
        },
        "/payments/0/amount": "104410.00",
    },
    "rate-not-in-force": {"/tax_groups/0/rate": "18"},
    "group-amounts-off-by-a-centime": {
        "/tax_groups/0": {"code": "B", "rate": "16", "base": "89999.99", "tax": "14400.02", "total": "104400.01"},
        "/totals": {
            "base": "89999.99",
            "tax": "14400.02",
            "specific_tax": "0.00",
            "total": "104400.01",
            "currency": "CDF",
        },
        "/payments/0/amount": "104400.01",
    },
    "totals-off-by-a-centime": {
        "/totals": {
            "base": "90000.01",
            "tax": "14400.01",
            "specific_tax": "0.01",
            "total": "104400.01",
            "currency": "CDF",
        },
        "/payments/0/amount": "104400.01",
    },
    "total-of-zero": {"/totals/total": "0.00", "/payments": []},
    "payments-short-by-a-centime": {"/payments/0/amount": "104399.99"},
    "payment-of-zero": {"/payments/-": CASH | {"amount": "0.00"}},
    "dollars-without-rate": {"/payments/0/currency": "USD"},
    "dollars-at-zero": {"/payments/0/currency": "USD", "/payments/0/rate": "0"},
    "francs-with-rate": {"/payments/0/rate": "1"},
    "payment-at-another-rate": {
        "/foreign_currency": _USD | {"rate": "2320"},
        "/payments/0": CASH | {"amount": "45.00", "currency": "USD", "rate": "2320"},
        "/payments/-": CASH | {"amount": "0.01", "currency": "USD", "rate": "0.5"},
    },
    "payments-at-two-rates": {
        "/payments/0": CASH | {"amount": "44.99", "currency": "USD", "rate": "2320"},
        "/payments/-": CASH | {"amount": "0.02", "currency": "USD", "rate": "1160"},
    },
    "foreign-currency-at-zero": {"/foreign_currency": _USD | {"rate": "0"}},
    "foreign-currency-of-tomorrow": {"/foreign_currency": _USD | {"date": "2026-11-22"}},
    "company-without-name-and-nif": {"/client": WALK_IN | {"type": "PM"}},
    "embassy-without-reference": {"/client": EMBASSY | {"exemption_reference": None}},
    "reference-of-a-company": {"/client": COMPANY | {"exemption_reference": "EXO/2026/117"}},
    "embassy-with-an-endless-reference": {"/client": EMBASSY | {"exemption_reference": "E" * 189}},
    "embassy-without-comment": {"/client": EMBASSY},
    "credit-note-without-nature": {"/invoice_type": "FA"},
    "sale-with-nature": {"/credit": original("COR")},
    "credit-note-without-original": {"/invoice_type": "FA", "/credit": _NO_ORIGINAL | {"nature": "RAN"}},
    "rebate-with-original": {"/invoice_type": "FA", "/credit": original("RRR")},
    "several-faults-at-once": {"/items/0/quantity": "0", "/client": WALK_IN | {"type": "PC"}, "/invoice_type": "EA"},
}

NOT_JSON: dict[str, bytes] = {
    "empty": b"",
    "not-json": b"facture",
    "not-an-object": b"[]",
    "not-utf-8": b'{"schema": "\xff"}',
    "byte-order-mark": b"\xef\xbb\xbf{}",
    "lone-surrogate": b'"\\ud800"',
    "not-a-number": b'{"totals": NaN}',
    "nested-too-deeply": b"[" * 33,
    "duplicate-member": b'{"schema": "bonopay.invoice/1", "schema": "bonopay.invoice/1"}',
    "five-hundred-and-one-faults": b'{"items": [' + b",".join([b"0"] * 501) + b"]}",
}
