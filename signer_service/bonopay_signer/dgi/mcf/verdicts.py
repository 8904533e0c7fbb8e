"""What the answers and the silences of an MCF say of a document."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bonopay_signer.dgi.device import Busy, DeviceError, Elements, Fate, Refused, UnknownOutcome, Unreachable
from bonopay_signer.dgi.mcf import commands, frame
from bonopay_signer.dgi.mcf.commands import AnswerError, McfStatus
from bonopay_signer.dgi.mcf.link import LinkError, NotReceived

NOT_OPEN, NOT_CHECKABLE_NOW, PROCESSING_ERROR = "20", "10", "99"  # as the e-MCF's; the MCF's are not published
UID = re.compile(r"([A-Za-z0-9-]+)~(BONO-[A-Z0-9-]+)~([0-9]+)~[0-9a-f]{8}")
"""The MCF, the document's number, the device's counter before it, and what makes the attempt its own."""
NO_ANSWER = (LinkError, AnswerError, frame.FrameError)


def text_of(raw: bytes) -> str:
    """The text of the answer that ends a journalled reception: busy signs and late answers may precede it."""
    for at in reversed([at for at, byte in enumerate(raw) if byte == frame.SOH]):
        with suppress(frame.FrameError):
            return frame.as_text(frame.decode_answer(raw[at:]).data)
    raise frame.BadStart("no answer in these bytes")


def elements_of(text: str, number: str, uid: str) -> Elements:
    """38h's elements, of the device that gave the uid. Raises AnswerError, also when another one answered: what that
    one finalised is not this document."""
    elements = commands.read_elements(text, number)
    mid = uid.partition("~")[0]
    if elements.nim != mid:
        raise AnswerError(f"38h was answered by the MCF {elements.nim}, not {mid}")
    return elements


def fate_by(status: McfStatus, fiscal_number: str, uid: str) -> Elements | Fate:
    """What a C1h that was answered after the document's last step, with no invoice open, tells of it."""
    parts = UID.fullmatch(uid)
    if parts is None or parts[2] != fiscal_number or parts[1] != status.mid:
        return Fate.NOT_TOLD
    if status.last is not None and status.last.number == fiscal_number:
        return status.last_elements()
    # One more at most: that one is the last, and it is not this document.
    return Fate.NOT_FINALISED if status.total_counter - int(parts[3]) in (0, 1) else Fate.NOT_TOLD


def judged(refusal: Refused) -> DeviceError:
    """A refusal for now is none of the document; the device holds nothing of it, or it is cancelled before the next."""
    if refusal.code == NOT_CHECKABLE_NOW:
        return Busy(f"the MCF cannot check this now ({refusal})")
    if refusal.code == PROCESSING_ERROR:
        return UnknownOutcome(f"the MCF reports a processing error ({refusal})")
    return refusal


@contextmanager
def without_effect(what: str) -> Iterator[None]:
    try:
        yield
    except NO_ANSWER as error:
        raise Unreachable(f"{what}: {error}") from error


@contextmanager
def in_doubt(what: str) -> Iterator[None]:
    try:
        yield
    except NotReceived as error:
        raise Unreachable(f"{what}: {error}") from error
    except NO_ANSWER as error:
        raise UnknownOutcome(f"{what}: {error}") from error
