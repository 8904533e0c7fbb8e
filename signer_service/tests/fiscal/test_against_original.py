"""Credit notes against the invoice that they correct (SFE §1.26–1.27)."""

import time
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from bonopay_signer.fiscal.findings import MAX_FINDINGS
from bonopay_signer.fiscal.rules.against_original import Original, check_credit

from .builders import accepted, credit_note, decimals, invoices, parsed
from .published import cases, counting

item, specific = cases.item, cases.specific
CODE = cases.original("RAM")["original_dgi_code"]
SALE = accepted(items=[item("45000.00", "10"), item("12500.00", "2.5", code="HUILE5")])


def faults(sale: dict | None, credit: dict, *earlier: dict, dgi_code: str | None = CODE) -> list[tuple[str, str]]:
    """The (pointer, code) of everything that is wrong with `credit` against `sale`."""
    original = sale and Original(parsed(sale), dgi_code)
    return [(found.pointer, found.code) for found in check_credit(parsed(credit), original, list(map(parsed, earlier)))]


def part(line: dict, quantity: str, **members) -> dict:
    return line | {"quantity": quantity} | members


RICE, OIL = SALE["items"]


# --- which original ---------------------------------------------------------------------------------------------------


def test_sfe_1_26_the_original_exists():
    unknown = [("/credit/original_fiscal_number", "credit.original.unknown")]
    assert faults(None, credit_note(SALE)) == unknown


@pytest.mark.parametrize("invoice_type", ["FV", "FT", "EV", "ET"])
@pytest.mark.parametrize("credit_type", ["FA", "EA"])
def test_sfe_1_26_original_is_a_sale_of_the_same_family(invoice_type, credit_type):
    sale = accepted(invoice_type=invoice_type, items=[item(tax_group="E")])
    same_family = invoice_type.startswith("F") == credit_type.startswith("F")
    other = [("/credit/original_fiscal_number", "credit.original.family")]
    assert faults(sale, credit_note(sale, invoice_type=credit_type)) == ([] if same_family else other)


@pytest.mark.parametrize("invoice_type", ["FA", "EA"])
@pytest.mark.parametrize("credit_type", ["FA", "EA"])
def test_sfe_1_26_original_is_a_sale_of_the_same_family_never_a_credit_note(invoice_type, credit_type):
    original = accepted(invoice_type=invoice_type, items=[item(tax_group="E")], credit=cases.original("RAM"))
    credit = credit_note(original, [item("1.00", "99", "E", code="AUTRE")], invoice_type=credit_type)
    assert faults(original, credit) == [("/credit/original_fiscal_number", "credit.original.is_credit_note")]


@pytest.mark.parametrize("nature", ["COR", "RAN", "RAM"])
def test_sfe_1_25_the_law_limits_every_nature_alike(nature):
    assert faults(SALE, credit_note(SALE, nature=nature)) == []
    too_many = [("/items/0/quantity", "credit.item.quantity.exceeds")]
    assert faults(SALE, credit_note(SALE, [part(RICE, "10.001")], nature=nature)) == too_many


def test_sfe_1_28_a_rebate_refers_to_no_sale():
    nothing = {"nature": "RRR", "original_fiscal_number": None, "original_dgi_code": None}
    rebate = credit_note(SALE, [item("1.00", "99", code="REMISE")], credit=nothing)
    assert faults(None, rebate) == faults(SALE, rebate) == []


def test_a_sale_has_nothing_to_compare():
    assert faults(SALE, SALE) == faults(None, SALE) == []


@pytest.mark.parametrize("known", [CODE, None])
def test_sfe_1_26_dgi_code_is_the_originals(known):
    assert faults(SALE, credit_note(SALE), dgi_code=known) == []


@pytest.mark.parametrize("known", [CODE.lower(), CODE[:-1], f"{CODE} "])
def test_sfe_1_26_dgi_code_is_the_originals_to_the_letter(known):
    differs = [("/credit/original_dgi_code", "credit.original_dgi_code.differs")]
    assert faults(SALE, credit_note(SALE), dgi_code=known) == differs


@pytest.mark.parametrize(
    ("sold", "credited", "is_before"),
    [
        ("2026-11-21T08:30:00Z", "2026-11-21T08:29:59Z", False),  # tills whose clocks differ
        ("2026-11-21T08:30:00Z", "2026-11-20T23:00:00Z", False),  # midnight in Kinshasa
        ("2026-11-21T08:30:00Z", "2026-11-20T22:59:59Z", True),
        ("2026-11-20T23:00:00Z", "2026-11-20T22:59:59Z", True),
        ("2026-11-21T08:30:00Z", "2027-11-21T08:30:00Z", False),
    ],
)
def test_sfe_1_26_not_dated_before_the_original(sold, credited, is_before):
    sale = accepted(issued_at=sold)
    before = [("/issued_at", "credit.issued_at.before_original")]
    assert faults(sale, credit_note(sale, issued_at=credited)) == (before if is_before else [])


