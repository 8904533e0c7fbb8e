"""The sealing core under faults at every effect: real code, PostgreSQL and head store, everything else a model.

`faults` says what can go wrong and where; `statements`, `disk`, `dgi` and the key of `process` are the effects; a
`process` is one life of a signer, a `world` what outlives it, `invariants` what must hold; the `stage` puts the seams
in place. No code of the service knows of any of this.
"""
