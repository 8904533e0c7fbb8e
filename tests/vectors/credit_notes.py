"""A credit note against the invoice that it corrects (SFE §1.26–1.27), and rates against the day's (SFE §1.30).

Both give findings as (pointer, code, expected, actual), in the order in which the signer lists them.
"""

from collections import Counter
from fractions import Fraction

from counting import kinshasa_day, money, plain, scaled, specific_amount

CORRECTED = {"FA": ("FV", "FT"), "EA": ("EV", "ET")}


def judge_credit(original, dgi_code, earlier, credit_note):
    credit = credit_note["credit"]
    if credit is None or credit["nature"] == "RRR":
        return []
    if original is None:
        number = credit["original_fiscal_number"]
        return [("/credit/original_fiscal_number", "credit.original.unknown", None, number)]
    found = [*header_faults(original, dgi_code, credit_note), *currency_faults(original, credit_note)]
    if original["invoice_type"] not in CORRECTED and original["price_mode"] == credit_note["price_mode"]:
        found += line_faults(original, earlier, credit_note)
    return found


def header_faults(original, dgi_code, credit_note):
    sold, accepted = original["invoice_type"], CORRECTED[credit_note["invoice_type"]]
    pointer = "/credit/original_fiscal_number"
    if sold in CORRECTED:
        yield pointer, "credit.original.is_credit_note", None, sold
    elif sold not in accepted:
        yield pointer, "credit.original.family", ", ".join(accepted), sold
    given = credit_note["credit"]["original_dgi_code"]
    if dgi_code not in (None, given):
        yield "/credit/original_dgi_code", "credit.original_dgi_code.differs", dgi_code, given
    days = [kinshasa_day(invoice["issued_at"]).isoformat() for invoice in (original, credit_note)]
    if days[1] < days[0]:
        yield "/issued_at", "credit.issued_at.before_original", *days
    modes = original["price_mode"], credit_note["price_mode"]
    if modes[0] != modes[1]:
        yield "/price_mode", "credit.price_mode.differs", *modes


def currency_faults(original, credit_note):
    sold, given = original["foreign_currency"], credit_note["foreign_currency"]
    if given and not sold:
        yield "/foreign_currency", "credit.foreign_currency.unexpected", None, given["code"]
    elif given and given["rate"] != sold["rate"]:
        yield "/foreign_currency/rate", "credit.foreign_currency.rate", sold["rate"], given["rate"]


def by_unit(item):
    tax = item["specific_tax"]
    return f"{tax['basis']} {tax['value']}" if tax and tax["basis"] != "amount" else "null"


def terms(item):
    """What tells articles of one code apart."""
    return {name: item[name] for name in ("type", "tax_group", "unit_price")} | {"specific_tax": by_unit(item)}


def key(item):
    return item["code"], *terms(item).values()


def article(item):
    """What the DGI adds up the specific taxes of."""
    return key(item)[:-1]


def specific_tax(item):
    return scaled(item["specific_tax"]["amount"], 2) if item["specific_tax"] else 0


def fixed_tax(item):
    tax = item["specific_tax"]
    return scaled(tax["amount"], 2) if tax and tax["basis"] == "amount" else 0


def line_faults(original, earlier, credit_note):
    quantity, taxes = Counter(), Counter()
    for item in original["items"]:
        quantity[key(item)] += scaled(item["quantity"], 3)
        taxes["fixed", *key(item)] += fixed_tax(item)
        taxes[article(item)] += specific_tax(item)
    for item in (item for note in earlier for item in note["items"]):
        lot = lot_of(original, item, taxes)
        take(item, lot if lot in quantity else key(nearest(original, item) or item), quantity, taxes)
    for position, item in enumerate(credit_note["items"]):
        pointer, lot = f"/items/{position}", lot_of(original, item, taxes)
        if lot not in quantity:
            yield from differences(pointer, nearest(original, item), item)
            continue
        too_many = scaled(item["quantity"], 3) > quantity[lot]
        if too_many:
            left = quantity[lot]
            text = plain(f"{left // 1000}.{left % 1000:03d}")
            yield f"{pointer}/quantity", "credit.item.quantity.exceeds", text, item["quantity"]
        left = taxes[article(item)]
        if fixed_tax(item):
            left = min(left, taxes["fixed", *lot])
        if specific_tax(item) > left and not (too_many and by_unit(item) != "null"):
            code = "credit.item.specific_tax.exceeds"
            yield f"{pointer}/specific_tax/amount", code, money(left), item["specific_tax"]["amount"]
        take(item, lot, quantity, taxes)


def lot_of(original, item, taxes):
    """Its own; a line without specific tax may be of an article whose tax by quantity or percent is used up."""
    if item["specific_tax"] is None and all(key(line) != key(item) for line in original["items"]):
        for line in original["items"]:
            if article(line) == article(item) and by_unit(line) != "null":
                full = specific_amount(item, line["specific_tax"])
                return key(line) if full > taxes[article(item)] else key(item)
    return key(item)


def take(item, lot, quantity, taxes):
    if lot in quantity:
        quantity[lot] = max(quantity[lot] - scaled(item["quantity"], 3), 0)
        taxes["fixed", *lot] = max(taxes["fixed", *lot] - fixed_tax(item), 0)
        taxes[lot[:-1]] = max(taxes[lot[:-1]] - specific_tax(item), 0)


def nearest(original, item):
    """The first line of the article that differs in price only, else in specific tax, else in group and type."""
    same_code = [line for line in original["items"] if line["code"] == item["code"]]
    for free in (("unit_price",), ("specific_tax",), ("tax_group", "type")):
        for line in same_code:
            if all(terms(line)[name] == terms(item)[name] for name in terms(item) if name not in free):
                return line
    return same_code[0] if same_code else None


def differences(pointer, line, item):
    if line is None:
        yield f"{pointer}/code", "credit.item.unknown", None, item["code"]
        return
    for name, given in terms(item).items():
        if terms(line)[name] != given:
            yield f"{pointer}/{name}", f"credit.item.{name}", terms(line)[name], given


def judge_rates(invoice, reference):
    if reference is None:
        return []
    day, foreign, credit = Fraction(reference), invoice["foreign_currency"], invoice["credit"]
    places = [("/foreign_currency/rate", foreign["rate"])] if foreign else []
    places += [
        (f"/payments/{position}/rate", one["rate"]) for position, one in enumerate(invoice["payments"]) if one["rate"]
    ]
    judged = {foreign["rate"]} if foreign and credit and credit["original_fiscal_number"] else set()
    found = []
    for pointer, rate in places:
        if rate not in judged and rate != "0" and abs(Fraction(rate) - day) > day / 100:
            limits = " – ".join(decimal(day * percent / 100) for percent in (99, 101))
            found.append((pointer, "rate.not_of_the_day", limits, rate))
        judged.add(rate)
    return found


def decimal(number):
    """A fraction that has a finite decimal form, in that form."""
    places = next(places for places in range(20) if (number * 10**places).denominator == 1)
    digits = f"{int(number * 10**places):0{places + 1}d}"
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits
