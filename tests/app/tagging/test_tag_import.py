"""Tags that come in: exact round trips through every table, keywords of files, and decisions that stay."""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.cli import commands as cli
from app.tag_path import clean_path
from app.tagging import tag_import
from app.tagging.export import table_export
from app.tagging.export.table_export import Table
from app.tagging.keyword_paths import as_read_back, paths_of
from app.tagging.tag_import import TableError
from app.tagging.xmp.merge import Wanted, merged
from app.tagging.xmp.properties import RDF
from app.tagging.xmp.tag_entries import entry, path_of
from indexer.catalog.tag_records import Decision
from indexer.metadata.photo_metadata import Keyword
from tests.app.serving import photo_id
from tests.app.tagging.xmp.test_people import REGIONS, sidecar

ODD = ('a, "b"', "c/d|e\\", "名前")


def ignore(done, total):
    pass


def states(services, name):
    number = photo_id(services, name)
    return {t.path: (t.state, t.origin) for t in services.library.catalog.tags.of([number]).get(number, ())}


@pytest.mark.parametrize("kind", Table)
def test_what_was_written_is_taken_in_exactly(services, tmp_path, kind):
    catalog = services.library.catalog
    red = photo_id(services, "red.png")
    catalog.tags.decide([Decision(red, ODD, "accepted"), Decision(red, ("no",), "rejected", "lightroom")])
    before = states(services, "red.png")
    file = tmp_path / f"tags.{kind}"
    table_export.write(services.library, kind, file, ignore)
    for path in (ODD, ("no",)):
        catalog.tags.remove(path)
    report = tag_import.from_table(services.library, file, ignore)
    assert (report.read, report.changed, report.unknown, report.refused) == (2, 2, [], [])
    assert states(services, "red.png") == before
    assert tag_import.from_table(services.library, file, ignore).changed == 0


def test_what_was_decided_here_stays(services, world, tmp_path):
    services.library.catalog.tags.decide([Decision(photo_id(services, "red.png"), ("sea",), "rejected")])
    (tmp_path / "t.csv").write_text(f"path,tag\n{world.photos}/red.png,sea\n{world.photos}/blue.png,sea\n")
    assert tag_import.from_table(services.library, tmp_path / "t.csv", ignore).changed == 1
    assert states(services, "red.png") == {("sea",): ("rejected", "person")}
    assert states(services, "blue.png") == {("sea",): ("accepted", "table")}


def test_rows_that_mean_nothing_here_are_told_and_the_rest_is_taken(services, world, tmp_path):
    rows = [
        *("/elsewhere.png,sea,accepted", f"{world.photos}/red.png,,accepted", f"{world.photos}/red.png,sea,maybe"),
        *(f"{world.photos}/red.png,dog,suggested", f"{world.photos}/red.png,cat,accepted", ",sea,accepted"),
    ]
    (tmp_path / "t.csv").write_text("path,tag,state\n" + "\n".join(rows))
    report = tag_import.from_table(services.library, tmp_path / "t.csv", ignore)
    assert (report.read, report.changed, report.unknown) == (1, 1, ["/elsewhere.png", ""])
    assert [where for where, _ in report.refused] == ["row 2", "row 3"]
    assert set(states(services, "red.png")) == {("cat",)}


