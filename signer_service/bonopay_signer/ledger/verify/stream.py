"""Pages of entries through the processes, and back in order.

What a single entry takes (hashes, one P-256 verification) is nearly all of the work, and needs nothing of the others.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.verify.records import Checked, Record
from bonopay_signer.ledger.verify.single import check

Raw = Any
Decode = Callable[[Raw], tuple[int, Record]]
"""A page's element to its locator and record; a function of a module, so that processes find it."""

PAGE = 250
_AHEAD = 3
_keys: dict[str, PublicKey] = {}


def checked(
    pages: Iterable[list[Raw]], decode: Decode, keys: Mapping[str, PublicKey], processes: int
) -> Iterator[list[Checked]]:
    """Every page's entries, each checked by itself. At most ``_AHEAD`` pages per process are under way."""
    if processes < 2:
        for page in pages:
            yield [check(*decode(raw), keys) for raw in page]
        return
    ders = [key.der for key in keys.values()]
    # Not forked: the parent holds a connection to the database.
    with ProcessPoolExecutor(processes, get_context("spawn"), _know, (ders,)) as pool:
        under_way: deque[Future[list[Checked]]] = deque()
        try:
            for page in pages:
                under_way.append(pool.submit(_check_page, decode, page))
                if len(under_way) >= processes * _AHEAD:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _know(ders: list[bytes]) -> None:
    for der in ders:
        key = PublicKey(der)
        _keys[key.key_id] = key


def _check_page(decode: Decode, page: list[Raw]) -> list[Checked]:
    return [check(*decode(raw), _keys) for raw in page]
