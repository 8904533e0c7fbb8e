"""The 26 provinces (constitution, art. 2) by their ISO 3166-2:CD code, and the time zone in which each lives."""

_WEST, _EAST = "Africa/Kinshasa", "Africa/Lubumbashi"
PROVINCES = {
    "BC": ("Kongo Central", _WEST),
    "BU": ("Bas-Uele", _EAST),
    "EQ": ("Équateur", _WEST),
    "HK": ("Haut-Katanga", _EAST),
    "HL": ("Haut-Lomami", _EAST),
    "HU": ("Haut-Uele", _EAST),
    "IT": ("Ituri", _EAST),
    "KC": ("Kasaï-Central", _EAST),
    "KE": ("Kasaï-Oriental", _EAST),
    "KG": ("Kwango", _WEST),
    "KL": ("Kwilu", _WEST),
    "KN": ("Kinshasa", _WEST),
    "KS": ("Kasaï", _EAST),
    "LO": ("Lomami", _EAST),
    "LU": ("Lualaba", _EAST),
    "MA": ("Maniema", _EAST),
    "MN": ("Mai-Ndombe", _WEST),
    "MO": ("Mongala", _WEST),
    "NK": ("Nord-Kivu", _EAST),
    "NU": ("Nord-Ubangi", _WEST),
    "SA": ("Sankuru", _EAST),
    "SK": ("Sud-Kivu", _EAST),
    "SU": ("Sud-Ubangi", _WEST),
    "TA": ("Tanganyika", _EAST),
    "TO": ("Tshopo", _EAST),
    "TU": ("Tshuapa", _WEST),
}


def time_zone(code: str | None) -> str | None:
    """The zone of a province, ``None`` for what is none.

    >>> time_zone("HK"), time_zone("XX")
    ('Africa/Lubumbashi', None)
    """
    return PROVINCES[code][1] if code in PROVINCES else None
