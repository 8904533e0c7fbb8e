"""Odoo, the signer and the DGI's sandbox count on their own and agree to the centime (SFE §1.5, invariant 6).

Over 40 random invoices in francs and as many in dollars, and 12 credit notes of each.
"""

import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

import psycopg
import pytest

from launcher.odoo import Session
from launcher.signer import DATABASE
from tests.conftest import Suite

SEED = 20261201
INVOICES = 40  # in francs, and as many in dollars
CREDITED = 12  # of each, every other one in part
RATE = 2305.35  # francs for a dollar, within 1 % of what the DGI's sandbox tells of the day
AT_ONCE = 20
PATIENCE = 120  # seconds
CENT = Decimal("0.01")


class Merchant:
    """The demo company's accountant, with a tax of each kind at hand."""

    def __init__(self, suite: Suite):
        administrator = suite.administrator
        company = administrator.reference("base", "demo_company_cd")
        administrator.use_company(company)
        self.session = suite.accountant
        self._write_taxes(administrator, company)
        self._write_rate(administrator, company)
        self.partner = self.session.reference("bonopay_fiscal", "demo_partner_pm")
        self.product = self.session.reference("bonopay_fiscal", "demo_product_rice")

    def _write_taxes(self, administrator: Session, company: int) -> None:
        def chart(*names: str) -> list[int]:
            # by the record of the name: a reference to what is archived is told as none
            wanted = [["module", "=", "account"], ["name", "in", [f"{company}_{name}" for name in names]]]
            rows = administrator.call("ir.model.data", "search_read", wanted, ["res_id"], order="id")
            taxes = [row["res_id"] for row in rows]
            assert len(taxes) == len(names), names
            administrator.call("account.tax", "write", taxes, {"active": True})
            return taxes

        excluded = chart("tva_sale_16", "tva_sale_16_services", "tva_exempt_0", "bonopay_sale_c", "bonopay_sale_o")
        included = []
        for tax in excluded:
            copied = administrator.call(
                "account.tax", "copy", [tax], {"name": f"TTC {tax}", "price_include_override": "tax_included"}
            )
            included += copied if isinstance(copied, list) else [copied]
        self.taxes = {"ht": excluded, "ttc": included}
        [self.whole] = chart("bonopay_sale_n")
        self.specific = chart("bonopay_specific_amount", "bonopay_specific_quantity", "bonopay_specific_percent")

    def _write_rate(self, administrator: Session, company: int) -> None:
        self.currencies = {name: administrator.reference("base", name) for name in ("CDF", "USD")}
        administrator.call("res.currency", "write", [self.currencies["USD"]], {"active": True})
        rate = {
            "currency_id": self.currencies["USD"],
            "company_id": company,
            "name": datetime.now(UTC).date().isoformat(),
            "inverse_company_rate": RATE,
        }
        administrator.call("res.currency.rate", "create", [rate])

    def random_invoice(self, dice: random.Random, currency: str) -> int:
        mode = dice.choice(("ht", "ttc"))
        dearest = 5 if currency == "CDF" else 3
        lines = [self._random_line(dice, mode, dearest) for _ in range(dice.randint(1, 7))]
        reduced = dice.random() < 0.25
        if reduced:
            taxes = [[6, 0, [dice.choice(self.taxes[mode])]]]
            lines.append({"product_id": self.product, "price_unit": 80.0, "quantity": 3.0, "tax_ids": taxes})
            lines.append({"name": "Remise", "price_unit": -17.35, "quantity": 1.0, "tax_ids": taxes})
        values = {
            "move_type": "out_invoice",
            "partner_id": self.partner,
            "currency_id": self.currencies[currency],
            "invoice_line_ids": [[0, 0, line] for line in lines],
        }
        created = self.session.call("account.move", "create", [values])
        invoice = created[0] if isinstance(created, list) else created
        if reduced:
            self.session.call("account.move", "action_bonopay_distribute_reductions", [invoice])
        if dice.random() < 0.5:
            self._pay(dice, invoice, currency)
        return invoice

    def _pay(self, dice: random.Random, invoice: int, currency: str) -> None:
        """State how it is paid: in two parts, all of it or with a rest on credit, the first one in dollars."""
        [move] = self.session.call("account.move", "read", [invoice], ["amount_total"])
        total = Decimal(repr(round(move["amount_total"], 2)))
        first = (total * Decimal(dice.choice(("0.25", "0.3"))) / (1 if currency == "USD" else 2400)).quantize(CENT)
        others = {"USD": total - first, "CDF": total / 3}[currency].quantize(CENT)
        paid = [("ESPECES", first, "USD"), ("MOBILEMONEY", others if dice.random() < 0.7 else others / 2, currency)]
        rows = [
            [0, 0, {"method": method, "amount": float(amount), "currency_id": self.currencies[name]}]
            for method, amount, name in paid
            if amount
        ]
        self.session.call("account.move", "write", [invoice], {"bonopay_payment_ids": rows})

    def _random_line(self, dice: random.Random, mode: str, dearest: int) -> dict:
        line = {
            "name": "Article",
            "price_unit": round(10 ** dice.randint(dearest // 3, dearest) * dice.random() + 1, dice.choice((0, 2))),
            "quantity": round(10 * dice.random() + 0.1, dice.choice((0, 1, 3))) or 1.0,
            "discount": dice.choice((0, 0, 0, 10, 12.5, 33.33)),
        }
        if dice.random() < 0.1:
            return {**line, "tax_ids": [[6, 0, [self.whole]]]}
        taxes = [dice.choice(self.taxes[mode]), *dice.choice([[one] for one in self.specific] + [[]] * 3)]
        return {**line, "product_id": self.product, "tax_ids": [[6, 0, taxes]]}

    def credit(self, invoice: int, whole: bool) -> int:
        """A draft of the return of a whole sale, or of half of what is dearest on it."""
        [sale] = self.session.call("account.move", "read", [invoice], ["journal_id"])
        reversal = {
            "move_ids": [[6, 0, [invoice]]],
            "journal_id": sale["journal_id"][0],
            "bonopay_credit_nature": "RAM",
            "reason": "Retour",
        }
        context = {"active_model": "account.move", "active_ids": [invoice], "lang": "en_US"}
        wizard = self.session.call("account.move.reversal", "create", [reversal], context=context)
        action = self.session.call("account.move.reversal", "refund_moves", wizard, context=context)
        if not whole:
            self._halve(action["res_id"])
        return action["res_id"]

    def _halve(self, note: int) -> None:
        domain = [["move_id", "=", note], ["display_type", "=", "product"]]
        lines = self.session.call("account.move.line", "search_read", domain, ["quantity", "price_subtotal"])
        *others, dearest = sorted(lines, key=lambda line: (line["price_subtotal"], line["id"]))
        half = [1, dearest["id"], {"quantity": round(dearest["quantity"] / 2, 3)}]
        commands = [half, *([2, line["id"]] for line in others)]
        self.session.call("account.move", "write", [note], {"invoice_line_ids": commands})

    def post(self, invoices: list[int]) -> None:
        for first in range(0, len(invoices), AT_ONCE):
            self.session.call("account.move", "action_post", invoices[first : first + AT_ONCE])

    def amounts(self, invoices: list[int]) -> dict[int, dict[str, Decimal]]:
        """Base, VAT and total of each in francs, as Odoo's books have them, and its total in its own currency.

        Odoo's tax lines hold the specific taxes too.
        """
        names = [f"amount_{name}_signed" for name in ("untaxed", "tax", "total")]
        moves = self.session.call("account.move", "read", invoices, [*names, "amount_total"])
        lines = self.session.call(
            "account.move.line",
            "search_read",
            [["move_id", "in", invoices], ["tax_line_id.bonopay_specific", "!=", False]],
            ["move_id", "balance"],
        )
        found = {}
        for move in moves:
            specific = abs(sum(line["balance"] for line in lines if line["move_id"][0] == move["id"]))
            untaxed, tax, total = (abs(move[name]) for name in names)
            amounts = {"base": untaxed + specific, "tax": tax - specific, "total": total, "own": move["amount_total"]}
            found[move["id"]] = {
                name: Decimal(repr(round(amount, 2))).quantize(CENT) for name, amount in amounts.items()
            }
        return found


@pytest.fixture(scope="module")
def merchant(suite: Suite) -> Merchant:
    return Merchant(suite)


@pytest.fixture(scope="module")
def sold(merchant: Merchant) -> Iterator[list[dict]]:
    """Seals of random invoices, and of credit notes on some of them."""
    dice = random.Random(SEED)
    invoices = {name: [merchant.random_invoice(dice, name) for _ in range(INVOICES)] for name in ("CDF", "USD")}
    for of_currency in invoices.values():
        merchant.post(of_currency)
    posted = [invoice for of_currency in invoices.values() for invoice in of_currency]
    _sent(merchant, posted)
    returned = [invoice for of_currency in invoices.values() for invoice in dice.sample(of_currency, CREDITED)]
    credits = [merchant.credit(invoice, whole=bool(position % 2)) for position, invoice in enumerate(returned)]
    merchant.post(credits)
    yield _sent(merchant, [*posted, *credits])


def _sent(merchant: Merchant, invoices: list[int]) -> list[dict]:
    """The seals of posted invoices; who posts a batch waits for the first of them only, the cron sends the rest."""
    domain = [["move_id", "in", invoices], ["superseded", "=", False]]
    fields = ["move_id", "state", "fiscal_number", "payload", "last_error_message"]
    merchant.session.call("account.move", "action_bonopay_seal_now", invoices)
    deadline = time.monotonic() + PATIENCE
    while True:
        seals = merchant.session.call("bonopay.seal", "search_read", domain, fields)
        open_still = [seal for seal in seals if seal["state"] in ("to_seal", "sealed", "unknown")]
        if not open_still or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert len(seals) == len(invoices)
    refused = [(seal["state"], seal["last_error_message"]) for seal in seals if seal["state"] != "certified"]
    assert not refused, refused[:3]
    return seals


@pytest.fixture(scope="module")
def answered(suite: Suite, sold: list[dict]) -> dict[str, dict]:
    """What the DGI's sandbox counted for each fiscal number, from its own answers."""
    query = "SELECT fiscal_number, body FROM signer.dgi_exchange WHERE step = 'prepare' AND direction = 'answer'"
    with psycopg.connect(suite.instance.cluster.url("postgres", DATABASE)) as connection:
        rows = connection.execute(query).fetchall()
    return {number: json.loads(bytes(body), parse_float=Decimal, parse_int=Decimal) for number, body in rows}


def test_sfe_1_5_odoo_signer_and_dgi_agree_to_the_centime(
    merchant: Merchant, sold: list[dict], answered: dict[str, dict]
) -> None:
    odoo = merchant.amounts([seal["move_id"][0] for seal in sold])
    for seal in sold:
        payload, theirs = json.loads(seal["payload"]), answered[seal["fiscal_number"]]
        totals = {name: Decimal(payload["totals"][name]) for name in ("base", "tax", "specific_tax", "total")}
        where = f"{seal['fiscal_number']} ({payload['price_mode']})"
        ours = odoo[seal["move_id"][0]]
        assert (ours["base"], ours["tax"], ours["total"]) == (totals["base"], totals["tax"], totals["total"]), where
        assert (theirs["total"], theirs["vtotal"], theirs["ts"]) == (
            totals["total"],
            totals["tax"],
            totals["specific_tax"],
        ), where
        for group in payload["tax_groups"]:
            letter = group["code"].lower()
            counted = tuple(theirs[f"{name}{letter}"] for name in ("ha", "va", "ta"))
            assert counted == tuple(Decimal(group[name]) for name in ("base", "tax", "total")), where


def test_sfe_1_30_what_the_customer_owes_in_dollars_is_what_the_francs_are_worth(
    merchant: Merchant, sold: list[dict]
) -> None:
    odoo = merchant.amounts([seal["move_id"][0] for seal in sold])
    for seal in sold:
        payload = json.loads(seal["payload"])
        foreign, total = payload["foreign_currency"], Decimal(payload["totals"]["total"])
        worth = total / Decimal(foreign["rate"]) if foreign else total
        assert odoo[seal["move_id"][0]]["own"] == _to_the_centime(worth), seal["fiscal_number"]


def test_sfe_1_19_payments_in_francs_and_dollars_are_the_total(sold: list[dict]) -> None:
    for seal in sold:
        payload = json.loads(seal["payload"])
        paid = (_to_the_centime(Decimal(one["amount"]) * Decimal(one["rate"] or 1)) for one in payload["payments"])
        assert sum(paid) == Decimal(payload["totals"]["total"]), seal["fiscal_number"]


def _to_the_centime(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def test_the_dice_threw_what_is_hard(sold: list[dict]) -> None:
    """Otherwise the agreement above shows little."""
    payloads = [json.loads(seal["payload"]) for seal in sold]
    for in_dollars in (False, True):
        _threw_what_is_hard([one for one in payloads if bool(one["foreign_currency"]) == in_dollars])


def _threw_what_is_hard(payloads: list[dict]) -> None:
    items = [item for payload in payloads for item in payload["items"]]
    bases = {item["specific_tax"]["basis"] for item in items if item["specific_tax"]}
    assert bases == {"amount", "quantity", "percent"}
    assert {payload["price_mode"] for payload in payloads} == {"ht", "ttc"}
    assert {item["tax_group"] for item in items} >= set("ABCNO")
    assert sum(payload["invoice_type"] == "FA" for payload in payloads) == CREDITED
    assert sum(item["original_unit_price"] is not None for item in items) > INVOICES / 2
    assert any("Remise" == item["price_change"] for item in items), "a line below zero"
    currencies = [{payment["currency"] for payment in payload["payments"]} for payload in payloads]
    assert {"USD", "CDF"} in currencies
    assert sum(len(payload["payments"]) > 1 for payload in payloads) > INVOICES / 5
