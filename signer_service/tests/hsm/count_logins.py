"""Opens a session with the PIN of a file and uses it three times more; prints how often the token was given the PIN."""

import sys
from pathlib import Path

from bonopay_signer.hsm import token
from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.token import HsmUnavailable, TokenSession

label, pin_file, key_label = sys.argv[1:]
logins = 0
find_token = token.find_token


class CountedToken:
    def __init__(self, address: TokenAddress) -> None:
        self._token = find_token(address)
        self.slot = self._token.slot

    def open(self, **options):
        global logins
        logins += 1
        return self._token.open(**options)


token.find_token = CountedToken
session = TokenSession("libp11-kit.so.0", label, Path(pin_file).read_text().strip(), key_label)
for attempt in (session.open, session.check, session.check, session.check):
    try:
        attempt()
        print("open")
    except HsmUnavailable as error:
        print("PIN" if "TOKEN_PIN_FILE" in str(error) else f"other: {error}")
print(logins)
