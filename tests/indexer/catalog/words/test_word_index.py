"""The index of words: what is found in it, and that it follows the rows whatever happens to them."""

import logging
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import text

from indexer.catalog import database, migrations
from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database, reading, writing
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import CopiedPhoto, DescribedPhoto, FailedPhoto, Move
from indexer.catalog.tag_records import Decision, Edit
from indexer.catalog.words import settling, word_index
from indexer.catalog.words.documents import documents
from indexer.errors import TagError
from indexer.metadata.photo_metadata import Keyword
from tests.fuzzing import examples
from tests.indexer.catalog_samples import DIM, metadata, new, vectors


def assert_in_step(catalog):
    """The index is sound, nothing is due, and it holds what one made anew would."""
    with writing(catalog.engine) as connection:
        connection.exec_driver_sql("INSERT INTO photo_words (photo_words) VALUES ('integrity-check')")
    with reading(catalog.engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM words_due").scalar() == 0
        ids = list(connection.exec_driver_sql("SELECT id FROM photos").scalars())
        rows = connection.exec_driver_sql("SELECT rowid, own, named FROM photo_words")
        assert {number: tuple(words) for number, *words in rows} == documents(connection, ids)
        connection.exec_driver_sql("CREATE VIRTUAL TABLE temp.anew USING fts5(own, named, tokenize = 'ascii')")
        connection.exec_driver_sql("INSERT INTO temp.anew (rowid, own, named) SELECT rowid, * FROM photo_words")
        connection.exec_driver_sql("CREATE VIRTUAL TABLE temp.held USING fts5vocab(main, photo_words, instance)")
        connection.exec_driver_sql("CREATE VIRTUAL TABLE temp.made USING fts5vocab(temp, anew, instance)")
        held, made = (set(connection.exec_driver_sql(f"SELECT * FROM temp.{name}")) for name in ("held", "made"))
        assert held == made
        for name in ("held", "made", "anew"):
            connection.exec_driver_sql(f"DROP TABLE temp.{name}")


def new_photo(path, title=None, description=None, keywords=(), content=""):
    words = tuple(Keyword(word, "file") for word in keywords)
    return new(path, content, title=title, description=description, keywords=words)


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    yield catalog
    catalog.close()


@pytest.fixture
def model(catalog):
    return catalog.model("tiny", "f1", DIM).id


@pytest.fixture
def root(catalog, tmp_path):
    return catalog.add_root(tmp_path / "Family photos")[0]


def found(catalog, model, *texts):
    return list(catalog.allowed_ids(model, PhotoFilter(texts=texts)))


def test_photos_are_found_by_all_words_that_they_carry(catalog, model, root):
    photos = [
        new_photo("Utah 2020/IMG_1234.jpg", "Sunset over dunes", "With Aunt Anna", ["thompson springs", "red"]),
        new_photo("München/東京タワー.jpg", keywords=["rock"]),
        new_photo("b\udce9ta.jpg", keywords=["Trip|Paris"]),
    ]
    first, second, third = catalog.store(root.id, photos, model, vectors(3))
    for query, ids in {
        "sunset": [first], "over dunes": [first], "aunt anna": [first], "thompson": [first],
        "Thompson Springs": [first], "springs thompson": [],
        "thomp": [], "thomp*": [first], "thomps springs*": [], "dunes with": [],
        "springs red": [], "utah": [first], "utah 2020": [first], "img_1234": [first], "IMG_1234.JPG": [first],
        "utah 2020/IMG_1234": [first], "family": [first, second, third], "munchen": [second], "MÜNCHEN": [second],
        "東京": [second], "タワー": [second], "東京タワー": [second], "京都": [], "trip paris": [third], "ta": [third],
    }.items():  # fmt: skip
        assert found(catalog, model, query) == ids, query
    assert found(catalog, model, "thompson", "utah") == [first]
    assert found(catalog, model, "thompson", "rock") == []


def test_accepted_tags_count_and_edits_stand_before_what_files_say(catalog, model, root):
    first, second = catalog.store(root.id, [new_photo("a.jpg", "Old title"), new_photo("b.jpg")], model, vectors(2))
    catalog.tags.decide([Decision(first, ("animal", "dog"), "accepted", "test")])
    catalog.tags.decide([Decision(second, ("animal", "dog"), "rejected", "test")])
    catalog.tags.edit([Edit(first, "title", "New title", "test"), Edit(second, "rating", "5", "test")])
    assert (
        found(catalog, model, "dog") == found(catalog, model, "animal") == found(catalog, model, "new title") == [first]
    )
    assert found(catalog, model, "old") == found(catalog, model, "5") == []


def test_own_words_are_told_from_names(catalog, model, root):
    photos = [new_photo("beach/a.jpg", keywords=["dog"]), new_photo("b.jpg", "Dog on the beach"), new_photo("c.jpg")]
    ids = catalog.store(root.id, photos, model, vectors(3))
    both, own = catalog.words.photos_saying([("dog",), ("beach",)])
    assert (list(both), list(own)) == (ids[:2], ids[1:2])
    assert [list(part) for part in catalog.words.photos_saying([("dog",), ("cat",)])] == [[], []]


def test_it_tells_whether_anybody_says_a_phrase(catalog, model, root):
    catalog.store(root.id, [new_photo("beach/a.jpg", "Old dog")], model, vectors(1))
    said = [catalog.words.is_said(phrase) for phrase in [("dog",), ("old", "dog"), ("beach",), ("a", "jpg")]]
    assert said == [True] * 4
    assert not any(catalog.words.is_said(phrase) for phrase in [("cat",), ("dog", "old"), ("dog",) * 40])
    with writing(catalog.engine) as connection:
        connection.exec_driver_sql("DELETE FROM photo_words")
        assert not word_index.is_said(connection, ("dog",))
        connection.exec_driver_sql("INSERT INTO words_due SELECT id FROM photos")
        assert word_index.is_said(connection, ("dog",))


@pytest.mark.parametrize("signs", ['"', "'", "*", "()", "\0", "\ud800", "\udce9", "-", "^", "{} : +"])
def test_a_text_without_a_word_finds_nothing(catalog, model, root, signs):
    catalog.store(root.id, [new_photo("z.jpg", signs)], model, vectors(1))
    assert_in_step(catalog)
    assert found(catalog, model, signs) == []


@pytest.mark.parametrize(
    "hostile",
    [
        *('q"', "q'", "q*", "(q)", "q)", "q AND", "NOT q", "NEAR(q w)", "own:q", "own : q", "-q", "^q", "q + w"),
        *("{own} : q", "q\0", "q\0w", "q\ud800", "\udce9q", "x" * 100_000, "a " * 50_000, "東" * 100_000),
        *("%s %(q)s :q ?", "'; DROP TABLE photos; --"),
    ],
    ids=lambda text: text[:20].encode("ascii", "replace").decode(),
)
def test_no_text_is_syntax(catalog, model, root, hostile):
    (photo, other) = catalog.store(root.id, [new_photo("z.jpg", hostile), new_photo("y.jpg")], model, vectors(2))
    assert_in_step(catalog)
    assert found(catalog, model, hostile) == [photo]
    assert found(catalog, model, "y") == [other]


def test_of_a_long_phrase_every_word_counts(catalog, model, root):
    long = [f"w{number}" for number in range(100)]
    said = [" ".join(words) for words in (long, [*long[:-1], "other"], long[:90], [*long[:40], "x", *long[40:]])]
    photos = [new_photo(f"{at}.jpg", words) for at, words in enumerate(said)]
    ids = catalog.store(root.id, photos, model, vectors(4))
    assert [found(catalog, model, words) for words in said] == [[ids[0]], [ids[1]], ids[:3], [ids[3]]]
    assert found(catalog, model, " ".join([*long[:99], "oth*"])) == [ids[1]]
    assert found(catalog, model, " ".join([*long[:99], "oth"])) == []
    everywhere, own = catalog.words.photos_saying([tuple(long), ("0",)])
    assert (list(everywhere), list(own)) == ([ids[0]], [])
    assert list(catalog.words.photos_saying([tuple(long)])[1]) == [ids[0]]


def test_what_nobody_wrote_down_is_indexed_by_the_next_who_writes(catalog, model, root):
    (photo,) = catalog.store(root.id, [new_photo("a.jpg", "Before")], model, vectors(1))
    with catalog.engine.begin() as connection:  # another program
        connection.execute(text("UPDATE photos SET title = 'Afterwards'"))
    catalog.set_setting("any", "thing")
    assert found(catalog, model, "afterwards") == [photo]
    assert_in_step(catalog)


@pytest.mark.fresh_schema
def test_an_older_library_gets_its_index_with_the_upgrade(tmp_path, monkeypatch, caplog):
    engine = database._engine(tmp_path / "catalog.db")
    with writing(engine) as connection:
        migrations.upgrade(connection, "0008")
        connection.execute(text("INSERT INTO roots (id, path) VALUES (1, '/p/Wien')"))
        connection.execute(text("INSERT INTO folders (id, root_id, path) VALUES (1, 1, 'Prater')"))
        row = "(:id, 1, :name, 1, 1, 'ab', 'ok', '2026-01-01', 'Riesenrad')"
        columns = "(id, folder_id, name, size, mtime_ns, content_hash, state, indexed_at, title)"
        rows = [{"id": number, "name": f"{number}.jpg"} for number in range(1, 12)]
        connection.execute(text(f"INSERT INTO photos {columns} VALUES {row}"), rows)
    engine.dispose()
    monkeypatch.setattr(settling, "AT_ONCE", 5)
    monkeypatch.setattr(settling, "QUIET_S", 0)
    caplog.set_level(logging.WARNING)
    catalog = Catalog(open_database(tmp_path))
    assert_in_step(catalog)
    with reading(catalog.engine) as connection:
        assert list(word_index.saying(connection, "Wien Prater 7")) == [7]
        assert len(word_index.saying(connection, "riesenrad")) == 11
    catalog.close()
    assert "5 of 6 photos" in caplog.text, "the first 5 are indexed with the upgrade itself"


PATHS = st.sampled_from(["a.jpg", "Sea/a.jpg", "Sea/b c.jpg", "Sea/Old town/a.jpg", "東京/a.jpg", "\udce9/x.jpg"])
SAID = st.one_of(st.none(), st.sampled_from(["", "Red dunes", "München", "東京タワー", "b\udce9", "a\0b"]))
TAGS = st.sampled_from([("animal",), ("animal", "dog"), ("sea",), ("dog",), ("Größe", "groß")])

# What no store does today, and a later one may, beside what they do: each changes words of photo 1 or 2.
BY_HAND = [
    "DELETE FROM edits WHERE photo_id = :one",
    "DELETE FROM keywords WHERE photo_id = :one",
    "DELETE FROM photo_tags WHERE photo_id = :one",
    "DELETE FROM photos WHERE id = :one",
    "DELETE FROM photos WHERE id = :other",
    "UPDATE photos SET name = 'by hand' WHERE id = :one",
    "UPDATE photos SET description = 'by hand' WHERE id = :one",
    "UPDATE keywords SET keyword = 'by hand' WHERE photo_id = :one",
    "UPDATE edits SET value = 'by hand' WHERE photo_id = :one",
    "UPDATE OR REPLACE keywords SET photo_id = :other WHERE photo_id = :one",
    "UPDATE OR REPLACE photo_tags SET photo_id = :other WHERE photo_id = :one",
    "UPDATE OR IGNORE photo_tags SET state = 'rejected' WHERE photo_id = :one",
    "UPDATE OR REPLACE edits SET photo_id = :other WHERE photo_id = :one",
    "INSERT OR REPLACE INTO edits VALUES (:one, 'description', 'put', 'x', '2026-01-01')",
    "INSERT OR IGNORE INTO keywords VALUES (:one, 9, 'put', 'x')",
    "UPDATE tags SET path = path || 'x' WHERE id IN (SELECT tag_id FROM photo_tags WHERE photo_id = :one)",
    "UPDATE folders SET path = path || 'x' WHERE id = (SELECT folder_id FROM photos WHERE id = :one)",
    "UPDATE roots SET path = path || 'x'",
    "DELETE FROM folders WHERE id = (SELECT folder_id FROM photos WHERE id = :one)",
    "DELETE FROM tags",
]


def change(catalog, statement, one, other):
    values = {name: value for name, value in (("one", one), ("other", other)) if f":{name}" in statement}
    with writing(catalog.engine) as connection:
        connection.execute(text(statement), values)


def words_of(catalog):
    with reading(catalog.engine) as connection:
        return list(connection.exec_driver_sql("SELECT rowid, own, named FROM photo_words"))


@pytest.mark.parametrize("statement", BY_HAND)
def test_the_index_follows_each_way_in_which_a_row_can_change(catalog, model, root, statement):
    photos = [new_photo("a/a.jpg", "Title", keywords=["red"]), new_photo("b/b.jpg"), new_photo("c/c.jpg", "Third")]
    one, other, third = catalog.store(root.id, photos, model, vectors(3))
    catalog.tags.decide([Decision(number, ("dog",), "accepted") for number in (one, third)])
    change(catalog, "INSERT INTO edits VALUES (:one, 'title', 'Given', 'test', '2026-01-01')", one, other)
    before = words_of(catalog)
    change(catalog, statement, one, other)
    assert_in_step(catalog)
    assert words_of(catalog) != before


class WordsModel(RuleBasedStateMachine):
    """Every way in which a row can change; after each the index is what one made anew would be."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.catalog = Catalog(open_database(self.folder / "library"))
        self.model = self.catalog.model("m", "m", DIM).id
        self.catalog.add_root(self.folder / "one")
        self.seed = 0

    def teardown(self):
        self.catalog.close()
        shutil.rmtree(self.folder)

    def ids(self):
        with reading(self.catalog.engine) as connection:
            return sorted(connection.exec_driver_sql("SELECT id FROM photos").scalars())

    def some(self, data):
        return data.draw(st.lists(st.sampled_from(self.ids()), min_size=1, max_size=3, unique=True))

    def root(self, data):
        return data.draw(st.sampled_from(self.catalog.root_paths())).id

    has_photos = precondition(lambda self: self.ids())
    has_roots = precondition(lambda self: self.catalog.root_paths())

    @has_roots
    @rule(paths=st.lists(PATHS, min_size=1, max_size=3, unique=True), data=st.data())
    def store(self, paths, data):
        self.seed += 1
        words = st.lists(st.sampled_from(["red rock", "dog", "ÄÖÜ", ""]), max_size=3, unique=True)
        photos = [new_photo(p, data.draw(SAID), data.draw(SAID), data.draw(words), "P") for p in paths]
        self.catalog.store(self.root(data), photos, self.model, vectors(len(paths), self.seed))

    @has_roots
    @rule(path=PATHS, data=st.data())
    def fail(self, path, data):
        self.catalog.fail(self.root(data), [FailedPhoto(path, 1, 1, "bad")])

    @precondition(lambda self: any(photo.state == "ok" for photo in self.catalog.photos(self.ids())))
    @rule(path=PATHS, data=st.data())
    def copy(self, path, data):
        sound = [photo.id for photo in self.catalog.photos(self.ids()) if photo.state == "ok"]
        self.catalog.store_copies(self.root(data), [CopiedPhoto(path, 1, 1, "P", data.draw(st.sampled_from(sound)))])

    @has_photos
    @rule(title=SAID, description=SAID, keyword=SAID, data=st.data())
    def describe(self, title, description, keyword, data):
        words = (Keyword(keyword, "file"),) if keyword else ()
        said = metadata(title=title, description=description, keywords=words)
        self.catalog.describe([DescribedPhoto(number, said, 1, 1, "") for number in self.some(data)])

    @has_photos
    @rule(path=PATHS, data=st.data())
    def move(self, path, data):
        self.catalog.move([Move(self.some(data)[0], self.root(data), path, 1, 1)])

    @has_photos
    @rule(data=st.data())
    def remove(self, data):
        self.catalog.remove(self.some(data))

    @has_roots
    @rule(name=st.sampled_from(["Wien", "two", "three/four"]), data=st.data())
    def rename_root(self, name, data):
        folder = self.folder / name
        if all(root.path != folder for root in self.catalog.root_paths()):
            self.catalog.rename_root(self.root(data), folder)

    @rule(name=st.sampled_from(["one", "one/Sea", "three", "three/four"]))
    def add_root(self, name):
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.catalog.add_root(self.folder / name)

    @has_roots
    @rule(data=st.data())
    def forget(self, data):
        self.catalog.forget(self.root(data))

    @has_photos
    @rule(path=TAGS, state=st.sampled_from(["accepted", "rejected"]), data=st.data())
    def decide(self, path, state, data):
        self.catalog.tags.decide([Decision(number, path, state, "test") for number in self.some(data)])

    @has_photos
    @rule(path=TAGS, data=st.data())
    def undecide(self, path, data):
        self.catalog.tags.undecide(self.some(data), self.catalog.tags.make([path])[path])

    @rule(old=TAGS, new=TAGS, how=st.sampled_from(["rename", "merge", "remove"]))
    def change_tag(self, old, new, how):
        try:
            if how == "remove":
                self.catalog.tags.remove(old)
            else:
                getattr(self.catalog.tags, how)(old, new)
        except TagError:
            pass

    @has_photos
    @rule(field=st.sampled_from(["title", "description", "rating"]), value=SAID, data=st.data())
    def edit(self, field, value, data):
        given = "3" if field == "rating" else value or "3"  # whoever edits sees to it that a rating is a number
        self.catalog.tags.edit([Edit(number, field, given, "test") for number in self.some(data)])

    @has_photos
    @rule(statement=st.sampled_from(BY_HAND), data=st.data())
    def by_hand(self, statement, data):
        one, *others = self.some(data)
        change(self.catalog, statement, one, others[0] if others else one)

    @rule()
    def reopen(self):
        self.catalog.close()
        self.catalog = Catalog(open_database(self.folder / "library"))

    @invariant()
    def in_step(self):
        assert_in_step(self.catalog)


WordsModel.TestCase.settings = settings(max_examples=examples(10), stateful_step_count=20)
TestWordsModel = WordsModel.TestCase
