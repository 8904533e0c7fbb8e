"""What the till's arithmetic in JavaScript must come to, from the server's: random and odd values, the same each time.

Amounts are whole centimes, everything else is a number as Odoo has it.
"""

import json
import random
from decimal import Decimal

from odoo.addons.bonopay_fiscal.core import arithmetic
from odoo.addons.bonopay_fiscal.core.arithmetic import exact

SEED = 20261130
#: Odd multiples of 1/128 are half way between two numbers of six places; others are those that binary misses.
ODD_NUMBERS = (
    0.0, -0.0, 1 / 128, -1 / 128, 3 / 128, -3 / 128, 12345 + 5 / 128, 2.0**33 + 1 / 128, -(2.0**33) - 3 / 128,
    0.1 + 0.2, 1.005, -1.005, 0.0000005, 0.00000049, -0.0000005, 0.000001, 123456789012.34, 4503599627370497.5,
    9007199254740993.0, 1e15, 1e20, 999999.9999995,
)  # fmt: skip
ODD_LINES = (
    (0.105, 1.0, 0.0), (-0.105, 1.0, 0.0), (0.33, 2.125, 0.0), (99.99, 3.0, 12.5), (0.01, 0.5, 0.0), (0.01, -0.5, 0.0),
    (100.0, 1.0, 100.0), (100.0, 1.0, -10.0), (1.005, 1.0, 0.0), (100.0, 0.0005, 0.0), (100.0, -0.0005, 0.0),
    (100.0, 0.0004, 0.0), (99999999.99, 9999.999, 0.0), (0.0, 5.0, 0.0), (3.335, 3.0, 33.33),
)  # fmt: skip
ODD_GROUPS = (
    ("B", 16.0, "ttc", 2997, 0), ("B", 16.0, "ht", 231, 0), ("B", 16.0, "ttc", 116000, 11600),
    ("N", 0.0, "ht", 5000, 0), ("B", 16.0, "ttc", 58, 0), ("B", 16.0, "ttc", -58, 0), ("B", 16.0, "ht", 0, 0),
    ("C", 8.0, "ttc", 3333333, 1), ("O", 1.0, "ht", 50, 0), ("O", 1.0, "ht", -50, 0),
    ("B", 16.0, "ttc", 10**13 + 1, 10**11 + 1),
)  # fmt: skip
RATES = {"A": 0.0, "B": 16.0, "C": 8.0, "D": 0.0, "E": 0.0, "F": 16.0, "G": 5.0, "H": 0.0, "N": 0.0, "O": 1.0}
BASES = ("amount", "quantity", "percent")


def centimes(amount):
    """Whole centimes of an amount: Decimal, or a float that stands for one."""
    return int(arithmetic.round2(exact(amount)) * 100)


def _francs(whole):
    return Decimal(whole) / 100


def price(dice, least=0.01):
    """A unit price of any size, with up to four places."""
    return round(10 ** dice.randint(0, 6) * dice.random() + least, dice.choice((0, 2, 2, 4))) or 1.0


def quantity(dice):
    """More than nothing, with up to three places."""
    return round(dice.choice((1, 10, 100)) * dice.random() + 0.1, dice.choice((0, 1, 3))) or 1.0


def discount(dice):
    """In percent; a negative one makes dearer."""
    return dice.choice((0.0, 0.0, 0.0, 5.0, 10.0, 12.5, 33.33, round(100 * dice.random(), 2), 100.0, -7.25))


def numbers(dice):
    """``[float, millionths as text]``"""
    found = [*ODD_NUMBERS, *(dice.uniform(-1, 1) * 10 ** dice.randint(-6, 12) for _number in range(280))]
    return [[number, str(int(exact(number) * 1_000_000))] for number in found]


def lines(dice):
    """``[unit price, quantity, discount, net price, amount]``"""
    found = [(price(dice), dice.choice((1, 1, -1)) * quantity(dice), discount(dice)) for _number in range(1000)]
    return [_line(*values) for values in (*ODD_LINES, *found)]


def _line(unit_price, sold, reduction):
    net = arithmetic.net_unit_price(exact(unit_price), exact(reduction))
    amount = arithmetic.line_amount(net, arithmetic.round_quantity(exact(sold)))
    return [unit_price, sold, reduction, centimes(net), centimes(amount)]


def specific_taxes(dice):
    """``[basis, value, quantity, amount of the line, tax]``"""
    found = []
    for _number in range(400):
        basis, value = dice.choice(BASES), round(dice.choice((1, 100)) * dice.random(), dice.choice((2, 4, 6)))
        sold, amount = quantity(dice), dice.randint(0, 10**9)
        decimals = exact(value), arithmetic.round_quantity(exact(sold)), _francs(amount)
        found.append([basis, value, sold, amount, centimes(arithmetic.specific_tax_amount(basis, *decimals))])
    return found


def groups(dice):
    """``[letter, rate, price mode, lines, specific taxes, base, tax, total]``"""
    found = list(ODD_GROUPS)
    for _number in range(600):
        letter, sign = dice.choice([*RATES]), dice.choice((1, 1, -1))
        amount = sign * dice.randint(0, 10 ** dice.randint(1, 11))
        specific = 0 if letter == "N" else sign * dice.choice((0, 0, dice.randint(1, 10**6)))
        found.append((letter, RATES[letter], dice.choice(("ht", "ttc")), amount, specific))
    return [_group(*values) for values in found]


def _group(letter, rate, mode, amount, specific):
    amounts = arithmetic.group_amounts(letter, exact(rate), mode, _francs(amount), _francs(specific))
    return [letter, rate, mode, amount, specific, *map(centimes, amounts)]


def spreads(dice, distribute):
    """``[centimes, weights, shares]``; halves above all, which Python and JavaScript round otherwise.

    :param distribute: Odoo's own, of ``account.tax``
    """
    found = []
    for _number in range(200):
        whole = dice.choice((-1, 1)) * dice.randint(0, 9)
        weights = [dice.choice((0.0, 1.0, -1.0, 2.0, 4.0, dice.uniform(-9, 9))) for _part in range(dice.randint(1, 8))]
        shares = distribute(2, whole / 100, [{"factor": weight} for weight in weights])
        found.append([whole, weights, [round(share * 100) for share in shares]])
    return found


def vectors(distribute, taxes, orders):
    """All that the JavaScript is held against: name → list.

    :param distribute: Odoo's own, of ``account.tax``
    :param list taxes: as the till loads them
    :param list orders: with what the server makes of them
    """
    dice = random.Random(SEED)
    pure = {kind.__name__: kind(dice) for kind in (numbers, lines, specific_taxes, groups)}
    return {**pure, "spreads": spreads(dice, distribute), "taxes": taxes, "orders": orders}


def as_module(found):
    """The JavaScript module that holds vectors, one to a line."""
    kinds = [
        f'"{name}": [\n' + ",\n".join(json.dumps(one, separators=(",", ":")) for one in of_kind) + "\n]"
        for name, of_kind in found.items()
    ]
    head = "/** Made by `tests/test_legal_arithmetic.py` from the server's arithmetic: not to be edited. */\n"
    return f"{head}export const VECTORS = JSON.parse(`{{\n" + ",\n".join(kinds) + "\n}`);\n"
