"""Sets the PIN of a new NSS database and makes a key in it: NSS has no C_InitToken and no security officer's PIN."""

import json
import sys

from bonopay_signer.hsm import keys, token
from bonopay_signer.hsm.address import TokenAddress

given = json.loads(sys.argv[1])
address = TokenAddress(given["module"], label=given["label"], parameters=given["parameters"])
with token.find_token(address).open(rw=True, so_pin="") as session:
    session.init_pin(given["pin"])
with token.log_in(address, given["pin"], write=True) as session:
    keys.generate(session, given["key_label"])
