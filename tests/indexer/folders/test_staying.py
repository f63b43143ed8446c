"""Photos that were kept since too many of a root went at once: they stay, whatever share of it is looked at later."""

import pytest

from indexer.pipeline import sync


@pytest.fixture
def robbed(world):
    """Four of six photos gone, two in each of two folders, which have one new photo each; one run saw it."""
    for seed in range(6):
        world.write(f"{'xyz'[seed // 2]}/{seed}.png", seed)
    world.sync()
    for seed in range(4):
        (world.photos / f"{'xyz'[seed // 2]}/{seed}.png").unlink()
    world.write("x/new.png", 10)
    world.write("y/new.png", 11)
    assert "4 of the 6 photos" in " ".join(world.sync().messages)
    return world


def known(world):
    (root,) = world.library.catalog.root_paths()
    return world.library.catalog.known(root.id, model_id=world.active.id)


def look(world, *folders, **options):
    """A look at the files of some folders alone, as a daemon takes it where something happened."""
    shallow = [world.photos / folder for folder in folders]
    return sync(world.library, world.embedder, [], shallow=shallow, workers=1, **options)


def test_photos_that_were_kept_stay_at_a_look_at_a_part(robbed):
    for folder in ("x", "y"):
        report = look(robbed, folder)
        assert report.removed == 0
        assert "2 of the 8 photos" in " ".join(report.messages)
    assert len(known(robbed)) == 8


def test_photos_that_were_kept_stay_when_new_ones_make_their_share_small(robbed):
    for seed in range(20, 30):
        robbed.write(f"z/{seed}.png", seed)
    for _ in range(2):
        assert robbed.sync().removed == 0
    assert [photo.path for photo in known(robbed).values() if photo.missing] == [
        "x/0.png",
        "x/1.png",
        "y/2.png",
        "y/3.png",
    ]


def test_another_photo_of_the_root_goes_while_they_stay(robbed):
    for seed in range(20, 30):
        robbed.write(f"z/{seed}.png", seed)
    robbed.sync()
    (robbed.photos / "z/20.png").unlink()
    assert robbed.sync().removed == 1
    assert "z/20.png" not in known(robbed)


def test_what_is_left_of_them_goes_when_as_many_have_come_back(robbed):
    robbed.write("x/0.png", 0)
    robbed.write("x/1.png", 1)
    robbed.write("y/2.png", 2)
    assert robbed.sync().removed == 1
    assert not any(photo.missing for photo in known(robbed).values())


def test_they_go_where_a_person_says_so(robbed):
    assert look(robbed, "x", allow_mass_removal=True).removed == 2
    assert robbed.sync(allow_mass_removal=True).removed == 2
