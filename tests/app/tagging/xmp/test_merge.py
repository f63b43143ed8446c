"""Sidecars merged: what is wanted is said, everything else keeps its bytes, and what is damaged is left alone."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tagging.xmp.merge import Described, SidecarError, Wanted, described, merged

DOG, CAT = ("animal", "dog"), ("animal", "cat")
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
LR = 'xmlns:lr="http://ns.adobe.com/lightroom/1.0/"'

LIGHTROOM = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <rdf:RDF {RDF}>
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
    {DC}
    {LR}
   xmp:Rating="3"
   crs:Exposure2012='+0.35'
   crs:HasSettings="True">
   <dc:subject>
    <rdf:Bag>
     <rdf:li>Anna &amp; Ben</rdf:li>
     <rdf:li>Summer</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <!-- a remark that stays -->
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>People|Anna &amp; Ben</rdf:li>
     <rdf:li>Summer</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
   <crs:ToneCurvePV2012>
    <rdf:Seq>
     <rdf:li>0, 0</rdf:li>
    </rdf:Seq>
   </crs:ToneCurvePV2012>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
EXIFTOOL = f"""<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Image::ExifTool 12.57'>
<rdf:RDF {RDF.replace('"', "'")}>

 <rdf:Description rdf:about=''
  xmlns:digiKam='http://www.digikam.org/ns/1.0/'>
  <digiKam:TagsList>
   <rdf:Seq>
    <rdf:li>Places/Lisbon</rdf:li>
   </rdf:Seq>
  </digiKam:TagsList>
 </rdf:Description>

 <rdf:Description rdf:about=''
  xmlns:tiff='http://ns.adobe.com/tiff/1.0/'>
  <tiff:Make>Cam</tiff:Make>
 </rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end='w'?>"""
FOREIGN = 'xmlns:foo="http://purl.org/dc/elements/1.1/"'
COMPACT = f'<rdf:RDF {RDF}><rdf:Description {FOREIGN} foo:title="A &quot;B&quot;"/></rdf:RDF>'
DARKTABLE = f"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF {RDF}>
  <rdf:Description rdf:about=""
    {DC}
    xmlns:darktable="http://darktable.sf.net/"
   darktable:xmp_version="5">
   <darktable:history><rdf:Seq><rdf:li darktable:num="0"/></rdf:Seq></darktable:history>
   <dc:subject><rdf:Bag/></dc:subject>
   <dc:title><rdf:Alt><rdf:li xml:lang="de">Hallo</rdf:li></rdf:Alt></dc:title>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""
SAMPLES = {"lightroom": LIGHTROOM, "exiftool": EXIFTOOL, "compact": COMPACT, "darktable": DARKTABLE}
EVERYTHING = Wanted(add=(DOG, ("sea",)), rating=5, title="T < & >", description="one\ntwo", albums=("Trip & more",))


@pytest.fixture(params=SAMPLES)
def sample(request):
    return SAMPLES[request.param].encode()


def test_a_new_sidecar_says_what_is_wanted():
    made = merged(None, EVERYTHING)
    assert described(made) == Described((DOG, ("sea",)), 5, "T < & >", "one\ntwo", ("Trip & more",))


def test_an_old_one_says_both(sample):
    before, after = described(sample), described(merged(sample, EVERYTHING))
    assert set(after.tags) == {*before.tags, DOG, ("sea",)}
    assert (after.rating, after.title, after.description) == (5, "T < & >", "one\ntwo")
    assert after.albums == ("Trip & more",)


def test_nothing_wanted_or_nothing_new_is_the_very_same_bytes(sample):
    assert merged(sample, Wanted()) is sample
    once = merged(sample, EVERYTHING)
    assert merged(once, EVERYTHING) is once


@pytest.mark.parametrize("name", [name for name, text in SAMPLES.items() if len(text.splitlines()) > 1])
def test_every_line_of_an_old_one_stays_in_its_order(name):
    after = iter(merged(SAMPLES[name].encode(), Wanted(add=(DOG,))).decode().splitlines())
    for line in SAMPLES[name].splitlines():
        if "<rdf:Bag/>" not in line:
            assert line in after, line


def test_what_was_added_and_taken_away_leaves_the_lists_as_they_were():
    packet = LIGHTROOM.encode()
    added = merged(packet, Wanted(add=(DOG,)))
    back = merged(added, Wanted(remove=(DOG,))).decode()
    for name in ("dc:subject", "lr:hierarchicalSubject"):
        pattern = f"<{name}>.*?</{name}>"
        assert re.search(pattern, back, re.S)[0] == re.search(pattern, LIGHTROOM, re.S)[0]


def test_new_items_stand_as_their_neighbours_do():
    after = merged(LIGHTROOM.encode(), Wanted(add=(DOG,))).decode()
    assert (
        "     <rdf:li>Summer</rdf:li>\n     <rdf:li>animal</rdf:li>\n     <rdf:li>dog</rdf:li>\n    </rdf:Bag>" in after
    )
    assert "     <rdf:li>Summer</rdf:li>\n     <rdf:li>animal|dog</rdf:li>\n    </rdf:Bag>" in after


def test_a_foreign_prefix_is_used_and_missing_ones_are_declared():
    after = merged(COMPACT.encode(), Wanted(add=(DOG,), title='N"ew', rating=2)).decode()
    assert "<foo:subject>" in after
    assert "xmlns:dc=" not in after
    assert "xmlns:lr=" in after
    assert described(after.encode()).title == 'N"ew'


def test_removing_takes_no_word_that_another_tag_needs():
    packet = merged(None, Wanted(add=(DOG, CAT, ("dog", "tail"))))
    after = merged(packet, Wanted(remove=(DOG,)))
    assert set(described(after).tags) == {CAT, ("dog", "tail")}
    assert b"<rdf:li>dog</rdf:li>" in after
    gone = merged(after, Wanted(remove=(CAT, ("dog", "tail"))))
    assert described(gone).tags == ()
    assert b"rdf:Bag" not in gone


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_every_encoding_stays_as_it_is(encoding):
    text = LIGHTROOM.replace("\n", "\r\n")
    after = merged(text.encode(encoding), Wanted(add=(("名前", "🐕"),))).decode(encoding)
    assert "<rdf:li>名前|🐕</rdf:li>\r\n" in after
    assert not re.search("[^\r]\n", after)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"not xml",
        b"<a/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><x/>',
        LIGHTROOM.encode()[:-40],
        LIGHTROOM.encode() + b"<more/>",
        b"\xff\xfe\x00",
        LIGHTROOM.replace("</dc:subject>", "</dc:subject><dc:subject>x</dc:subject>").encode(),
        b" " * (5 << 20),
        b'<?xml version="1.0" encoding="latin-1"?>' + LIGHTROOM.encode(),
    ],
)
def test_what_cannot_be_changed_safely_is_refused_with_what_to_do(packet):
    with pytest.raises(SidecarError, match=r"[a-z].*\. [A-Z].*\.$"):
        merged(packet, EVERYTHING)


def test_damage_anywhere_is_refused_or_does_no_harm(sample):
    for cut in range(0, len(sample), max(1, len(sample) // 60)):
        for packet in (sample[:cut], sample[:cut] + b"\x00" + sample[cut + 1 :], sample[:cut] + b"<" + sample[cut:]):
            try:
                after = merged(packet, Wanted(add=(DOG,)))
            except SidecarError:
                continue
            assert set(described(after).tags) == {*described(packet).tags, DOG}


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
paths = st.lists(names, min_size=1, max_size=3).map(tuple)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([None, *SAMPLES.values()]), st.lists(paths, max_size=4), st.lists(paths, max_size=3), st.data())
def test_reading_back_is_exact_whatever_the_names(packet, add, more, data):
    from app.tagging.xmp.tag_entries import clean_paths

    first = merged(None if packet is None else packet.encode(), Wanted(add=tuple(add)))
    before = set(described(first).tags)
    remove = data.draw(st.lists(st.sampled_from(sorted(before)), max_size=2)) if before else []
    after = described(merged(first, Wanted(add=tuple(more), remove=tuple(remove))))
    assert set(after.tags) == (before - set(remove)) | set(clean_paths(more))
