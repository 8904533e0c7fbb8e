"""Makes the next key of a rotation; prints its label and its key id."""

import json
import sys

from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.commands import create_next_key

given = json.loads(sys.argv[1])
address = TokenAddress(given["module"], label=given["label"], parameters=given["parameters"])
label, key = create_next_key(address, given["pin"], given["key_label"])
print(label, key.key_id)
