"""People and programs in sidecars of other programs."""

import pytest

from app.tagging.xmp.document import open_document
from app.tagging.xmp.people import people, program

HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" xmlns:digiKam="http://www.digikam.org/ns/1.0/"'
    ' xmlns:darktable="http://darktable.sf.net/" xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"'
    ' xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' xmlns:mwg-coll="http://www.metadataworkinggroup.com/schemas/collections/"'
)
TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"
REGIONS = (
    '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag>'
    '<rdf:li><rdf:Description mwg-rs:Name="Anna" mwg-rs:Type="Face"/></rdf:li>'
    '<rdf:li rdf:parseType="Resource"><mwg-rs:Name>Bo &amp; C</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type></rdf:li>'
    '<rdf:li><rdf:Description mwg-rs:Name="Rex" mwg-rs:Type="Pet"/></rdf:li>'
    '<rdf:li><rdf:Description mwg-rs:Type="Face"/></rdf:li>'
    "</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
)


def sidecar(body="", attributes=""):
    return f"{HEAD} {attributes}>{body}{TAIL}".encode()


def root(body="", attributes=""):
    return open_document(sidecar(body, attributes)).root


def test_faces_have_names_whoever_wrote_them():
    microsoft = (
        '<MP:RegionInfo rdf:parseType="Resource"><MPReg:Regions><rdf:Bag><rdf:li MPReg:PersonDisplayName="Dee"/>'
        "</rdf:Bag></MPReg:Regions></MP:RegionInfo>"
    )
    bag = "<rdf:Bag><rdf:li>Eve</rdf:li><rdf:li>Anna</rdf:li></rdf:Bag>"
    listed = f"<Iptc4xmpExt:PersonInImage>{bag}</Iptc4xmpExt:PersonInImage>"
    assert people(root(REGIONS + microsoft + listed)) == ["Anna", "Bo & C", "Dee", "Eve"]
    assert people(root()) == []


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('xmp:CreatorTool="Adobe Photoshop Lightroom Classic 12.0 (Windows)"', "lightroom"),
        ('xmp:CreatorTool="digiKam-8.1.0"', "digikam"),
        ('digiKam:PickLabel="0"', "digikam"),
        ('darktable:xmp_version="5" digiKam:TagsList="a"', "darktable"),
        ('digiKam:TagsList="a"', None),
        ('xmp:CreatorTool="16.1.1"', None),
    ],
)
def test_the_program_is_named_where_it_is_stated(attributes, expected):
    assert program(root(attributes=attributes)) == expected
