"""Regions of pictures to search by: how they are written, that they are cut upright, and what is said of wrong ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.search.query import Query, Region, parse_region
from indexer.errors import QueryError
from tests.app.colours import NAMES, names


@pytest.fixture
def halves(world):
    """A photo of the library that is red on the left and blue on the right, when it is upright."""
    upright = Image.new("RGB", (80, 40), NAMES["red"])
    upright.paste(NAMES["blue"], (40, 0, 80, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # its rows lie on their side
    upright.transpose(Image.Transpose.ROTATE_90).save(world.photos / "halves.jpg", exif=exif, quality=95)
    return world.photos / "halves.jpg"


@pytest.mark.parametrize("text", ["25%,10%,50%,40%", "0.25,.1,0.5,0.4", " 25 %, 10%,.5,40% ".replace("25 ", "25")])
def test_fractions_and_percent_are_the_same(text):
    assert parse_region(text) == Region(0.25, 0.1, 0.5, 0.4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 1 part. Write four numbers"),
        ("0,0,1", "has 3 parts"),
        ("0,0,1,1,1", "has 5 parts"),
        ("0,x,1,1", "the y of the region is 'x'"),
        ("-0.1,0,1,1", "the x of the region is '-0.1'"),
        ("0,0,nan,1", "the width of the region is 'nan'"),
        ("0,0,1,120%", "the height of the region is 120%; it goes from 0 to 1"),
        ("0,0,0,1", "the width of the region is less than 1%"),
        ("60%,0,50%,1", "out of the picture: x and width together"),
        ("0,0.5,1,0.6", "out of the picture: y and height together"),
    ],
)
def test_what_is_no_region_says_why(text, said):
    with pytest.raises(QueryError) as error:
        parse_region(text)
    assert said in str(error.value)


@given(st.text(alphabet="0123456789.,% -e\u0661x", max_size=40))
def test_any_text_is_a_region_within_the_picture_or_an_error(text):
    try:
        region = parse_region(text)
    except QueryError:
        return
    assert min(region.left, region.top) >= 0
    assert max(region.left + region.width, region.top + region.height) <= 1 + 1e-9
    assert min(region.width, region.height) > 0


@pytest.mark.parametrize(("text", "best"), [("0,0,40%,1", "red.png"), ("0.6,0,0.4,1", "blue.png")])
def test_photos_are_like_the_region_of_the_upright_picture(services, world, halves, text, best):
    world.index()
    search = services.search
    result = search.similar(search.cut(halves, parse_region(text)), Query(limit=10))
    assert names(result.hits)[0] == best
    assert "halves.jpg" not in names(result.hits)
    assert result.total == 5


def test_a_region_of_a_picture_outside_of_the_library(services, tmp_path):
    Image.new("RGB", (60, 60), NAMES["green"]).save(tmp_path / "other.png")
    result = services.search.similar(services.search.cut(tmp_path / "other.png", parse_region("99%,99%,1%,1%")))
    assert (names(result.hits)[0], result.total) == ("green.png", 5)


def test_a_region_of_no_picture_is_refused(services, tmp_path):
    region = parse_region("0,0,1,1")
    with pytest.raises(QueryError, match="there is no picture"):
        services.search.cut(tmp_path / "none.png", region)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(QueryError, match=r"text\.png cannot be searched by"):
        services.search.cut(tmp_path / "text.png", region)


def test_a_small_region_is_cut_from_a_large_picture():
    assert Region(0.5, 0.5, 0.1, 0.2).least_side(192) == 1920
