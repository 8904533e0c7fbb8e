"""Every fault of the line × every command: certified exactly once, or a named failure whose fate is then told truly."""

from collections.abc import Callable
from decimal import Decimal
from itertools import product

import pytest

from bonopay_signer.dgi.device import DeviceError, Document, Elements, Fate, Refused, UnknownOutcome, Unreachable
from bonopay_signer.dgi.mcf.device import McfDevice

from .conftest import document
from .twin import McfTwin

COMMANDS = (0xC1, 0xC3, 0xC0, 0x31, 0x36, 0x33, 0x35, 0x38)
MUTE = ("silence_before", "silence_after", "garbage_before", "garbage_after", "bad_bcc")
POWER_CUTS = ("power_cut_before", "power_cut_after")
FAULTS = [(kind, 1) for kind in (*MUTE, *POWER_CUTS)] + [("nak", 2), ("nak", 4), ("syn", 3)]
HARMLESS = {("nak", 2), ("syn", 3)}


def _sold() -> Document:
    return document(comments={**dict.fromkeys("BCDEFGH"), "A": "Merci"})


async def _attempt(device: McfDevice, sold: Document) -> tuple[str | None, Elements | DeviceError]:
    """The uid, once there is one, and what came of it."""
    uid = None
    try:
        pending = await device.prepare(sold)
        uid = pending.uid
        return uid, await device.confirm(sold.fiscal_number, uid, pending.totals.total, pending.totals.tax)
    except DeviceError as error:
        return uid, error


async def _settled(device: McfDevice, sold: Document, uid: str | None) -> Elements:
    """What the recovery does: ask, and prepare again only when the device says that it was not finalised."""
    fate = Fate.NOT_FINALISED if uid is None else await device.fate(sold.fiscal_number, uid)
    if isinstance(fate, Elements):
        return fate
    if fate is Fate.PENDING:
        total, tax = (Decimal(amount) for amount in (sold.invoice.totals.total, sold.invoice.totals.tax))
        return await device.confirm(sold.fiscal_number, uid, total, tax)
    assert fate is Fate.NOT_FINALISED
    _, elements = await _attempt(device, sold)
    assert isinstance(elements, Elements), elements
    return elements


@pytest.mark.parametrize(("command", "fault"), list(product(COMMANDS, FAULTS)), ids=str)
async def test_dgi_matrix_mcf(command: int, fault: tuple[str, int], device: McfDevice, twin: McfTwin) -> None:
    sold = _sold()
    await device.fate(sold.fiscal_number, f"X~{sold.fiscal_number}~0~00000000")  # so that 38h C is not the one hit
    twin.fault(command, *fault)
    uid, outcome = await _attempt(device, sold)
    assert twin.faults_left() == 0, "the fault befell"
    certified = twin.certified(sold.fiscal_number)
    if fault in HARMLESS:
        assert isinstance(outcome, Elements)
    if isinstance(outcome, Elements):
        assert certified == [outcome.code]
        return
    assert isinstance(outcome, Refused | Unreachable | UnknownOutcome)
    if isinstance(outcome, Unreachable):
        assert certified == [], "what is called unreachable had no effect"
    if certified:
        assert isinstance(outcome, UnknownOutcome), outcome
    elements = await _settled(device, sold, uid)
    assert twin.certified(sold.fiscal_number) == [elements.code]
    if certified:
        assert elements.code == certified[0]


@pytest.mark.parametrize("fault", [*MUTE, *POWER_CUTS])
@pytest.mark.parametrize("others", [0, 1, 3])
@pytest.mark.parametrize("crash", [False, True])
async def test_dgi_matrix_mcf_fate_is_true_after_others_and_after_a_crash(
    fault: str, others: int, crash: bool, new_device: Callable[..., McfDevice], twin: McfTwin
) -> None:
    device, sold = new_device(), _sold()
    await device.fate(sold.fiscal_number, f"X~{sold.fiscal_number}~0~00000000")
    twin.fault(0x38, fault)
    uid, outcome = await _attempt(device, sold)
    assert isinstance(outcome, UnknownOutcome) and uid is not None
    certified = twin.certified(sold.fiscal_number)
    if crash:
        device = new_device()
    for _ in range(others):
        _, elements = await _attempt(device, _sold())
        assert isinstance(elements, Elements)
    fate = await device.fate(sold.fiscal_number, uid)
    assert [fate.code] == certified if isinstance(fate, Elements) else (fate, certified) == (Fate.NOT_FINALISED, [])
    assert bool(certified) == fault.endswith(("_after", "bcc"))
    elements = await _settled(device, sold, uid)
    assert twin.certified(sold.fiscal_number) == [elements.code]


@pytest.mark.parametrize("fault", MUTE)
async def test_dgi_matrix_mcf_cancellation(fault: str, device: McfDevice, twin: McfTwin) -> None:
    sold = _sold()
    pending = await device.prepare(sold)
    twin.fault(0x38, fault)
    with pytest.raises(UnknownOutcome):
        await device.cancel(sold.fiscal_number, pending.uid)
    assert await device.fate(sold.fiscal_number, pending.uid) is Fate.NOT_FINALISED
    assert twin.certified(sold.fiscal_number) == []
