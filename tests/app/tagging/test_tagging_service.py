"""Tagging over a world of plain colours: what is suggested, what is left alone, what is learned, and what is cached."""

import pytest

from app.search import relevance
from app.search.language.parsing import parse
from app.tagging import learning, tag_changing, tagging_service
from app.tagging.tagging_service import TaggingService
from app.tagging.vocabulary.vocabulary import load_vocabulary
from indexer.catalog.filters.known_tags import SETTING, KnownTags
from indexer.catalog.tag_records import Decision
from indexer.errors import LibraryLockedError
from tests.app.colours import NAMES, ColourEmbedder

RED, GREEN = ("colour", "red"), ("colour", "green")


@pytest.fixture
def words(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("[colour]\n" + "".join(f"\t{name}\n" for name in NAMES))
    return file


@pytest.fixture
def tagging(services, words):
    services.tagging.use(words)
    return services.tagging


def tags(services):
    """The tags of each photo by its name, with their states."""
    catalog = services.library.catalog
    photos = catalog.photos(catalog.allowed_ids(catalog.active_model().id, _nothing()).tolist())
    return {p.path.name: {t.path: t.state for t in catalog.tags.of([p.id]).get(p.id, ())} for p in photos}


def _nothing():
    from indexer.catalog.photo_filter import PhotoFilter

    return PhotoFilter()


def ids(services):
    catalog = services.library.catalog
    return {p.path.name: p.id for p in catalog.photos(catalog.allowed_ids(1, _nothing()).tolist())}


def best(services, threshold=0.01):
    """The surest tag of each photo."""
    services.tagging.run(threshold=threshold)
    catalog = services.library.catalog
    found = {}
    for name, number in ids(services).items():
        known = catalog.tags.of([number]).get(number, ())
        found[name] = max(known, key=lambda tag: tag.confidence).path if known else None
    return found


def test_the_surest_tag_of_a_photo_is_its_colour(services, tagging):
    found = best(services)
    assert {name: found[name][-1] for name in ("red.png", "green.png", "blue.png")} == {
        **{"red.png": "red", "green.png": "green", "blue.png": "blue"}
    }


def test_no_photo_is_opened(services, tagging, world):
    for photo in world.photos.rglob("*.*"):
        photo.unlink()
    assert tagging.run(threshold=0.01).photos == 5


def test_words_are_embedded_once(services, tagging, world):
    embedder = services.embedder_for("colours")
    tagging.run()
    asked = len(embedder.texts)
    assert asked > len(load_vocabulary().tags)  # the background, and the words themselves
    tagging.run(threshold=0.2)
    assert len(embedder.texts) == asked


def test_only_what_is_new_is_tagged_again(services, tagging, world):
    assert tagging.run().photos == 5
    assert tagging.run(only_new=True).photos == 0
    world.write("new.png", "red")
    world.index()
    assert tagging.run(only_new=True).photos == 1
    assert tagging.run(only_new=True, threshold=0.05).photos == 6  # another threshold is another question


def test_a_run_that_was_stopped_is_taken_up_again(services, tagging):
    report = tagging.run(stop=lambda: True)
    assert (report.photos, report.complete) == (0, False)
    assert tagging.run(only_new=True).photos == 5


def test_new_photos_are_tagged_where_that_is_switched_on(services, tagging):
    assert tagging.run_if_automatic() is None
    tagging.automatic = True
    assert tagging.run_if_automatic().photos == 5
    assert tagging.run_if_automatic().photos == 0


def test_tagging_new_photos_does_not_read_the_embeddings_of_all(services, tagging, world, monkeypatch):
    tagging.run()
    world.write("new.png", "red")
    world.index()
    asked, catalog = [], services.library.catalog
    plain, several = type(catalog).embeddings, type(catalog).embeddings_of

    def embeddings(self, model_id, *, since=0, batch_size=4096):
        asked.append(since)
        return plain(self, model_id, since=since, batch_size=batch_size)

    def embeddings_of(self, photo_ids, model_id):
        asked.append(len(photo_ids))
        return several(self, photo_ids, model_id)

    monkeypatch.setattr(type(catalog), "embeddings", embeddings)
    monkeypatch.setattr(type(catalog), "embeddings_of", embeddings_of)
    monkeypatch.setattr(tagging_service, "SAMPLE", 3)
    assert tagging.run(only_new=True).photos == 1
    sampled, since = asked
    assert (sampled, since > 0) == (3, True)


def test_new_photos_get_the_confidences_that_a_whole_run_gives_them(services, tagging, world):
    tagging.automatic = True
    tagging.run(threshold=0.01)
    world.write("new.png", "yellow")
    world.index()
    assert tagging.run_if_automatic().photos == 1
    number, catalog = ids(services)["new.png"], services.library.catalog
    at_once = {tag.path: tag.confidence for tag in catalog.tags.of([number])[number]}
    tagging.run()
    assert {tag.path: tag.confidence for tag in catalog.tags.of([number])[number]} == at_once
    assert at_once


def test_all_photos_are_judged_anew_each_time_the_library_has_doubled(services, tagging, world):
    tagging.automatic = True
    assert tagging.run_if_automatic().photos == 5
    for count, looked_at in ((4, 4), (1, 10), (9, 9), (1, 20)):  # 9 photos, 10, 19, 20
        for number in range(count):
            world.write(f"{looked_at}-{number}.png", "yellow" if number % 2 else "red")
        world.index()
        assert tagging.run_if_automatic().photos == looked_at


def test_all_photos_are_judged_anew_once_so_much_more_is_decided(services, tagging, world):
    tagging.automatic = True
    tagging.run(threshold=0.01)
    numbers, catalog = list(ids(services).values()), services.library.catalog

    def decided_then_one_more(count, name):
        catalog.tags.decide([Decision(numbers[n % 5], (f"{name} {n // 5}",), "accepted") for n in range(count)])
        world.write(f"{name}.png", "yellow")
        world.index()
        return tagging.run_if_automatic().photos

    assert decided_then_one_more(9, "nine") == 1
    assert decided_then_one_more(1, "ten") == 7
    assert tagging.run_if_automatic().photos == 0
    assert decided_then_one_more(9, "nineteen") == 1
    assert decided_then_one_more(1, "twenty") == 9


def test_a_run_over_all_of_a_grown_library_that_was_stopped_begins_again(services, tagging, world):
    tagging.run()
    for number in range(5):
        world.write(f"{number}.png", "red")
    world.index()
    assert not tagging.run(only_new=True, stop=lambda: True).complete
    assert tagging.run(only_new=True).photos == 10


def test_a_search_finds_tags_by_synonyms_and_in_other_languages_also_once_they_are_renamed(services, tmp_path):
    (tmp_path / "own.toml").write_text('[tags]\n"warm/red" = { synonyms = ["scarlet"], labels = { de = "Röt" } }\n')
    services.tagging.use(tmp_path / "own.toml")
    services.tagging.run(threshold=0.99)
    tagged = services.library.catalog.tags
    tagged.decide([Decision(ids(services)["green.png"], ("warm", "red"), "accepted")])

    def found(query):
        return [hit.photo.path.name for hit in services.search.search(parse(query)).hits]

    assert [found(f"tag:{name}") for name in ("red", "scarlet", "röt")] == [["green.png"]] * 3
    assert "green.png" not in found("-tag:röt")
    tagged.rename(("warm",), ("hot",))
    assert found("tag:scarlet") == ["green.png"]
    tagged.decide([Decision(ids(services)["blue.png"], ("Rot",), "accepted")])
    assert found("tag:röt") == ["blue.png"], "what a tag is called itself comes first"


def test_other_names_are_known_with_the_next_run_also_where_no_photo_is_looked_at(services, tmp_path):
    def names(said):
        (tmp_path / "own.toml").write_text(f'[tags]\n"warm/red" = {{ {said} }}\n"dull" = {{ synonyms = ["grey"] }}\n')
        services.tagging.use(tmp_path / "own.toml")

    def means(name):
        return KnownTags(catalog.tags.paths(), catalog.setting(SETTING)).meant((name,))

    catalog = services.library.catalog
    names('labels = { de = "rot" }')
    services.tagging.run()
    [red], [dull] = means("rot"), means("grey")
    names('labels = { it = "rosso" }')
    version = catalog.version()
    assert services.tagging.run(only_new=True).photos == 0
    assert (means("rosso"), means("rot")) == ([red], [])
    assert catalog.version() != version
    version = catalog.version()
    services.tagging.run(only_new=True)
    assert catalog.version() == version, "nothing differs, and nothing is written"
    catalog.tags.remove(("dull",))
    services.tagging.run(only_new=True)
    assert (means("rosso"), means("grey"), dull in catalog.tags.paths()) == ([red], [], False)


@pytest.mark.parametrize("restore", [lambda services: tag_changing.restore(services, "red"), tag_changing.restore_all])
def test_a_tag_that_is_restored_is_suggested_again_also_where_only_new_photos_are_tagged(services, tmp_path, restore):
    (tmp_path / "flat.txt").write_text("".join(f"{name}\n" for name in NAMES))
    services.tagging.use(tmp_path / "flat.txt")
    services.tagging.run(threshold=0.01)
    before = tags(services)
    services.library.catalog.tags.remove(("red",))
    restore(services)
    assert tags(services) != before
    services.tagging.run(only_new=True)
    assert tags(services) == before


def test_a_classifier_that_is_switched_has_all_photos_judged_anew(tagging):
    tagging.run()
    tagging.classify(RED, False)
    assert tagging.run(only_new=True).photos == 5


@pytest.mark.parametrize("name", ["SLOPE", "SHARPNESS", "OWN_MEAN", "GROUP_SHARPNESS", "METHOD"])
def test_another_number_in_the_way_to_a_confidence_tags_anew(tagging, monkeypatch, name):
    tagging.run(threshold=0.01)
    assert tagging.run(only_new=True).photos == 0
    monkeypatch.setattr(relevance, name, getattr(relevance, name) * 2)
    assert tagging.run(only_new=True).photos == 5


def test_a_fit_that_is_drawn_elsewhere_tags_anew(tagging, monkeypatch):
    tagging.run(threshold=0.01)
    monkeypatch.setattr(learning, "UNDECIDED", learning.UNDECIDED * 2)
    assert tagging.run(only_new=True).photos == 5


def test_a_word_like_a_built_in_one_is_compared_with_what_is_below_that(services, tagging, words, monkeypatch):
    seen = []
    monkeypatch.setattr(tagging_service, "learn_all", lambda scorer, *others: seen.append(scorer) or {})
    words.write_text("Animal\nPlánt\nnothing like it\n")
    tagging.use(words)
    tagging.run()
    builtin = [tag.path for tag in load_vocabulary().tags]
    for place, name in enumerate(("animal", "plant")):
        below = {number for number, path in enumerate(builtin) if path[0] == name}
        assert len(below) > 10
        assert below <= set(seen[0]._alike[place][0].tolist())


def test_another_way_to_a_confidence_tags_anew_what_nobody_decided(services, tagging, monkeypatch):
    tagging.run(threshold=0.01)
    number, catalog = ids(services)["red.png"], services.library.catalog
    catalog.tags.decide([Decision(number, RED, "rejected")])
    before = {tag.path: tag.confidence for tag in catalog.tags.of([number])[number]}
    monkeypatch.setattr(relevance, "SHIFT", relevance.SHIFT + 1)
    assert tagging.run(only_new=True).photos == 5
    after = {tag.path: tag for tag in catalog.tags.of([number])[number]}
    assert after[RED].state == "rejected"
    others = before.keys() - {RED}  # of red a rejection has its say, too
    assert all(after[path].confidence > before[path] for path in others)
    assert others


def test_decisions_stand_whatever_the_model_says(services, tagging):
    number = ids(services)["red.png"]
    catalog = services.library.catalog
    catalog.tags.decide([Decision(number, RED, "rejected"), Decision(number, GREEN, "accepted")])
    tagging.run(threshold=0.01)
    known = tags(services)["red.png"]
    assert (known[RED], known[GREEN]) == ("rejected", "accepted")


def test_another_model_replaces_suggestions_and_keeps_decisions(tmp_path, words):
    from tests.app.colours import World

    world = World(tmp_path, ColourEmbedder(), ColourEmbedder("other", "d1" * 32, turn=3))
    for name in ("red", "green", "blue"):
        world.write(f"{name}.png", name)
    world.index()
    services = world.services()
    services.tagging.use(words)
    services.tagging.run(threshold=0.01)
    number = ids(services)["red.png"]
    services.library.catalog.tags.decide([Decision(number, RED, "rejected")])
    world.index("other")
    services.tagging.run(threshold=0.01)
    known = services.library.catalog.tags.of([number])[number]
    assert {tag.model for tag in known if tag.state == "suggested"} <= {"other"}
    assert [tag.state for tag in known if tag.path == RED] == ["rejected"]


def test_a_parent_is_not_suggested_beside_its_child(services, tmp_path):
    file = tmp_path / "nested.txt"
    file.write_text("red\nred/red\n")
    services.tagging.use(file)
    services.tagging.run(threshold=0.01)
    assert all(("red",) not in known for known in tags(services).values() if ("red", "red") in known)


def test_decisions_move_a_tags_confidence(services, tagging):
    catalog = services.library.catalog
    tagging.run(threshold=0.01)
    number = ids(services)["red.png"]

    def confidence():
        return next(tag.confidence for tag in catalog.tags.of([number])[number] if tag.path == RED)

    before = confidence()
    catalog.tags.decide([Decision(i, RED, "accepted") for name, i in ids(services).items() if name == "red.png"])
    report = tagging.run(threshold=0.01)
    assert report.learned[RED].accepted == 1
    assert confidence() > before


def test_one_accept_that_the_words_do_not_know_leaves_the_other_photos_alone(services, tagging, world):
    for number in range(20):
        world.write(f"more {number}.png", ("red", "green", "blue", "purple")[number % 4])
    world.index()
    tagging.run()
    before = [name for name, known in tags(services).items() if ("colour", "yellow") in known]
    wrong = ids(services)["blue.png"]
    services.library.catalog.tags.decide([Decision(wrong, ("colour", "yellow"), "accepted")])
    tagging.run()
    after = [name for name, known in tags(services).items() if ("colour", "yellow") in known]
    assert len(set(after) - set(before)) <= 1 + 4  # itself, and what looks just like it


def suggested(services):
    """Every tag that is suggested for some photo."""
    return {path for known in tags(services).values() for path, state in known.items() if state == "suggested"}


def test_renamed_merged_and_deleted_tags_stay_so_in_later_runs(services, tagging):
    catalog = services.library.catalog.tags
    tagging.run(threshold=0.01)
    assert {RED, GREEN, ("colour", "blue"), ("colour", "yellow")} <= suggested(services)
    catalog.rename(RED, ("warm", "scarlet"))
    catalog.merge(GREEN, ("colour", "blue"))
    catalog.remove(("colour", "yellow"))
    for _ in range(2):
        tagging.run(threshold=0.01)
        found = suggested(services)
        assert {("warm", "scarlet"), ("colour", "blue")} <= found
        assert not found & {RED, GREEN, ("colour", "yellow")}
        assert {count.path for count in catalog.counts()}.isdisjoint({RED, GREEN, ("colour", "yellow")})
    assert tags(services)["red.png"][("warm", "scarlet")] == "suggested"  # with the sentences of red
    assert catalog.forget_changes(("colour", "yellow")) == 1
    tagging.run(threshold=0.01)
    assert ("colour", "yellow") in suggested(services)


def test_what_was_suggested_with_other_words_goes_and_decisions_stay(services, tagging, tmp_path):
    tagging.run(threshold=0.01)
    services.library.catalog.tags.decide([Decision(ids(services)["red.png"], RED, "accepted")])
    (tmp_path / "other.txt").write_text("purple\nblack\n")
    tagging.use(tmp_path / "other.txt")
    tagging.run(threshold=0.01)
    assert suggested(services) <= {("purple",), ("black",)}
    assert tags(services)["red.png"][RED] == "accepted"


def test_the_fits_of_a_library_are_shown_and_can_be_switched_off(services, tagging):
    number = ids(services)["red.png"]
    services.library.catalog.tags.decide([Decision(number, RED, "accepted")])
    tagging.run()
    assert tagging.fits()[RED].wanted
    tagging.classify(RED, wanted=False)
    tagging.run()
    assert not tagging.fits()[RED].wanted


def test_a_service_over_an_empty_library_says_so(tmp_path):
    from app.bootstrap import build_services
    from app.search.live_index import EmptyLibraryError
    from app.settings import Settings

    services = build_services(Settings(library=tmp_path / "empty"), create=True)
    assert isinstance(services.tagging, TaggingService)
    with pytest.raises(EmptyLibraryError):
        services.tagging.run()


def test_no_photo_is_tagged_while_another_process_writes(services, tagging):
    with services.library.writer_lock(), pytest.raises(LibraryLockedError):
        tagging.run()
    assert tagging.run().photos == 5
