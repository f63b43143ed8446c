"""IPTC blocks: keywords come and go, everything else stays, lengths and coding are those of the standard."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tagging.export.iptc_block import UTF8, IptcError, changed, keywords
from app.tagging.xmp.tag_entries import clean_name


def dataset(record, number, value):
    return bytes((0x1C, record, number)) + struct.pack(">H", len(value)) + value


MARKER, VERSION = dataset(1, 90, UTF8), dataset(2, 0, b"\0\4")


def test_a_new_block_names_its_coding_and_version():
    block, shortened = changed(None, ["dög", "sea"])
    assert block == MARKER + VERSION + dataset(2, 25, "dög".encode()) + dataset(2, 25, b"sea")
    assert shortened == ()
    assert keywords(block) == ["dög", "sea"]


def test_a_keyword_of_more_than_64_bytes_is_left_out_and_named():
    fits, long = "ä" * 32, "ä" * 32 + "x"
    block, shortened = changed(None, [fits, long])
    assert keywords(block) == [fits]
    assert shortened == (long,)


def test_a_title_and_a_caption_are_cut_between_characters_and_named():
    block, shortened = changed(None, [], title="ä" * 40, caption="c" * 3_000)
    assert dataset(2, 5, ("ä" * 32).encode()) in block
    assert dataset(2, 120, b"c" * 2_000) in block
    assert shortened == ("ä" * 40, "c" * 3_000)


def test_what_is_there_already_changes_nothing():
    block = MARKER + VERSION + dataset(2, 25, b"sea") + b"\0\0"
    assert changed(block, ["sea"]).content == block


def test_foreign_datasets_stay_to_the_byte():
    preview = dataset(2, 202, bytes(range(256)))
    block = VERSION + dataset(2, 80, b"Anna") + preview + dataset(7, 10, b"\xff\xfe")
    after, _ = changed(block, ["sea"])
    assert after == MARKER + VERSION + dataset(2, 25, b"sea") + dataset(2, 80, b"Anna") + preview + dataset(
        7, 10, b"\xff\xfe"
    )


OF_OLD = {
    "cp1252": VERSION + dataset(2, 25, "Köln".encode("cp1252")),
    "cp1251": VERSION + dataset(2, 25, "Москва".encode("cp1251")),
    "Shift-JIS": VERSION + dataset(2, 120, "富士山の写真".encode("shift_jis")),
    "ISO 8859-2, named": dataset(1, 90, b"\x1b-B") + dataset(2, 80, "Žižka".encode("iso8859-2")),
    "ISO 2022, which is ASCII": dataset(2, 25, "東京".encode("iso2022_jp")),
    "no text at all": dataset(2, 25, b"caf\xe9\x81"),
    "UTF-8 in name alone": MARKER + dataset(2, 25, b"caf\xe9"),
    "UTF-8, not named": dataset(2, 25, "模".encode("gb2312")),  # 0xC4A3, which is UTF-8 as well
}


@pytest.mark.parametrize("block", OF_OLD.values(), ids=OF_OLD)
def test_texts_in_another_coding_are_refused(block):
    with pytest.raises(IptcError, match="coding that is not known for sure"):
        changed(block, ["名前"])
    with pytest.raises(IptcError, match="coding that is not known for sure"):
        keywords(block)


def test_plain_texts_in_another_coding_are_utf_8_as_they_are():
    block = dataset(1, 90, b"\x1b-B") + VERSION + dataset(2, 80, b"Anna")
    assert changed(block, ["sea"]).content == MARKER + VERSION + dataset(2, 25, b"sea") + dataset(2, 80, b"Anna")


def test_dropped_keywords_go_and_others_stay():
    block = changed(None, ["dog", "sea", "Anna"]).content
    assert keywords(changed(block, ["sea"], {"dog", "sea"}).content) == ["sea", "Anna"]


@pytest.mark.parametrize(
    "block", [b"\x1c", b"nonsense", dataset(2, 25, b"sea")[:-1], b"\x1c\x02\x19\x80\x09" + b"1" * 9]
)
def test_damage_is_refused(block):
    with pytest.raises(IptcError):
        changed(block, ["dog"])


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=30)))
def test_any_words_are_read_back(words):
    clean = [word for word in dict.fromkeys(map(clean_name, words)) if word]
    block, shortened = changed(None, clean)
    assert keywords(block) == [word for word in clean if word not in shortened]
    assert all(len(word.encode()) > 64 for word in shortened)
