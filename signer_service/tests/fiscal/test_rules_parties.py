"""The rules on payments, currencies, the client and credit notes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .builders import accepted, faults, money
from .published import cases

item, CASH, WALK_IN, COMPANY, EMBASSY = cases.item, cases.CASH, cases.WALK_IN, cases.COMPANY, cases.EMBASSY
DOLLARS = {"code": "USD", "rate": "2300", "date": "2026-11-21"}
ORIGINAL = {"original_fiscal_number": "BONO-KIN001-01-000000001", "original_dgi_code": "TESTABCDEFGHIJKLMNOP2345"}
EMBASSY_SALE = accepted(
    client=EMBASSY, items=[item(tax_group="A")], comments=cases.COMMENTS | {"A": "Réf. Exo. : EXO/2026/117"}
)


@pytest.mark.parametrize("amount", ["104399.99", "104400.01"])
def test_sfe_1_19_payments_equal_total(amount):
    assert faults(accepted(), {"/payments/0/amount": amount}) == [("/payments", "payments.total")]


def test_sfe_1_19_payments_equal_total_when_there_are_none():
    assert faults(accepted(), {"/payments": []}) == [("/payments", "payments.total")]


def test_sfe_1_19_payments_equal_total_when_split():
    split = [CASH | {"amount": "100000.00"}, CASH | {"method": "CREDIT", "amount": "4400.00"}]
    assert faults(accepted(), {"/payments": split}) == []


def test_sfe_1_19_payments_equal_total_each_rounded_to_the_centime():
    # 0.01 USD at 1850.5 is 18.505 CDF, which is 18.51, twice.
    cents = CASH | {"amount": "0.01", "currency": "USD", "rate": "1850.5"}
    payload = accepted(items=[item("37.02", "1", "A")])
    assert faults(payload, {"/payments": [cents, cents]}) == []


@given(st.lists(money(), min_size=1, max_size=5))
def test_sfe_1_19_payments_equal_total_however_split(amounts):
    total = sum(int(amount.replace(".", "")) for amount in amounts)
    payload = accepted(items=[item(f"{total // 100}.{total % 100:02d}", "1", "A")])
    assert faults(payload, {"/payments": [CASH | {"amount": amount} for amount in amounts]}) == []


def test_sfe_1_21_payments_are_not_zero():
    assert faults(accepted(), {"/payments/-": CASH | {"amount": "0.00"}}) == [
        ("/payments/1/amount", "payment.amount.zero")
    ]


@pytest.mark.parametrize(
    ("currency", "rate", "code"),
    [("USD", None, "missing"), ("USD", "0", "zero"), ("CDF", "1", "unexpected"), ("CDF", "0", "unexpected")],
)
def test_sfe_1_30_payment_rate_goes_with_currency(currency, rate, code):
    changes = {"/payments/0/currency": currency, "/payments/0/rate": rate}
    assert faults(accepted(), changes) == [("/payments/0/rate", f"payment.rate.{code}")]


def test_sfe_1_30_one_rate_for_a_currency():
    payload = accepted(items=[item("2300.00", "1", "A")], foreign_currency=DOLLARS)
    dollar = CASH | {"amount": "1.00", "currency": "USD", "rate": "2300"}
    assert faults(payload, {"/payments/0": dollar}) == []
    assert faults(payload, {"/payments/0": dollar, "/foreign_currency/rate": "2300.5"}) == [
        ("/payments/0/rate", "payment.rate.differs")
    ]


def test_sfe_1_30_one_rate_for_a_currency_without_a_stated_one():
    payload = accepted(items=[item("4600.00", "1", "A")])
    dollar = CASH | {"amount": "1.00", "currency": "USD", "rate": "2300"}
    assert faults(payload, {"/payments": [dollar, dollar]}) == []
    at_two_rates = [dollar, CASH | {"amount": "1.00"}, dollar | {"rate": "2299"}]
    assert faults(payload, {"/payments": at_two_rates}) == [("/payments/2/rate", "payment.rate.differs")]


def test_sfe_1_30_foreign_currency_is_usable_with_a_rate():
    changes = {"/foreign_currency": DOLLARS | {"rate": "0"}}
    assert faults(accepted(), changes) == [("/foreign_currency/rate", "foreign_currency.rate.zero")]


def test_sfe_1_30_foreign_currency_is_usable_up_to_the_invoices_day():
    payload = accepted(issued_at="2026-11-20T22:59:59Z", foreign_currency=DOLLARS)
    assert faults(payload) == [("/foreign_currency/date", "foreign_currency.date.future")]
    assert faults(payload, {"/issued_at": "2026-11-20T23:00:00Z"}) == []


@pytest.mark.parametrize("client_type", ["PM", "PC", "PL"])
@pytest.mark.parametrize("member", ["name", "nif"])
def test_sfe_1_11_compulsory_fields_are_given_by_professionals(client_type, member):
    payload = accepted(client=COMPANY | {"type": client_type})
    assert faults(payload) == []
    assert faults(payload, {f"/client/{member}": None}) == [(f"/client/{member}", f"client.{member}.missing")]


@pytest.mark.parametrize("member", ["name", "exemption_reference"])
def test_sfe_1_11_compulsory_fields_are_given_by_embassies(member):
    assert faults(EMBASSY_SALE, {f"/client/{member}": None}) == [(f"/client/{member}", f"client.{member}.missing")]


def test_sfe_1_11_compulsory_fields_are_given_although_a_walk_in_gives_none():
    assert faults(accepted(client=WALK_IN)) == []


@pytest.mark.parametrize("client_type", ["PP", "PM", "PC", "PL"])
def test_annex_i_exemption_is_for_exempt_clients(client_type):
    payload = accepted(client=COMPANY | {"type": client_type, "exemption_reference": "EXO/1"})
    assert faults(payload) == [("/client/exemption_reference", "client.exemption_reference.unexpected")]


@pytest.mark.parametrize("comment", [None, "EXO/2026/117", "Réf. Exo. : EXO/2026/118", "Ref. Exo. : EXO/2026/117"])
def test_annex_iv_comment_lines_carry_what_annex_iv_says(comment):
    assert faults(EMBASSY_SALE, {"/comments/A": comment}) == [("/comments/A", "comments.A.exemption")]


def test_comment_lines_carry_what_annex_iv_says_and_are_free_for_others():
    assert faults(accepted(comments=cases.COMMENTS | {"A": "Merci de votre visite"})) == []


@pytest.mark.parametrize("length", [188, 189])
def test_comment_lines_carry_what_annex_iv_says_and_it_fits(length):
    reference = "E" * length
    changes = {"/client/exemption_reference": reference, "/comments/A": f"Réf. Exo. : {reference}"[:200]}
    too_long = [("/client/exemption_reference", "client.exemption_reference.too_long")]
    assert faults(EMBASSY_SALE, changes) == (too_long if length == 189 else [])


@pytest.mark.parametrize(("invoice_type", "group"), [("FA", "B"), ("EA", "E")])
@pytest.mark.parametrize("nature", ["COR", "RAN", "RAM"])
def test_sfe_1_26_originals_go_with_nature(invoice_type, group, nature):
    credit = ORIGINAL | {"nature": nature}
    payload = accepted(invoice_type=invoice_type, items=[item(tax_group=group)], credit=credit)
    assert faults(payload) == []
    for member in ORIGINAL:
        pointer = f"/credit/{member}"
        assert faults(payload, {pointer: None}) == [(pointer, f"credit.{member}.missing")]


def test_sfe_1_28_originals_go_with_nature_and_a_rebate_has_none():
    nothing = dict.fromkeys(ORIGINAL)
    payload = accepted(invoice_type="FA", credit=nothing | {"nature": "RRR"})
    assert faults(payload) == []
    for member, value in ORIGINAL.items():
        pointer = f"/credit/{member}"
        assert faults(payload, {pointer: value}) == [(pointer, "credit.original.unexpected")]


@pytest.mark.parametrize(("invoice_type", "group"), [("FA", "B"), ("EA", "E")])
def test_sfe_1_25_credit_is_for_credit_notes_which_all_state_it(invoice_type, group):
    payload = accepted(invoice_type=invoice_type, items=[item(tax_group=group)])
    assert faults(payload) == [("/credit", "credit.missing")]


@pytest.mark.parametrize(("invoice_type", "group"), [("FV", "B"), ("FT", "B"), ("EV", "E"), ("ET", "E")])
@pytest.mark.parametrize("nature", ["COR", "RRR"])
def test_sfe_1_25_credit_is_for_credit_notes_only(invoice_type, group, nature):
    payload = accepted(
        invoice_type=invoice_type, items=[item(tax_group=group)], credit=dict.fromkeys(ORIGINAL) | {"nature": nature}
    )
    assert faults(payload) == [("/credit", "credit.unexpected")]
