"""`picsift models` takes nothing away that answers or is a person's own, and a library keeps the model that it has."""

import hashlib
import json
import shutil

import pytest
from PIL import Image
from safetensors.torch import load as read_safetensors
from safetensors.torch import save as as_safetensors

from clip_model.checkpoint import save_model
from indexer import forgetting
from tests.app.cli.test_model_commands import environment, library, listed, picsift
from tests.clip_model.hub.conftest import REPO, hub, tiny, tiny_files, tiny_model

__all__ = ["environment", "hub", "library", "picsift", "tiny", "tiny_files", "tiny_model"]


def finds(picsift):
    """How many photos a search finds."""
    return len(json.loads(picsift("search", "red", "--json")[1])["hits"])


def rows(picsift, name):
    entries = json.loads(picsift("models", "list", "--json")[1])
    return [(entry["state"], entry["active"], entry["photos"]) for entry in entries if entry["name"] == name]


def other_weights(files):
    """The same model, with weights that differ."""
    state = read_safetensors(files["open_clip_model.safetensors"])
    state["visual.proj"] *= -1
    return {**files, "open_clip_model.safetensors": as_safetensors(state)}


def write(folder, files):
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def pulled(picsift, library, hub, tiny, tiny_files):
    """A library that another model answers, with the tiny one fetched; its commit."""
    commit = hub.put(REPO, tiny_files)
    assert picsift("models", "pull", "tiny")[0] == 0
    return commit


@pytest.mark.parametrize(("name", "layout"), [("mine", "OpenCLIP"), ("ab" * 32, "mine")])
def test_a_file_of_ones_own_in_the_folder_of_models_is_never_removed(
    picsift, library, tmp_path, tiny_model, tiny_model_path, name, layout
):
    own = tmp_path / "models" / f"{name}.safetensors"
    own.parent.mkdir()
    save_model(tiny_model, own)
    said = {"sha256": hashlib.sha256(own.read_bytes()).hexdigest(), "layout": layout}
    own.with_suffix(".json").write_text(json.dumps(said))
    assert picsift("models", "use", own)[0] == 0
    assert picsift("models", "use", tiny_model_path)[0] == 0
    assert picsift("models", "remove", own, "--yes")[0] == 0
    assert str(own) not in listed(picsift)
    assert own.is_file()
    assert own.with_suffix(".json").is_file()


def test_a_model_that_answers_by_another_spelling_is_not_removed(picsift, pulled, tiny_files, tmp_path):
    assert picsift("models", "use", tmp_path / "models/hub/tiny" / pulled)[0] == 0
    status, _, err = picsift("models", "remove", "tiny", "--yes")
    assert (status, "the files of the model 'tiny' answer this library's searches, as '/" in err) == (1, True)
    assert finds(picsift) == 3
    assert picsift("models", "use", write(tmp_path / "own", tiny_files))[0] == 0
    assert picsift("models", "remove", "tiny", "--yes")[0] == 1
    assert listed(picsift)["tiny"]["state"] == "fetched"


def test_nothing_is_removed_while_the_library_is_away(picsift, pulled, tmp_path):
    assert picsift("models", "use", "tiny")[0] == 0
    (tmp_path / "library").rename(tmp_path / "unplugged")
    status, _, err = picsift("models", "remove", "tiny", "--yes")
    assert (status, "If its drive is away, plug it in" in err) == (1, True)
    (tmp_path / "unplugged").rename(tmp_path / "library")
    assert finds(picsift) == 3
    (tmp_path / "library").rename(tmp_path / "unplugged")
    assert picsift("models", "remove", "tiny", "--yes", "--without-library")[0] == 0
    assert listed(picsift)["tiny"]["state"] == "not fetched"


def test_a_model_is_known_by_the_name_that_it_was_last_used_by(picsift, library, hub, tiny, tiny_files, tmp_path):
    own = write(tmp_path / "own", tiny_files)
    assert picsift("models", "use", own)[0] == 0
    hub.put(REPO, tiny_files)
    assert picsift("models", "pull", "tiny")[0] == 0
    status, _, err = picsift("models", "use", "tiny")
    assert (status, f"'tiny' answers already; the library knew it as '{own}' until now" in err) == (0, True)
    shutil.rmtree(own)
    assert finds(picsift) == 3
    assert [name for name, entry in listed(picsift).items() if entry["active"]] == ["tiny"]


