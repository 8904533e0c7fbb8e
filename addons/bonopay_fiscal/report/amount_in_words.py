"""Amounts of an invoice in French words (SFE §1.2 q)."""

from decimal import Decimal

from num2words import num2words

# code: (one unit, several units, one hundredth, several hundredths)
CURRENCY_WORDS = {
    "CDF": ("franc congolais", "francs congolais", "centime", "centimes"),
    "USD": ("dollar américain", "dollars américains", "cent", "cents"),
    "EUR": ("euro", "euros", "centime", "centimes"),
}


def amount_in_words(amount: str, currency: str = "CDF") -> str:
    """Spell a money string (two decimals, no sign) with its currency, as French grammar wants it.

    >>> amount_in_words("104400.00")
    'Cent quatre mille quatre cents francs congolais'
    >>> amount_in_words("2000000.71")
    'Deux millions de francs congolais et soixante et onze centimes'

    :raises KeyError: for a currency that has no words here
    """
    one, many, one_hundredth, many_hundredths = CURRENCY_WORDS[currency]
    units, hundredths = divmod(int(Decimal(amount).scaleb(2)), 100)
    words = _counted(units, one, many)
    if hundredths:
        words += f" et {_counted(hundredths, one_hundredth, many_hundredths)}"
    return words[0].upper() + words[1:]


def _counted(number: int, one: str, many: str) -> str:
    """Join a number and its noun: plural from two on, and "de" after a round million or milliard."""
    noun = one if number < 2 else many
    link = " de " if number and number % 1_000_000 == 0 else " "
    return f"{num2words(number, lang='fr')}{link}{noun}"
