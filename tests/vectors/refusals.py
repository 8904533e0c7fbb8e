"""What is refused, and why: `judge`, the form of a payload first, then the rules on one invoice (SFE §1.6–1.28)."""

import json
from collections import Counter
from datetime import date

from counting import START, derive_group, half_up, kinshasa_day, line_centimes, money, rate_on, scaled, specific_amount
from payload_form import GROUPS, MAX_TEXT, SCHEMA, form_faults, read

MAX_FINDINGS = 500


def judge(data):
    """The (pointer, code) of every finding; none when the bytes are an invoice that the law has nothing against."""
    value, code = read(data)
    if code:
        return [("", code)]
    found = list(form_faults(SCHEMA, value, "")) or list(rule_faults(json.loads(data)))
    return found if len(found) <= MAX_FINDINGS else [*found[:MAX_FINDINGS], ("", "findings.truncated")]


def rule_faults(invoice):
    day = kinshasa_day(invoice["issued_at"])
    known = day >= START
    if not known:
        yield "/issued_at", "issued_at.before_tables"
    yield from item_faults(invoice, day, known)
    yield from amount_faults(invoice, day)
    yield from payment_faults(invoice, day)
    if known:
        yield from client_faults(invoice)
        yield from credit_faults(invoice)


def bears_vat(code, day):
    return code == "N" or bool(rate_on(code, day))


def item_faults(invoice, day, known):
    items = [(f"/items/{position}", item) for position, item in enumerate(invoice["items"])]
    if not items:
        yield "/items", "items.empty"
    yield from zero_faults(items)
    yield from group_faults(items, day, known, is_export=invoice["invoice_type"] in ("EV", "ET", "EA"))
    for pointer, item in items:
        for member, other in (("price_change", "original_unit_price"), ("original_unit_price", "price_change")):
            if item[member] is None and item[other] is not None:
                yield f"{pointer}/{member}", f"item.{member}.missing"
    yield from specific_tax_faults(items)


def zero_faults(items):
    for pointer, item in items:
        for member in ("unit_price", "original_unit_price"):
            if item[member] == "0.00":
                yield f"{pointer}/{member}", f"item.{member}.zero"
    yield from ((f"{pointer}/quantity", "item.quantity.zero") for pointer, item in items if item["quantity"] == "0")
    for pointer, item in items:
        if not line_centimes(item) and item["unit_price"] != "0.00" and item["quantity"] != "0":
            yield pointer, "item.line.zero"


def group_faults(items, day, known, is_export):
    groups = [(f"{pointer}/tax_group", item["type"], item["tax_group"]) for pointer, item in items]
    in_force = {code: rate_on(code, day) is not None for code in GROUPS}
    for pointer, item_type, code in groups:
        if in_force[code] and (item_type == "TAX") != (code in "LN"):
            yield pointer, "item.tax_group.not_allowed"
    for pointer, _, code in groups:
        if known and not in_force[code]:
            yield pointer, "item.tax_group.not_in_force"
    for pointer, _, code in groups:
        if is_export and in_force[code] and bears_vat(code, day):
            yield pointer, "item.tax_group.export"


def specific_tax_faults(items):
    taxed = [(f"{pointer}/specific_tax", item) for pointer, item in items if item["specific_tax"]]
    yield from ((pointer, "item.specific_tax.not_allowed") for pointer, item in taxed if item["type"] == "TAX")
    for pointer, item in taxed:
        if item["type"] != "TAX":
            computed = money(specific_amount(item, item["specific_tax"]))
            if item["specific_tax"]["amount"] != computed:
                yield f"{pointer}/amount", "item.specific_tax.amount"
            elif computed == "0.00":
                yield f"{pointer}/amount", "item.specific_tax.zero"


def amount_faults(invoice, day):
    used = sorted({item["tax_group"] for item in invoice["items"]})
    rates = {code: rate_on(code, day) for code in GROUPS}
    computed = {code: derive_group(code, rates[code], invoice) for code in used if rates[code] is not None}
    yield from list_faults([row["code"] for row in invoice["tax_groups"]], used)
    yield from row_faults(invoice["tax_groups"], rates, computed)
    yield from total_faults(invoice, used, computed)


def list_faults(listed, used):
    yield from (("/tax_groups", "tax_groups.missing") for code in used if code not in listed)
    for position, code in enumerate(listed):
        if code in listed[:position]:
            yield f"/tax_groups/{position}", "tax_groups.duplicate"
        elif code not in used:
            yield f"/tax_groups/{position}", "tax_groups.unused"
    if listed != sorted(listed):
        yield "/tax_groups", "tax_groups.order"


