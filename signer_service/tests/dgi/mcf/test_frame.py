"""The frame codec: a byte string by hand, every length, every corruption."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.dgi.mcf import frame
from bonopay_signer.dgi.mcf.frame import Frame, decode, encode

_DATA = st.lists(st.sampled_from([9, 10, *range(0x20, 0x100)]), max_size=212).map(bytes)
_CODE = st.integers(0x20, 0xFF)
_STATUS = st.none() | st.lists(_CODE, min_size=6, max_size=6).map(bytes)
_FRAMES = st.builds(Frame, _CODE, _CODE, _DATA, _STATUS)
_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("&,<>^;\r\n"), max_size=60)


def test_a_request_is_the_bytes_of_the_table() -> None:
    # 24h + 20h + C1h + 05h = 10Ah
    assert encode(Frame(0x20, 0xC1, b"")) == b"\x01\x24\x20\xc1\x05\x30\x31\x30\x3a\x03"


@given(_FRAMES)
def test_decode_undoes_encode(sent: Frame) -> None:
    assert decode(encode(sent)) == sent


@given(_FRAMES, st.data())
def test_any_changed_byte_is_found(sent: Frame, data: st.DataObject) -> None:
    raw = bytearray(encode(sent))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))
    with pytest.raises(frame.FrameError):
        decode(bytes(raw))


@given(_FRAMES, st.data())
def test_a_frame_cut_short_or_followed_is_refused(sent: Frame, data: st.DataObject) -> None:
    raw = encode(sent)
    with pytest.raises(frame.FrameError):
        decode(raw[: data.draw(st.integers(0, len(raw) - 1))])
    with pytest.raises(frame.BadLength):
        decode(raw + b"\x03")


@given(st.binary(max_size=260))
def test_noise_is_never_anything_but_a_frame_or_a_named_error(noise: bytes) -> None:
    try:
        assert encode(decode(noise)) == noise
    except frame.FrameError as error:
        assert type(error) is not frame.FrameError


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", frame.BadStart),
        (b"\x02\x24\x20\xc1\x05\x30\x31\x30\x3a\x03", frame.BadStart),
        (b"\x01\x25\x20\xc1\x05\x30\x31\x30\x3b\x03", frame.BadLength),
        (b"\x01\x24\x20\xc1\x05\x30\x31\x30\x3b\x03", frame.BadCheck),
        (b"\x01\x24\x20\xc1\x06\x30\x31\x30\x3b\x03", frame.BadEnd),
        (b"\x01\x24\x20\xc1\x05\x30\x31\x30\x3a\x04", frame.BadEnd),
        (b"\x01\x24\x1f\xc1\x05\x30\x31\x30\x39\x03", frame.BadSequence),
    ],
)
def test_each_fault_has_its_name(raw: bytes, error: type[frame.FrameError]) -> None:
    with pytest.raises(error):
        decode(raw)


def test_data_ends_where_the_length_byte_does() -> None:
    assert encode(Frame(0x20, 0x31, b"x" * 219))[1] == 0xFF
    assert encode(Frame(0x20, 0x31, b"x" * 212, b"\x80" * 6))[1] == 0xFF
    with pytest.raises(frame.TooLong):
        encode(Frame(0x20, 0x31, b"x" * 220))
    with pytest.raises(frame.TooLong):
        encode(Frame(0x20, 0x31, b"x" * 213, b"\x80" * 6))


@pytest.mark.parametrize("control", [b"\x00", b"\x01", b"\x03", b"\x04", b"\x05", b"\x15", b"\x16", b"\r"])
def test_controls_cannot_enter_data(control: bytes) -> None:
    with pytest.raises(frame.ControlByte):
        encode(Frame(0x20, 0x31, control))


def test_an_answer_without_status_is_named() -> None:
    with pytest.raises(frame.BadStatus):
        frame.decode_answer(encode(Frame(0x20, 0xC1, b"")))


@given(_TEXT)
def test_escaped_text_comes_back_or_is_refused(text: str) -> None:
    try:
        escaped = frame.escape(text)
    except frame.BadText:
        assert "^" in text
        return
    assert not set(",<>&\r\n") & set(escaped)
    assert frame.unescape(escaped) == text


def test_escapes_are_those_of_the_table() -> None:
    assert frame.escape("a & b, <c>") == "a ^amp; b^x2c; ^lt;c^gt;"
    with pytest.raises(frame.BadText):
        frame.escape("^amp;")


def test_sequence_goes_round() -> None:
    assert (frame.next_sequence(0x20), frame.next_sequence(0xFF)) == (0x21, 0x20)
