"""The fiscal core: pure functions and dated tables. No input or output, no clock, no database, no network.

This is the part that is homologated and then frozen: its version and fingerprint are shown by the service and
printed on its papers. It imports the standard library and `msgspec`, nothing else of the signer.

==================  ==================================================================================
`schema`            the canonical invoice, `bonopay.invoice/1`: what each member is and how it is spelt
`forms`             how money, quantities, times, texts and identifiers are spelt
`parsing`           bytes to `Invoice`, or every fault of form at once
`tables`            the DGI's tables as dated data: tax groups and rates, types, natures, payment methods
`taxes`             the arithmetic of SFE §1.5, exact, half up
`rules`             `check`: every rule that one invoice alone can break, a function per paragraph
`findings`          what a fault looks like, and the catalogue of codes and messages, French and English
`canonical`         RFC 8785 bytes and their SHA-256
`numbering`         fiscal numbers
`statement`         what is signed, and how entries of a chain are hashed
`security`          authentication code and the short code that people type
`qr`                the QR's content: a whole statement, its signature, in a URL
`ticket`            the provisional ticket of a till: what it signs, its chain and its QR
`octets`            how both QRs spell numbers, texts and codes
`fingerprint`       which core this is
==================  ==================================================================================

A payload travels `parsing.parse` → `rules.check` → `canonical.encode` → `statement.Statement` → `statement.entry_hash`;
the signature comes from outside; `security` and `qr` turn it into what is printed.
"""
