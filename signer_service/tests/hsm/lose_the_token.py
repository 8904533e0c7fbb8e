"""Takes the token's files away while a session is open, and brings them back."""

import sys
from pathlib import Path

from bonopay_signer.hsm.token import HsmUnavailable, TokenSession

label, pin_file, key_label, objects, elsewhere = sys.argv[1:]
session = TokenSession("libp11-kit.so.0", label, Path(pin_file).read_text().strip(), key_label)
session.open()


def attempt() -> None:
    try:
        session._sign_digest(bytes(32))
        print("signed")
    except HsmUnavailable:
        print("unavailable")


attempt()
Path(objects).rename(elsewhere)
Path(objects).mkdir()
session._session.close()  # as a device that resets: the handle is dead
attempt()
Path(objects).rmdir()
Path(elsewhere).rename(objects)
attempt()
