"""A test double of the DGI's e-MCF: same protocol, no legal value."""

__version__ = "0.1.0"
