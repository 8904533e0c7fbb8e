"""What an outsider can read from a printed invoice: rasterised by poppler, decoded by zxing, verified by openssl."""

import subprocess
from functools import cmp_to_key
from pathlib import Path

import zxingcpp
from PIL import Image

PRINTER_DPI = 203  # a thermal printer's; the coarsest an A4 page meets


def qr_codes(pdf: bytes, folder: Path, dpi: int = PRINTER_DPI) -> list[str]:
    """The texts of all QR codes on the pages, in reading order."""
    source = folder / "invoice.pdf"
    source.write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", str(dpi), "-gray", "-png", source, folder / "page"], check=True)
    texts = []
    for page in sorted(folder.glob("page*.png")):
        found = zxingcpp.read_barcodes(Image.open(page), formats=zxingcpp.BarcodeFormat.QRCode)
        texts += [code.text for code in sorted(found, key=cmp_to_key(_reading_order))]
    return texts


def _reading_order(one: zxingcpp.Barcode, other: zxingcpp.Barcode) -> int:
    """Left to right where they stand side by side, top to bottom otherwise."""
    first, second = one.position, other.position
    side_by_side = first.top_left.y < second.bottom_left.y and second.top_left.y < first.bottom_left.y
    return first.top_left.x - second.top_left.x if side_by_side else first.top_left.y - second.top_left.y


def text(pdf: bytes, folder: Path) -> str:
    source = folder / "text.pdf"
    source.write_bytes(pdf)
    result = subprocess.run(["pdftotext", "-layout", source, "-"], check=True, capture_output=True, text=True)
    return result.stdout


def openssl_accepts(public_key_pem: str, preimage: bytes, signature: bytes, folder: Path) -> bool:
    """Whether `openssl` takes the 64-byte r‖s signature over the preimage of an entry hash."""
    key, message, der = folder / "key.pem", folder / "preimage", folder / "signature.der"
    key.write_text(public_key_pem)
    message.write_bytes(preimage)
    der.write_bytes(der_signature(signature))
    command = ["openssl", "dgst", "-sha256", "-verify", key, "-signature", der, message]
    return subprocess.run(command, capture_output=True).returncode == 0


def der_signature(signature: bytes) -> bytes:
    """r‖s as the ASN.1 SEQUENCE of two INTEGERs that openssl reads (RFC 3279 §2.2.3)."""
    body = b"".join(_der_integer(part) for part in (signature[:32], signature[32:]))
    return b"\x30" + bytes([len(body)]) + body


def _der_integer(number: bytes) -> bytes:
    digits = number.lstrip(b"\0") or b"\0"
    if digits[0] & 0x80:
        digits = b"\0" + digits
    return b"\x02" + bytes([len(digits)]) + digits
