"""The driver against the twin over a pseudo-terminal: what it can do, and what it keeps."""

import asyncio
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.dgi.device import Busy, Document, Elements, Fate, Refused, UnknownOutcome, Unreachable
from bonopay_signer.dgi.journal import Journal
from bonopay_signer.dgi.mcf.device import McfDevice
from bonopay_signer.dgi.mcf.frame import NAK, SOH, SYN, decode
from bonopay_signer.dgi.mcf.link import Link, LinkSettings
from bonopay_signer.sealing.totals import differences

from ...fiscal.builders import accepted, credit_note, parsed
from ..test_mapping import PAYLOADS
from .conftest import OUTLET, document
from .twin import ISF, MID, NIF, McfTwin

_OLD_RATE = "last-day-of-8-percent"
_SALES = [name for name, payload in PAYLOADS.items() if payload["credit"] is None and name != _OLD_RATE]


async def certify(device: McfDevice, sold: Document) -> Elements:
    pending = await device.prepare(sold)
    return await device.confirm(sold.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)


async def exchanges(pool: AsyncConnectionPool, number: str) -> list[tuple]:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT direction, step, body, error FROM signer.dgi_exchange WHERE fiscal_number = %s ORDER BY id",
            [number],
        )
        return [(direction, step, bytes(body), error) for direction, step, body, error in await cursor.fetchall()]


@pytest.mark.parametrize("name", _SALES)
async def test_every_published_sale_is_certified_with_totals_that_agree(
    name: str, device: McfDevice, twin: McfTwin
) -> None:
    number = document().fiscal_number
    sold = Document(number, ISF, parsed({**PAYLOADS[name], "merchant_nif": NIF}))
    pending = await device.prepare(sold)
    assert differences(sold.invoice, pending.totals) == ()
    assert (await device.status()).pending_uids == {pending.uid}
    assert await device.fate(number, pending.uid) is Fate.PENDING
    elements = await device.confirm(number, pending.uid, pending.totals.total, pending.totals.tax)
    assert twin.certified(number) == [elements.code]
    assert elements.qr == f"RDCDEF01;{MID};{elements.code};{NIF};{elements.time}"
    assert elements.counters.endswith(sold.invoice.invoice_type)
    assert (await device.status()).pending_uids == frozenset()
    assert await device.fate(number, pending.uid) == elements, "C1h tells what 38h told"
    assert await device.recall(number, pending.uid) == elements, "and so does the journal"


async def test_a_rate_that_is_not_the_device_s_is_refused_at_the_item(device: McfDevice) -> None:
    with pytest.raises(Refused, match="C à 8 %"):
        await device.prepare(
            Document(document().fiscal_number, ISF, parsed({**PAYLOADS[_OLD_RATE], "merchant_nif": NIF}))
        )


async def test_another_total_is_refused_and_nothing_is_certified(device: McfDevice, twin: McfTwin) -> None:
    sold = document()
    pending = await device.prepare(sold)
    with pytest.raises(Refused):
        await device.confirm(sold.fiscal_number, pending.uid, pending.totals.total + Decimal("0.01"), Decimal(0))
    assert twin.certified(sold.fiscal_number) == []
    assert await device.fate(sold.fiscal_number, pending.uid) is Fate.NOT_FINALISED


async def test_a_cancelled_document_is_gone_and_cannot_be_confirmed(device: McfDevice, twin: McfTwin) -> None:
    sold = document()
    pending = await device.prepare(sold)
    await device.cancel(sold.fiscal_number, pending.uid)
    with pytest.raises(Refused) as refusal:
        await device.confirm(sold.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)
    assert (refusal.value.code, refusal.value.is_verdict) == ("20", False)
    with pytest.raises(Refused):
        await device.cancel(sold.fiscal_number, pending.uid)
    assert twin.certified(sold.fiscal_number) == []


async def test_credit_note_is_polled_until_the_dgi_has_checked_it(device: McfDevice, twin: McfTwin) -> None:
    sale = accepted()
    code = (await certify(device, Document(document().fiscal_number, ISF, parsed(sale)))).code
    twin.stand("credit_checks", "3")
    note = credit_note(sale)
    note["credit"]["original_dgi_code"] = code
    returned = Document(document().fiscal_number, ISF, parsed(note))
    elements = await certify(device, returned)
    assert twin.certified(returned.fiscal_number) == [elements.code]
    assert elements.counters.startswith("1/"), "credit notes count by themselves"
    pending = await device.fate(returned.fiscal_number, f"{MID}~{returned.fiscal_number}~0~00000000")
    assert pending == elements
    again = Document(document().fiscal_number, ISF, parsed(note))
    with pytest.raises(Refused):
        await certify(device, again)
    assert twin.certified(again.fiscal_number) == []


