"""Statements for the tests: a typical one, and any valid one."""

import string
from datetime import datetime

from hypothesis import strategies as st

from bonopay_signer.fiscal.numbering import fiscal_number
from bonopay_signer.fiscal.statement import Statement

from .builders import money

CAPITALS = string.ascii_uppercase + string.digits

TYPICAL = Statement(
    v=1,
    kind="invoice",
    authority="BONO-CD-DEMO",
    epoch=1,
    merchant_nif="A1234567B",
    outlet_id="KIN001",
    index=12_345,
    fiscal_number="BONO-KIN001-01-000006789",
    document_type="FV",
    sealed_at="2026-11-21T08:30:00.123Z",
    total="104400.00",
    tax="14400.00",
    currency="CDF",
    payload_hash="ab" * 32,
    key_id="0123456789abcdef",
)

OUTLETS = st.text(CAPITALS, min_size=3, max_size=12)
EPOCHS = st.integers(1, 99)
SEQUENCES = st.integers(1, 999_999_999)
NUMBERS = st.builds(fiscal_number, OUTLETS, EPOCHS, SEQUENCES)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31, 23, 59, 59, 999_999)).map(
    lambda time: f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
)
HEX = "0123456789abcdef"
KINDS = st.sampled_from(["invoice", "dgi_certified", "dgi_rejected"])
OTHER_KINDS = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
CODES = st.text(CAPITALS, min_size=1, max_size=8)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    """Any valid statement: known and unknown kinds, a number that follows from outlet and epoch or does not."""
    outlet, epoch = draw(OUTLETS), draw(EPOCHS)
    return Statement(
        v=1,
        kind=draw(KINDS | OTHER_KINDS),
        authority=draw(st.text(CAPITALS + "-", min_size=3, max_size=24)),
        epoch=epoch,
        merchant_nif=draw(st.text(CAPITALS, min_size=5, max_size=20)),
        outlet_id=outlet,
        index=draw(st.integers(1, 2**53 - 1)),
        fiscal_number=draw(st.builds(fiscal_number, st.just(outlet), st.just(epoch), SEQUENCES) | NUMBERS),
        document_type=draw(st.sampled_from(["FV", "FT", "FA", "EV", "ET", "EA"]) | CODES),
        sealed_at=draw(TIMES),
        total=draw(money(17) | st.just("0.00")),
        tax=draw(money(17) | st.just("0.00")),
        currency=draw(st.just("CDF") | st.text(string.ascii_uppercase, min_size=3, max_size=3)),
        payload_hash=draw(st.text(HEX, min_size=64, max_size=64)),
        key_id=draw(st.text(HEX, min_size=16, max_size=16)),
    )
