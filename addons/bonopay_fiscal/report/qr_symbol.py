"""QR symbols as vector paths: they stay sharp at every resolution and need no HTTP call while a PDF is rendered."""

from dataclasses import dataclass, field
from functools import lru_cache

from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.util import ALPHA_NUM, MODE_8BIT_BYTE, MODE_ALPHA_NUM, QRData

QUIET_ZONE = 4  # modules on each side, ISO/IEC 18004


@dataclass(frozen=True, slots=True)
class QrSymbol:
    """One symbol: its content, its side in modules (quiet zone included) and the SVG path of its dark modules."""

    text: str
    side: int
    path: str = field(repr=False)
    width_mm: float

    @property
    def view_box(self) -> str:
        return f"0 0 {self.side} {self.side}"

    @property
    def module_mm(self) -> float:
        return self.width_mm / self.side


@lru_cache(maxsize=64)  # a print asks for each of its symbols three times, and drawing one takes 10 to 30 ms
def qr_symbol(text: str, *, width_mm: float | None = None, module_mm: float | None = None) -> QrSymbol:
    """Encode a text at error correction M, in alphanumeric mode where its characters allow it.

    >>> qr_symbol("RDCDEF01;CD01000001-1", width_mm=30).side
    33

    :param width_mm: side of the printed symbol; or
    :param module_mm: side of one printed module
    """
    content = text.encode()
    mode = MODE_ALPHA_NUM if all(byte in ALPHA_NUM for byte in content) else MODE_8BIT_BYTE
    code = QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE)
    code.add_data(QRData(content, mode=mode))
    code.make(fit=True)
    matrix = code.get_matrix()
    side = len(matrix)
    return QrSymbol(text, side, _path(matrix), width_mm if width_mm is not None else side * module_mm)


def _path(matrix: list[list[bool]]) -> str:
    """Draw each horizontal run of dark modules as one rectangle."""
    return "".join(f"M{x} {y}h{width}v1h-{width}z" for y, row in enumerate(matrix) for x, width in _runs(row))


def _runs(row: list[bool]) -> list[tuple[int, int]]:
    """Give the start and length of each run of dark modules.

    >>> _runs([True, True, False, True])
    [(0, 2), (3, 1)]
    """
    runs: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if not dark:
            continue
        if runs and sum(runs[-1]) == x:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((x, 1))
    return runs
