"""Forgetting a folder: its photos leave catalog, index and thumbnails; its files and all else stay."""

import pytest

from indexer.errors import RootError
from indexer.forgetting import forget


def test_a_folder_is_forgotten_with_its_photos_and_no_file_is_touched(world):
    one, two = world.photos / "one", world.photos / "two"
    for seed in range(3):
        world.write(f"one/{seed}.png", seed)
    world.write("two/0.png", 0)  # a copy: its thumbnail is still needed
    world.write("two/9.png", 9)
    world.sync(one, two)
    assert forget(world.library, one) == 3
    assert world.names() == ["two/0.png", "two/9.png"]
    assert [root.path for root in world.library.catalog.roots()] == [two]
    assert len(list(one.iterdir())) == 3
    world.assert_agreement()


def test_a_folder_that_is_gone_can_be_forgotten(world):
    world.write("one/1.png", 1)
    world.write("two/2.png", 2)
    world.sync(world.photos / "one", world.photos / "two")
    (world.photos / "one").rename(world.photos / "away")
    assert forget(world.library, world.photos / "one") == 1
    assert world.names() == ["two/2.png"]


def test_a_folder_that_is_not_followed_is_named_with_those_that_are(world):
    world.write("1.png", 1)
    world.sync()
    with pytest.raises(RootError, match=rf"/elsewhere is not .* It follows: {world.photos}\."):
        forget(world.library, world.photos.parent / "elsewhere")
    assert world.names() == ["1.png"]
