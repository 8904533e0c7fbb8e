"""How each outlet stands with the DGI: what waits, until when, and what somebody has to do about it."""
