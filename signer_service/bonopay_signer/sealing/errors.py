"""Why a document was not sealed. Each is one problem of the HTTP API."""

from collections.abc import Sequence

from bonopay_signer.fiscal.findings import Finding
from bonopay_signer.sealing.totals import ComparedAmount


class NotSealed(Exception):
    """Base: nothing was sealed."""


class Conflict(NotSealed):
    """The document id is sealed already with other content; ``stored_hash`` is the payload hash in hexadecimal."""

    def __init__(self, stored_hash: str) -> None:
        super().__init__("the document id is sealed already with other content")
        self.stored_hash = stored_hash


class Invalid(NotSealed):
    """The payload breaks a rule of the law."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(f"{len(findings)} findings")
        self.findings = findings


class DgiRefused(NotSealed):
    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"the DGI refused the document ({code})")
        self.code = code
        self.words = words


class DgiTotalsDiffer(NotSealed):
    """``findings``: the amounts that differ; ``comparison``: all of them."""

    def __init__(self, findings: Sequence[Finding], comparison: Sequence[ComparedAmount]) -> None:
        super().__init__(f"{len(findings)} totals differ")
        self.findings = findings
        self.comparison = comparison


class DgiUnreachable(NotSealed):
    """The DGI gave no usable answer before the seal."""
