"""What the vectors of two documents, and of a document and a rate, are made of."""

from typing import Any, NamedTuple

from cases import CASH, COMPANY, invoice, item, original, specific

DGI_CODE = "TESTABCDEFGHIJKLMNOP2345"
_NEXT_DAY = "2026-11-22T08:30:00Z"
_USD = {"code": "USD", "rate": "2300", "date": "2026-11-21"}
_DOLLAR = CASH | {"amount": "1.00", "currency": "USD", "rate": "2300"}


class Case(NamedTuple):
    """A credit note, the sale that it names (None when there is none), and the credit notes sealed before it."""

    credit_note: dict
    sale: dict | None
    earlier: tuple[dict, ...] = ()
    dgi_code: str | None = DGI_CODE


def credit(*items: dict, nature: str = "RAM", **members: Any) -> dict:
    """A credit note whose amounts are yet to be filled in."""
    return invoice(
        **{"invoice_type": "FA", "issued_at": _NEXT_DAY, "credit": original(nature), "items": list(items)} | members
    )


_RICE, _OIL, _DELIVERY = (
    item("45000.00", "10"),
    item("12500.00", "2.5", code="HUILE5", name="Huile 5 l"),
    item("5000.00", "1", code="LIVR", name="Livraison", type="SER"),
)
_SALE = invoice(items=[_RICE, _OIL, _DELIVERY])
_TWO_PRICES = invoice(items=[item("100.00", "3"), item("90.00", "2"), item("100.00", "4"), item("100.00", "5", "A")])
_TAXED = invoice(
    items=[
        item("1500.00", "12", specific_tax=specific("quantity", "35.125", "421.50")),
        item("800.00", "3", specific_tax=specific("percent", "2.5", "60.00"), code="BIERE"),
        item("100.00", "10", specific_tax=specific("amount", "50", "50.00"), code="TABAC"),
    ]
)
_TAXED_ITEMS = _TAXED["items"]
_HALF_A_CENTIME = item("100.00", "2", specific_tax=specific("quantity", "0.005", "0.01"))
_PER_MILLE = item("100.00", "3", specific_tax=specific("percent", "0.335", "1.01"), code="BIERE")
_ROUNDED = invoice(items=[_HALF_A_CENTIME, _PER_MILLE])


def _of(sold: dict, quantity: str, **members: Any) -> dict:
    return sold | {"quantity": quantity} | members


def _one(sold: dict, amount: str | None) -> dict:
    """A unit, with so much of its specific tax."""
    return _of(sold, "1", specific_tax=sold["specific_tax"] | {"amount": amount} if amount else None)


