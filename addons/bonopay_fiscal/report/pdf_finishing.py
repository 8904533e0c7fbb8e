"""What is added to a rendered invoice after wkhtmltopdf: the foot of each sheet, the marks, the embedded evidence.

Unpatched Qt drops headers, footers and page numbers, so they are drawn here, when the number of sheets is known.
"""

import io
from collections.abc import Mapping, Sequence

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from odoo.tools.pdf import ArrayObject, NameObject, NumberObject, OdooPdfFileReader, OdooPdfFileWriter

FOOT_HEIGHT = 8 * mm
SIDE_MARGIN = 10 * mm
MARK_WIDTH = 0.78  # of the diagonal of the sheet
MARK_OPACITY = 0.11
ROLL_MARGIN = 6 * mm  # below the last line of a ticket
ROLL_HEAD = 15 * mm  # above which its first line stands


def finish_pdf(
    content: bytes, title: str, identity: str, marks: Sequence[str], attachments: Mapping[str, bytes]
) -> bytes:
    """Number the sheets, draw the marks across each, embed the attachments.

    :param identity: printed at the foot of every sheet
    :param attachments: name → JSON bytes, embedded unchanged
    """
    reader = OdooPdfFileReader(io.BytesIO(content), strict=False)
    writer = OdooPdfFileWriter()
    count = reader.getNumPages()
    for number in range(count):
        writer.addPage(reader.getPage(number))
        page = writer.getPage(number)  # pypdf merges into pages of a writer only
        size = float(page.mediaBox.getWidth()), float(page.mediaBox.getHeight())
        overlay = _overlay(size, identity, f"Page {number + 1} / {count}", marks)
        page.mergePage(OdooPdfFileReader(io.BytesIO(overlay), strict=False).getPage(0))
    writer.addMetadata({"/Title": title})
    return _written(writer, attachments)


def finish_ticket(content: bytes, title: str, attachments: Mapping[str, bytes]) -> bytes:
    """Cut the blank paper off behind the last line of each page of a ticket, embed the attachments.

    :param attachments: name → JSON bytes, embedded unchanged
    """
    reader = OdooPdfFileReader(io.BytesIO(content), strict=False)
    writer = OdooPdfFileWriter()
    writer.appendPagesFromReader(reader)
    for number in range(reader.getNumPages()):
        end = _end_of_text(reader.getPage(number))
        if end is not None:
            page = writer.getPage(number)
            box = (0, int(end - ROLL_MARGIN), int(page.mediaBox.getWidth()), int(page.mediaBox.getHeight()))
            page[NameObject("/MediaBox")] = ArrayObject(map(NumberObject, box))
    writer.addMetadata({"/Title": title})
    return _written(writer, attachments)


def _end_of_text(page) -> float | None:
    """Height of the lowest line above the lower edge, in points; `None` when it is not known for certain.

    Blank paper is a nuisance, a mention cut off is a fault: the highest line must be found where it stands, too, and
    a library too old to tell positions leaves the page as it is.
    """
    heights: list[float] = []

    def note(text, outer, inner, *_font):
        if text.strip():
            heights.append(inner[4] * outer[1] + inner[5] * outer[3] + outer[5])

    if not hasattr(page, "extract_text"):
        return None
    page.extract_text(visitor_text=note)
    top = float(page.mediaBox.getHeight())
    if not heights or not top - ROLL_HEAD < max(heights) < top or min(heights) < ROLL_MARGIN:
        return None
    return min(heights)


def embed(content: bytes, attachments: Mapping[str, bytes]) -> bytes:
    """Embed attachments, and nothing else.

    :param attachments: name → JSON bytes, embedded unchanged
    """
    writer = OdooPdfFileWriter()
    writer.appendPagesFromReader(OdooPdfFileReader(io.BytesIO(content), strict=False))
    return _written(writer, attachments)


def _written(writer: OdooPdfFileWriter, attachments: Mapping[str, bytes]) -> bytes:
    for name, data in attachments.items():
        writer.add_attachment(name, data, subtype="application/json")
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


def _overlay(size: tuple[float, float], identity: str, page_number: str, marks: Sequence[str]) -> bytes:
    """Draw one transparent sheet with the foot and the marks."""
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=size)
    canvas.setFont("Helvetica", 7.5)
    canvas.setFillGray(0.35)
    canvas.drawString(SIDE_MARGIN, FOOT_HEIGHT, identity)
    canvas.drawRightString(size[0] - SIDE_MARGIN, FOOT_HEIGHT, page_number)
    _draw_marks(canvas, size, marks)
    canvas.save()
    return stream.getvalue()


def _draw_marks(canvas: Canvas, size: tuple[float, float], marks: Sequence[str]) -> None:
    """Write the marks along the diagonal, pale enough for a phone to read the QR symbols through them."""
    if not marks:
        return
    width, height = size
    text = " · ".join(marks)
    font_size = min(
        120.0, 12 * MARK_WIDTH * (width**2 + height**2) ** 0.5 / canvas.stringWidth(text, "Helvetica-Bold", 12)
    )
    canvas.saveState()
    canvas.translate(width / 2, height / 2)
    canvas.rotate(54)
    canvas.setFillAlpha(MARK_OPACITY)
    canvas.setFillGray(0)
    canvas.setFont("Helvetica-Bold", font_size)
    canvas.drawCentredString(0, -font_size / 3, text)
    canvas.restoreState()
