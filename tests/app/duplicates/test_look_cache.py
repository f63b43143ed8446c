"""Looks are read once from thumbnails, and the file that keeps them is never needed."""

import pytest

from app.duplicates.look_cache import FILE, LookCache
from app.duplicates.perceptual_hash import look_of
from indexer.pictures.thumbnails import ThumbnailStore
from tests.app.duplicates.pictures import scene

CONTENTS = ["0" * 16, "1" * 64, "2" * 32]


@pytest.fixture
def thumbnails(tmp_path):
    store = ThumbnailStore(tmp_path / "thumbnails")
    for seed, content in enumerate(CONTENTS):
        store.write(content, scene(seed))
    return store


@pytest.fixture
def cache(tmp_path, thumbnails):
    return LookCache(tmp_path, thumbnails)


def test_the_second_run_reads_no_thumbnail(cache, thumbnails, tmp_path):
    told = []
    first = cache.looks([*CONTENTS, CONTENTS[0]], on_progress=lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]
    for seed, content in enumerate(CONTENTS):
        original = look_of(scene(seed))
        assert (first[content].bits ^ original.bits).bit_count() <= 4
        assert first[content].detail == pytest.approx(original.detail, rel=0.1)
        thumbnails.remove(content)
    again = LookCache(tmp_path, thumbnails).looks(CONTENTS, on_progress=lambda *done: pytest.fail("read again"))
    assert {content: look.bits for content, look in again.items()} == {name: look.bits for name, look in first.items()}
    assert again[CONTENTS[1]].sharpness == pytest.approx(first[CONTENTS[1]].sharpness)


def test_what_has_no_sound_thumbnail_is_left_out(cache, thumbnails):
    thumbnails.path(CONTENTS[0]).write_bytes(b"")
    thumbnails.path(CONTENTS[1]).write_bytes(thumbnails.path(CONTENTS[2]).read_bytes()[:60])
    assert list(cache.looks([*CONTENTS, "3" * 16, "photo 7"])) == [CONTENTS[2]]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", None])
def test_a_damaged_file_is_made_anew(cache, tmp_path, damage):
    first = cache.looks(CONTENTS)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert cache.looks(CONTENTS) == first
    assert (tmp_path / FILE).read_bytes() == whole


def test_a_file_that_cannot_be_written_costs_time_alone(cache, tmp_path):
    (tmp_path / FILE).mkdir()
    assert len(cache.looks(CONTENTS)) == 3
    assert [path.name for path in tmp_path.glob("*.partial")] == []


def test_others_are_kept_until_they_are_to_be_forgotten(cache, thumbnails):
    cache.looks(CONTENTS)
    for content in CONTENTS:
        thumbnails.remove(content)
    cache.looks(CONTENTS[:1])
    assert len(cache.looks(CONTENTS)) == 3
    thumbnails.write("3" * 16, scene(3))
    cache.looks([CONTENTS[0], "3" * 16], forget_others=True)
    assert list(cache.looks(CONTENTS)) == CONTENTS[:1]


def test_what_was_read_before_an_interruption_is_kept(cache, thumbnails):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.looks(CONTENTS, on_progress=stop)
    told = []
    cache.looks(CONTENTS, on_progress=lambda *done: told.append(done))
    assert told == [(1, 1)]
