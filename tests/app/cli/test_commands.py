"""The command line as people and scripts meet it: output, exit statuses, sentences. The model is tiny and random."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from app.cli import commands as cli
from clip_model.checkpoint import save_model
from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.model import CLIP
from indexer.errors import LibraryError
from tests import forked_code

COLOURS = {"red.png": (230, 20, 20), "trip/green.png": (20, 230, 20), "trip/blue.jpg": (20, 20, 230)}
SEARCH_KEYS = {"matches", "has_more", "query", "model", "total", "took_ms", "hint", "hits"}
HIT_KEYS = {
    "path",
    "score",
    "relevance",
    "found_by",
    "taken_at",
    "width",
    "height",
    "companions",
    "reachable",
    "copies",
}
HIT_KEYS |= {"duration_s", "moment_s"}
REPORT_KEYS = {"added", "updated", "moved", "removed", "unchanged", "failed", "seconds", "failures"}
STATUS_KEYS = {"photos", "failed", "missing", "roots", "model", "device", "precision", "index", "library", "activity"}


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    torch.manual_seed(7)
    config = CLIPConfig(
        embed_dim=16,
        vision=VisionConfig(image_size=32, layers=1, width=64, patch_size=16),
        text=TextConfig(width=64, heads=1, layers=1),
    )
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(CLIP(config), path)
    return path


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for name, colour in COLOURS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), colour).save(path)
        os.utime(path, (10**9, 10**9))  # taken in September 2001, for all that is known
    return folder


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch, model_file):
    for name in [name for name in os.environ if name.startswith("PICSIFT_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "config.toml"
    config.write_text("")
    settings = {
        "CONFIG": config,
        "LIBRARY": tmp_path / "library",
        "MODEL": model_file,
        "DEVICE": "cpu",
        "PRECISION": "fp32",
        "MIN_RELEVANCE": 0,  # random weights find nothing relevant
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"PICSIFT_{name}", str(value))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path / "library"


class Ended:
    """What one run left: exit status and both streams."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture
