"""Signs one entry; writes key.pem, key.der, preimage and signature into a folder."""

import hashlib
import sys
from pathlib import Path

from bonopay_signer.hsm.token import TokenSession

label, pin_file, key_label, folder = sys.argv[1:]
session = TokenSession("libp11-kit.so.0", label, Path(pin_file).read_text().strip(), key_label)
key = session.open()
preimage = b"bonopay/entry/1\n" + bytes(64)
target = Path(folder)
(target / "key.pem").write_text(key.pem)
(target / "key.der").write_bytes(key.der)
(target / "preimage").write_bytes(preimage)
(target / "signature").write_bytes(session._sign_digest(hashlib.sha256(preimage).digest()))
