"""Frames of videos that the tests draw themselves."""

import builtins
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import ImageError
from indexer.metadata.video_header import read_header, text_errors
from indexer.pictures import formats
from indexer.pictures.content import video_reader
from indexer.pictures.video_frames import MAX_FRAMES, VideoFrame, moments, open_video
from tests.indexer.videos import BLUE, GREEN, RED, av, draw_video, turn


def read(path: Path, **options) -> list[VideoFrame]:
    with open_video(path, **options) as video:
        return list(video.frames())


def colours(frames: list[VideoFrame]) -> list[tuple[int, int, int]]:
    means = [np.asarray(frame.picture, float).mean((0, 1)) for frame in frames]
    return [min((RED, GREEN, BLUE), key=lambda colour: np.abs(mean - colour).sum()) for mean in means]


@pytest.mark.parametrize("keys", [1, 5, 12, 1000])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "mov"])
def test_a_frame_about_every_two_seconds_shows_the_colour_of_its_moment(tmp_path, keys, suffix):
    seconds = [RED] * 4 + [BLUE] * 4 + [GREEN] * 2
    frames = read(draw_video(tmp_path / f"a.{suffix}", seconds, keys=keys))
    assert [frame.moment_s for frame in frames] == pytest.approx([1, 3, 5, 7, 9], abs=1.01)
    assert colours(frames) == [seconds[int(frame.moment_s + 0.01)] for frame in frames]


@pytest.mark.parametrize(
    ("codec", "suffix"), [("mpeg1video", "mpg"), ("mpeg2video", "ts"), ("wmv2", "wmv"), ("flv1", "flv")]
)
def test_containers_of_older_cameras_are_read_too(tmp_path, codec, suffix):
    frames = read(draw_video(tmp_path / f"a.{suffix}", [RED] * 4 + [BLUE] * 4, codec=codec, rate=25))
    assert len(frames) == 4
    assert colours(frames)[0] == RED and colours(frames)[-1] == BLUE


def test_a_video_that_does_not_say_how_long_it_is_is_read_to_its_end(tmp_path):
    path = draw_video(tmp_path / "a.mkv", [RED] * 4 + [BLUE] * 4, options={"live": "1"})
    with open_video(path) as video:
        assert video.duration_s == 0
        frames = list(video.frames())
    assert [frame.moment_s for frame in frames] == pytest.approx([1, 3, 5, 7], abs=1.01)


def test_few_key_frames_are_not_decoded_from_again_and_again(tmp_path, monkeypatch):
    path = draw_video(tmp_path / "a.mp4", [RED] * 60, keys=1000)
    decoded = []
    read_on = video_reader.Reader._decode

    def counted(self):
        for frame in read_on(self):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(video_reader.Reader, "_decode", counted)
    assert len(read(path)) == 30
    assert len(decoded) < 1.2 * 60 * 5


def test_many_key_frames_leave_the_rest_undecoded(tmp_path, monkeypatch):
    path = draw_video(tmp_path / "a.mp4", [RED] * 60, keys=5)
    decoded = []
    read_on = video_reader.Reader._decode

    def counted(self):
        for frame in read_on(self):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(video_reader.Reader, "_decode", counted)
    assert len(read(path)) == 30
    assert len(decoded) <= 31


def test_a_film_that_takes_too_much_decoding_is_shown_by_its_key_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(video_reader, "MOST_DECODED", 20)
    frames = read(draw_video(tmp_path / "a.mp4", [RED] * 20, keys=40))
    assert 2 <= len(frames) < 10


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    (frame,) = read(draw_video(tmp_path / "a.mp4", [RED], pixel=Fraction(4, 3)))
    assert frame.picture.size == (128, 64)


def test_frames_shrink_as_asked_and_the_video_keeps_its_size(tmp_path):
    path = draw_video(tmp_path / "a.mp4", [RED])
    with open_video(path, scale=lambda size: 2) as video:
        assert (video.width, video.height) == (96, 64)
        assert next(video.frames()).picture.size == (48, 32)


