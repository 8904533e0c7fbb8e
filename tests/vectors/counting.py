"""The arithmetic of SFE §1.5 in integers, where the signer uses decimals, and the tables that it needs.

Centimes, thousandths of a unit, whole percents, millionths of a specific tax or exchange rate.
"""

from datetime import date, datetime, timedelta

START, REDUCTION = date(2022, 1, 1), date(2026, 6, 1)
RATES = {code: [(START, 0)] for code in "ADEHIJKLMN"}
RATES |= {code: [(START, 16)] for code in "BF"}
RATES |= {code: [(START, 8), (REDUCTION, 5)] for code in "CG"}
RATES |= {code: [(REDUCTION, 1)] for code in "OP"}


class VectorError(Exception):
    """A vector does not hold."""


def expect(what, stored, derived):
    if stored != derived:
        raise VectorError(f"{what}: stored {stored!r}, derived {derived!r}")


def scaled(text, places):
    """A decimal string as an integer of 10**-places; VectorError when it has more decimals."""
    whole, _, decimals = text.partition(".")
    if len(decimals) > places or not (whole + decimals).isdigit():
        raise VectorError(f"{text!r} is not a decimal of at most {places} places")
    return int(whole + decimals.ljust(places, "0"))


def half_up(numerator, denominator):
    return (2 * numerator + denominator) // (2 * denominator)


def money(centimes):
    return f"{centimes // 100}.{centimes % 100:02d}"


def plain(decimal):
    """A quantity, rate or value as it is spelt: without trailing zeros."""
    return decimal.rstrip("0").rstrip(".") if "." in decimal else decimal


def line_centimes(item):
    return half_up(scaled(item["unit_price"], 2) * scaled(item["quantity"], 3), 1000)


def specific_amount(item, tax):
    value = scaled(tax["value"], 6)
    if tax["basis"] == "amount":
        return half_up(value, 10**4)
    if tax["basis"] == "quantity":
        return half_up(value * scaled(item["quantity"], 3), 10**7)
    return half_up(value * line_centimes(item), 10**8)


def specific_centimes(item):
    """The declared amount of a line's specific tax."""
    return scaled(item["specific_tax"]["amount"], 2) if item["specific_tax"] else 0


def rate_on(code, day):
    """The rate of a group in percent, None when it was not in force."""
    rates = [rate for valid_from, rate in RATES[code] if valid_from <= day]
    return rates[-1] if rates else None


def group_row(code, rate, price_mode, items):
    """One row of `tax_groups`; amounts in centimes are exact, rates are whole percents."""
    lines = sum(line_centimes(item) for item in items)
    specific = sum(specific_centimes(item) for item in items)
    if price_mode not in ("ht", "ttc"):
        raise VectorError(f"price mode {price_mode!r} is not known")
    if code == "N":
        base, total = 0, lines
    elif price_mode == "ht":
        base = lines + specific
        total = half_up(base * (100 + rate), 100)
    else:
        base = half_up(lines * 100, 100 + rate) + specific
        total = lines + half_up(specific * (100 + rate), 100)
    return {"code": code, "rate": str(rate), "base": money(base), "tax": money(total - base), "total": money(total)}


def kinshasa_day(issued_at):
    return (datetime.strptime(issued_at, "%Y-%m-%dT%H:%M:%SZ") + timedelta(hours=1)).date()


def derive_group(code, rate, invoice):
    """The row of a group that the lines of an invoice give."""
    return group_row(
        code, rate, invoice["price_mode"], [item for item in invoice["items"] if item["tax_group"] == code]
    )


def derive_amounts(invoice):
    """The `tax_groups` and `totals` of an invoice, from its lines, price mode and day of issue."""
    day = kinshasa_day(invoice["issued_at"])
    rates = {code: rate_on(code, day) for code in sorted({item["tax_group"] for item in invoice["items"]})}
    if None in rates.values():
        raise VectorError(f"a group is not in force on {day}: {rates}")
    groups = [derive_group(code, rate, invoice) for code, rate in rates.items()]
    sums = {name: money(sum(scaled(row[name], 2) for row in groups)) for name in ("base", "tax", "total")}
    specific = money(sum(map(specific_centimes, invoice["items"])))
    return groups, {**sums, "specific_tax": specific, "currency": "CDF"}
