"""What is added to a rendered invoice after wkhtmltopdf: the foot of each sheet, the marks, the embedded evidence.

Unpatched Qt drops headers, footers and page numbers, so they are drawn here, when the number of sheets is known.
"""

import io
from collections.abc import Mapping, Sequence

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from odoo.tools.pdf import OdooPdfFileReader, OdooPdfFileWriter

FOOT_HEIGHT = 8 * mm
SIDE_MARGIN = 10 * mm
MARK_WIDTH = 0.78  # of the diagonal of the sheet
MARK_OPACITY = 0.11


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