async def test_credit_note_without_network_is_for_later_and_a_sale_is_not(device: McfDevice, twin: McfTwin) -> None:
    sale = accepted()
    code = (await certify(device, Document(document().fiscal_number, ISF, parsed(sale)))).code
    twin.stand("network", "away")
    note = credit_note(sale)
    note["credit"]["original_dgi_code"] = code
    returned = Document(document().fiscal_number, ISF, parsed(note))
    pending = await device.prepare(returned)
    with pytest.raises(Unreachable):
        await device.confirm(returned.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)
    assert await device.fate(returned.fiscal_number, pending.uid) is Fate.NOT_FINALISED
    await certify(device, document())
    assert (await device.link_status()).backlog >= 1
    twin.stand("network", "there")
    assert (await device.link_status()).backlog == 0
    assert (await certify(device, returned)).code in twin.certified(returned.fiscal_number)


async def test_credit_note_that_is_never_checked_is_unknown_and_then_not_finalised(
    device: McfDevice, twin: McfTwin
) -> None:
    sale = accepted()
    code = (await certify(device, Document(document().fiscal_number, ISF, parsed(sale)))).code
    twin.stand("credit_checks", "100000")
    note = credit_note(sale)
    note["credit"]["original_dgi_code"] = code
    returned = Document(document().fiscal_number, ISF, parsed(note))
    pending = await device.prepare(returned)
    with pytest.raises(UnknownOutcome):
        await device.confirm(returned.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)
    assert await device.fate(returned.fiscal_number, pending.uid) is Fate.NOT_FINALISED
    assert twin.certified(returned.fiscal_number) == []


async def test_two_documents_at_once_wait_for_each_other(device: McfDevice, twin: McfTwin) -> None:
    sold = [document() for _ in range(4)]
    elements = await asyncio.gather(*(certify(device, one) for one in sold))
    assert [twin.certified(one.fiscal_number) for one in sold] == [[each.code] for each in elements]


async def test_one_that_is_never_confirmed_makes_room_after_its_time(device: McfDevice, twin: McfTwin) -> None:
    forgotten, other = document(), document()
    pending = await device.prepare(forgotten)
    elements = await certify(device, other)
    assert twin.certified(other.fiscal_number) == [elements.code]
    with pytest.raises(Refused, match="20"):
        await device.confirm(forgotten.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)
    assert await device.fate(forgotten.fiscal_number, pending.uid) is Fate.NOT_FINALISED


async def test_a_document_that_waits_for_its_confirmation_keeps_no_other_waiting_for_long(
    new_device: Callable[..., McfDevice], twin: McfTwin
) -> None:
    device = new_device(open_for=600, room=0.1)
    first, other = document(), document()
    pending = await device.prepare(first)
    with pytest.raises(Busy, match="occupied"):
        await device.prepare(other)
    elements = await device.confirm(first.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)
    assert twin.certified(first.fiscal_number) == [elements.code], "the one that had to wait did it no harm"
    assert (await certify(device, other)).code in twin.certified(other.fiscal_number)


async def test_a_credit_note_that_the_dgi_checks_keeps_nobody_waiting_for_long(
    new_device: Callable[..., McfDevice], twin: McfTwin, pool: AsyncConnectionPool
) -> None:
    device = new_device(room=0.1, verification=600)
    sale = accepted()
    note = credit_note(sale)
    note["credit"]["original_dgi_code"] = (
        await certify(device, Document(document().fiscal_number, ISF, parsed(sale)))
    ).code
    twin.stand("credit_checks", "1000000")
    returned = Document(document().fiscal_number, ISF, parsed(note))
    confirming = asyncio.create_task(certify(device, returned))
    while [step for _, step, *_ in await exchanges(pool, returned.fiscal_number)].count("38h") < 3:
        await asyncio.sleep(0.01)
    with pytest.raises(Busy, match="occupied"):
        await device.prepare(document())
    with pytest.raises(Busy, match="occupied"):
        await device.status()
    confirming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await confirming


@pytest.mark.parametrize("fault", ["silence_before", "silence_after"])
async def test_what_the_journal_proves_of_a_lost_document_is_told_without_the_device(
    fault: str, new_device: Callable[..., McfDevice], twin: McfTwin, pool: AsyncConnectionPool
) -> None:
    device, lost = new_device(), document()
    await device.fate(lost.fiscal_number, f"X~{lost.fiscal_number}~0~00000000")
    pending = await device.prepare(lost)
    assert await device.recall(lost.fiscal_number, pending.uid) is None, "it is open at the device"
    twin.fault(0x38, fault)
    with pytest.raises(UnknownOutcome):
        await device.confirm(lost.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)
    absent = McfDevice(Link(LinkSettings(str(twin.port) + "-absent")), OUTLET, Journal(pool))
    assert await absent.recall(lost.fiscal_number, pending.uid) is None, "it may have been certified, or be open still"
    await certify(device, document())
    told = await absent.recall(lost.fiscal_number, pending.uid)
    certified = twin.certified(lost.fiscal_number)
    assert [told.code] == certified if isinstance(told, Elements) else (told, certified) == (Fate.NOT_FINALISED, [])
    assert bool(certified) == (fault == "silence_after")


