"""Prints the token's serial number and its slot."""

import json
import sys

from bonopay_signer.hsm import token
from bonopay_signer.hsm.address import TokenAddress

given = json.loads(sys.argv[1])
found = token.find_token(TokenAddress(given["module"], label=given["label"], parameters=given["parameters"]))
print(token.serial_text(found))
print(found.slot.slot_id)