@pytest.mark.parametrize(
    ("name", "text", "coding"),
    [
        ("t.csv", "\ufeffpath,tag\n{},dog\n", "utf-8"),
        ("t.csv", "path;tag\r\n{};dog\r\n", "utf-8"),
        ("t.csv", "\ufeffsep=;\npath;tag\n{};dog\n", "utf-8"),
        ("t.csv", "Path\tTag\n{}\tdog\n", "utf-16"),
        ("t.tsv", "path\ttag\n{}\tdog\n", "utf-16"),
        ("t.csv", '"the\nnote",path,tag\nx,{},dog\n', "utf-8"),
        ("t.csv", "path,tag\n/not\0here,sea\n{},dog\n", "utf-8"),
        ("t.csv", "path,tag,State,Tag\n{},dog,Bavaria,sea\n", "utf-8"),
        ("t.csv", "path,tag" + ",x" * 60_000 + "\n{},dog\n", "utf-8"),
        ("t.csv", "path,tag\n{0},caf\xe9\n{0},dog\n", "latin-1"),
        ("t.jsonl", '\ufeff{{"path": "{}", "tags": ["dog"]}}\n', "utf-8"),
        ("t.jsonl", '{{"path": "/\\ud800\\u0000", "tags": ["sea"]}}\n{{"path": "{}", "tags": ["dog"]}}\n', "utf-8"),
    ],
)
def test_tables_come_in_as_other_programs_write_them(services, world, tmp_path, name, text, coding):
    (tmp_path / name).write_bytes(text.format(world.photos / "red.png").encode(coding))
    tag_import.from_table(services.library, tmp_path / name, ignore)
    assert set(states(services, "red.png")) == {("dog",)}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b"photo,word\na,b\n"),
        ("t.csv", b'path,tag\n"a'),
        ("t.csv", b"\x00\x01"),
        ("t.csv", b"\xff\xfep"),
        ("t.jsonl", b"{"),
        ("t.jsonl", b"[" * 100_000),
        ("t.jsonl", b"[1]"),
        ("t.jsonl", b"\xff"),
        ("t.jsonl", b'{"tags": 1}'),
        ("t.parquet", b"PAR1 nonsense"),
        ("t.parquet", b""),
        ("t.xls", b""),
        ("gone.csv", None),
    ],
)
def test_a_file_that_is_no_table_is_explained(services, tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match="cannot be read as a table of tags"):
        tag_import.from_table(services.library, tmp_path / name, ignore)
    assert services.library.catalog.tags.counts() == []


def test_keywords_of_sidecars_come_in_with_their_levels_and_their_origin(world):
    world.write("a.png", "red")
    (world.photos / "a.png.xmp").write_bytes(merged(None, Wanted(add=(("animal", "dog"), ("sea",)))))
    world.index()
    services = world.services()
    report = tag_import.from_keywords(services.library, ignore)
    assert states(services, "a.png") == {
        ("animal", "dog"): ("accepted", "sidecar"),
        ("sea",): ("accepted", "sidecar"),
    }
    assert (report.read, report.changed) == (2, 2)
    assert services.exports.run().written == 0  # the sidecar says it all already


