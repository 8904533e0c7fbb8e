"""The physical MCF over its pseudo-terminal, spoken to in bytes that are made here from the protocol table."""

import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .sandbox import ISF, NIF, NIM, wait_for

SALE = (
    (0xC3, "PP,,,,,,"),
    (0xC0, f"7,Caisse 1,{NIF},FV,ttc,{ISF},FV-1"),
    (0x31, "Riz\nRIZ\tBIE,B16%29.97\t9.99*3"),
    (0x36, "A,Merci"),
)


class Mcf:
    """A process, and one client on its port."""

    def __init__(self, folder: Path) -> None:
        self.port, self.database = folder / "tty", folder / "mcf.sqlite"
        self._sequence = 0x1F
        self._log = folder / "mcf.log"
        self.start()

    def start(self) -> None:
        self.port.unlink(missing_ok=True)
        files = ["--link", str(self.port), "--database", str(self.database)]
        command = [sys.executable, "-m", "bonopay_dgi_sandbox.mcf", *files, "--mid", NIM, "--nif", NIF, "--isf", ISF]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_for(self.port.is_symlink)
        self._line = os.open(self.port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._line)

    def stop(self, sig: signal.Signals = signal.SIGKILL) -> int:
        os.close(self._line)
        self._process.send_signal(sig)
        return self._process.wait(timeout=10)

    def set(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.database, timeout=10)) as connection, connection:
            connection.execute(statement, values)

    def raw(self, sent: bytes, seconds: float = 1.0) -> bytes:
        """What comes back, until a whole answer is there, or nothing more comes; after a single NAK that is soon."""
        os.write(self._line, sent)
        received, limit = b"", time.monotonic() + seconds
        while (left := limit - time.monotonic()) > 0 and not received.endswith(b"\x03"):
            if select.select([self._line], [], [], 0.05 if received == b"\x15" else left)[0]:
                received += os.read(self._line, 4096)
            elif received:
                break
        return received

    def ask(self, command: int, text: str = "") -> str:
        """The data of the answer, its frame checked to the last byte."""
        self._sequence += 1
        counted = bytes([4 + len(text.encode()) + 0x20, self._sequence, command]) + text.encode() + b"\x05"
        received = self.raw(b"\x01" + counted + bcc(counted) + b"\x03")
        inside = received[1:-5]
        assert (received[0], received[-1]) == (0x01, 0x03)
        assert received[-5:-1] == bcc(inside)
        assert inside[0] == len(inside) + 0x20
        assert (inside[1], inside[2]) == (self._sequence, command)
        assert (inside[-8], inside[-1]) == (0x04, 0x05)
        return inside[3:-8].decode()

    def enter(self, *entries: tuple[int, str]) -> None:
        for command, text in entries:
            assert self.ask(command, text) == ""

    def sell(self, number: str = "FV-1") -> list[str]:
        client, (opening, header), *lines = SALE
        self.enter(client, (opening, header.replace("FV-1", number)), *lines)
        self.ask(0x33)
        self.enter((0x35, "E29.97"))
        return self.ask(0x38, "29.97,4.13").removeprefix("R:").split(",")


