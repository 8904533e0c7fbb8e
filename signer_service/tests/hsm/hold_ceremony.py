"""Holds a ceremony as the command line would: arguments are the kind (first or next) and its plan as JSON.

Prints the files and the JSON's SHA-256, or the error's class and words.
"""

import json
import sys
from pathlib import Path

from bonopay_signer.hsm import commands
from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.errors import HsmUnavailable

given = json.loads(sys.argv[2])
paths = {name: Path(given.pop(name)) for name in ("pin_file", "so_pin_file", "output") if given.get(name)}
plan = commands.Ceremony(token=TokenAddress(**given.pop("token")), **paths, **given)
try:
    held = {"first": commands.ceremony, "next": commands.next_key_ceremony}[sys.argv[1]](plan)
    print(json.dumps({"text": str(held.text_file), "json": str(held.json_file), "sha256": held.protocol.sha256}))
except (HsmUnavailable, ValueError) as error:
    print(json.dumps({"error": type(error).__name__, "words": str(error)}))