CREDITS: dict[str, Case] = {
    "whole-sale": Case(credit(*_SALE["items"]), _SALE),
    "whole-sale-not-yet-certified": Case(credit(*_SALE["items"]), _SALE, dgi_code=None),
    "cancellation": Case(credit(*_SALE["items"], nature="RAN"), _SALE),
    "correction-on-the-same-day": Case(credit(_RICE, nature="COR", issued_at="2026-11-21T08:29:00Z"), _SALE),
    "company-and-other-words": Case(credit(_of(_RICE, "1", name="Riz long 25 kg", unit="Sac"), client=COMPANY), _SALE),
    "several-parts": Case(
        credit(_of(_RICE, "4"), _of(_OIL, "0.5")), _SALE, (credit(_of(_OIL, "2")), credit(_of(_RICE, "6")))
    ),
    "lines-of-one-article-together": Case(
        credit(item("100.00", "6.5"), item("90.00", "1")), _TWO_PRICES, (credit(item("100.00", "0.5")),)
    ),
    "specific-taxes": Case(credit(*_TAXED_ITEMS), _TAXED),
    "specific-taxes-in-part": Case(
        credit(
            _of(_TAXED_ITEMS[0], "2", specific_tax=specific("quantity", "35.125", "70.25")),
            _of(_TAXED_ITEMS[1], "1", specific_tax=specific("percent", "2.5", "20.00")),
            _of(_TAXED_ITEMS[2], "1", specific_tax=None),
            _of(_TAXED_ITEMS[2], "5", specific_tax=specific("amount", "30", "30.00")),
        ),
        _TAXED,
        (credit(_of(_TAXED_ITEMS[2], "4", specific_tax=specific("amount", "20", "20.00"))),),
    ),
    "specific-tax-used-up-by-rounding-is-left-out": Case(
        credit(_one(_HALF_A_CENTIME, None), _of(_PER_MILLE, "1", specific_tax=None)),
        _ROUNDED,
        (
            credit(_one(_HALF_A_CENTIME, "0.01")),
            credit(_one(_PER_MILLE, "0.34")),
            credit(_one(_PER_MILLE, "0.34")),
        ),
    ),
    "advance": Case(credit(_DELIVERY), invoice(invoice_type="FT", items=[_DELIVERY])),
    "export": Case(
        credit(item(tax_group="E"), invoice_type="EA"), invoice(invoice_type="EV", items=[item(tax_group="E")])
    ),
    "dollars-at-the-rate-of-the-sale": Case(
        credit(item("2300.00", "1", "A"), foreign_currency=_USD | {"date": "2026-11-22"}, payments=[_DOLLAR]),
        invoice(items=[item("2300.00", "1", "A")], foreign_currency=_USD, payments=[_DOLLAR]),
    ),
    "dollars-credited-in-francs": Case(
        credit(item("2300.00", "1", "A")),
        invoice(items=[item("2300.00", "1", "A")], foreign_currency=_USD, payments=[_DOLLAR]),
    ),
    "rebate-names-no-sale": Case(
        credit(_RICE, credit={"nature": "RRR", "original_fiscal_number": None, "original_dgi_code": None}),
        None,
        dgi_code=None,
    ),
    "no-such-sale": Case(credit(_RICE), None),
    "credit-note-of-a-credit-note": Case(credit(_RICE), credit(_RICE)),
    "sale-credited-as-an-export": Case(
        credit(item(tax_group="E"), invoice_type="EA"), invoice(items=[item(tax_group="E")])
    ),
    "export-credited-as-a-sale": Case(
        credit(item(tax_group="E")), invoice(invoice_type="ET", items=[item(tax_group="E")])
    ),
    "another-dgi-code": Case(credit(_RICE), _SALE, dgi_code="TESTZZZZZZZZZZZZZZZZ7777"),
    "dated-before-the-sale": Case(credit(_RICE, issued_at="2026-11-20T22:59:59Z"), _SALE),
    "other-price-mode": Case(credit(_of(_RICE, "11"), price_mode="ttc"), _SALE),
    "dollars-against-francs": Case(credit(_RICE, foreign_currency=_USD), _SALE),
    "dollars-at-another-rate": Case(
        credit(_RICE, foreign_currency=_USD | {"rate": "2350"}), _SALE | {"foreign_currency": _USD}
    ),
    "article-not-sold": Case(credit(_RICE, _of(_OIL, "1", code="SUCRE")), _SALE),
    "other-type": Case(credit(_of(_RICE, "1", type="SER")), _SALE),
    "other-tax-group": Case(credit(_of(_RICE, "1", tax_group="A")), _SALE),
    "other-unit-price": Case(credit(_of(_RICE, "1", unit_price="45000.01")), _SALE),
    "other-price-and-group": Case(credit(_of(_RICE, "1", unit_price="1.00", tax_group="A")), _SALE),
    "specific-tax-not-in-the-sale": Case(
        credit(_of(_RICE, "1", specific_tax=specific("quantity", "10", "10.00"))), _SALE
    ),
    "specific-tax-left-out": Case(credit(_of(_TAXED_ITEMS[0], "1", specific_tax=None)), _TAXED),
    "specific-tax-by-another-value": Case(
        credit(_of(_TAXED_ITEMS[1], "1", specific_tax=specific("percent", "2.6", "20.80"))), _TAXED
    ),
    "fixed-specific-tax-not-in-the-sale": Case(
        credit(_of(_RICE, "1", specific_tax=specific("amount", "0.01", "0.01"))), _SALE
    ),
    "fixed-specific-tax-beyond-what-is-left": Case(
        credit(_of(_TAXED_ITEMS[2], "1", specific_tax=specific("amount", "30.01", "30.01"))),
        _TAXED,
        (credit(_of(_TAXED_ITEMS[2], "1", specific_tax=specific("amount", "20", "20.00"))),),
    ),
    "specific-tax-rounded-up-beyond-the-sale": Case(
        credit(_one(_HALF_A_CENTIME, "0.01"), _one(_PER_MILLE, "0.34")),
        _ROUNDED,
        (credit(_one(_HALF_A_CENTIME, "0.01")),),
    ),
    "specific-tax-rounded-up-over-two-lines": Case(
        credit(_one(_HALF_A_CENTIME, "0.01"), _one(_HALF_A_CENTIME, "0.01")), _ROUNDED
    ),
    "specific-tax-left-out-while-enough-is-left": Case(credit(_one(_HALF_A_CENTIME, None)), _ROUNDED),
    "more-than-is-left-with-its-specific-tax": Case(
        credit(_of(_HALF_A_CENTIME, "4", specific_tax=specific("quantity", "0.005", "0.02"))), _ROUNDED
    ),
    "one-thousandth-too-many": Case(credit(_of(_OIL, "2.501")), _SALE),
    "more-than-is-left": Case(credit(_of(_RICE, "5")), _SALE, (credit(_of(_RICE, "4")), credit(_of(_RICE, "2")))),
    "nothing-left": Case(credit(_of(_RICE, "1")), _SALE, (credit(_RICE),)),
    "too-many-over-two-lines": Case(credit(_of(_RICE, "6"), _of(_RICE, "5")), _SALE),
    "too-many-at-one-price-although-not-of-the-article": Case(credit(item("90.00", "3")), _TWO_PRICES),
    "several-faults-at-once": Case(
        credit(_of(_RICE, "11"), _of(_OIL, "1", unit_price="1.00"), issued_at="2026-11-01T08:30:00Z"),
        _SALE,
        dgi_code="TESTZZZZZZZZZZZZZZZZ7777",
    ),
}