def bcc(counted: bytes) -> bytes:
    total = sum(counted)
    return bytes([0x30 + total // 4096 % 16, 0x30 + total // 256 % 16, 0x30 + total // 16 % 16, 0x30 + total % 16])


@pytest.fixture
def mcf(tmp_path: Path) -> Iterator[Mcf]:
    mcf = Mcf(tmp_path)
    yield mcf
    mcf.stop()


def test_status_request_to_the_byte(mcf: Mcf) -> None:
    # LEN = 24h (LEN, SEQ, CMD, AMB), and 24h + 20h + C1h + 05h = 010Ah, whose last nibble is written 3Ah.
    answer = mcf.raw(b"\x01\x24\x20\xc1\x05\x30\x31\x30\x3a\x03")
    assert answer[:1] + answer[2:4] == b"\x01\x20\xc1"
    fields = answer[4:-13].decode().split(",")
    assert len(fields) == 30
    assert (fields[0], fields[1], fields[3:11]) == (NIM, NIF, ["0", "0", "0", "", "", "", "", ""])
    assert fields[11:27] == "0 16 5 0 0 16 5 0 0 0 0 0 0 0 1 1".split()
    assert (fields[27], len(fields[2]), len(fields[29])) == ("USD", 14, 8)


@pytest.mark.parametrize(
    "broken",
    [
        b"\x01\x24\x20\xc1\x05\x30\x31\x30\x3b\x03",
        b"\x01\x24\x20\xc2\x05\x30\x31\x30\x3a\x03",
        b"\x01\x24\x20\xc1\x05\x30\x31\x30\x3a\x02",
        b"\x01\x24\x20\xc1\x06\x30\x31\x30\x3b\x03",
        b"\x01\x25\x20\xc1\x05\x30\x31\x30\x3b\x03",
        b"\x01\x24\x20",
    ],
)
def test_a_broken_frame_is_asked_for_again_and_the_next_is_understood(mcf: Mcf, broken: bytes) -> None:
    assert mcf.raw(broken) == b"\x15"
    assert mcf.ask(0xC1).startswith(NIM)


def test_bytes_before_a_frame_are_passed_over(mcf: Mcf) -> None:
    assert mcf.raw(b"\x00\xff\x15\x01\x24\x20\xc1\x05\x30\x31\x30\x3a\x03").startswith(b"\x01")


def test_a_sale_by_hand(mcf: Mcf) -> None:
    mcf.enter(*SALE)
    fields = mcf.ask(0x33).split(",")
    assert len(fields) == 35
    assert (fields[0], fields[2], fields[18]) == ("29.97", "29.97", "4.13")
    assert sum(1 for field in fields if field) == 3
    mcf.enter((0x35, "E20.00"), (0x35, "M9.97"))
    told = mcf.ask(0x38, "29.97,4.13")
    assert told.startswith("R:1,1,FV,")
    time_of_day, mid, nif, number, code = told.split(",")[3:]
    assert (mid, nif, number, len(time_of_day), len(code), code[:4]) == (NIM, NIF, "FV-1", 14, 24, "TEST")
    fields = mcf.ask(0xC1).split(",")
    assert fields[3:11] == ["1", "1", "0", time_of_day, "FV", code, "FV-1", "29.97"]


def test_counters_outlive_the_process_and_an_open_invoice_does_not(mcf: Mcf) -> None:
    first = mcf.sell()
    mcf.enter((0xC3, "PP,,,,,,"), (0xC0, f"7,Caisse 1,{NIF},FV,ttc,{ISF},FV-2"))
    mcf.stop()
    mcf.start()
    assert mcf.ask(0x33).startswith("E:20,")
    second = mcf.sell("FV-2")
    assert (first[:2], second[:2]) == (["1", "1"], ["2", "2"])
    assert mcf.stop(signal.SIGTERM) == 0
    mcf.start()


@pytest.mark.parametrize(
    ("command", "text", "code"),
    [
        (0x31, "Riz\nRIZ\tBIE,B5%29.97\t9.99*3", "9"),
        (0x31, "Riz\nRIZ\tBIE,B16%29.98\t9.99*3", "150"),
        (0x31, "Riz", "100"),
        (0x35, "X1.00", "7"),
        (0x36, "Z,x", "100"),
        (0xC0, f"7,Caisse 1,{NIF},FV,ttc,{ISF},FV-2", "1"),
        (0x38, "29.97,4.14", "130"),
        (0x99, "", "100"),
    ],
)
def test_refusals_bear_a_code(mcf: Mcf, command: int, text: str, code: str) -> None:
    mcf.enter(*SALE)
    assert mcf.ask(command, text).startswith(f"E:{code},")


def test_totals_and_numbers_are_the_device_s_to_judge(mcf: Mcf) -> None:
    mcf.sell()
    mcf.enter(*SALE)
    assert mcf.ask(0x33).startswith("E:105,")
    mcf.enter((0x38, "C"), SALE[0], (0xC0, SALE[1][1].replace("FV-1", "FV-2")), SALE[2], (0x35, "E29.97"))
    assert mcf.ask(0x38, "29.97,4.14").startswith("E:150,")
    assert mcf.ask(0x38, "29.97,4.13").startswith("R:2,2,FV,")


def test_a_cancelled_invoice_is_forgotten(mcf: Mcf) -> None:
    mcf.enter(*SALE, (0x38, "C"))
    assert mcf.ask(0x38, "C").startswith("E:20,")
    assert mcf.ask(0xC1).split(",")[3] == "0"


def test_escapes_are_read_once_and_told_again(mcf: Mcf) -> None:
    spelt = "^lt;1^x2c;^gt;^amp;lt;^x0a;"
    mcf.enter(SALE[0], (0xC0, SALE[1][1].replace("FV-1", spelt)), (0x31, "X\tBIE,A0%1.00\t1.00"), (0x35, "E1.00"))
    assert mcf.ask(0x38, "1.00,0.00").split(",")[6] == spelt
    with closing(sqlite3.connect(mcf.database)) as connection:
        assert connection.execute("SELECT number FROM invoice").fetchall() == [("<1,>&lt;\n",)]


def test_credit_note_for_what_was_not_sold_is_refused(mcf: Mcf) -> None:
    code = mcf.sell()[-1]
    note = (0xC0, f"7,Caisse 1,{NIF},FA,COR,{code},ttc,{ISF},FA-1")
    mcf.enter(SALE[0], note, (0x31, "Y\nY\tBIE,A0%1.00\t1.00"), (0x35, "E1.00"))
    assert mcf.ask(0x38, "1.00,0.00") == "P:1"
    assert mcf.ask(0x38, "1.00,0.00").startswith("E:142,")


def test_credit_note_waits_for_the_dgi_and_counts_apart(mcf: Mcf) -> None:
    code = mcf.sell()[-1]
    note = [(0xC3, "PP,,,,,,"), (0xC0, f"7,Caisse 1,{NIF},FA,RAM,{code},ttc,{ISF},FA-1"), SALE[2], (0x35, "E29.97")]
    mcf.set("INSERT INTO stand VALUES ('network', 'away')")
    mcf.enter(*note)
    assert mcf.ask(0x38, "29.97,4.13").startswith("E:10,")
    mcf.set("DELETE FROM stand")
    assert mcf.ask(0x38, "29.97,4.13") == "P:1"
    assert mcf.ask(0x38, "29.97,4.13").startswith("R:1,2,FA,")
    mcf.enter(note[0], (0xC0, note[1][1].replace("FA-1", "FA-2")), *note[2:])
    assert mcf.ask(0x38, "29.97,4.13") == "P:1"
    assert mcf.ask(0x38, "29.97,4.13").startswith("E:12,")


def test_backlog_grows_without_network(mcf: Mcf) -> None:
    mcf.set("INSERT INTO stand VALUES ('network', 'away')")
    mcf.sell()
    assert mcf.ask(0xC2) == "0,1,,DIS,"
    mcf.set("DELETE FROM stand")
    sent, stored, contact, state, error = mcf.ask(0xC2).split(",")
    assert (sent, stored, len(contact), state, error) == ("1", "1", 14, "DIS", "")


def test_taxpayer_is_told_field_by_field(mcf: Mcf) -> None:
    assert mcf.ask(0x2B, "D0") == "CDF"
    assert mcf.ask(0x2B, "I2") == "Kinshasa"
    assert mcf.ask(0x2B, "I9").startswith("E:100,")


STATUS_REQUEST = b"\x01\x24\x20\xc1\x05\x30\x31\x30\x3a\x03"


def test_faults_befall_as_often_as_they_say(mcf: Mcf) -> None:
    add = "INSERT INTO fault (command, kind, times) VALUES (193, ?, ?)"
    mcf.set(add, "nak", 2)
    assert [mcf.raw(STATUS_REQUEST)[:1] for _ in range(3)] == [b"\x15", b"\x15", b"\x01"]
    mcf.set(add, "syn", 2)
    assert mcf.raw(STATUS_REQUEST)[:3] == b"\x16\x16\x01"
    mcf.set(add, "silence_after", 1)
    assert mcf.raw(STATUS_REQUEST, 0.3) == b""
    mcf.set(add, "garbage_after", 1)
    garbage = mcf.raw(STATUS_REQUEST, 0.3)
    assert garbage[:1] == b"\x15" and len(garbage) > 1 and b"\x01" not in garbage
    mcf.set(add, "bad_bcc", 1)
    broken = mcf.raw(STATUS_REQUEST)
    assert broken[-5:-1] != bcc(broken[1:-5])
    with pytest.raises(sqlite3.IntegrityError):
        mcf.set(add, "misspelt", 1)


@pytest.mark.parametrize(
    ("kind", "certified"), [("silence_before", "0"), ("silence_after", "1"), ("garbage_after", "1")]
)
def test_silence_comes_before_or_after_the_effect(mcf: Mcf, kind: str, certified: str) -> None:
    mcf.enter(*SALE, (0x35, "E29.97"))
    mcf.set("INSERT INTO fault (command, kind) VALUES (56, ?)", kind)
    data = b"29.97,4.13"
    counted = bytes([4 + len(data) + 0x20, 0x7E, 0x38]) + data + b"\x05"
    assert not mcf.raw(b"\x01" + counted + bcc(counted) + b"\x03", 0.3).startswith(b"\x01")
    assert mcf.ask(0xC1).split(",")[3] == certified
    assert mcf.ask(0x38, "C").startswith("E:20,") == (certified == "1")


def test_power_cut_forgets_the_open_invoice(mcf: Mcf) -> None:
    mcf.enter(*SALE)
    mcf.set("INSERT INTO fault (command, kind) VALUES (54, 'power_cut_before')")
    counted = b"\x27\x7e\x36B,x\x05"
    counted = bytes([len(counted) + 0x20]) + counted[1:]
    assert mcf.raw(b"\x01" + counted + bcc(counted) + b"\x03", 0.3) == b""
    assert mcf.ask(0x33).startswith("E:20,")


def test_an_answer_that_fits_no_frame_is_refused(mcf: Mcf) -> None:
    """Its length byte could not count it: thirty-two amounts of fifteen digits."""
    lines = [
        (0x31, f"X\nX{group}\tBIE,{group}{rate}%999999999999.99\t999999999999.99")
        for group, rate in zip("ABCDEFGHIJKMOP", (0, 16, 5, 0, 0, 16, 5, 0, 0, 0, 0, 0, 1, 1), strict=True)
    ]
    mcf.enter(SALE[0], SALE[1], *lines)
    assert mcf.ask(0x33).startswith("E:107,")
