"""A photo that is deleted and put back later has what people decided of it: through runs, as they happen."""

import pytest

from indexer.catalog.tag_records import Decision, Edit
from indexer.forgetting import forget

DOG, CAT = ("dog",), ("cat",)


@pytest.fixture
def gone(world):
    """Its photo lay at a.png, was decided on, and is deleted: the bytes of the file."""
    path = world.write("a.png", 1)
    for seed in range(2, 5):
        world.write(f"{seed}.png", seed)
    world.sync()
    catalog, number = world.library.catalog, world.library.catalog.photo_at(path).id
    catalog.tags.decide([Decision(number, DOG, "accepted"), Decision(number, CAT, "rejected")])
    catalog.tags.edit([Edit(number, "title", "The lake", "hand"), Edit(number, "rating", "5", "hand")])
    content = path.read_bytes()
    path.unlink()
    assert world.sync().removed == 1
    return content


def known(world, path):
    """States of tags, title and stars of the photo at a path."""
    photo = world.library.catalog.photo_at(path)
    tags = world.library.catalog.tags.of([photo.id]).get(photo.id, ())
    return {tag.path: tag.state for tag in tags}, photo.title, photo.rating


ALL = ({DOG: "accepted", CAT: "rejected"}, "The lake", 5)


@pytest.mark.parametrize("name", ["a.png", "x/other.png"])
def test_a_photo_that_is_put_back_has_tags_title_and_stars(world, gone, name):
    path = world.write(name, gone)
    world.sync()
    assert known(world, path) == ALL
    world.assert_agreement()
    path.unlink()  # and the next time too
    world.sync()
    world.write(name, gone)
    world.sync()
    assert known(world, path) == ALL


def test_so_has_one_of_which_a_run_saw_a_half_first(world, gone):
    path = world.write("a.png", gone[: len(gone) // 2])
    assert world.sync().failed == 1
    path.write_bytes(gone)
    world.sync()
    assert known(world, path) == ALL


def test_two_files_that_come_back_in_another_root_both_have_it(world, gone):
    elsewhere = world.photos.parent / "elsewhere"
    elsewhere.mkdir()
    for name in ("one.png", "two.png"):
        (elsewhere / name).write_bytes(gone)
    world.sync(elsewhere)
    assert known(world, elsewhere / "one.png") == ALL
    assert known(world, elsewhere / "two.png")[0] == ALL[0]  # a copy begins with the tags of its original


def test_after_its_folder_was_forgotten_nothing_is_known_of_it(world, gone):
    forget(world.library, world.photos)
    path = world.write("a.png", gone)
    world.sync()
    assert known(world, path) == ({}, None, None)