@pytest.mark.parametrize(("degrees", "corner"), [(90, (60, 3)), (180, (92, 60)), (270, (3, 92))])
def test_a_turned_video_is_shown_upright(tmp_path, degrees, corner):
    """The picture's upper left corner is red; turned clockwise it lies where a player shows it."""
    picture = np.full((64, 96, 3), BLUE, np.uint8)
    picture[:16, :24] = RED
    path = draw_video(tmp_path / "a.mp4", [picture])
    turn(path, degrees)
    with open_video(path) as video:
        (frame,) = video.frames()
        assert (video.width, video.height) == frame.picture.size == ((96, 64) if degrees == 180 else (64, 96))
    assert np.abs(np.array(frame.picture.getpixel(corner)) - RED).max() < 60


def test_a_video_that_starts_late_is_counted_from_its_first_picture(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), RED if number < 10 else BLUE, np.uint8), "rgb24")
            frame.pts = 500 + number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames = read(path)
    assert frames[0].moment_s <= 1.01 and frames[-1].moment_s <= 4
    assert colours(frames)[0] == RED


def test_a_large_untagged_video_has_the_colours_that_players_show(tmp_path):
    (frame,) = read(draw_video(tmp_path / "a.mp4", [GREEN], size=(1280, 720)))
    (small,) = read(draw_video(tmp_path / "b.mp4", [GREEN]))
    assert np.abs(np.asarray(small.picture, float).mean((0, 1)) - GREEN).max() < 8  # drawn as BT.601, read as such
    assert np.abs(np.asarray(frame.picture, float).mean((0, 1)) - GREEN).max() > 8  # drawn as such, read as BT.709


def test_a_long_film_has_a_bounded_number_of_moments_spread_over_all_of_it():
    film = moments(7200)
    assert len(film) == MAX_FRAMES
    assert (film[0], film[-1]) == (12, 7188)
    assert moments(0.04) == [0.02]


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize("content", [b"", b"not a video at all", b"\0\0\0\x18ftypisom" + b"\0" * 64, PLAYLIST])
def test_a_file_that_is_no_video_has_a_reason(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="cannot be decoded"):
        read(path)


def test_a_playlist_does_not_lead_to_other_files(tmp_path):
    draw_video(tmp_path / "a.ts", [RED], codec="mpeg2video", rate=25)
    (tmp_path / "b.mp4").write_bytes(PLAYLIST.replace(b"/etc/passwd", str(tmp_path / "a.ts").encode()))
    with pytest.raises(ImageError, match="cannot be decoded"):
        read(tmp_path / "b.mp4")


def test_sound_alone_has_a_reason(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ImageError, match="only sound"):
        read(path)


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_a_truncated_video_has_a_reason_or_shows_what_there_is(tmp_path, tenth, suffix):
    path = draw_video(tmp_path / f"a.{suffix}", [RED] * 8)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * tenth // 10])
    try:
        frames = read(path)
    except ImageError as error:
        assert "cannot be decoded" in str(error) or "no frame" in str(error) or "cut short" in str(error)
    else:
        assert 1 <= len(frames) <= 4 and suffix != "mp4"


@pytest.mark.parametrize("pixel", [Fraction(60_000), Fraction(2**31 - 1), Fraction(1, 60_000)])
def test_pixels_of_a_shape_that_none_has_are_square(tmp_path, pixel):
    path = draw_video(tmp_path / "a.mp4", [RED] * 4, pixel=Fraction(4, 3))
    source = bytearray(path.read_bytes())
    struct.pack_into(">2I", source, source.index(b"pasp") + 4, pixel.numerator, pixel.denominator)
    path.write_bytes(source)
    with open_video(path) as video:
        assert (video.width, video.height) == (96, 64)
        assert {frame.picture.size for frame in video.frames()} == {(96, 64)}


def test_recordings_that_were_joined_are_a_video_though_seeking_in_them_leads_nowhere(tmp_path):
    path = tmp_path / "a.ts"
    one = draw_video(tmp_path / "1.ts", [RED] * 4, codec="mpeg2video", rate=25).read_bytes()
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1600, 3), np.uint8)
    other = draw_video(tmp_path / "2.ts", [noise] * 3, codec="mpeg2video", rate=25, size=(1600, 1200)).read_bytes()
    path.write_bytes(one + other)
    with open_video(path) as video:
        assert colours(list(video.frames()))[0] == RED
        assert video.frame_at(1.0).size


