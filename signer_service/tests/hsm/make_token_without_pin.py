"""Initialises a token and sets no user PIN: arguments are the module and the label."""

import sys

from bonopay_signer.hsm.cryptoki import library

library(sys.argv[1]).init_token(sys.argv[2], "so-pin-20261121")