def picsift(monkeypatch, capsys):
    """Run a command in this process."""

    def run(*args):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["picsift", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ended(ended.value.code or 0, out, err)

    return run


def start(*args, **kwargs):
    """Run a command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(cli.__file__).parents[2],
        **kwargs,
    )


def test_index_then_search_then_similar_then_status(picsift, photos, environment, model_file):
    indexed = picsift("index", photos, "--json")
    assert (indexed.status, indexed.err) == (0, "")
    assert indexed.document.keys() == REPORT_KEYS
    assert (indexed.document["added"], indexed.document["failures"]) == (3, [])

    found = picsift("search", "a", "red", "photo", "--limit", 2, "--json")
    assert (found.status, found.err) == (0, "")
    assert found.document.keys() == SEARCH_KEYS
    assert (found.document["query"], found.document["total"], len(found.document["hits"])) == ("a red photo", 3, 2)
    first = found.document["hits"][0]
    assert first.keys() == HIT_KEYS
    assert (first["relevance"], first["width"], first["height"]) == (None, 64, 48)
    assert found.document["hits"][0]["score"] >= found.document["hits"][1]["score"]

    assert [hit["companions"] for hit in found.document["hits"]] == [[], []]
    (photos / "red.dng").write_bytes(b"a RAW beside it, which is not opened")
    assert picsift("index", photos, "--json").document["added"] == 0
    hits = {hit["path"]: hit["companions"] for hit in picsift("search", "red", "--json").document["hits"]}
    assert hits[str(photos / "red.png")] == [str(photos / "red.dng")]

    like = picsift("similar", photos / "red.png", "--json").document
    assert {Path(hit["path"]).name for hit in like["hits"]} == {"green.png", "blue.jpg"}
    both = picsift("similar", photos / "red.png", photos / "trip/green.png", "--json").document
    assert [Path(hit["path"]).name for hit in both["hits"]] == ["blue.jpg"]
    part = picsift("similar", photos / "red.png", "--region", "25%,0,50%,1", "--json").document
    assert {Path(hit["path"]).name for hit in part["hits"]} == {"green.png", "blue.jpg"}

    status = picsift("status", "--json").document
    assert status.keys() == STATUS_KEYS
    assert (status["photos"], status["failed"], status["missing"]) == (3, 0, 0)
    assert [root["path"] for root in status["roots"]] == [str(photos)]
    assert (status["model"]["dim"], status["model"]["name"]) == (16, str(model_file))
    assert (status["device"], status["precision"]) == ("cpu", "fp32")
    assert status["index"].keys() == {"kind", "vectors", "device", "bytes", "lists", "probes", "recall"}
    assert status["index"]["vectors"] == 3
    assert status["library"] == str(environment)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["type:png", "--name", "*e*"], {"red.png", "green.png"}),
        (["--is", "photo", "--type", "jpeg"], {"blue.jpg"}),
        (["a photo", "--not", "folder:trip"], {"red.png"}),
        (["NOT", "folder:trip"], {"red.png"}),
        (["--", "-folder:trip"], {"red.png"}),
        (["--year", "2001", "--month", "september", "--width", ">=64", "--orientation", "landscape"], set()),  # all
    ],
)
def test_filters_are_words_and_options_and_a_query_by_themselves(picsift, photos, arguments, names):
    picsift("index", photos)
    found = picsift("search", "--json", *arguments)
    assert found.status == 0
    expected = names or {Path(name).name for name in COLOURS}
    assert {Path(hit["path"]).name for hit in found.document["hits"]} == expected
    assert found.document["total"] == len(expected)


def test_filters_alone_have_no_score_and_load_no_model(picsift, photos, monkeypatch):
    picsift("index", photos)
    import clip_model.inference

    monkeypatch.setattr(clip_model.inference, "load_encoder", lambda *_, **__: pytest.fail("the model was loaded"))
    assert picsift("search", "name:red").out == f"-\t{photos / 'red.png'}\n"
    nobody = picsift("search", "name:nobody")
    assert (nobody.status, nobody.out, nobody.err) == (0, "", "picsift: no photo passes these filters.\n")
    nothing = picsift("search", "folder:tripp")
    assert (nothing.status, nothing.out) == (0, "")
    assert nothing.err == "picsift: no folder is called 'tripp'. Near to it are 'trip'.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["kamera:canon"], "no filter is called 'kamera': did you mean camera:"),
        (["red", "--rating", "many"], "rating: wants a number or bounds"),
        (["red", "--not", "people"], "'people' is no filter"),
    ],
)
def test_what_is_no_filter_is_told(picsift, photos, arguments, said):
    picsift("index", photos)
    refused = picsift("search", *arguments)
    assert (refused.status, refused.out) == (1, "")
    assert said in refused.err


def test_a_picture_among_the_words_is_searched_by(picsift, photos):
    picsift("index", photos)
    alone = picsift("search", f"image:{photos / 'red.png'}", "--json").document
    assert Path(alone["hits"][0]["path"]).name == "red.png"
    assert alone["hits"][0]["score"] == pytest.approx(1, abs=1e-2)


def test_status_loads_no_model(picsift, photos, monkeypatch):
    picsift("index", photos)
    import clip_model.inference

    monkeypatch.setattr(clip_model.inference, "load_encoder", lambda *_, **__: pytest.fail("the model was loaded"))
    assert picsift("status").status == 0


def test_a_second_index_finds_everything_unchanged(picsift, photos):
    picsift("index", photos)
    document = picsift("index", "--json").document
    assert (document["added"], document["unchanged"]) == (0, 3)


def test_a_failed_photo_is_counted_named_and_no_error(picsift, photos):
    (photos / "bad.jpg").write_bytes(b"not a picture")
    indexed = picsift("index", photos, "--json")
    assert (indexed.status, indexed.document["failed"]) == (0, 1)
    (failure,) = indexed.document["failures"]
    assert failure["path"].endswith("bad.jpg")
    assert failure["reason"]
    assert "bad.jpg" in picsift("status").out


def test_index_without_a_folder_and_without_a_library_is_wrong_usage(picsift, environment):
    ended = picsift("index")
    assert ended.status == 2
    assert "Name one: picsift index FOLDER" in ended.err
    assert not environment.exists()


def test_what_people_read_when_piped_is_a_score_a_tab_and_a_path(picsift, photos):
    picsift("index", photos)
    lines = picsift("search", "red").out.splitlines()
    assert len(lines) == 3
    for line in lines:
        score, path = line.split("\t")
        assert -1 <= float(score) <= 1
        assert Path(path).is_file()


def test_filters_come_from_options_and_from_the_words(picsift, photos):
    picsift("index", photos)
    by_option = picsift("search", "red", "--folder", "trip", "--json").document
    by_words = picsift("search", "red folder:trip", "--json").document
    assert by_option["total"] == by_words["total"] == 2
    assert picsift("search", "red", "--after", "2020", "--json").document["total"] == 0
    assert picsift("search", "red before:2002", "--json").document["total"] == 3
    assert picsift("search", "red place:Lisbon", "--json").document["total"] == 0
    assert picsift("search", "red place:Lisbon", "--place", "Porto").status == 1
    assert picsift("search", "red after:2020", "--before", "2019").status == 1


def test_search_by_a_picture(picsift, photos):
    picsift("index", photos)
    document = picsift("search", "--image", photos / "trip/blue.jpg", "--limit", 1, "--json").document
    assert Path(document["hits"][0]["path"]).name == "blue.jpg"


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["search", ""], 1, "the query is empty. Say what to look for"),
        (["search"], 1, "the query is empty"),
        (["search", "x" * 100_000], 1, "100,000 characters; at most 10,000"),
        (["search", "dog", "after:soon"], 1, "after: wants a year"),
        (["search", "--image", "/no/such.jpg"], 1, "there is no picture /no/such.jpg"),
        (["search", "--image", "{photos}/none.txt"], 1, "none.txt cannot be searched by"),
        (["similar", "{photos}/gone.jpg"], 1, "gone.jpg. Check its name"),
        (["index", "/no/such/folder"], 1, "there is no folder /no/such/folder"),
        (["index", "{photos}/red.png"], 1, "red.png is a file. Name the folder that it lies in"),
        (["search", "dog", "--limit", "0"], 2, "--limit"),
        (["search", "dog", "--limit", "many"], 2, "--limit"),
        (["search", "dog", "--colour", "red"], 2, "--colour"),
        (["search", "dogs", "-people"], 2, "'-people' is read as options: write -- before"),
        (["search", "-people dogs"], 2, "'-people dogs' is read as options: write -- before"),
        (["search", "-name:IMG dogs"], 2, "'-name:IMG dogs' is read as options"),
        (["search", "- tree"], 2, "'- tree' is read as options: write -- before"),
        (["search", "-0.5:image:x"], 2, "'-0.5:image:x' is read as options: write -- before"),
        (["search", "-a tree"], 2, "'-a tree' is read as options"),
        (["search", "-\u72ac"], 2, "'-\u72ac' is read as options"),
        (["search", "--camera", "canon", "dog", "--camera=nikon"], 2, "--camera is given 2 times, and takes one value"),
        (["search", "--image", ""], 2, "--image is empty"),
        (["search", "red", "--right="], 2, "--right is empty"),
        (["index", "{photos}", ""], 2, "FOLDER is empty"),
        (["forget", ""], 2, "FOLDER is empty"),
        (["similar"], 2, "FILE"),
        (["similar", "{photos}/red.png", "--region", "0,0,2,1"], 1, "width of the region is 2; it goes from 0 to 1"),
        (["similar", "{photos}/red.png", "{photos}/red.png", "--region", "0,0,1,1"], 2, "is of one picture"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_bad_input_gets_a_sentence_and_its_exit_status(picsift, photos, args, status, said):
    picsift("index", photos)
    (photos / "none.txt").write_text("no picture")
    ended = picsift(*[str(arg).replace("{photos}", str(photos)) for arg in args])
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err


@pytest.mark.parametrize("option", [["-n", "x"], ["-n0"], ["--limit", "0"]])
def test_an_option_is_not_taken_for_words_with_a_minus(picsift, option):
    ended = picsift("search", "dogs", *option)
    assert ended.status == 2
    assert "read as options" not in ended.err


def test_of_other_options_the_last_counts_as_after_an_alias_that_holds_one(picsift, photos):
    picsift("index", photos)
    ended = picsift("search", "red", "--json", "--json", "--limit", "1", "--limit", "2", "--min-relevance", "0")
    assert len(json.loads(ended.out)["hits"]) == 2


def test_the_value_of_an_option_is_none_of_the_words_with_a_minus(picsift):
    ended = picsift("search", "dogs", "--tag", "-people", "--limit", "x")
    assert ended.status == 2
    assert "read as options" not in ended.err


@pytest.mark.parametrize("command", [["search", "dog"], ["similar", "x.jpg"], ["status"]])
def test_reading_a_library_that_is_not_there_says_what_to_do_and_makes_none(picsift, environment, command):
    ended = picsift(*command)
    assert ended.status == 1
    assert "picsift index FOLDER" in ended.err
    assert str(environment) in ended.err
    assert not environment.exists()


def test_an_unknown_model_is_named_with_the_known_ones(picsift, photos):
    ended = picsift("index", photos, "--model", "nonesuch")
    assert ended.status == 1
    assert "nonesuch" in ended.err
    assert "builtin" in ended.err


def test_a_library_that_is_a_file_is_refused(picsift, photos, environment):
    environment.write_text("a file")
    ended = picsift("index", photos)
    assert ended.status == 1
    assert str(environment) in ended.err
    assert environment.read_text() == "a file"


def test_a_bad_config_file_is_named(picsift, tmp_path):
    (tmp_path / "config.toml").write_text("prot = 1")
    ended = picsift("status")
    assert ended.status == 1
    assert "config.toml sets 'prot'" in ended.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_named(picsift, photos):
    photos.chmod(0)
    try:
        ended = picsift("index", photos)
    finally:
        photos.chmod(0o755)
    assert ended.status == 1
    assert "may not be read" in ended.err


def test_names_that_are_no_text_are_printed_as_their_bytes(picsift, photos):
    path = photos / os.fsdecode(b"caf\xe9.png")
    Image.new("RGB", (64, 48), (1, 2, 3)).save(path)
    picsift("index", photos)
    assert str(path) in [hit["path"] for hit in picsift("search", "black", "--json").document["hits"]]
    process = forked_code.picsift("similar", photos / "red.png")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert os.fsencode(path) in [line.partition(b"\t")[2] for line in os.fsencode(out).splitlines()]


def test_a_reader_that_leaves_early_is_no_error(picsift, photos):
    for number in range(30):
        Image.new("RGB", (32, 32), (number * 8, 0, 0)).save(photos / f"{number}.png")
    picsift("index", photos)
    process = start("similar", photos / "red.png", "--limit", 1000)
    process.stdout.close()
    assert process.wait(120) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_an_interrupted_index_keeps_what_is_done_and_goes_on(picsift, photos):
    for number in range(400):
        Image.new("RGB", (64, 64), (number % 256, number // 256, 0)).save(photos / f"{number}.png")
    process = forked_code.picsift("index", photos, "--batch-size", 4, "--workers", 1)
    library = Path(os.environ["PICSIFT_LIBRARY"])
    deadline = time.monotonic() + 120
    while not any(library.glob("thumbnails/*/*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "what is done is saved" in err
    assert "Traceback" not in err
    done = picsift("status", "--json").document["photos"]
    assert 0 < done < 403
    rest = picsift("index", photos, "--json").document
    assert rest["unchanged"] == done
    assert done + rest["added"] == 403


def test_marks_a_diverse_order_and_copies_are_asked_for_by_options(picsift, photos):
    shutil.copyfile(next(photos.glob("*.png")), photos / "twin.png")
    picsift("index", photos, "--json")
    found = [hit["path"] for hit in picsift("search", "a", "--json", "--diverse").document["hits"]]
    each = picsift("search", "a", "--json", "--all-copies").document["hits"]
    assert (len(each), [hit["copies"] for hit in each]) == (len(found) + 1, [[]] * len(each))
    twins = picsift("search", "a", "--json").document["hits"]
    assert [len(hit["copies"]) for hit in twins if "twin.png" in str(hit)] == [1]
    wrong, right = found[0], found[-1]
    left = picsift("search", "a", "--right", right, "--wrong", wrong, "--json").document
    paths = [hit["path"] for hit in left["hits"]]
    assert wrong not in paths
    assert right in str(left["hits"])
    like = picsift("similar", right, "--wrong", wrong, "--json", "--all-copies").document["hits"]
    assert not {wrong, right} & {hit["path"] for hit in like}
    both = picsift("search", "a", "--right", right, "--wrong", right)
    assert (both.status, both.err) == (1, f"picsift: {right} is marked right and wrong. Take one of the marks away.\n")
    refused = picsift("search", "a", "--right", photos / "none.png")
    assert (refused.status, refused.out) == (1, "")
    assert "none.png is no photo of the library" in refused.err


def printed(*arguments):
    process = forked_code.picsift(*arguments)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return os.fsencode(out)


def test_names_that_are_not_utf8_or_hold_line_breaks_break_no_output(picsift, photos):
    names = [os.fsdecode(b"caf\xe9.png"), "two\nlines\t.png"]
    for name in names:
        Image.new("RGB", (64, 48), "orange").save(photos / name)
    bad = photos / os.fsdecode(b"bad\n\xe9.png")
    bad.write_bytes(b"no picture")
    (failure,) = picsift("index", photos, "--json").document["failures"]
    assert failure["path"] == str(bad)
    hits = picsift("search", "a", "--json", "--all-copies").document["hits"]
    paths = {hit["path"] for hit in hits}
    assert {str(photos / name) for name in names} < paths
    lines = [line.partition(b"\t")[2] for line in printed("search", "a", "--all-copies").splitlines()]
    read = {json.loads(line) if line.startswith(b'"') else os.fsdecode(line) for line in lines}
    assert len(lines) == 5
    assert read == paths
    (line,) = [line for line in printed("status").split(b"\n") if line.startswith(b"failed ")]
    assert b"bad\\n\xe9.png: this is text" in line


@pytest.mark.parametrize("moment", ["Looking", "loading"])
def test_an_interrupt_before_anything_is_embedded_ends_it(photos, tmp_path, moment):
    late = "time.sleep(600)" if moment == "loading" else "None"
    slow = "[time.sleep(0.1) for _ in range(6000) if not stop()]" if moment == "Looking" else "None"
    code = (
        "import sys, time, signal, threading; from app.cli import commands as cli\n"
        "from indexer.folders import scanner, looking; from indexer import embedder\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "scan = scanner.scan\n"
        f"def slow_scan(*a, stop, **k): sys.stderr.write('at it\\n'); {slow}; return scan(*a, stop=stop, **k)\n"
        f"def slow_load(self): sys.stderr.write('at it\\n'); {late}\n"
        + ("looking.scan = slow_scan\n" if moment == "Looking" else "embedder.Embedder._ready = slow_load\n")
        + f"sys.argv = ['picsift', 'index', {str(photos)!r}]; cli.main()"
    )
    process = forked_code.Started(code)
    assert process.stderr.readline() == "at it\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what is done is saved" in err
    assert "Traceback" not in err


def test_doctor_names_every_check_and_prints_one_document(picsift):
    ended = picsift("doctor", "--json")
    assert ended.status == 0, ended.out
    assert all(check.keys() == {"check", "ok", "detail"} for check in ended.document)


def test_the_version_is_printed(picsift):
    assert picsift("--version").out.strip()


@pytest.mark.parametrize(
    "command", ["index", "watch", "search", "similar", "status", "serve", "forget", "demo", "doctor"]
)
def test_every_command_has_help(picsift, command):
    ended = picsift(command, "--help")
    assert ended.status == 0
    assert len(ended.out) > 200


def test_an_unchanged_library_is_indexed_without_the_heavy_imports(picsift, photos):
    picsift("index", photos)
    code = (
        "import sys; from app.cli import commands as cli; sys.argv = ['picsift', 'index', '--json']\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'gradio', 'fastapi', 'alembic', 'uvicorn'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=Path(cli.__file__).parents[2])
    assert json.loads(process.stdout)["unchanged"] == 3
    assert process.stderr.decode().strip() == "[]"


def test_no_password_means_no_listening_beyond_this_machine(picsift):
    ended = picsift("serve", "--host", "0.0.0.0", "--port", "0")
    assert ended.status == 1
    assert "password" in ended.err.lower()


@pytest.mark.parametrize("command", [["serve"], ["demo"]])
def test_a_server_gives_memory_back_from_before_its_model_is_loaded(picsift, monkeypatch, command):
    done = []
    monkeypatch.setattr("indexer.watching.pacing.give_memory_back", lambda: done.append("memory"))
    monkeypatch.setattr("app.web.server.serve", lambda *_, **__: done.append("serve"))
    monkeypatch.setattr("app.cli.demo.index_and_search", lambda _: done.append("index") or True)
    assert picsift(*command).status == 0
    assert done == (["memory", "serve"] if command == ["serve"] else ["memory", "index", "serve"])


def test_a_folder_is_forgotten_after_a_question_and_its_files_stay(picsift, photos):
    picsift("index", photos)
    refused = picsift("forget", photos)  # nobody answers
    assert refused.status == 1
    assert picsift("status", "--json").document["photos"] == 3
    forgotten = picsift("forget", photos, "--yes")
    assert (forgotten.status, forgotten.out) == (0, "")
    assert "3 photos have left the library" in forgotten.err
    assert picsift("status", "--json").document["photos"] == 0
    assert len([path for path in photos.rglob("*") if path.is_file()]) >= 3
    unknown = picsift("forget", photos, "--yes")
    assert unknown.status == 1
    assert "It follows: none." in unknown.err


def test_a_folder_that_is_not_followed_is_refused_before_anything_is_asked(picsift, photos, tmp_path):
    picsift("index", photos)
    unknown = picsift("forget", tmp_path / "elsewhere")
    assert unknown.status == 1
    assert f"It follows: {photos}." in unknown.err
    assert "?" not in unknown.err


def test_links_that_lead_in_a_circle_are_nothing_that_is_there(picsift, photos, tmp_path):
    picsift("index", photos)
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for folder in (tmp_path / "round", tmp_path / "round" / "below"):
        assert "not a folder that this library follows" in picsift("forget", folder).err
        assert f"there is no folder {folder}" in picsift("index", folder).err
        assert f"no model weights at {folder}" in picsift("index", photos, "--model", folder).err
        assert "no folder is called" in picsift("search", "words", "--folder", folder).err


def test_mass_removal_is_allowed_for_the_folders_that_are_named_alone(picsift, tmp_path):
    folders = [tmp_path / "drive", tmp_path / "disk"]
    for folder in folders:
        folder.mkdir()
        for number in range(2):
            Image.new("RGB", (64, 48), (number * 90, 20, 20 if folder == folders[0] else 200)).save(
                folder / f"{number}.png"
            )
    picsift("index", *folders)
    for folder in folders:
        for photo in folder.iterdir():
            photo.unlink()
    everywhere = picsift("index", "--allow-mass-removal", "--json")
    assert everywhere.document["removed"] == 0
    assert "speaks for the folders that are named" in everywhere.err
    assert f"picsift index {folders[0]} --allow-mass-removal" in everywhere.err
    assert picsift("index", folders[1], "--allow-mass-removal", "--json").document["removed"] == 2
    assert picsift("status", "--json").document["photos"] == 2


def test_a_folder_that_is_gone_can_be_named_where_removal_is_allowed(picsift, tmp_path):
    gone = tmp_path / "photos" / "gone"
    gone.mkdir(parents=True)
    for number, folder in enumerate((gone, gone.parent, gone.parent)):
        Image.new("RGB", (64, 48), (number * 90, 20, 20)).save(folder / f"{number}.png")
    picsift("index", gone.parent)
    (gone / "0.png").unlink()
    gone.rmdir()
    assert picsift("index", gone).status == 1
    assert picsift("index", tmp_path / "other", "--allow-mass-removal").status == 1
    assert picsift("index", gone, "--allow-mass-removal", "--json").document["removed"] == 1


def test_patterns_of_the_settings_are_passed_over(picsift, photos, monkeypatch):
    monkeypatch.setenv("PICSIFT_IGNORE", "red*")
    assert picsift("index", photos, "--json").document["added"] == 2


@pytest.mark.parametrize("command", ["search", "similar"])
@pytest.mark.parametrize(("device", "used"), [("auto", "cpu"), ("cpu", "cpu"), ("cuda:1", "cuda:1")])
def test_one_question_starts_no_gpu_but_one_that_is_named(picsift, monkeypatch, command, device, used):
    from app.cli import searching

    seen = []

    def built(settings, **_):
        seen.append(settings.device)
        raise LibraryError("enough is known")

    monkeypatch.setenv("PICSIFT_DEVICE", device)
    monkeypatch.setattr(searching, "build_services", built)
    assert picsift(command, "photo.png").err == "picsift: enough is known\n"
    assert seen == [used]