def test_a_library_keeps_its_model_when_the_name_stands_for_another_commit(
    picsift, pulled, library, hub, tiny_files, tmp_path
):
    models = tmp_path / "models"
    assert picsift("models", "use", "tiny")[0] == 0
    second = hub.put(REPO, other_weights(tiny_files))
    assert picsift("models", "pull", "tiny", "--revision", "main")[0] == 0
    assert finds(picsift) == 3
    Image.new("RGB", (64, 48), "white").save(library / "white.png")
    assert picsift("index", library)[0] == 0
    assert finds(picsift) == 4
    assert rows(picsift, "tiny") == [("earlier", True, 4), ("fetched", False, 0)]
    assert picsift("models", "remove", "tiny", "--yes")[0] == 1  # the one that answers, and the one to come

    assert picsift("models", "use", "tiny")[0] == 0
    assert rows(picsift, "tiny") == [("earlier", False, 4), ("fetched", True, 4)]
    size = listed(picsift)["tiny"]["file_bytes"]
    status, _, err = picsift("models", "remove", "tiny", "--yes")
    assert (status, "tiny is removed: 3" in err) == (0, True)
    assert rows(picsift, "tiny") == [("fetched", True, 4)]
    assert [path.name for path in (models / "hub/tiny").iterdir() if path.is_dir()] == [second]
    left = [*(models / "hub/tiny").rglob("*"), *models.glob("*.safetensors"), *models.glob("*.json")]
    assert sum(file.stat().st_size for file in left if file.is_file()) == size
    assert finds(picsift) == 4


def test_an_index_is_removed_before_its_model(picsift, pulled, tmp_path, tiny_model_path):
    assert picsift("models", "use", "tiny")[0] == 0
    assert picsift("models", "use", tiny_model_path)[0] == 0
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(forgetting.shutil, "rmtree", killed)
        assert picsift("models", "remove", "tiny", "--yes")[0] == 130
    assert listed(picsift)["tiny"]["photos"] == 3
    assert picsift("models", "remove", "tiny", "--yes")[0] == 0
    assert len(list((tmp_path / "library/index").iterdir())) == 1


def killed(*_, **__):
    raise KeyboardInterrupt


def test_an_index_that_no_model_has_goes_with_the_next_run(picsift, library, tmp_path):
    left, other = (tmp_path / "library/index" / name for name in ("a1" * 8, "my notes"))
    for folder in (left, other):
        write(folder, {"index.faiss": b"x"})
    assert picsift("index", library)[0] == 0
    assert not left.exists()
    assert (other / "index.faiss").is_file()
    assert finds(picsift) == 3


def test_vectors_of_photos_that_are_away_are_counted(picsift, pulled, library, tiny_model_path):
    library.rename(library.parent / "unplugged")
    assert picsift("index", library)[0] == 0
    status, _, err = picsift("models", "use", "tiny")
    assert status == 0
    assert picsift("models", "use", tiny_model_path)[0] == 0
    assert "3 photos that are away are not embedded by it" in picsift("models", "use", "tiny")[2]
    status, _, err = picsift("models", "remove", tiny_model_path)
    assert (status, "3 of the photos are not embedded by the model that answers" in err) == (1, True)


@pytest.mark.parametrize("command", ["info", "remove"])
def test_a_home_that_is_not_there_is_one_sentence(picsift, library, command):
    status, out, err = picsift("models", command, "~nobody-is-called-so/x")
    assert (status, out) == (1, "")
    assert err.startswith("picsift: no model is called '~nobody-is-called-so/x'")


def test_damaged_pins_hide_no_model(picsift, pulled, tmp_path):
    pins = tmp_path / "models/hub/pins.json"
    pins.write_bytes(b"{")
    assert listed(picsift)["tiny"]["state"] == "fetched"
    status, _, err = picsift("models", "pull", "tiny")
    assert (status, "pins.json is damaged" in err) == (1, True)
    pins.unlink()
    assert listed(picsift)["tiny"]["commit"] == pulled
