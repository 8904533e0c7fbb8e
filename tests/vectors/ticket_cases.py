"""What the vectors of provisional tickets are made of: sales of one till, and what else their statements say."""

LARGEST = 2**53 - 1
TILL = {
    "authority": "BONO-CD-TEST",
    "merchant_nif": "A1234567B",
    "outlet_id": "KIN001",
    "terminal": "T1",
    "counter": 1,
    "document_id": "0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11",
    "document_type": "FV",
    "issued_at": "2026-11-21T08:30:00Z",
    "total": "11600.00",
    "tax": "1600.00",
    "credential_id": 7,
}
SALE = {
    "schema": "bonopay.provisional/1",
    "cashier": "Caisse 1",
    "lines": [{"code": "RIZ25", "name": "Riz 25 kg", "quantity": "1", "unit_price": "11600.00", "group": "B"}],
    "payments": [{"method": "ESPECES", "amount": "11600.00", "currency": "CDF"}],
}


def _named(name: str) -> dict:
    return {**SALE, "lines": [{**SALE["lines"][0], "name": name}]}


CASES: list[tuple[str, dict, dict]] = [
    # name, the sale, what the statement says otherwise
    ("an everyday sale", SALE, {}),
    ("accents, composed and combining", _named("Épicéa, cœur de bœuf, naïf; e\u0301 is not é"), {"counter": 2}),
    ("beyond the basic plane", _named("🍚 riz 😀 \U0001d11e \U0010fffd"), {"counter": 3}),
    ("other scripts and directions", _named("你好 قهوة עברית \u202eabc\u202c"), {"counter": 4}),
    ("line and paragraph separators", _named("one\u2028two\u2029three\u0085four"), {"counter": 5}),
    (
        "controls and what JSON escapes",
        _named('\u0000\u0001\b\t\n\u000b\f\r\u001f"\\/\u007f</script>`${x}'),
        {"counter": 6},
    ),
    ("edges of the surrogates, and noncharacters", _named("\ud7ff\ue000\ufffd\ufffe\uffff"), {"counter": 7}),
    (
        "nothing where something may be",
        {"": "", "client": None, "comments": {}, "lines": [], "payments": [[], {}, ""], "paid": False, "new": True},
        {"counter": 8, "total": "0.00", "tax": "0.00"},
    ),
    (
        "order of members",
        {
            name: rank
            for rank, name in enumerate(("b", "a", "B", "A", "_", "a1", "a10", "a2", "aa", "~", " ", "0", "-"))
        },
        {"counter": 9},
    ),
    (
        "the largest whole numbers",
        {"most": LARGEST, "least": -LARGEST, "zero": 0, "list": [1, -1, 4294967296, 2147483648]},
        {"counter": LARGEST, "credential_id": LARGEST, "total": "90071992547409.91", "tax": "90071992547409.91"},
    ),
    ("a counter that grows by an octet of its QR", SALE, {"counter": 128, "total": "1.28", "tax": "1.27"}),
    ("beyond 32 bits", SALE, {"counter": 2**32, "total": "42949672.96", "credential_id": 2**31}),
    (
        "the longest identifiers",
        SALE,
        {
            "counter": 1000000,
            "authority": "BONO-CD-TEST-0123456789X",
            "merchant_nif": "A1234567890123456789",
            "outlet_id": "KINSHASA0001",
            "terminal": "CAISSE01",
        },
    ),
    (
        "the shortest identifiers",
        SALE,
        {"authority": "B-C", "merchant_nif": "A1234", "outlet_id": "K01", "terminal": "1"},
    ),
    *[
        (f"document type {kind}", SALE, {"counter": 20 + rank, "document_type": kind})
        for rank, kind in enumerate(("FT", "FA", "EV", "ET", "EA"))
    ],
    ("the first second", SALE, {"counter": 30, "issued_at": "2000-01-01T00:00:00Z"}),
    ("the last second", SALE, {"counter": 31, "issued_at": "2099-12-31T23:59:59Z"}),
]
LEADING_ZEROS = [
    # name, with how many zero octets r and s begin, and the number of a document from which on one is looked for
    ("a signature whose r begins with a zero", (1, 0), 49),
    ("a signature whose s begins with a zero", (0, 1), 4),
    ("a signature whose r begins with two zeros", (2, 0), 22018),
    ("a signature whose s begins with two zeros", (0, 2), 239313),
]
"""The last number is the first that has it, so that nothing is looked for as long as nothing changes."""
