"""A document's way from the client to a certified entry of the ledger."""
