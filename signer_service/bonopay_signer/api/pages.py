"""One page of a list that is ordered by a key: what to ask for, and the cursor to what follows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bonopay_signer.api import parameters
from bonopay_signer.api.cursors import BadCursor, Cursors, Position

T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """``after``: the position of the last item before this page, None for the first one."""

    cursors: Cursors
    scope: Any
    limit: int
    after: Position | None

    @classmethod
    def of(cls, cursors: Cursors, values: dict[str, Any], scope: Any, default_limit: int) -> "Page":
        """From the parameters that were given. Raises Problem ``parameter_invalid`` for a cursor of another scope."""
        after = None
        if "cursor" in values:
            try:
                after = cursors.take(scope, values["cursor"])
            except BadCursor:
                parameters.refuse([parameters.fault("cursor", "cursor", None, values["cursor"])])
        return cls(cursors, scope, values.get("limit", default_limit), after)

    def cut(self, rows: Sequence[T], position: Callable[[T], Position]) -> tuple[Sequence[T], str | None]:
        """The page's rows out of ``limit + 1`` that were read, and the cursor when there are more."""
        if len(rows) <= self.limit:
            return rows, None
        kept = rows[: self.limit]
        return kept, self.cursors.give(self.scope, position(kept[-1]))
