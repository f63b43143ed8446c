"""HEIF files that are made of few pictures, over and over: refused before a decoder is busy with them for hours."""

import struct

import pytest

from indexer.errors import ImageError
from indexer.pictures import images
from indexer.pictures.content.boxes import MOST_DECODED, too_many_pieces
from tests.indexer.heic_sample import HEIC


def box(kind, body):
    return struct.pack(">I4s", 8 + len(body), kind) + body


def heif(shown, made_of, wide=True):
    number = "I" if wide else "H"
    references = b"".join(
        box(b"dimg", struct.pack(f">{number}H{len(parts)}{number}", item, len(parts), *parts))
        for item, parts in made_of.items()
    )
    inside = box(b"pitm", struct.pack(">IH", 0, shown)) + box(b"iref", struct.pack(">I", wide << 24) + references)
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(4) + inside)


def nested(levels):
    """Two pictures, and two of both of them on each level: few items."""
    made_of = {2 * level + side: (2 * level - 2, 2 * level - 1) for level in range(1, levels) for side in (0, 1)}
    return 2 * levels, {**made_of, 2 * levels: (2 * levels - 2, 2 * levels - 1)}


@pytest.mark.parametrize("wide", [True, False])
def test_grids_of_grids_are_counted_by_what_is_decoded(wide):
    assert too_many_pieces(heif(*nested(13), wide=wide)) is None
    assert "more than 10,000 pieces" in too_many_pieces(heif(*nested(14), wide=wide))
    with pytest.raises(ImageError, match="takes too long to decode"):
        images.decode(heif(*nested(30), wide=wide), min_side=64)


def test_a_grid_of_many_tiles_is_sound():
    assert too_many_pieces(heif(1, {1: range(2, 1002)})) is None


@pytest.mark.parametrize("made_of", [{1: [1, 1]}, {1: [2], 2: [1]}, {1: [2, 3], 2: [3], 3: [2]}, {}])
def test_circles_are_left_to_the_decoder(made_of):
    assert too_many_pieces(heif(1, made_of)) is None


def test_a_long_chain_takes_no_recursion():
    assert too_many_pieces(heif(1, {item: [item + 1] for item in range(1, MOST_DECODED)})) is None


@pytest.mark.parametrize("source", [b"", HEIC, HEIC[:300], heif(1, {1: [2]})[:-3]])
def test_what_is_built_otherwise_is_left_to_the_decoder(source):
    assert too_many_pieces(source) is None