_IN_DOLLARS = invoice(items=[item("2300.00", "1", "A")], foreign_currency=_USD, payments=[_DOLLAR])


def _at(rate: str, cost: str) -> dict:
    return _IN_DOLLARS | {
        "items": [item(cost, "1", "A")],
        "foreign_currency": _USD | {"rate": rate},
        "payments": [_DOLLAR | {"rate": rate}],
    }


# A payload and the central bank's average rate of USD on its day, None when that is not known.
RATES: dict[str, tuple[dict, str | None]] = {
    "francs": (invoice(), "2300"),
    "the-rate-itself": (_IN_DOLLARS, "2300"),
    "no-reference": (_IN_DOLLARS, None),
    "one-percent-below": (_at("2277", "2277.00"), "2300"),
    "one-percent-above": (_at("2323", "2323.00"), "2300"),
    "credit-note-at-the-rate-of-its-sale": (
        credit(item("2300.00", "1", "A"), foreign_currency=_USD, payments=[_DOLLAR]),
        "2500",
    ),
    "more-than-one-percent-below": (_at("2276.999999", "2277.00"), "2300"),
    "more-than-one-percent-above": (_at("2323.000001", "2323.00"), "2300"),
    "payment-alone": (_IN_DOLLARS | {"foreign_currency": None}, "2323.5"),
    "credit-note-paid-at-an-old-rate": (credit(item("2300.00", "1", "A"), payments=[_DOLLAR]), "2500"),
    "rebate-in-dollars": (
        credit(
            item("2300.00", "1", "A"),
            foreign_currency=_USD,
            payments=[_DOLLAR],
            credit={"nature": "RRR", "original_fiscal_number": None, "original_dgi_code": None},
        ),
        "2500.123456",
    ),
}
