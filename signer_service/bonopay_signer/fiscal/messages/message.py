"""What a message is."""

from typing import NamedTuple


class Message(NamedTuple):
    """A message template in both languages: what is wrong, and the way out.

    `{expected}`, `{actual}` and `{name}` are filled in; no other braces.
    """

    fr: str
    en: str
