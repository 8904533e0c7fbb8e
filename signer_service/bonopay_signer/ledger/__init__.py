"""Counters, chains, append, reading, verification."""
