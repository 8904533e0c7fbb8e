"""The crash harness: eight tills seal without pause while servers are killed, stopped, cut off and lied to.

| module | holds |
|---|---|
| `stack` | the real servers: PostgreSQL on a small disk, SoftHSM, two signers of which one may write, the DGI sandbox |
| `faults` | full disk, I/O errors, a clock that steps back: how each is made and taken back |
| `events` | what happens to the stack, one function per kind of event, each ending in a healed stack |
| `tills` | the load: clients that send a document until it is answered, and keep every answer |
| `checker` | what must hold in the end; pure, and without a line of the signer's code |
| `openssl` | signatures, checked by the system's OpenSSL |
"""
