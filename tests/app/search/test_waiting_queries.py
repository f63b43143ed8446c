"""Searches that wait together: one call of the model, one pass over the index, and to each its own outcome."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.search.query import Query
from indexer.vectors.index import VectorIndex
from tests.app.colours import NAMES, ColourEmbedder, World, names

LIMIT_S = 60


class HeldUp(ColourEmbedder):
    """A model whose first call waits until it is let go on, and that has no direction for some texts."""

    def hold(self):
        self.calls, self.entered, self.go_on = [], threading.Event(), threading.Event()

    def embed_texts(self, texts):
        self.calls.append(list(texts))
        if len(self.calls) == 1:
            self.entered.set()
            assert self.go_on.wait(LIMIT_S)
        if "nothing" in texts:
            raise ValueError("the model gives no direction for text number 0")
        return super().embed_texts(texts)


@pytest.fixture
def held(tmp_path):
    embedder = HeldUp()
    world = World(tmp_path, embedder)
    for colour in NAMES:
        world.write(f"{colour}.png", colour)
    world.index()
    embedder.hold()
    return world.services().search, embedder


def behind(search, embedder, texts):
    """The outcomes of searches that all wait while a first one is embedded."""
    waiting = search._embedder._together
    with ThreadPoolExecutor(len(texts) + 1) as pool:
        first = pool.submit(search.search, Query(text="first"))
        assert embedder.entered.wait(LIMIT_S)
        rest = [pool.submit(search.search, Query(text=text, limit=1)) for text in texts]
        pause = threading.Event()
        for _ in range(100 * LIMIT_S):
            if waiting.waiting == len(texts):
                break
            pause.wait(0.01)
        embedder.go_on.set()
    first.result()
    return rest


def test_texts_that_wait_together_are_embedded_together_and_equal_ones_once(held):
    search, embedder = held
    texts = ["red", "green", "blue", "red", "yellow", "red", "purple", "black"] * 2
    found = behind(search, embedder, texts)
    assert [names(future.result().hits) for future in found] == [[f"{text}.png"] for text in texts]
    assert [sorted(call) for call in embedder.calls] == [["first"], sorted(NAMES)]


def test_one_bad_text_fails_alone(held):
    search, embedder = held
    red, bad, blue = behind(search, embedder, ["red", "nothing", "blue"])
    assert (names(red.result().hits), names(blue.result().hits)) == (["red.png"], ["blue.png"])
    with pytest.raises(ValueError, match="no direction"):
        bad.result()


def test_a_text_that_was_embedded_while_another_waited_is_not_embedded_again(held):
    search, embedder = held
    behind(search, embedder, ["first", "first"])
    assert embedder.calls == [["first"]]


def test_queries_that_wait_together_take_one_pass_over_the_index(held, monkeypatch):
    search, embedder = held
    embedder.go_on.set()
    for colour in NAMES:
        search.search(Query(text=colour))  # remembered: what waits below waits for the index alone
    passes, entered, go_on = [], threading.Event(), threading.Event()
    original = VectorIndex.search

    def counted(self, queries, k, allowed=None, *, exact=False, least=None):
        if allowed is not None:  # a look at the few photos whose words say the colour
            return original(self, queries, k, allowed, exact=exact, least=least)
        passes.append(len(queries))
        if len(passes) == 1:
            entered.set()
            assert go_on.wait(LIMIT_S)
        return original(self, queries, k, allowed, exact=exact, least=least)

    monkeypatch.setattr(VectorIndex, "search", counted)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(search.search, Query(text="red", limit=1))
        assert entered.wait(LIMIT_S)
        rest = {colour: pool.submit(search.search, Query(text=colour, limit=1)) for colour in NAMES}
        pause = threading.Event()
        for _ in range(100 * LIMIT_S):
            if search._pages.passes.waiting == len(NAMES):
                break
            pause.wait(0.01)
        go_on.set()
    assert names(first.result().hits) == ["red.png"]
    assert {colour: names(future.result().hits) for colour, future in rest.items()} == {
        colour: [f"{colour}.png"] for colour in NAMES
    }
    assert passes == [1, len(NAMES)]
