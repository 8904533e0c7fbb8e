"""One document of an outlet at a time between reserve and seal."""

import asyncio


class Turns:
    """A lock per outlet, made on first use."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    def __getitem__(self, outlet_id: str) -> asyncio.Lock:
        return self._locks.setdefault(outlet_id, asyncio.Lock())
