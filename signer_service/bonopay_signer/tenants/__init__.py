"""Merchants, outlets, and the keys of their clients."""
