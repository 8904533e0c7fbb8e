"""Verification of a whole ledger, from its database or from an exported copy, in flat memory.

==============  ======================================================================================================
`records`       an entry as it is stored or exported, and what is known of it once it is checked by itself
`single`        one entry by itself: canonical bytes, hashes, columns, content, signature. Pure; runs in every process
`facts`         what later entries are compared with, in a temporary file: memory does not grow with the ledger
`chains`        entries in order: links, numbers, keys, epochs, verdicts, positions
`credits`       every credit note judged again against its original and the notes before it
`stream`        pages of entries through the processes and back in order
`database`      the ledger of a database: its entries, and the tables beside them
`log`           tiles and checkpoints of the transparency log, over the same entries; the action log
`exported`      the ledger of an exported file
`outcome`       what was found, for people and for programs
==============  ======================================================================================================
"""
