"""A server whose library, settings, program, log or device are not a command's leaves the search to the command."""

import logging
import sqlite3
import threading
from contextlib import closing

import pytest

from app.cli import commands
from app.cli.answering import Answering
from app.running.notice import Notice, Origins
from app.running.sources import digests
from app.settings import Settings, load_settings
from indexer.library import CATALOG
from indexer.vectors.index import VectorIndex
from tests.app.cli.test_answering import run, search, serving, world
from tests.indexer.worlds import World

__all__ = ["run", "search", "world"]


@pytest.fixture
def other(world, tiny_model_path, tmp_path):
    """Another library, and a link that leads to the first one."""
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other", tiny_model_path)
    other.write("other.png", 7)
    other.sync()
    other.library.catalog.close()
    (tmp_path / "link").symlink_to(world.library_folder)
    return other


def lead(link, folder):
    link.unlink()
    link.symlink_to(folder)


def test_a_server_whose_folder_has_become_another_is_not_believed(world, other, monkeypatch, tmp_path, search):
    alone = search("a dog")
    monkeypatch.setenv("PICSIFT_LIBRARY", str(tmp_path / "link"))
    with serving(monkeypatch, tmp_path) as talk:
        monkeypatch.setenv("PICSIFT_LIBRARY", str(world.library_folder))
        assert search("a dog") == alone
        lead(tmp_path / "link", other.library_folder)
        assert search("a dog") == alone
    assert [said is not None for _, said in talk] == [True, False]


def test_nor_one_whose_folder_becomes_another_meanwhile(world, other, monkeypatch, tmp_path, search):
    alone = search("a dog")
    monkeypatch.setenv("PICSIFT_LIBRARY", str(tmp_path / "link"))
    shown = Answering._answer

    def led_away(self, asked):
        said = shown(self, asked)
        lead(tmp_path / "link", other.library_folder)
        return said

    with serving(monkeypatch, tmp_path) as talk:
        monkeypatch.setenv("PICSIFT_LIBRARY", str(world.library_folder))
        monkeypatch.setattr(Answering, "_answer", led_away)
        assert search("a dog") == alone
    assert [said for _, said in talk] == [None]


def test_a_note_is_taken_down_where_it_was_put_up(world, other, tmp_path):
    notice = Notice(tmp_path / "link", Settings.model_fields, Origins.now())
    notice.put_up(("127.0.0.1", 80), "127.0.0.1")
    assert list(world.library_folder.glob("server-*"))
    lead(tmp_path / "link", other.library_folder)
    notice.take_down()
    assert not list(world.library_folder.glob("server-*"))


@pytest.mark.parametrize("what", ["config", "variable", "program"])
def test_what_changes_while_a_server_starts_leaves_no_note(world, monkeypatch, tmp_path, what):
    origins = Origins.now()
    if what == "config":
        (tmp_path / "config.toml").write_text("min_relevance = 0.9\n")
    if what == "variable":
        monkeypatch.setenv("PICSIFT_MIN_RELEVANCE", "0.9")
    if what == "program":
        monkeypatch.setattr("app.running.sources.PACKAGES", ("app", "indexer"))
    notice = Notice(world.library_folder, Settings.model_fields, origins)
    notice.put_up(("127.0.0.1", 80), "127.0.0.1")
    assert not list(world.library_folder.glob("server-*"))


def test_what_settings_come_from_is_taken_before_they_are_read(world, monkeypatch, tmp_path):
    before, taken = Origins.now("ab" * 32), []

    def begin(verbose, **options):
        (tmp_path / "config.toml").write_text("min_relevance = 0.9\n")
        return load_settings()

    monkeypatch.setattr(commands, "_begin", begin)
    monkeypatch.setattr(commands, "_give_memory_back", lambda: None)
    monkeypatch.setattr("app.web.server.serve", lambda *_, **given: taken.append(given["origins"]))
    commands.serve_command()
    (origins,) = taken
    assert origins.sources.keys() == before.sources.keys()
    assert digests(origins.token) != origins.sources


def test_a_damaged_index_of_words_is_told_of_beside_a_server_too(world, monkeypatch, tmp_path, search):
    with serving(monkeypatch, tmp_path) as talk:
        assert search("text:b.png")[0] == 0
        with closing(sqlite3.connect(world.library_folder / CATALOG)) as catalog, catalog:
            catalog.execute("DELETE FROM photo_words_data")
        said = search("text:b.png")
        assert [said is not None for _, said in talk] == [True, False]
    assert said[0] == 0


@pytest.mark.parametrize(
    ("name", "lasts"), [("app.search.words.word_search", True), ("indexer.catalog.model_catalog", True), ("app", False)]
)
def test_a_warning_is_a_commands_to_tell(world, monkeypatch, tmp_path, search, name, lasts):
    def warned():
        thread = threading.Thread(target=logging.getLogger(name).warning, args=("it is damaged",))
        thread.start()
        thread.join()

    alone = search("a dog")[:2]  # the server of this test has the same standard error
    with serving(monkeypatch, tmp_path) as talk:
        with monkeypatch.context() as patch:
            shown = Answering._answer
            patch.setattr(Answering, "_answer", lambda self, asked: warned() or shown(self, asked))
            assert search("a dog")[:2] == alone
        assert search("a dog")[:2] == alone
    assert [said is not None for _, said in talk] == [False, not lasts]


def test_a_gpu_does_not_answer_for_the_cpu(world, monkeypatch, tmp_path, search):
    alone = search("a dog")
    with serving(monkeypatch, tmp_path) as talk:
        with monkeypatch.context() as patch:
            patch.setattr(VectorIndex, "device", property(lambda self: "cuda:0"))
            assert search("a dog") == alone
            assert search("a dog") == alone
        assert search("a dog") == alone
    assert [said is not None for _, said in talk] == [False, False, True]