def write_sidecar(world, name, body):
    spaces = {
        "dc": "http://purl.org/dc/elements/1.1/",
        "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    }
    declared = " ".join(f'xmlns:{short}="{long}"' for short, long in spaces.items())
    described = f'<rdf:Description rdf:about="" {declared}>{body}</rdf:Description>'
    (world.photos / name).write_text(f'<rdf:RDF xmlns:rdf="{RDF[1:-1]}">{described}</rdf:RDF>')


def bag(name, *words):
    return f"<{name}><rdf:Bag>{''.join(f'<rdf:li>{word}</rdf:li>' for word in words)}</rdf:Bag></{name}>"


def test_the_sidecar_of_the_raw_beside_says_nothing_of_a_photo(services, world):
    raws = "<photoshop:SidecarForExtension>CR2</photoshop:SidecarForExtension>"
    write_sidecar(world, "red.xmp", raws + bag("dc:subject", "raw"))
    own = "<photoshop:SidecarForExtension>PNG</photoshop:SidecarForExtension>"
    write_sidecar(world, "blue.xmp", own + bag("dc:subject", "own"))
    world.index()
    tag_import.from_keywords(services.library, ignore)
    assert (states(services, "red.png"), set(states(services, "blue.png"))) == ({}, {("own",)})


@pytest.mark.parametrize(
    ("subject", "last", "paths"),
    [
        ([], ["Holiday", "place/Rome"], {("Holiday",), ("place", "Rome")}),
        (["Rome", "sea"], ["place/Rome"], {("place", "Rome"), ("sea",)}),
        (["AC/DC", "2023/05"], ["AC/DC"], {("AC/DC",), ("2023/05",)}),
    ],
)
def test_what_stands_in_the_list_of_windows_alone_comes_in_with_its_levels(services, world, subject, last, paths):
    write_sidecar(world, "red.png.xmp", bag("dc:subject", *subject) + bag("MicrosoftPhoto:LastKeywordXMP", *last))
    world.index()
    tag_import.from_keywords(services.library, ignore)
    assert set(states(services, "red.png")) == paths


def test_what_was_renamed_merged_and_deleted_comes_in_as_what_it_is_now(services, world):
    write_sidecar(world, "red.png.xmp", bag("dc:subject", "NYC", "junk", "sea", "kept"))
    world.index()
    tags = services.library.catalog.tags
    tag_import.from_keywords(services.library, ignore)
    tags.make([("place", "new york")])
    tags.merge(("NYC",), ("place", "new york"))
    tags.remove(("junk",))
    tags.rename(("sea",), ("water", "sea"))
    before = states(services, "red.png")
    assert set(before) == {("place", "new york"), ("water", "sea"), ("kept",)}
    assert tag_import.from_keywords(services.library, ignore).changed == 0
    assert states(services, "red.png") == before
    tags.remove(("water",))
    assert tag_import.from_keywords(services.library, ignore).changed == 0
    tags.forget_changes()
    tag_import.from_keywords(services.library, ignore)
    assert {("sea",), ("junk",), ("NYC",)} < set(states(services, "red.png"))


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        (["animal|dog", "animal", "dog", "sea"], {("animal", "dog"), ("sea",)}),
        (["Places/Lisbon", "Lisbon"], {("Places", "Lisbon")}),
        (["a||b", "|", " ", "\x01"], {("a", "b")}),
        (["x" * 300, "ok"], {("ok",)}),
    ],
)
def test_levels_are_told_by_either_mark(words, paths):
    assert set(paths_of(Keyword(word, "xmp") for word in words)) == paths


@pytest.mark.parametrize(
    "path",
    [("x", "a|b"), ("fam", "Mü/Me"), ("AC/DC",), ("a|b/c",), ("music", "AC/DC"), ("a∣b", "c∕d"), ("unknown",)],
)
def test_the_three_lists_of_a_tag_in_a_file_are_that_one_tag(path):
    wanted = path_of(entry(path, "|"), "|")
    words = [*wanted, entry(wanted, "|"), entry(wanted, "/")]
    assert set(paths_of(Keyword(word, "xmp") for word in words)) == {wanted}


NAMES = st.text("abB|/\\,;\"' é名\u0301∣∕", min_size=1, max_size=5).filter(str.strip)
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=3).map(clean_path), min_size=1, max_size=4, unique=True)


@given(st.lists(PATHS, min_size=2, max_size=2))
@example([[("x", "a|b"), ("fam", "Mü/Me")], [("a/b",), ("a", "b")]])
@example([[("Dog",), ("dog",)], [("animal",), ("animal", "dog"), ("dog",)]])
@example([[("unknown",)], [("a∣b",), ("a|b",)]])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_exported_tags_come_back_from_sidecars_exactly(services, world, tags):
    catalog, photos = services.library.catalog, [photo_id(services, name) for name in ("red.png", "blue.png")]
    for path in world.photos.glob("*.xmp"):
        path.unlink()
    for path in catalog.tags.paths().values():
        if path in catalog.tags.paths().values():
            catalog.tags.remove(path)
    for old, _ in catalog.tags.changes():
        catalog.tags.forget_changes(old)
    catalog.tags.decide(
        [Decision(number, path, "accepted") for number, said in zip(photos, tags, strict=True) for path in said]
    )
    services.exports.run()
    world.index()
    before = catalog.tags.counts()
    assert tag_import.from_keywords(services.library, ignore).changed == 0
    assert catalog.tags.counts() == before
    for path in [path for said in tags for path in said]:
        if path in catalog.tags.paths().values():
            catalog.tags.remove(path)
    for old, _ in catalog.tags.changes():
        catalog.tags.forget_changes(old)
    tag_import.from_keywords(services.library, ignore)  # as another library would
    for number, said in zip(photos, tags, strict=True):
        assert {tag.path for tag in catalog.tags.of([number])[number]} == {as_read_back(path) for path in said}


