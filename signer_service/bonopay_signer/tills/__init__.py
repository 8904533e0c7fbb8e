"""Tills: browsers with a key of their own, which sign what they sell before it is sealed (docs/contracts.md §7)."""
