"""The names that hints choose from are those that photos have, each once."""

from dataclasses import replace

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database
from indexer.catalog.tag_records import Decision
from indexer.metadata.photo_metadata import Keyword, PhotoMetadata
from tests.indexer.catalog_samples import DIM, new, vectors


def described(name, **metadata):
    return replace(new(name), metadata=PhotoMetadata(**metadata))


def test_each_kind_gives_what_photos_have(tmp_path):
    catalog = Catalog(open_database(tmp_path))
    model = catalog.model("tiny", "f1", DIM).id
    photos = [
        described(
            "a.jpg", camera_make="Canon", camera_model="EOS R5", lens="EF50mm", city="Lisboa", country="Portugal"
        ),
        described("b.jpg", camera_make="Canon", camera_model="EOS R5", country="Portugal"),
        described(
            "c.jpg",
            camera_make="NIKON CORPORATION",
            camera_model="D850",
            keywords=(Keyword("red rock", "xmp"), Keyword("Düne", "iptc")),
        ),
        described("d.jpg"),
    ]
    ids = catalog.store(catalog.add_root(tmp_path / "p")[0].id, photos, model, vectors(4))
    catalog.tags.decide([Decision(ids[0], ("animal", "dog"), "accepted"), Decision(ids[1], ("cat",), "rejected")])
    names = catalog.words.names
    assert names("place") == ["Lisboa", "Portugal"]
    assert names("camera") == ["Canon EOS R5", "NIKON CORPORATION D850", "NIKON D850"]
    assert (names("lens"), names("keyword"), names("tag")) == (["EF50mm"], ["Düne", "red rock"], ["animal", "dog"])
    catalog.remove([ids[0]])
    assert names("place") == ["Portugal"], "places outlive their photos"
    catalog.close()