@pytest.mark.parametrize(("sold", "credited"), [("ht", "ttc"), ("ttc", "ht")])
def test_sfe_1_27_price_mode_is_the_originals(sold, credited):
    """And nothing is said of prices and quantities that cannot be compared."""
    sale = accepted(price_mode=sold)
    assert faults(sale, credit_note(sale)) == []
    credit = credit_note(sale, [item("1.00", "99")], price_mode=credited)
    assert faults(sale, credit) == [("/price_mode", "credit.price_mode.differs")]


USD = {"code": "USD", "rate": "2300", "date": "2026-11-21"}


@pytest.mark.parametrize(
    ("sold", "credited", "fault"),
    [
        (None, None, None),
        (USD, None, None),
        (USD, USD, None),
        (USD, USD | {"date": "2026-11-20"}, None),
        (USD, USD | {"rate": "2300.000001"}, ("/foreign_currency/rate", "credit.foreign_currency.rate")),
        (None, USD, ("/foreign_currency", "credit.foreign_currency.unexpected")),
    ],
)
def test_sfe_1_30_foreign_currency_is_the_originals(sold, credited, fault):
    sale = accepted(foreign_currency=sold)
    assert faults(sale, credit_note(sale, foreign_currency=credited)) == ([fault] if fault else [])


def test_the_law_says_nothing_of_the_buyer_and_of_the_outlet():
    sale = accepted(client=cases.COMPANY)
    assert faults(sale, credit_note(sale, client=cases.WALK_IN, outlet_id="LUB001", cashier_id="7")) == []


# --- which articles, at which price -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [{"name": "Riz long"}, {"unit": "Sac"}, {"name": "Riz", "unit": "Sac"}])
def test_an_article_is_known_by_its_code_not_by_the_words_for_it(words):
    assert faults(SALE, credit_note(SALE, [part(RICE, "1", **words)])) == []


def test_a_rebate_on_the_sale_is_in_the_unit_price():
    changed = {"original_unit_price": "50000.00", "price_change": "Remise 10 %"}
    sale = accepted(items=[item(**changed)])
    assert faults(sale, credit_note(sale, [item(quantity="1")])) == []
    full_price = credit_note(sale, [item("50000.00", "1")])
    assert faults(sale, full_price) == [("/items/0/unit_price", "credit.item.unit_price")]


@pytest.mark.parametrize(
    ("members", "differing"),
    [
        ({"code": "SUCRE"}, ["code"]),
        ({"unit_price": "44999.99"}, ["unit_price"]),
        ({"tax_group": "A"}, ["tax_group"]),
        ({"type": "SER"}, ["type"]),
        ({"tax_group": "L", "type": "TAX"}, ["type", "tax_group"]),
        ({"specific_tax": specific("quantity", "1", "1.00")}, ["specific_tax"]),
        ({"tax_group": "C", "unit_price": "1.00"}, ["tax_group", "unit_price"]),
    ],
)
def test_sfe_1_26_items_are_left_to_credit_of_the_same_kind(members, differing):
    codes = {"code": "credit.item.unknown"}
    expected = [(f"/items/1/{member}", codes.get(member, f"credit.item.{member}")) for member in differing]
    assert faults(SALE, credit_note(SALE, [OIL, part(RICE, "1", **members)])) == expected


def test_the_nearest_line_of_the_original_is_the_one_compared():
    """Of several lines of the article, the one that differs least explains the fault."""
    tax = specific("quantity", "10", "20.00")
    sale = accepted(items=[item("100.00", "2", "A"), item("90.00", "2", "B"), item("80.00", specific_tax=tax)])
    for line, fault, expected in (
        (item("100.00", "1", "B"), "unit_price", "90.00"),
        (item("90.00", "1", "C"), "tax_group", "B"),
        (item("80.00", "1"), "unit_price", "90.00"),
        (item("80.00", "1", specific_tax=specific("quantity", "11", "11.00")), "specific_tax", "quantity 10"),
        (item("80.00", "1", "C", specific_tax=specific("quantity", "10", "10.00")), "tax_group", "B"),
    ):
        original = Original(parsed(sale), CODE)
        (found,) = check_credit(parsed(credit_note(sale, [line])), original, [])
        assert (found.code, found.expected) == (f"credit.item.{fault}", expected)


# --- how much ---------------------------------------------------------------------------------------------------------