async def test_what_a_crash_left_open_is_cancelled_before_the_next(
    new_device: Callable[..., McfDevice], twin: McfTwin
) -> None:
    left, following = document(), document()
    pending = await new_device().prepare(left)
    after_crash = new_device()
    assert (await certify(after_crash, following)).code in twin.certified(following.fiscal_number)
    assert await after_crash.fate(left.fiscal_number, pending.uid) is Fate.NOT_FINALISED
    assert twin.certified(left.fiscal_number) == []


async def test_what_a_crash_left_open_is_cancelled_by_asking_after_it(
    new_device: Callable[..., McfDevice], twin: McfTwin
) -> None:
    left = document()
    before_crash = new_device()
    pending = await before_crash.prepare(left)
    after_crash = new_device()
    assert await after_crash.fate(left.fiscal_number, pending.uid) is Fate.NOT_FINALISED
    after_crash._link.close()
    with pytest.raises(Refused, match="20"):
        await before_crash.confirm(left.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)
    assert twin.certified(left.fiscal_number) == []


async def test_a_device_that_was_replaced_tells_nothing(device: McfDevice) -> None:
    sold = document()
    uid = (await device.prepare(sold)).uid
    await device.cancel(sold.fiscal_number, uid)
    assert await device.fate(sold.fiscal_number, uid.replace(MID, "CD09999999-9")) is Fate.NOT_TOLD
    assert await device.fate("BONO-KIN001-01-999999999", uid) is Fate.NOT_TOLD
    assert await device.fate(sold.fiscal_number, "0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11") is Fate.NOT_TOLD


async def test_every_frame_is_journalled_with_its_bytes(
    device: McfDevice, twin: McfTwin, pool: AsyncConnectionPool
) -> None:
    sold = document(comments={**dict.fromkeys("BCDEFGH"), "A": "Merci & à bientôt, <client>"})
    twin.fault(0x31, "syn", 2)
    twin.fault(0x33, "nak")
    twin.fault(0x35, "bad_bcc")
    with pytest.raises(Unreachable):
        await device.prepare(sold)
    rows = await exchanges(pool, sold.fiscal_number)
    steps = [step for direction, step, _, _ in rows if direction == "request"]
    assert steps == ["C3h", "C0h", "31h", "36h", "33h", "33h", "35h"]
    assert [direction for direction, *_ in rows] == ["request", "answer"] * len(steps)
    sent = {step: decode(body) for direction, step, body, _ in rows if direction == "request"}
    assert sent["36h"].data == "A,Merci ^amp; à bientôt^x2c; ^lt;client^gt;".encode()
    answers = [(step, body, error) for direction, step, body, error in rows if direction == "answer"]
    assert answers[2][1][:3] == bytes([SYN, SYN, SOH])
    assert answers[4][1] == bytes([NAK])
    assert answers[6][1][:1] == bytes([SOH]) and "BadCheck" in answers[6][2]


async def test_long_comments_go_on_in_another_frame(device: McfDevice, twin: McfTwin) -> None:
    sold = document(client={**_named(), "type": "AO"}, comments={**dict.fromkeys("BCDEFGH"), "A": "é,&" * 60})
    assert (await certify(device, sold)).code in twin.certified(sold.fiscal_number)


async def test_what_fits_no_frame_is_refused_before_anything_is_sent(
    device: McfDevice, pool: AsyncConnectionPool
) -> None:
    sold = document(client={**_named(), "name": "N" * 120, "address": "A" * 120})
    with pytest.raises(Refused, match="a frame of the MCF holds 219") as refusal:
        await device.prepare(sold)
    assert refusal.value.is_verdict is False
    with pytest.raises(Refused, match="escape"):
        await device.prepare(document(cashier_name="Jean ^amp; fils"))
    assert await exchanges(pool, sold.fiscal_number) == []


async def test_refusal_bears_the_device_s_code_and_words(device: McfDevice) -> None:
    with pytest.raises(Refused) as refusal:
        await device.prepare(Document(document().fiscal_number, "ISF-INCONNU", parsed(accepted())))
    assert (refusal.value.code, refusal.value.is_verdict) == ("102", True)
    assert "ISF inconnu" in refusal.value.words


