"""Why something was not appended, or not now."""

import psycopg

from bonopay_signer.db.instance import LockLost, SecondSigner
from bonopay_signer.db.pool import DATABASE_AWAY
from bonopay_signer.hsm.errors import HsmUnavailable, KeyMissing, PinRefused
from bonopay_signer.ledger.batch import ClockBehind
from bonopay_signer.ledger.headstore import HeadStoreError
from bonopay_signer.ledger.rollback import LedgerBehind

AWAY = (*DATABASE_AWAY, OSError)
FINAL = (KeyMissing, PinRefused, SecondSigner, LockLost, LedgerBehind)
"""What waiting does not mend."""


class LedgerUnavailable(Exception):
    """The database or the head store does not answer. Whether the document was sealed, sending it again tells."""


class AlreadySealed(Exception):
    """The document id is sealed; under which number is in ``fiscal_number``."""

    def __init__(self, fiscal_number: str) -> None:
        super().__init__(f"sealed as {fiscal_number}")
        self.fiscal_number = fiscal_number


class NotAppended(Exception):
    """The database refuses this entry, whatever is tried: a submission in another state, or a defect."""


_TOLD = (HsmUnavailable, ClockBehind, LedgerUnavailable, *FINAL)


def named(error: Exception) -> Exception:
    """What a caller is told: the database's own errors become LedgerUnavailable."""
    if isinstance(error, _TOLD):
        return error
    if isinstance(error, (*AWAY, HeadStoreError, psycopg.Error)):
        return LedgerUnavailable(f"the ledger does not answer: {type(error).__name__}")
    return error


def defect(error: Exception) -> Exception | None:
    """What belongs in the log with its traceback."""
    return None if isinstance(error, _TOLD) else error