def test_sfe_1_27_items_are_left_to_credit_over_several_credit_notes():
    four, six = credit_note(SALE, [part(RICE, "4")]), credit_note(SALE, [part(RICE, "6")])
    assert faults(SALE, six, four) == []
    too_many = [("/items/0/quantity", "credit.item.quantity.exceeds")]
    assert faults(SALE, credit_note(SALE, [part(RICE, "6.001")]), four) == too_many
    assert faults(SALE, credit_note(SALE, [part(RICE, "0.001")]), six, four) == too_many
    assert faults(SALE, credit_note(SALE, [OIL]), six, four) == []


def test_sfe_1_27_items_are_left_to_credit_of_several_lines_of_one_article():
    sale = accepted(items=[item("100.00", "3"), item("90.00", "2"), item("100.00", "4")])
    assert faults(sale, credit_note(sale, [item("100.00", "7")])) == []
    assert faults(sale, credit_note(sale, [item("100.00", "5"), item("100.00", "2")])) == []
    over = credit_note(sale, [item("100.00", "5"), item("100.00", "3"), item("100.00", "1"), item("90.00", "2")])
    assert faults(sale, over) == [
        ("/items/1/quantity", "credit.item.quantity.exceeds"),
        ("/items/2/quantity", "credit.item.quantity.exceeds"),
    ]


def test_sfe_1_27_the_finding_tells_what_is_left():
    earlier = parsed(credit_note(SALE, [part(OIL, "0.75")]))
    credit = parsed(credit_note(SALE, [part(OIL, "2")]))
    (found,) = check_credit(credit, Original(parsed(SALE), CODE), [earlier])
    assert (found.pointer, found.expected, found.actual) == ("/items/0/quantity", "1.75", "2")
    assert "1.75" in found.message["fr"] and "HUILE5" in found.message["fr"]


FLAT = accepted(items=[item("100.00", "10", specific_tax=specific("amount", "50", "50.00"))])


@pytest.mark.parametrize(
    ("quantity", "amount", "accepted_"),
    [("10", "50.00", True), ("1", "50.00", True), ("10", "0.01", True), ("1", "50.01", False)],
)
def test_sfe_1_13_a_fixed_specific_tax_is_credited_up_to_its_amount(quantity, amount, accepted_):
    line = item("100.00", quantity, specific_tax=specific("amount", counting.plain(amount), amount))
    exceeds = [("/items/0/specific_tax/amount", "credit.item.specific_tax.exceeds")]
    assert faults(FLAT, credit_note(FLAT, [line])) == ([] if accepted_ else exceeds)


def test_sfe_1_13_a_fixed_specific_tax_does_not_bar_the_rest_of_the_article():
    taken = credit_note(FLAT, [item("100.00", "1", specific_tax=specific("amount", "50", "50.00"))])
    assert faults(FLAT, credit_note(FLAT, [item("100.00", "9")]), taken) == []
    more = item("100.00", "9", specific_tax=specific("amount", "0.01", "0.01"))
    assert faults(FLAT, credit_note(FLAT, [more]), taken) == [
        ("/items/0/specific_tax/amount", "credit.item.specific_tax.exceeds")
    ]


HALF = item("100.00", "2", specific_tax=specific("quantity", "0.005", "0.01"))
ROUNDED = accepted(items=[HALF])
EXCEEDS = [("/items/0/specific_tax/amount", "credit.item.specific_tax.exceeds")]


def test_sfe_1_13_specific_taxes_by_unit_do_not_exceed_the_sale_by_their_rounding():
    """Half a centime twice is two centimes where one was sold: the DGI refuses that (code 12)."""
    first = credit_note(ROUNDED, [part(HALF, "1")])
    assert faults(ROUNDED, first) == []
    assert faults(ROUNDED, first, first) == EXCEEDS
    assert faults(ROUNDED, credit_note(ROUNDED, [part(HALF, "1")] * 2)) == [
        ("/items/1/specific_tax/amount", "credit.item.specific_tax.exceeds")
    ]


def test_sfe_1_13_what_is_left_of_an_article_whose_specific_tax_is_used_up_is_credited_without_it():
    first, bare = credit_note(ROUNDED, [part(HALF, "1")]), part(HALF, "1", specific_tax=None)
    assert faults(ROUNDED, credit_note(ROUNDED, [bare]), first) == []
    assert faults(ROUNDED, credit_note(ROUNDED, [bare])) == [("/items/0/specific_tax", "credit.item.specific_tax")]
    twice = [("/items/0/quantity", "credit.item.quantity.exceeds")]
    assert faults(ROUNDED, credit_note(ROUNDED, [bare]), first, credit_note(ROUNDED, [bare])) == twice