def test_where_a_sidecar_cannot_be_read_what_the_catalog_knows_of_it_counts(services, world):
    services.library.catalog.tags.decide([Decision(photo_id(services, "red.png"), ("x", "a|b"), "accepted")])
    services.exports.run()
    world.index()
    services.library.catalog.tags.remove(("x",))
    services.library.catalog.tags.forget_changes(("x",))
    (world.photos / "red.png.xmp").unlink()
    tag_import.from_keywords(services.library, ignore)
    assert states(services, "red.png") == {("x", "a|b"): ("accepted", "sidecar")}


@given(st.lists(st.text(max_size=8), max_size=5))
def test_no_keyword_breaks_an_import(words):
    for path in paths_of(Keyword(word, "iptc") for word in words):
        assert all(path)


def test_the_command_takes_in_and_says_what_it_left_out(services, world, tmp_path, monkeypatch):
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))

    def run(*arguments):
        done = CliRunner().invoke(cli.app, ["import", *map(str, arguments)])
        return done.exit_code, done.stdout, done.stderr

    (tmp_path / "t.csv").write_text(f"path,tag\n{world.photos}/red.png,sea\n/gone.png,sea\n")
    status, out, err = run(tmp_path / "t.csv")
    assert (status, out) == (1, "1 tag read, 1 new, 1 left out\n")
    assert "no photo of the library: /gone.png" in err
    assert json.loads(run("--keywords", "--json")[1])["read"] == 0
    assert run()[0] == run(tmp_path / "t.csv", "--keywords")[0] == 2


def test_people_albums_and_the_program_come_in_from_sidecars(services, world):
    albums = (
        '<mwg-coll:Collections><rdf:Bag><rdf:li mwg-coll:CollectionName="Trip"/>'
        '<rdf:li mwg-coll:CollectionName="Köln"/></rdf:Bag></mwg-coll:Collections>'
    )
    bag = "<rdf:Seq><rdf:li>People/Anna</rdf:li><rdf:li>album/Trip</rdf:li></rdf:Seq>"
    tags = f"<digiKam:TagsList>{bag}</digiKam:TagsList>"
    (world.photos / "red.png.xmp").write_bytes(sidecar(REGIONS + albums + tags, 'digiKam:PickLabel="0"'))
    world.index()
    report = tag_import.from_keywords(services.library, ignore)
    expected = [("People", "Anna"), ("album", "Trip"), ("people", "Bo & C"), ("album", "Köln")]
    assert report.changed == len(expected)
    assert states(services, "red.png") == dict.fromkeys(expected, ("accepted", "digikam"))
    assert tag_import.from_keywords(services.library, ignore).changed == 0


IMMICH = """<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Image::ExifTool 13.00'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
 <rdf:Description rdf:about='' xmlns:digiKam='http://www.digikam.org/ns/1.0/'>
  <digiKam:TagsList><rdf:Seq><rdf:li>Trips/Köln, Dom</rdf:li><rdf:li>cat</rdf:li></rdf:Seq></digiKam:TagsList>
 </rdf:Description>
 <rdf:Description rdf:about='' xmlns:xmp='http://ns.adobe.com/xap/1.0/'><xmp:Rating>4</xmp:Rating></rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end='w'?>"""


def test_a_sidecar_in_the_form_of_immichs_comes_in_and_names_no_program(services, world):
    (world.photos / "red.png.xmp").write_text(IMMICH)
    world.index()
    assert tag_import.from_keywords(services.library, ignore).changed == 2
    assert states(services, "red.png") == {
        ("Trips", "Köln, Dom"): ("accepted", "sidecar"),
        ("cat",): ("accepted", "sidecar"),
    }
    assert services.library.catalog.photo(photo_id(services, "red.png")).rating == 4
