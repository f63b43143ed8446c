"""The number of photos, for pages that stay open."""

from app.web.page.following import PhotoCount


def test_photos_are_counted_again_after_a_change_and_only_then(world):
    world.index()
    catalog = world.services().library.catalog
    asked = []
    counts, catalog.counts = catalog.counts, lambda: asked.append(1) or counts()
    photos = PhotoCount(catalog)
    before = photos()
    assert [photos() for _ in range(2)] == [before, before]
    assert (before.photos, before.ready, before.failed, len(asked)) == (5, 5, 0, 1)
    world.write("more.png", "red")
    world.index()  # with services of its own, as another process has
    assert [photos().photos for _ in range(2)] == [6, 6]
    assert (len(asked), photos().version == before.version) == (2, False)