def test_sfe_1_13_specific_taxes_of_one_article_at_one_price_are_added_up_as_the_dgi_does():
    """What one rounding takes too much may be what another left: the DGI does not know of which basis a tax is."""
    other = item("100.00", "3", specific_tax=specific("quantity", "1", "3.00"))
    sale = accepted(items=[HALF, other])
    first = credit_note(sale, [part(HALF, "1")])
    assert faults(sale, first, first) == []
    rest = credit_note(sale, [other])
    assert faults(sale, rest, first) == []
    assert faults(sale, rest, first, first) == EXCEEDS


def test_credit_notes_sealed_under_other_rules_still_count():
    """What an earlier core let pass takes from the nearest line, and never makes more available."""
    odd = credit_note(SALE, [part(RICE, "4", unit_price="1.00"), item("5.00", "3", code="AUTRE"), part(RICE, "99")])
    (found,) = check_credit(parsed(credit_note(SALE, [part(RICE, "1")])), Original(parsed(SALE), CODE), [parsed(odd)])
    assert (found.code, found.expected) == ("credit.item.quantity.exceeds", "0")
    odd = credit_note(SALE, [part(RICE, "4", unit_price="1.00")])
    assert faults(SALE, credit_note(SALE, [part(RICE, "6")]), odd) == []
    assert faults(SALE, credit_note(SALE, [part(RICE, "6.001")]), odd) != []


# --- properties -------------------------------------------------------------------------------------------------------


@given(invoices())
def test_a_credit_note_that_repeats_the_sale_is_accepted(sale):
    assert faults(sale, credit_note(sale)) == []


@given(invoices(), st.data())
def test_any_excess_over_the_sale_is_refused(sale, data):
    position = data.draw(st.integers(0, len(sale["items"]) - 1))
    line = sale["items"][position]
    more = Decimal(line["quantity"]) + Decimal(data.draw(decimals(3, 5)))
    items = [*sale["items"]]
    items[position] = line | {"quantity": counting.plain(f"{more:.3f}")}
    taxed = line["specific_tax"]
    if taxed:
        amount = counting.specific_amount(items[position], taxed)
        assume(amount < 10**17)
        items[position] = items[position] | {"specific_tax": taxed | {"amount": counting.money(amount)}}
    assert "credit.item.quantity.exceeds" in [code for _, code in faults(sale, credit_note(sale, items))]


PRICES = st.sampled_from(["10.00", "20.00"])
ARTICLES = st.builds(
    lambda code, price, quantity, group: item(price, quantity, group, code=code),
    st.sampled_from("XY"),
    PRICES,
    decimals(3, 4),
    st.sampled_from("AB"),
)
LINES = st.lists(ARTICLES, min_size=1, max_size=4)


def thousandths(*documents: dict) -> Counter:
    """Quantities by article and terms, counted in integers."""
    sums: Counter = Counter()
    for line in (line for document in documents for line in document["items"]):
        key = line["code"], line["unit_price"], line["tax_group"]
        sums[key] += counting.scaled(line["quantity"], 3)
    return sums


@given(LINES, st.lists(LINES, min_size=1, max_size=6))
def test_credit_notes_in_sequence_are_accepted_exactly_while_something_is_left(sold, credited):
    """Against a count of thousandths: what fits is accepted, what does not is refused; never more than was sold."""
    sale = accepted(items=sold)
    sealed: list[dict] = []
    for lines in credited:
        credit = credit_note(sale, lines)
        fits = thousandths(*sealed, credit) <= thousandths(sale)
        assert (faults(sale, credit, *sealed) == []) == fits
        if fits:
            sealed.append(credit)
    assert thousandths(*sealed) <= thousandths(sale)


@given(LINES, st.lists(LINES, max_size=4), LINES, st.randoms())
def test_the_order_of_earlier_credit_notes_changes_nothing(sold, earlier, credited, random):
    sale = accepted(items=sold)
    notes = [credit_note(sale, lines) for lines in earlier]
    shuffled = random.sample(notes, len(notes))
    assert faults(sale, credit_note(sale, credited), *notes) == faults(sale, credit_note(sale, credited), *shuffled)


# --- size -------------------------------------------------------------------------------------------------------------


def seconds(lines: int) -> float:
    """How long the worst credit note of so many lines takes: one article at as many prices, none of them right."""
    sold, credit = parsed(SALE), parsed(credit_note(SALE))
    rice = sold.items[0]
    sold = replace(sold, items=tuple(replace(rice, unit_price=f"{price}.00") for price in range(1, lines + 1)))
    credit = replace(credit, items=tuple(replace(rice, unit_price=f"{price}.50") for price in range(1, lines + 1)))
    start = time.process_time()
    found = check_credit(credit, Original(sold, CODE), [credit])
    assert len(found) == MAX_FINDINGS + 1
    return time.process_time() - start


def test_time_grows_with_the_lines_and_not_with_their_square():
    few, many = min(seconds(1000) for _ in range(3)), min(seconds(8000) for _ in range(3))
    assert many < 8 * 4 * few
