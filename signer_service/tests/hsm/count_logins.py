"""Opens a session with the PIN of a file and uses it three times more; prints how often the token was given the PIN."""

import sys
from pathlib import Path

import pkcs11

from bonopay_signer.hsm.token import HsmUnavailable, TokenSession

label, pin_file, key_label = sys.argv[1:]
logins = 0
real_lib = pkcs11.lib


class CountedToken:
    def __init__(self, token: pkcs11.Token) -> None:
        self._token = token

    def open(self, **options):
        global logins
        logins += 1
        return self._token.open(**options)


class CountedLibrary:
    def __init__(self, module: str) -> None:
        self._library = real_lib(module)

    def get_token(self, **options) -> CountedToken:
        return CountedToken(self._library.get_token(**options))

    def reinitialize(self) -> None:
        self._library.reinitialize()


pkcs11.lib = CountedLibrary
session = TokenSession("libp11-kit.so.0", label, Path(pin_file).read_text().strip(), key_label)
for attempt in (session.open, session.check, session.check, session.check):
    try:
        attempt()
        print("open")
    except HsmUnavailable as error:
        print("PIN" if "TOKEN_PIN_FILE" in str(error) else f"other: {error}")
print(logins)
