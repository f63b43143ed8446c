"""A file that becomes another one while it is sent."""

import logging

import pytest

from app.web.door.connections import Patience
from app.web.originals import SentFile
from tests.app.web.door.test_connections import answering, connect

SIZE = 100_000
RANGES = [b"", b"Range: bytes=10-89999\r\n", b"Range: bytes=10-40,60000-89999\r\n"]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Asks for a file that, once it was looked at, is as long as the path says; what came."""
    path = tmp_path_factory.mktemp("sent") / "a.bin"

    async def sends(scope, receive, send):
        if scope["type"] == "http":
            path.write_bytes(b"x" * SIZE)
            seen = path.stat()
            length = int(scope["path"][1:])
            path.write_bytes(b"x" * min(SIZE, length) + b"~" * max(0, length - SIZE))
            await SentFile(path, stat_result=seen, filename="a.bin", headers={"ETag": '"a-1"'})(scope, receive, send)

    def ask(length, header):
        with connect(address) as connected:
            connected.sendall(b"GET /%d HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n\r\n" % (length, header))
            return b"".join(iter(lambda: connected.recv(99_999), b""))

    with answering(sends, Patience()) as (address, _):
        yield ask


@pytest.mark.parametrize("header", RANGES)
def test_of_a_file_that_grows_no_more_is_sent_than_was_announced(played, header, caplog):
    with caplog.at_level(logging.WARNING):
        head, _, body = played(5 * SIZE, header).partition(b"\r\n\r\n")
    assert b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n"
    assert b"~" not in body
    assert not caplog.records


@pytest.mark.parametrize("header", RANGES)
def test_of_a_file_that_shrinks_what_is_left_is_sent_and_a_line_tells(played, header, caplog):
    """A traceback told it before; and what came may not look as if it were whole."""
    with caplog.at_level(logging.WARNING):
        head, _, body = played(SIZE // 2, header).partition(b"\r\n\r\n")
    assert 0 < len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    told = [record for record in caplog.records if record.name == "app.web.originals"]
    assert [record.getMessage() for record in told] == ["a.bin was cut off, or cannot be read, while it was sent"]
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("header", [b"Range: items=0-1\r\n", b"Range: nothing\r\n"])
def test_a_range_in_another_unit_counts_for_nothing(played, header):
    head, _, body = played(SIZE, header).partition(b"\r\n\r\n")
    assert (head.split(b" ")[1], len(body)) == (b"200", SIZE)


@pytest.mark.parametrize(
    "ranges",
    ["1_0-2_0", "+1-+2", "1 0-20", "1-2_0", "-1_0", "--1", "0x1-2", "", ",", "-", "5", "a-b", "0-1,2_2-3", "\xb2-3"],
)
def test_ranges_that_are_none_count_for_nothing(played, ranges):
    """RFC 9110, 14.1.2: `int` takes more for a number than HTTP does."""
    head, _, body = played(SIZE, f"Range: bytes={ranges}\r\n".encode("latin-1")).partition(b"\r\n\r\n")
    assert (head.split(b" ")[1], len(body)) == (b"200", SIZE)


@pytest.mark.parametrize(
    ("ranges", "length"), [("0-9", 10), ("-10", 10), ("99990-", 10), ("0-999999999", SIZE), (" , 0-4 ,5-9,", 10)]
)
def test_ranges_are_read_as_http_writes_them(played, ranges, length):
    head, _, body = played(SIZE, f"Range: Bytes={ranges}\r\n".encode()).partition(b"\r\n\r\n")
    assert (head.split(b" ")[1], len(body)) == (b"206", length)


@pytest.mark.parametrize(
    ("validator", "status"),
    [('"a-1"', b"206"), ('W/"a-1"', b"200"), ('"a-2"', b"200"), ("the date", b"200"), ("", b"200")],
)
def test_a_part_is_sent_to_go_with_what_is_there_for_certain_and_else_the_whole(played, validator, status):
    """RFC 9110, 13.1.5: by a date a file that changed twice within its second would be put together of two."""
    if validator == "the date":
        head = played(SIZE, b"").partition(b"\r\n\r\n")[0].lower()
        validator = head.partition(b"last-modified: ")[2].partition(b"\r\n")[0].decode().title().replace("Gmt", "GMT")
    head, _, body = played(SIZE, f"Range: bytes=10-40\r\nIf-Range: {validator}\r\n".encode()).partition(b"\r\n\r\n")
    assert (head.split(b" ")[1], len(body)) == (status, 31 if status == b"206" else SIZE)
