"""Puts another token with the same labels in the place of the first one."""

import shutil
import sys
from pathlib import Path

from bonopay_signer.hsm.token import HsmUnavailable, TokenSession

label, pin_file, key_label, objects, other, other_pin_file = sys.argv[1:]
session = TokenSession("libp11-kit.so.0", label, Path(pin_file).read_text().strip(), key_label)
session.open()
session._sign_digest(bytes(32))
print("signed")
shutil.rmtree(objects)
shutil.copytree(other, objects)
session._pin = Path(other_pin_file).read_text().strip()
session._session.close()
try:
    session._sign_digest(bytes(32))
    print("signed")
except HsmUnavailable as error:
    print("refused" if "another key" in str(error) else f"other: {error}")