async def test_tables_and_identity_are_the_device_s(device: McfDevice) -> None:
    tables = await device.reference_tables()
    assert (tables["taxGroups"]["b"], tables["taxGroups"]["c"]) == (Decimal(16), Decimal(5))
    assert tables["currencyRates"][0]["type"] == "USD"
    status = await device.status()
    assert (status.nim, status.nif, status.token_valid_until) == (MID, NIF, None)
    assert (await device.taxpayer())["D0"] == "CDF"


async def test_no_port_is_unreachable(twin: McfTwin, pool: AsyncConnectionPool) -> None:
    absent = McfDevice(Link(LinkSettings(str(twin.port) + "-absent")), OUTLET, Journal(pool))
    with pytest.raises(Unreachable):
        await absent.prepare(document())
    with pytest.raises(Unreachable):
        await absent.status()


async def test_a_twin_that_died_and_came_back_is_found_again(device: McfDevice, twin: McfTwin) -> None:
    sold, following = document(), document()
    pending = await device.prepare(sold)
    twin.restart()
    with pytest.raises((Unreachable, UnknownOutcome)):
        await device.confirm(sold.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)
    assert (await certify(device, following)).code in twin.certified(following.fiscal_number)
    assert twin.certified(sold.fiscal_number) == []


async def test_a_late_answer_is_not_taken_for_the_next_one(device: McfDevice, twin: McfTwin) -> None:
    """Another process asks on the same line: the answer with its SEQ is passed over, and the right one is awaited."""
    await device.status()
    foreign = os.open(twin.port, os.O_WRONLY | os.O_NOCTTY)
    try:
        os.write(
            foreign,
            b"\x01\x24\x7f\xc1\x05" + bytes(0x30 + int(d, 16) for d in f"{0x24 + 0x7F + 0xC1 + 5:04x}") + b"\x03",
        )
        assert (await device.status()).nim == MID
    finally:
        os.close(foreign)


async def test_another_mcf_at_the_port_is_given_nothing_and_its_open_invoice_stays(
    device: McfDevice, new_device: Callable[..., McfDevice], twin: McfTwin
) -> None:
    """Ports change their names with the sockets: what answers at one may be another outlet's."""
    sold = document()
    pending = await device.prepare(sold)
    stranger = new_device(nim="CD09999999-9")
    other = document()
    with pytest.raises(Unreachable, match=f"is the MCF {MID}, not CD09999999-9"):
        await stranger.prepare(other)
    with pytest.raises(Unreachable, match=f"is the MCF {MID}, not CD09999999-9"):
        await stranger.fate(other.fiscal_number, f"CD09999999-9~{other.fiscal_number}~0~00000000")
    stranger._link.close()
    elements = await device.confirm(sold.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)
    assert twin.certified(sold.fiscal_number) == [elements.code]


async def test_link_to_the_dgi_of_another_mcf_at_the_port_is_not_believed(
    new_device: Callable[..., McfDevice], pool: AsyncConnectionPool
) -> None:
    with pytest.raises(Unreachable, match=f"is the MCF {MID}, not CD09999999-9"):
        await new_device(nim="CD09999999-9").link_status()
    assert (await new_device(nim=MID).link_status()).backlog == 0


async def test_what_another_mcf_certified_is_not_taken_for_this_document(
    device: McfDevice, twin: McfTwin, pool: AsyncConnectionPool, tmp_path: Path
) -> None:
    """The sockets are changed between preparing and confirming, and the other device has the same number open."""
    sold = document()
    pending = await device.prepare(sold)
    other = McfTwin(tmp_path / "other", "CD09999999-9")
    stranger, ours = McfDevice(Link(LinkSettings(str(other.port))), OUTLET, Journal(pool)), twin.port.readlink()
    try:
        await stranger.prepare(sold)
        stranger._link.close()
        device._link.close()
        other.port.rename(twin.port)
        with pytest.raises(UnknownOutcome, match=f"was answered by the MCF CD09999999-9, not {MID}"):
            await device.confirm(sold.fiscal_number, pending.uid, pending.totals.total, pending.totals.tax)
        assert other.certified(sold.fiscal_number) and not twin.certified(sold.fiscal_number)
        assert await device.recall(sold.fiscal_number, pending.uid) is None, "and the journal makes it no verdict"
    finally:
        other.kill()
        twin.port.unlink()
        twin.port.symlink_to(ours)


def test_speed_must_be_one_of_a_serial_port(twin: McfTwin) -> None:
    with pytest.raises(ValueError, match="speed"):
        Link(LinkSettings(str(twin.port), speed=115201))


def _named() -> dict:
    return {
        "type": "PM",
        "name": "Client",
        "nif": "B7654321C",
        "contact": None,
        "address": None,
        "exemption_reference": None,
    }
