"""Trees for tests: leaves, and oracles that are not ours: pymerkle, and RFC 6962's definitions word by word."""

import hashlib

import pymerkle
from pymerkle import InmemoryTree


def leaf_data(number: int, branch: str = "") -> bytes:
    """96 bytes, as an entry's hash and signature are."""
    return hashlib.shake_256(f"{branch}/{number}".encode()).digest(96)


def leaves(count: int, branch: str = "") -> list[bytes]:
    """Leaf hashes made without the code under test."""
    return [hashlib.sha256(b"\x00" + leaf_data(number, branch)).digest() for number in range(count)]


def oracle(data: list[bytes]) -> pymerkle.InmemoryTree:
    """pymerkle's tree: SHA-256, leaf prefix 00, node prefix 01 (its default, unless "disable_security")."""
    tree = InmemoryTree(algorithm="sha256", disable_security=False)
    for item in data:
        tree.append_entry(item)
    return tree


def mth(hashes: list[bytes]) -> bytes:
    """MTH (RFC 6962 §2.1) as it is defined, by recursion."""
    if len(hashes) == 1:
        return hashes[0]
    k = largest_power_below(len(hashes))
    return hashlib.sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def audit_path(m: int, hashes: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) (RFC 6962 §2.1.1)."""
    if len(hashes) == 1:
        return []
    k = largest_power_below(len(hashes))
    if m < k:
        return [*audit_path(m, hashes[:k]), mth(hashes[k:])]
    return [*audit_path(m - k, hashes[k:]), mth(hashes[:k])]


def subproof(m: int, hashes: list[bytes], is_known: bool = True) -> list[bytes]:
    """SUBPROOF(m, D[n], b) (RFC 6962 §2.1.2); PROOF(m, D[n]) with b true."""
    if m == len(hashes):
        return [] if is_known else [mth(hashes)]
    k = largest_power_below(len(hashes))
    if m <= k:
        return [*subproof(m, hashes[:k], is_known), mth(hashes[k:])]
    return [*subproof(m - k, hashes[k:], False), mth(hashes[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k
