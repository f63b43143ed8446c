"""Decoding side by side: in order, bounded, and failures are results like any other."""

import threading

import numpy as np
import pytest
from worlds import draw

from indexer import images
from indexer.decoding import NEVER, Decoder, Job, decode_all
from indexer.errors import ImageError
from indexer.records import CopiedPhoto, FailedPhoto, NewPhoto
from indexer.scanner import scan
from indexer.thumbnails import ThumbnailStore


@pytest.fixture
def decoder(tmp_path):
    def prepare(image):
        return np.asarray(image.resize((4, 4)), dtype=np.float32)

    return Decoder(prepare, ThumbnailStore(tmp_path / "thumbnails"), lambda content: None, frozenset(), 8, 10**6)


def jobs(folder):
    return [Job(1, folder, file, known=False) for file in scan(folder).files.values()]


def test_results_come_in_the_order_of_the_jobs(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(12):
        draw(i, size=(600, 400) if i % 4 == 0 else (20, 10)).save(folder / f"{i:02}.png")
    (folder / "05.png").write_bytes(b"nothing")
    results = list(decode_all(jobs(folder), decoder, workers=3, ahead=4))
    assert [result.job.file.path for result in results] == [f"{i:02}.png" for i in range(12)]
    kinds = {type(result.photo) for result in results[:5]}
    assert kinds == {NewPhoto}
    assert isinstance(results[5].photo, FailedPhoto)
    assert results[0].pixels.shape == (4, 4, 3)
    assert results[0].thumbnail.startswith(b"RIFF")


def test_no_more_than_asked_are_taken_up_before_their_turn(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(20):
        draw(i).save(folder / f"{i:02}.png")
    taken = []

    def watched():
        for job in jobs(folder):
            taken.append(job)
            yield job

    results = decode_all(watched(), decoder, workers=2, ahead=3)
    next(results)
    assert len(taken) == 4
    results.close()
    assert threading.active_count() == 1


def test_a_file_with_the_bytes_of_a_known_photo_is_not_decoded(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    draw(1).save(folder / "a.png")
    size, content = (folder / "a.png").stat().st_size, images.hash_file(folder / "a.png")
    known = Decoder(decoder.prepare, decoder.thumbnails, {content: 7}.get, frozenset([size]), 8, 10**6)
    (result,) = decode_all(jobs(folder), known, workers=1, ahead=1)
    assert isinstance(result.photo, CopiedPhoto)
    assert (result.photo.source_id, result.pixels) == (7, None)


def test_what_could_not_be_read_is_marked_to_be_tried_again(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    draw(1).save(folder / "gone.png")
    (folder / "bad.png").write_bytes(b"nothing")
    work = jobs(folder)
    (folder / "gone.png").unlink()
    bad, gone = (result.photo for result in decode_all(work, decoder, workers=1, ahead=1))
    assert gone.mtime_ns == NEVER
    assert bad.mtime_ns == work[0].file.mtime_ns


def test_an_exception_that_is_no_failure_of_a_photo_ends_the_run(tmp_path, decoder, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    draw(1).save(folder / "a.png")
    monkeypatch.setattr(images, "load", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(decode_all(jobs(folder), decoder, workers=1, ahead=1))
    monkeypatch.setattr(images, "load", lambda *args, **kwargs: (_ for _ in ()).throw(ImageError("no")))
    (result,) = decode_all(jobs(folder), decoder, workers=1, ahead=1)
    assert result.photo.reason == "no"
