"""Sidecars that cannot be read for the moment: what they said stays known, and they are tried again."""

import errno
import os
import pickle
from pathlib import Path

import pytest

from indexer.workers.isolation import WorkerPool
from tests.indexer.following import following
from tests.indexer.written import packet

LIKED = packet(
    "<dc:title>Dog</dc:title><dc:subject><rdf:Bag><rdf:li>animal</rdf:li></rdf:Bag></dc:subject>", 'xmp:Rating="4"'
)
BETTER = packet("<dc:title>Good dog</dc:title>", 'xmp:Rating="5"')


@pytest.fixture
def trouble(monkeypatch):
    """What opening a sidecar meets, if anything; decoding happens in this process, where that can be arranged."""
    met, whole = [], Path.open

    def opened(path, *how, **more):
        if met and path.suffix == ".xmp":
            raise OSError(met[-1], os.strerror(met[-1]))
        return whole(path, *how, **more)

    monkeypatch.setattr(Path, "open", opened)

    def run(_, function, *arguments):
        return pickle.loads(pickle.dumps(function(*arguments)))  # as it comes from another process

    monkeypatch.setattr(WorkerPool, "run", run)
    return met


def said(world, name="a.png"):
    photo = world.library.catalog.photo_at(world.photos / name)
    return photo.rating, photo.title, photo.keywords


@pytest.fixture
def liked(world, trouble):
    world.write("a.png", 1)
    world.write("a.png.xmp", LIKED)
    world.sync()
    assert said(world) == (4, "Dog", ("animal",))
    return world


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EBUSY, errno.ENOENT])
def test_a_changed_sidecar_that_cannot_be_opened_is_tried_again(liked, trouble, number):
    liked.write("a.png.xmp", BETTER)
    trouble.append(number)
    report = liked.sync()
    ((path, reason),) = report.failures
    assert (path, report.temporary) == (str(liked.photos / "a.png"), [path])
    assert "a.png.xmp" in reason
    assert said(liked) == (4, "Dog", ("animal",))
    assert liked.nearest(1) == "a.png"
    trouble.clear()
    assert liked.sync().updated == 1
    assert said(liked) == (5, "Good dog", ())
    assert liked.sync().unchanged == 1


@pytest.mark.parametrize("changed", [False, True])
def test_a_photo_is_embedded_although_its_sidecar_cannot_be_read(liked, trouble, other_model, changed):
    """By another model, or since the picture is another one: rating and keywords stay until they can be read."""
    trouble.append(errno.EIO)
    if changed:
        liked.write("a.png", 2)
    report = liked.sync(embedder=liked.embedder if changed else other_model)
    assert (report.updated, report.failed) == (1, 0)
    assert said(liked) == (4, "Dog", ("animal",))
    trouble.clear()
    liked.write("a.png.xmp", BETTER)
    liked.sync()
    assert said(liked) == (5, "Good dog", ())


def test_a_sidecar_that_does_not_even_show_its_stamp_is_not_gone(liked):
    path = liked.photos / "a.png.xmp"
    path.unlink()
    path.symlink_to("an-absent-drive")
    assert liked.sync().temporary == [str(liked.photos / "a.png")]
    assert said(liked) == (4, "Dog", ("animal",))
    path.unlink()
    liked.sync()
    assert said(liked) == (None, None, ())


def test_a_new_photo_takes_its_sidecar_in_when_it_can_be_read(liked, trouble):
    liked.write("b.png", 2)
    (liked.photos / "copy.png").write_bytes((liked.photos / "a.png").read_bytes())
    for name in ("b.png.xmp", "copy.png.xmp"):
        liked.write(name, BETTER)
    trouble.append(errno.EACCES)
    report = liked.sync()
    assert (report.added, report.failed) == (2, 0)
    assert said(liked, "b.png") == said(liked, "copy.png") == (None, None, ())
    trouble.clear()
    liked.sync()
    assert said(liked, "b.png") == said(liked, "copy.png") == (5, "Good dog", ())
    assert liked.sync().unchanged == 3


def test_the_daemon_tries_again_by_itself(liked, trouble):
    from indexer.watching.retrying import Retries

    liked.write("a.png.xmp", BETTER)
    trouble.append(errno.EBUSY)
    with following(liked, mode="polling", retries=Retries(pauses_s=(0.1, 0.1, 0.1, 60))) as daemon:
        assert daemon.total("failed") == 1
        trouble.clear()
        daemon.wait_for(updated=1)
    assert said(liked) == (5, "Good dog", ())
