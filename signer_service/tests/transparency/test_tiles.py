"""Tiles are published for ever: one wrong hash or path in them and no mirror agrees with the checkpoint."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonopay_signer.transparency.merkle import consistency_ranges, inclusion_ranges, root_of
from bonopay_signer.transparency.tiles import (
    TileBuilder,
    TileId,
    edge_tiles,
    parse_tile_path,
    range_hash,
    tile_path,
    tile_root,
    tiles_for,
    width_at,
)

from .trees import leaves

LEAVES = leaves(66_500)


def tiled(size: int) -> tuple[TileBuilder, dict[TileId, bytes]]:
    """A builder and every tile of a tree: full ones as it hands them out, partial ones by their definition."""
    builder = TileBuilder()
    full = builder.extend(LEAVES[:size])
    stored = {tile.id: tile.hashes for tile in full}
    roots = {tile.id: tile.root for tile in full}
    for edge in edge_tiles(size):
        width, first = width_at(edge, size), edge.index * 256
        if edge.level == 0:
            stored[edge] = b"".join(LEAVES[first : first + width])
        else:
            stored[edge] = b"".join(roots[TileId(edge.level - 1, first + at)] for at in range(width))
    return builder, stored


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 66_500])
def test_root_and_tiles_are_those_of_the_tree(size: int) -> None:
    builder, stored = tiled(size)
    assert builder.root() == root_of(LEAVES[:size])
    assert sum(len(hashes) for tile, hashes in stored.items() if tile.level == 0) == 32 * size
    for tile, hashes in stored.items():
        span = 256**tile.level
        for at in {0, len(hashes) // 32 - 1}:
            first = (tile.index * 256 + at) * span
            assert hashes[at * 32 : at * 32 + 32] == root_of(LEAVES[first : first + span])


def test_widths_are_those_of_the_specifications_example() -> None:
    """70,000 leaves: 273 full tiles and one of 112 on level 0, a full one and one of 17 on level 1, one of 1 above."""
    assert [width_at(TileId(0, index), 70_000) for index in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [width_at(TileId(1, index), 70_000) for index in (0, 1, 2)] == [256, 17, 0]
    assert width_at(TileId(2, 0), 70_000) == 1
    assert edge_tiles(70_000) == [TileId(0, 273), TileId(1, 1), TileId(2, 0)]
    assert edge_tiles(256) == [TileId(1, 0)]


@given(st.integers(1, 66_500), st.data())
@settings(max_examples=15)
def test_proofs_out_of_tiles_are_those_of_the_leaves(size: int, data: st.DataObject) -> None:
    _, stored = tiled(size)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    for ranges in (inclusion_ranges(index, size), consistency_ranges(old, size)):
        needed = tiles_for(ranges)
        assert len(needed) <= 8
        tiles = {tile: stored[tile] for tile in needed}
        assert [range_hash(*range_, tiles) for range_ in ranges] == [root_of(LEAVES[a:b]) for a, b in ranges]


@given(st.integers(0, 66_400))
@settings(max_examples=15)
def test_builder_continued_from_its_partial_tiles_is_the_same_tree(size: int) -> None:
    _, stored = tiled(size)
    builder = TileBuilder(size, {tile: stored[tile] for tile in edge_tiles(size)})
    assert builder.root() == root_of(LEAVES[:size])
    builder.extend(LEAVES[size : size + 100])
    assert builder.root() == root_of(LEAVES[: size + 100])


def test_builder_is_not_continued_from_partial_tiles_of_another_size() -> None:
    _, stored = tiled(300)
    edge = {tile: stored[tile] for tile in edge_tiles(300)}
    for size in (299, 301, 44, 256, 65_836):
        with pytest.raises(ValueError, match="partial tiles"):
            TileBuilder(size, edge)


def test_tile_too_narrow_for_a_node_is_not_read_past_its_end() -> None:
    with pytest.raises(ValueError, match="does not reach"):
        range_hash(0, 4, {TileId(0, 0): b"".join(LEAVES[:3])})
    with pytest.raises(ValueError, match="256 hashes"):
        tile_root(b"".join(LEAVES[:255]))


@given(st.integers(0, 63), st.integers(0, 2**62), st.integers(1, 256))
def test_paths_are_read_back(level: int, index: int, width: int) -> None:
    path = tile_path(TileId(level, index), width)
    assert parse_tile_path(path) == (TileId(level, index), width)
    assert path.endswith(f".p/{width}") == (width < 256)


def test_paths_are_those_of_the_specification() -> None:
    assert tile_path(TileId(0, 1_234_067)) == "0/x001/x234/067"
    assert tile_path(TileId(2, 7), 17) == "2/007.p/17"


@pytest.mark.parametrize(
    "path",
    ["", "0", "0/", "0/1", "00/001", "64/001", "-1/001", "0/x000/001", "0/001.p/0", "0/001.p/256", "0/001.p/01",
     "0/001.p/", "0/001/x002", "0/x1/001", "0/001.p/5.p/5", "entries/001", "0/٠٠١", "0/" + "x999/" * 40 + "001"],
)  # fmt: skip
def test_other_spellings_of_a_path_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no tile"):
        parse_tile_path(path)
