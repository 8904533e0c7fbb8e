"""A physical MCF played behind a pseudo-terminal, written from the protocol table."""
