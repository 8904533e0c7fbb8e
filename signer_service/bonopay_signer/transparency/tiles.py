"""Tiles of C2SP tlog-tiles: the tree's hashes in immutable blocks of 256, eight levels of the tree apart. Pure, no I/O.

A full tile also carries its own root, which is its one hash in the tile above: a partial tile above level 0 is then a
list of roots, and nothing but full tiles is ever stored. Level 0 holds leaf hashes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bonopay_signer.transparency.merkle import HASH_SIZE, Frontier, Range, fold, node_hash, perfect_nodes

HEIGHT = 8
WIDTH = 1 << HEIGHT
LEVELS = 8  # 256^8 leaves: more than a position can count
_INDEX = re.compile(r"(?:x[0-9]{3}/)*[0-9]{3}")
_PARTIAL = re.compile(r"(.*)\.p/([1-9][0-9]{0,2})")


class TileId(NamedTuple):
    level: int
    index: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A full tile: 256 hashes (8,192 bytes) and the root over them."""

    id: TileId
    hashes: bytes
    root: bytes


def tile_root(hashes: bytes) -> bytes:
    """The root over a full tile. Raises ValueError unless it has 256 hashes."""
    row = list(split_hashes(hashes))
    if len(row) != WIDTH:
        raise ValueError(f"a full tile has {WIDTH} hashes, not {len(row)}")
    return _perfect_root(row)


def split_hashes(hashes: bytes) -> Iterator[bytes]:
    """Raises ValueError unless these are whole hashes."""
    if len(hashes) % HASH_SIZE:
        raise ValueError("not a sequence of 32-byte hashes")
    return (hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE))


def width_at(tile: TileId, size: int) -> int:
    """How many hashes the tile has in a tree of ``size`` leaves, 0 … 256."""
    return max(0, min(WIDTH, (size >> HEIGHT * tile.level) - tile.index * WIDTH))


def edge_tiles(size: int) -> list[TileId]:
    """The partial tiles of a tree of ``size`` leaves, from level 0 up."""
    edges = (TileId(level, size >> HEIGHT * (level + 1)) for level in range(LEVELS))
    return [tile for tile in edges if width_at(tile, size)]


class TileBuilder:
    """Appends leaves, hands out each tile when it fills, and knows the root. Memory: 255 hashes per level."""

    def __init__(self, size: int = 0, edge: Mapping[TileId, bytes] | None = None) -> None:
        """Continue a tree of ``size`` leaves from its ``edge_tiles``. Raises ValueError when they do not fit."""
        rows = {tile.level: list(split_hashes(hashes)) for tile, hashes in (edge or {}).items()}
        self._rows = [rows.get(level, []) for level in range(LEVELS)]
        if any(len(row) != (size >> HEIGHT * level) % WIDTH for level, row in enumerate(self._rows)):
            raise ValueError(f"these are not the partial tiles of a tree of {size} leaves")
        self._frontier = Frontier(size, [root for row in reversed(self._rows) for root in _perfect_roots(row)])

    @property
    def size(self) -> int:
        return self._frontier.size

    def root(self) -> bytes:
        return self._frontier.root()

    def append(self, leaf: bytes) -> list[Tile]:
        """Add a leaf hash. Returns the tiles that it filled, from level 0 up."""
        completed = self._frontier.append(leaf)
        self._rows[0].append(leaf)
        if len(completed) < HEIGHT:
            return []
        return [self._fill(level, completed[HEIGHT * (level + 1) - 1]) for level in range(len(completed) // HEIGHT)]

    def extend(self, leaves: Iterable[bytes]) -> list[Tile]:
        """Add leaf hashes. Returns the tiles that they filled, in the order in which they filled."""
        return [tile for leaf in leaves for tile in self.append(leaf)]

    def _fill(self, level: int, root: bytes) -> Tile:
        row = self._rows[level]
        self._rows[level] = []
        self._rows[level + 1].append(root)
        index = (self.size >> HEIGHT * (level + 1)) - 1
        return Tile(TileId(level, index), b"".join(row), root)


def tiles_for(ranges: Sequence[Range]) -> set[TileId]:
    """The tiles that hold the hashes of a proof's ranges."""
    nodes = (node for start, end in ranges for node in perfect_nodes(start, end))
    return {_place(*node)[0] for node in nodes}


def range_hash(start: int, end: int, tiles: Mapping[TileId, bytes]) -> bytes:
    """The tree hash of a proof's range out of the tiles it lies in. Raises ValueError when one is too narrow."""
    return fold([_node_from_tile(*node, tiles) for node in perfect_nodes(start, end)])


def _node_from_tile(height: int, index: int, tiles: Mapping[TileId, bytes]) -> bytes:
    tile, first, count = _place(height, index)
    hashes = tiles[tile][first * HASH_SIZE : (first + count) * HASH_SIZE]
    if len(hashes) != count * HASH_SIZE:
        raise ValueError(f"tile {tile} does not reach hash {first + count}")
    return _perfect_root(list(split_hashes(hashes)))


def _place(height: int, index: int) -> tuple[TileId, int, int]:
    """Where a perfect subtree's hashes lie: the tile, the first of them in it, their number."""
    level, inside = divmod(height, HEIGHT)
    first = index << inside
    return TileId(level, first // WIDTH), first % WIDTH, 1 << inside


def _perfect_root(row: list[bytes]) -> bytes:
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def _perfect_roots(row: Sequence[bytes]) -> list[bytes]:
    nodes = perfect_nodes(0, len(row))
    return [_perfect_root(list(row[index << height : (index + 1) << height])) for height, index in nodes]


def tile_path(tile: TileId, width: int = WIDTH) -> str:
    """``<L>/<N>[.p/<W>]`` of C2SP tlog-tiles, e.g. ``0/x001/x234/067.p/8``."""
    groups = f"{tile.index:,}".split(",")
    *above, last = [group.zfill(3) for group in groups]
    name = "".join(f"x{group}/" for group in above) + last
    return f"{tile.level}/{name}" + ("" if width == WIDTH else f".p/{width}")


def parse_tile_path(path: str) -> tuple[TileId, int]:
    """The inverse of ``tile_path``, one spelling per tile. Raises ValueError."""
    level, _, name = path.partition("/")
    partial = _PARTIAL.fullmatch(name)
    name, width = (partial[1], int(partial[2])) if partial else (name, WIDTH)
    if not re.fullmatch(r"[0-9]|[1-5][0-9]|6[0-3]", level) or not _INDEX.fullmatch(name) or len(name) > 40:
        raise ValueError(f"no tile is called {path!r}")
    tile = TileId(int(level), int(name.replace("x", "").replace("/", "")))
    if tile_path(tile, width) != path or width > WIDTH or (partial and width == WIDTH):
        raise ValueError(f"no tile is called {path!r}")
    return tile, width