def row_faults(rows, rates, computed):
    for position, row in enumerate(rows):
        if rates[row["code"]] is not None and row["rate"] != str(rates[row["code"]]):
            yield f"/tax_groups/{position}/rate", "tax_group.rate"
    times = Counter(row["code"] for row in rows)
    for position, row in enumerate(rows):
        of_lines = computed.get(row["code"])
        if of_lines and times[row["code"]] == 1 and row["rate"] == of_lines["rate"]:
            for member in ("base", "tax", "total"):
                if row[member] != of_lines[member]:
                    yield f"/tax_groups/{position}/{member}", f"tax_group.{member}"


def total_faults(invoice, used, computed):
    declared = {row["code"]: row for row in invoice["tax_groups"]}
    listed_once = {code for code, times in Counter(row["code"] for row in invoice["tax_groups"]).items() if times == 1}
    rows = [declared[code] if code in listed_once else computed.get(code) for code in used]
    if not rows or None in rows:
        return
    sums = {member: money(sum(scaled(row[member], 2) for row in rows)) for member in ("base", "tax", "total")}
    specific = sum(scaled(item["specific_tax"]["amount"], 2) for item in invoice["items"] if item["specific_tax"])
    for member in ("base", "tax", "specific_tax", "total"):
        amount = invoice["totals"][member]
        if member == "total" and amount == "0.00":
            yield "/totals/total", "totals.zero"
        elif amount != (money(specific) if member == "specific_tax" else sums[member]):
            yield f"/totals/{member}", f"totals.{member}"


def rate_fault(payment):
    if payment["currency"] == "CDF":
        return payment["rate"] is not None and "payment.rate.unexpected"
    if payment["rate"] is None:
        return "payment.rate.missing"
    return payment["rate"] == "0" and "payment.rate.zero"


def payment_faults(invoice, day):
    payments = [(f"/payments/{position}", payment) for position, payment in enumerate(invoice["payments"])]
    for pointer, payment in payments:
        if payment["amount"] == "0.00":
            yield f"{pointer}/amount", "payment.amount.zero"
    at_fault = [(pointer, rate_fault(payment)) for pointer, payment in payments if rate_fault(payment)]
    yield from ((f"{pointer}/rate", code) for pointer, code in at_fault)
    foreign = invoice["foreign_currency"]
    rates = [payment["rate"] for _, payment in payments if payment["currency"] != "CDF" and not rate_fault(payment)]
    first = foreign["rate"] if foreign else next(iter(rates), None)
    for pointer, payment in payments:
        if payment["currency"] != "CDF" and not rate_fault(payment) and payment["rate"] != first:
            yield f"{pointer}/rate", "payment.rate.differs"
    if foreign and foreign["rate"] == "0":
        yield "/foreign_currency/rate", "foreign_currency.rate.zero"
    if foreign and date.fromisoformat(foreign["date"]) > day:
        yield "/foreign_currency/date", "foreign_currency.date.future"
    francs = [half_up(scaled(one["amount"], 2) * scaled(one["rate"] or "1", 6), 10**6) for _, one in payments]
    if not at_fault and money(sum(francs)) != invoice["totals"]["total"]:
        yield "/payments", "payments.total"


def client_faults(invoice):
    client = invoice["client"]
    compulsory = {"PP": (), "AO": ("name", "exemption_reference")}.get(client["type"], ("name", "nif"))
    yield from ((f"/client/{name}", f"client.{name}.missing") for name in compulsory if client[name] is None)
    reference = client["exemption_reference"]
    if reference is not None and client["type"] != "AO":
        yield "/client/exemption_reference", "client.exemption_reference.unexpected"
    elif reference is not None and len(f"Réf. Exo. : {reference}") > MAX_TEXT:
        yield "/client/exemption_reference", "client.exemption_reference.too_long"
    elif reference is not None and invoice["comments"]["A"] != f"Réf. Exo. : {reference}":
        yield "/comments/A", "comments.A.exemption"


def credit_faults(invoice):
    credit, is_credit_note = invoice["credit"], invoice["invoice_type"] in ("FA", "EA")
    if is_credit_note != (credit is not None):
        yield "/credit", "credit.missing" if is_credit_note else "credit.unexpected"
    elif credit:
        for member in ("original_fiscal_number", "original_dgi_code"):
            if credit["nature"] == "RRR" and credit[member] is not None:
                yield f"/credit/{member}", "credit.original.unexpected"
            elif credit["nature"] != "RRR" and credit[member] is None:
                yield f"/credit/{member}", f"credit.{member}.missing"