def test_damage_in_the_middle_costs_no_more_than_its_place(tmp_path):
    path = draw_video(tmp_path / "a.mkv", [RED] * 4 + [BLUE] * 4, keys=5)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(content)
    frames = read(path)
    assert {RED, BLUE} <= set(colours(frames)) and len(frames) >= 3


def test_without_pyav_the_reason_names_it(tmp_path, monkeypatch):
    path = draw_video(tmp_path / "a.mp4", [RED])
    load = builtins.__import__

    def refuse(name, *rest):
        if name == "av":
            raise ModuleNotFoundError("No module named 'av'")
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImageError, match="pip install av"):
        read(path)


def test_a_name_that_is_no_utf8_is_opened(tmp_path):
    path = draw_video(tmp_path / "a.mp4", [RED])
    odd = tmp_path / "\udce9.mp4"
    path.rename(odd)
    assert len(read(odd)) == 1


def test_text_that_is_no_utf_8_is_latin_1_and_costs_nothing(tmp_path):
    path = draw_video(tmp_path / "a.avi", [RED], header={"title": "SchXn"})
    path.write_bytes(path.read_bytes().replace(b"SchXn", "Schön".encode("latin-1")))
    with open_video(path) as video:
        assert read_header(video.header).title == "Schön"
    assert len(read(path)) == 1


@pytest.mark.parametrize(
    ("version", "names"), [("17.0.0", {"metadata_errors"}), ("18.1.0", {"metadata_errors"}), ("19.0.2", set())]
)
def test_a_pyav_is_told_of_text_what_it_takes(version, names):
    assert set(text_errors(version)) == names


def joined(folder: Path, size: tuple[int, int], keys: int = 12) -> Path:
    """Four seconds of 96 x 64 pixels, then four of another size, on one clock."""
    path = folder / "joined.ts"
    parts = []
    for number, (colour, one, from_s) in enumerate(((RED, (96, 64), 0), (BLUE, size, 4))):
        part = draw_video(
            folder / f"{number}.ts", [colour] * 4, codec="mpeg2video", rate=25, size=one, keys=keys,
            options={"output_ts_offset": str(from_s)},
        )  # fmt: skip
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path


def test_a_later_frame_that_is_too_large_is_refused_too(tmp_path):
    with pytest.raises(ImageError, match="800 x 600 pixels"):
        read(joined(tmp_path, (800, 600)), check_size=lambda *size: formats.check_size(*size, 20_000))


def test_each_frame_shrinks_by_its_own_size(tmp_path):
    frames = read(joined(tmp_path, (960, 640)), scale=lambda size: size[0] // 96)
    assert {frame.picture.size for frame in frames} == {(96, 64)}
    assert set(colours(frames)) == {RED, BLUE}


@pytest.mark.parametrize("keys", [25, 60, 100])
def test_where_seeking_leads_behind_the_moment_it_is_read_from_further_back(tmp_path, keys):
    path = draw_video(tmp_path / "a.ts", [RED] * 4 + [GREEN] * 4 + [BLUE] * 4, codec="mpeg2video", rate=25, keys=keys)
    frames = read(path)
    assert len(frames) >= 4 and frames[0].moment_s <= 2 and frames[-1].moment_s >= 10
    assert set(colours(frames)) == {RED, GREEN, BLUE}


@pytest.mark.parametrize("said", [-5000.0, 1e15, float("nan"), float("inf")])
def test_a_length_that_cannot_be_is_not_believed(tmp_path, said):
    path = draw_video(tmp_path / "a.mkv", [RED] * 4 + [BLUE] * 4)
    source = bytearray(path.read_bytes())
    at = source.index(b"\x44\x89\x88") + 3
    source[at : at + 8] = struct.pack(">d", said)
    path.write_bytes(source)
    with open_video(path) as video:
        assert video.duration_s == 0
        frames = list(video.frames())
    assert len(frames) == 4 and set(colours(frames)) == {RED, BLUE}
