"""`picsift models`: listed, fetched from a small hub, switched to beside the one that answers, removed again."""

import json
import sys

import pytest
from PIL import Image

from app.cli import commands
from clip_model.checkpoint import save_model
from tests.clip_model.hub.conftest import REPO, hub, tiny, tiny_files, tiny_model
from tests.clip_model.own_files import rewritten

__all__ = ["hub", "tiny", "tiny_files", "tiny_model"]


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch, tiny_model_path):
    (tmp_path / "config.toml").write_text("")
    said = {"CONFIG": tmp_path / "config.toml", "LIBRARY": tmp_path / "library", "DEVICE": "cpu", "PRECISION": "fp32",
            "CONVERTED_MODELS": tmp_path / "models", "MIN_RELEVANCE": 0, "WORKERS": 2}  # fmt: skip
    for name, value in said.items():
        monkeypatch.setenv(f"PICSIFT_{name}", str(value))


@pytest.fixture
def picsift(monkeypatch, capsys):
    """Run a command in this process: exit status, both streams."""

    def run(*arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["picsift", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            commands.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


@pytest.fixture
def library(tmp_path, picsift, tiny_model_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "green", "blue"):
        Image.new("RGB", (64, 48), name).save(folder / f"{name}.png")
    assert picsift("index", folder, "--model", tiny_model_path)[0] == 0
    return folder


def listed(picsift):
    return {entry["name"]: entry for entry in json.loads(picsift("models", "list", "--json")[1])}


def test_names_are_listed_without_a_library(picsift, tmp_path):
    status, out, _ = picsift("models", "list")
    assert status == 0
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "not fetched" in lines["ViT-L-14-openai"]
    assert "75.3 %" in lines["ViT-L-14-openai"]
    assert "built in" in lines["builtin"]
    assert not (tmp_path / "library").exists()
    assert "licence      MIT" in picsift("models", "info", "ViT-L-14-openai")[1].splitlines()
    status, _, err = picsift("models", "info", "ViT-L-15")
    assert (status, "no model is called 'ViT-L-15'" in err) == (1, True)


def test_a_model_comes_answers_and_goes(picsift, library, hub, tiny, tiny_files, tmp_path, tiny_model_path):
    commit = hub.put(REPO, tiny_files)
    status, _, err = picsift("index", library, "--model", "tiny")
    assert (status, "fetch it: picsift models pull tiny." in err) == (1, True)
    assert picsift("models", "use", "tiny")[0] == 1

    status, _, err = picsift("models", "pull", "tiny")
    assert (status, f"commit {commit[:12]}" in err) == (0, True)
    assert listed(picsift)["tiny"]["state"] == "fetched"
    assert listed(picsift)["tiny"]["weight_bytes"] == 4 * listed(picsift)["tiny"]["parameters"]
    assert listed(picsift)["builtin"]["weight_bytes"] is None
    assert "0 M  1.6 MB" in picsift("models", "list")[1]
    assert picsift("models", "use", "tiny")[0] == 0
    found = listed(picsift)
    assert {name: entry["active"] for name, entry in found.items() if entry["photos"]} == {
        str(tiny_model_path): False,
        "tiny": True,
    }
    assert (found["tiny"]["photos"], found["tiny"]["lacking"], found["tiny"]["vector_bytes"]) == (3, 0, 3 * 8 * 2)
    assert found["tiny"]["index_bytes"] > 0
    assert found["tiny"]["file_bytes"] > 2 * 8 * 49408 * 4  # fetched and converted
    assert len(json.loads(picsift("search", "red", "--json")[1])["hits"]) == 3
    assert "answers already" in picsift("models", "use", "tiny")[2]

    status, _, err = picsift("models", "remove", "tiny", "--yes")
    assert (status, "answers this library's searches" in err) == (1, True)
    status, _, err = picsift("models", "use", tiny_model_path)
    assert (status, "from now on" in err) == (0, True)
    status, _, err = picsift("models", "remove", "tiny", "--yes")
    assert (status, "tiny is removed: 3" in err) == (0, True)
    left = listed(picsift)["tiny"]
    assert (left["state"], left["photos"], left["file_bytes"], left["fingerprint"]) == ("not fetched", 0, 0, None)
    assert left["commit"] == commit  # which it stands for, should it come again
    assert {file.name for file in (tmp_path / "models").rglob("*")} == {
        "converting.lock", "hub", "pins.json", "pins.lock", "tiny.lock",
    }  # fmt: skip
    assert len(json.loads(picsift("search", "red", "--json")[1])["hits"]) == 3
    assert picsift("models", "remove", "tiny", "--yes")[0] == 1


def test_an_interrupted_switch_leaves_the_other_one_answering(picsift, library, hub, tiny, tiny_files, monkeypatch):
    hub.put(REPO, tiny_files)
    assert picsift("models", "pull", "tiny")[0] == 0
    with monkeypatch.context() as broken:
        broken.setattr("indexer.storing.Storing.commit", interrupted)
        assert picsift("models", "use", "tiny")[0] == 130
    found = listed(picsift)
    assert (found["tiny"]["active"], found["tiny"]["lacking"]) == (False, 3)
    assert picsift("models", "use", "tiny")[0] == 0
    assert listed(picsift)["tiny"]["active"]


def interrupted(self):
    raise KeyboardInterrupt


def test_it_asks_before_it_removes(picsift, library, hub, tiny, tiny_files, monkeypatch):
    hub.put(REPO, tiny_files)
    assert picsift("models", "pull", "tiny")[0] == 0
    status, _, err = picsift("models", "remove", "tiny")
    assert (status, "Remove tiny: the vectors of 0 photos and its files" in err) == (1, True)
    assert listed(picsift)["tiny"]["state"] == "fetched"


def test_what_cannot_be_fetched_is_one_sentence(picsift, hub, tiny):
    status, out, err = picsift("models", "pull", "tiny")
    assert (status, out) == (1, "")
    assert err.startswith("picsift: there is no someone/tiny-clip at http://127.0.0.1:")
    assert len(err.splitlines()) == 1


def test_a_file_of_ones_own_is_listed_also_when_it_is_gone(picsift, library, tmp_path, tiny_model_path):
    own = tmp_path / "own.safetensors"
    own.write_bytes(tiny_model_path.read_bytes())
    entry = listed(picsift)[str(tiny_model_path)]
    assert (entry["state"], entry["active"], entry["photos"]) == ("file", True, 3)
    status, _, err = picsift("models", "remove", tiny_model_path, "--yes")
    assert (status, "answers this library's searches" in err) == (1, True)


def test_a_model_is_exported(picsift, tmp_path, tiny_model_path):
    status, _, err = picsift("models", "export", tiny_model_path, tmp_path / "out", "--format", "huggingface")
    assert (status, "as huggingface has it. transformers makes a picture RGB before" in err) == (0, True)
    assert (tmp_path / "out/config.json").is_file()
    status, _, err = picsift("models", "export", tiny_model_path, tmp_path / "out")
    assert (status, "holds something" in err) == (1, True)
    status, _, err = picsift("models", "export", "builtin", tmp_path / "other")
    assert (status, "cannot be exported" in err) == (1, True)


def test_fetching_exporting_and_removing_can_be_documents(picsift, tmp_path, hub, tiny, tiny_files, tiny_model_path):
    commit = hub.put(REPO, tiny_files)
    status, out, _ = picsift("models", "pull", "tiny", "--json")
    taken = json.loads(out)
    assert (status, taken["model"], taken["commit"]) == (0, "tiny", commit)
    status, out, err = picsift("models", "export", tiny_model_path, tmp_path / "out", "--json")
    assert (status, err, json.loads(out)["folder"]) == (0, "", str(tmp_path / "out"))
    status, out, err = picsift("models", "remove", "tiny", "--yes", "--without-library", "--json")
    assert (status, err, json.loads(out)) == (0, "", {"model": "tiny", "freed_bytes": taken["bytes"]})


@pytest.mark.parametrize("photos", [0, 1])
def test_a_library_is_never_bound_to_a_model_that_does_not_load(picsift, tmp_path, tiny_model, tiny_model_path, photos):
    bad, folder = tmp_path / "bad.safetensors", tmp_path / "photos"
    save_model(tiny_model, bad)
    rewritten(bad, lambda state: state["visual.proj"].fill_(float("nan")))
    folder.mkdir()
    for number in range(photos):
        Image.new("RGB", (64, 48), "red").save(folder / f"{number}.png")
    status, _, err = picsift("index", folder, "--model", bad)
    assert status == 1 and f"{bad}: the tensor visual.proj holds values that are not finite" in err
    assert not any(entry["active"] for entry in listed(picsift).values())
    status, _, err = picsift("models", "use", bad)
    assert status == 1 and "not finite" in err
    assert picsift("index", folder, "--model", tiny_model_path)[0] == 0
    assert listed(picsift)[str(tiny_model_path)]["active"]
