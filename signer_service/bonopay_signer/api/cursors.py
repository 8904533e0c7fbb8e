"""Cursors of lists: opaque to clients, good for one list of one merchant with one set of filters.

::

    cursor = base64url( tag (16 bytes) ‖ msgpack(position) )
    tag    = HMAC-SHA256(key, msgpack([scope, position])), its first 16 bytes
    key    = HMAC-SHA256(line of the secrets key file, "bonopay/cursor/1")

The position is that of the last item of a page, and the next page is what follows it in the order of the list: items
that were added in between move nothing. Signed, so that a client depends on nothing but the list's own words, and so
that a cursor which is taken to another list, merchant or filter is refused instead of answered with the wrong page.
"""

import base64
import binascii
import hmac
from typing import Any

import msgspec

_PURPOSE = b"bonopay/cursor/1"
_TAG_SIZE = 16
Position = list[str | int]


class BadCursor(ValueError):
    """The cursor is not one that was given for this list."""


class Cursors:
    def __init__(self, secrets_key: str) -> None:
        """``secrets_key``: the text of the key file; its first line signs, all verify."""
        self._keys = [hmac.digest(line.strip().encode(), _PURPOSE, "sha256") for line in secrets_key.split()]

    def give(self, scope: Any, position: Position) -> str:
        """The cursor after ``position``. ``scope``: what it is good for, a value that msgpack takes."""
        body = msgspec.msgpack.encode(position)
        return base64.urlsafe_b64encode(_tag(self._keys[0], scope, position) + body).decode().rstrip("=")

    def take(self, scope: Any, cursor: str) -> Position:
        """The position of a cursor that was given for ``scope``. Raises BadCursor."""
        try:
            data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            position = msgspec.msgpack.decode(data[_TAG_SIZE:], type=Position)
        except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
            raise BadCursor(cursor) from error
        given = data[:_TAG_SIZE]
        if not any(hmac.compare_digest(_tag(key, scope, position), given) for key in self._keys):
            raise BadCursor(cursor)
        return position


def _tag(key: bytes, scope: Any, position: Position) -> bytes:
    return hmac.digest(key, msgspec.msgpack.encode([scope, position]), "sha256")[:_TAG_SIZE]
