"""Models are fetched whole, checked and pinned, or they are not there; the hub is a small one on this machine."""

import errno
import io
import json
import os
import threading
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load as read_safetensors
from safetensors.torch import save as as_safetensors

from clip_model.checkpoint import load_model
from clip_model.hub import fingerprint, remote
from clip_model.hub.pins import Pin
from clip_model.hub.pulling import pull
from clip_model.registry import resolve
from tests.clip_model.hub import small_hub as small
from tests.clip_model.hub.conftest import REPO
from tests.clip_model.hub.small_hub import small_hub

WEIGHTS = "open_clip_model.safetensors"


def downloads(hub):
    return [(path.rpartition("/")[2], wanted) for _, path, wanted in hub.asked if "/resolve/" in path]


def nothing_is_there(shelf):
    return shelf.pulled("tiny") is None and not list(shelf.home("tiny").rglob(WEIGHTS))


def test_a_model_is_fetched_converted_and_the_one_of_its_name(hub, shelf, tiny, tiny_files):
    commit, told = hub.put(REPO, tiny_files), []
    with pytest.raises(ValueError, match=r"not on this machine; fetch it: picsift models pull tiny"):
        resolve("tiny", models=shelf.folder)
    folder = pull(tiny, shelf, on_progress=lambda *at: told.append(at))
    assert folder == shelf.home("tiny") / commit == shelf.pulled("tiny")
    assert {file.name for file in folder.iterdir()} == {"open_clip_config.json", WEIGHTS}
    total = sum(len(tiny_files[name]) for name in ("open_clip_config.json", WEIGHTS))
    assert told[-1] == (total, total)
    assert sorted(told) == told
    info = resolve("tiny", models=shelf.folder)
    assert (info.name, info.source, info.dim, info.parameters) == ("tiny", "fetched", 8, tiny.parameters)
    stored = read_safetensors(tiny_files[WEIGHTS])
    assert torch.equal(load_model(info.path).visual.proj, stored["visual.proj"])


def test_a_repository_without_a_configuration_gets_the_one_that_is_known(hub, shelf, tiny, tiny_files):
    said = tiny_files["open_clip_config.json"]
    known = replace(tiny, model_cfg=json.dumps(json.loads(said)["model_cfg"]))
    commit = hub.put(REPO, {name: data for name, data in tiny_files.items() if name != "open_clip_config.json"})
    with pytest.raises(ValueError, match=r"it holds no open_clip_config\.json"):
        pull(tiny, shelf)
    folder = pull(known, shelf)
    assert folder == shelf.sound("tiny") == shelf.home("tiny") / commit
    assert json.loads((folder / "open_clip_config.json").read_bytes()) == json.loads(said)
    first = resolve("tiny", models=shelf.folder).fingerprint
    (folder / "open_clip_config.json").write_bytes(b"{}")  # damaged on the disk
    assert shelf.sound("tiny") is None
    pull(known, shelf)
    assert resolve("tiny", models=shelf.folder).fingerprint == first
    shelf.remove("tiny")
    pull(known, shelf)
    assert resolve("tiny", models=shelf.folder).fingerprint == first
    hub.put(REPO, tiny_files)
    shelf.remove("tiny")
    assert pull(replace(known, model_cfg='{"embed_dim": 9}'), shelf, revision="main") != folder  # the hub's own counts
    assert (shelf.pulled("tiny") / "open_clip_config.json").read_bytes() == said


def test_what_is_there_asks_nobody(hub, shelf, tiny, tiny_files):
    hub.put(REPO, tiny_files)
    pull(tiny, shelf)
    hub.asked.clear()
    pull(tiny, shelf)
    assert hub.asked == []


def test_a_name_stands_for_the_commit_of_its_first_download(hub, shelf, tiny, tiny_files):
    first = hub.put(REPO, tiny_files)
    pull(tiny, shelf)
    second = hub.put(REPO, {**tiny_files, "open_clip_config.json": tiny_files["open_clip_config.json"] + b" "})
    assert shelf.remove("tiny") > 0
    assert shelf.pulled("tiny") is None
    assert pull(tiny, shelf).name == first != second
    assert pull(tiny, shelf, revision="main").name == second == shelf.pin("tiny").commit
    assert pull(tiny, shelf).name == second


def test_a_pinned_commit_with_other_files_is_refused(hub, shelf, tiny, tiny_files):
    commit = hub.put(REPO, tiny_files)
    pull(tiny, shelf)
    shelf.remove("tiny")
    state = read_safetensors(tiny_files[WEIGHTS])
    state["visual.proj"] += 1
    hub.commits[REPO, commit][WEIGHTS] = as_safetensors(state)
    with pytest.raises(ValueError, match=r"not the checksum that it had when it was first fetched"):
        pull(tiny, shelf)
    assert nothing_is_there(shelf)


def other_weights(files):
    """Of the same shapes as those that the tiny model has."""
    state = read_safetensors(files[WEIGHTS])
    state["visual.proj"] += 1
    return as_safetensors(state)


def test_a_hub_that_gives_another_commit_than_the_pinned_one_is_refused(hub, shelf, tiny, tiny_files, monkeypatch):
    first = hub.put(REPO, tiny_files)
    pull(tiny, shelf)
    shelf.remove("tiny")
    hub.put(REPO, {**tiny_files, WEIGHTS: other_weights(tiny_files)})
    listing = type(hub).listing
    monkeypatch.setattr(type(hub), "listing", lambda self, repo, revision: listing(self, repo, "main"))
    with pytest.raises(ValueError, match=rf"gives the commit .* for {first[:12]}, so that nothing of it is used"):
        pull(tiny, shelf)
    assert nothing_is_there(shelf)
    assert shelf.pin("tiny").commit == first


def test_a_file_that_the_pinned_commit_did_not_have_is_not_trusted(hub, shelf, tiny, tiny_files):
    pickle = io.BytesIO()
    torch.save(read_safetensors(tiny_files[WEIGHTS]), pickle)
    name = "open_clip_pytorch_model.bin"
    files = {"open_clip_config.json": tiny_files["open_clip_config.json"], name: pickle.getvalue()}
    commit = hub.put(REPO, files)
    first = resolve_pulled(tiny, shelf)
    hub.commits[REPO, commit][WEIGHTS] = other_weights(tiny_files)
    shelf.remove("tiny")
    assert resolve_pulled(tiny, shelf) == first
    assert set(shelf.pin("tiny").files) == {"open_clip_config.json", name}
    (shelf.pulled("tiny") / WEIGHTS).write_bytes(other_weights(tiny_files))  # put there by someone
    with pytest.raises(ValueError, match=r"was not fetched with the model 'tiny'. Fetch it again: picsift models pull"):
        resolve("tiny", models=shelf.folder)
    assert resolve_pulled(tiny, shelf) == first


def resolve_pulled(tiny, shelf):
    pull(tiny, shelf)
    return resolve("tiny", models=shelf.folder).fingerprint


def test_names_that_are_pinned_at_once_are_all_kept(shelf):
    names, pin = [f"model-{i}" for i in range(8)], Pin("c" * 40, {"file": "0" * 64})
    ready = threading.Barrier(len(names))
    for name in names:
        shelf.home(name).mkdir(parents=True)

    def keep(name):
        ready.wait()
        shelf.keep(name, pin, {"file": 1})

    threads = [threading.Thread(target=keep, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(json.loads((shelf.hub / "pins.json").read_bytes())) == set(names)
    assert all(shelf.pin(name) == pin for name in names)


def test_weights_of_another_normalisation_are_refused(hub, shelf, tiny, tiny_files):
    hub.put(REPO, tiny_files)
    with pytest.raises(ValueError, match=r"its mean is 0\.481, not 0\.5"):
        pull(replace(tiny, mean=0.5), shelf)
    assert nothing_is_there(shelf)


def test_converted_weights_are_found_by_a_fingerprint_of_another_preparation(hub, shelf, tiny, tiny_files, monkeypatch):
    monkeypatch.setattr(fingerprint, "PREPARATION", fingerprint.PREPARATION + 1)
    hub.put(REPO, tiny_files)
    made = resolve_pulled(tiny, shelf)
    assert shelf.fingerprint("tiny") == made
    assert shelf.converted_bytes(made) > len(tiny_files[WEIGHTS])
    shelf.remove("tiny", made)
    assert not list(shelf.folder.glob("*.safetensors"))


@pytest.mark.parametrize("damaged", [b'{"other": {"commit": ', b"[]", b'{"tiny": 7}', b"[" * 100_000])
def test_damaged_pins_are_never_written_over(hub, shelf, tiny, tiny_files, damaged):
    hub.put(REPO, tiny_files)
    shelf.hub.mkdir(parents=True)
    (shelf.hub / "pins.json").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"pins.json is damaged, .* Put it back from a backup"):
        pull(tiny, shelf)
    assert (shelf.hub / "pins.json").read_bytes() == damaged


def test_what_is_here_stays_what_its_name_stands_for_where_the_pins_are_gone(hub, shelf, tiny, tiny_files):
    first = hub.put(REPO, tiny_files)
    pull(tiny, shelf)
    hub.put(REPO, {**tiny_files, WEIGHTS: other_weights(tiny_files)})
    (shelf.hub / "pins.json").unlink()
    assert pull(tiny, shelf).name == first


@pytest.mark.parametrize("name", [WEIGHTS, "open_clip_config.json"])
def test_damage_on_the_disk_is_seen_and_mended(hub, shelf, tiny, tiny_files, name):
    hub.put(REPO, tiny_files)
    file = pull(tiny, shelf) / name
    data = bytearray(file.read_bytes())
    data[-3] ^= 2
    file.write_bytes(data)
    with pytest.raises(ValueError, match=rf"{name} is damaged: .* Fetch it again: picsift models pull tiny"):
        resolve("tiny", models=shelf.folder)
    hub.asked.clear()
    pull(tiny, shelf)
    assert downloads(hub) == [(name, None)]
    assert file.read_bytes() == tiny_files[name]
    assert resolve("tiny", models=shelf.folder).source == "fetched"


def test_no_more_of_a_file_is_taken_than_was_announced(hub, shelf, tiny, tiny_files, monkeypatch):
    sent = []

    def endless(handler, *_):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        while len(sent) < 500:
            try:
                handler.wfile.write(b"x" * 100_000)
            except OSError:
                return
            sent.append(1)

    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1_000)
    monkeypatch.setattr(small._Handler, "_file", endless)
    hub.put(REPO, tiny_files)
    with pytest.raises(ValueError, match=r"sends more of open_clip_config.json than the \d+ bytes that it says it has"):
        pull(tiny, shelf)
    assert not list(shelf.folder.rglob("*.part"))
    assert len(sent) < 500


SHA = b"a" * 40


@pytest.mark.parametrize(
    "body",
    [
        b"<html>log in to this hotel</html>", b"\xff\xfe", b"{}", b"[]", b"null", b"7", b"[" * 100_000,
        b'{"id":"a","sha":"%s","siblings":[{"size":1}]}' % SHA,
        b'{"id":"a","sha":"%s","siblings":[{"rfilename":[],"size":1}]}' % SHA,
        b'{"id":"a","sha":"%s","siblings":7}' % SHA,
        b'{"id":"a","sha":"%s","siblings":[{"rfilename":"x","size":1,"blobId":7,"lfs":{"x":1}}]}' % SHA,
    ],
)  # fmt: skip
def test_what_is_no_listing_is_told_in_plain_words(hub, shelf, tiny, monkeypatch, body):
    monkeypatch.setattr(small._Handler, "do_GET", lambda self: self._end(200, body, {"Content-Type": "text/html"}))
    with pytest.raises(ValueError, match=r"http://127.* does not answer as a hub does \(.* a page where one logs in"):
        pull(tiny, shelf)
    assert nothing_is_there(shelf)


@pytest.mark.parametrize("index", [b"[]", b"7", b"nope", b"[" * 100_000])
def test_an_index_of_shards_that_is_none_is_told_in_plain_words(hub, shelf, tiny, index):
    hub.put(REPO, {"config.json": b"{}", "model.safetensors.index.json": index})
    with pytest.raises(ValueError, match=r"someone/tiny-clip cannot be used: .* is not a JSON object"):
        pull(replace(tiny, layout="Hugging Face"), shelf)
    assert shelf.pulled("tiny") is None


def test_a_part_of_a_commit_that_nobody_fetches_any_more_goes(hub, shelf, tiny, tiny_files):
    hub.put(REPO, tiny_files)
    hub.cut[WEIGHTS] = 0, 1000
    with pytest.raises(OSError, match="the line broke"):
        pull(tiny, shelf)
    hub.cut.clear()
    second = hub.put(REPO, {**tiny_files, WEIGHTS: other_weights(tiny_files)})
    pull(tiny, shelf)
    assert {path.name for path in shelf.home("tiny").iterdir()} == {second, "pulled.json"}


def test_a_folder_that_is_a_link_is_emptied_and_the_link_goes(hub, shelf, tiny, tiny_files, tmp_path):
    commit, large = hub.put(REPO, tiny_files), tmp_path / "large disk"
    pull(tiny, shelf)
    shelf.home("tiny").rename(large)
    shelf.home("tiny").symlink_to(large)
    (large / "mine.txt").write_text("a person's own")
    assert shelf.pulled("tiny") == shelf.home("tiny") / commit
    assert shelf.remove("tiny") > len(tiny_files[WEIGHTS])
    assert [path.name for path in large.iterdir()] == ["mine.txt"]
    assert not shelf.home("tiny").is_symlink()
    assert shelf.fetched_bytes("tiny") == 0
    assert pull(tiny, shelf).name == commit


@pytest.mark.parametrize("name", [WEIGHTS, "open_clip_config.json"])
def test_a_damaged_file_is_never_used(hub, shelf, tiny, tiny_files, name):
    hub.put(REPO, tiny_files)
    hub.damaged.add(name)
    with pytest.raises(ValueError, match=rf"{name} is damaged, or was tampered with: .* that the hub says"):
        pull(tiny, shelf)
    assert shelf.pulled("tiny") is None
    assert not (shelf.home("tiny") / hub.branches[REPO, "main"] / name).exists()
    hub.damaged.clear()
    assert pull(tiny, shelf) == shelf.pulled("tiny")


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_was_cut_short_goes_on(hub, shelf, tiny, tiny_files, ranges):
    hub.put(REPO, tiny_files)
    hub.ranges = ranges
    hub.cut[WEIGHTS] = 0, 1000  # no byte comes any more, so that it gives up
    with pytest.raises(OSError, match=r"cannot be reached, or the line broke .* goes on where this one stopped"):
        pull(tiny, shelf)
    assert nothing_is_there(shelf)
    part = next(shelf.home("tiny").rglob("*.part"))
    part.write_bytes(tiny_files[WEIGHTS][:5_000])
    hub.cut.clear()
    hub.asked.clear()
    assert pull(tiny, shelf) == shelf.pulled("tiny")
    assert downloads(hub) == [(WEIGHTS, "bytes=5000-")]
    assert (shelf.pulled("tiny") / WEIGHTS).read_bytes() == tiny_files[WEIGHTS]


def test_a_line_that_breaks_is_taken_up_within_one_call(hub, shelf, tiny, tiny_files, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1_000)
    hub.put(REPO, tiny_files)
    hub.cut[WEIGHTS] = 70_300, 2
    pull(tiny, shelf)
    wanted = [wanted for name, wanted in downloads(hub) if name == WEIGHTS]
    assert wanted == [None, "bytes=70000-", "bytes=140000-"]


def test_a_part_of_something_else_is_noticed(hub, shelf, tiny, tiny_files):
    commit = hub.put(REPO, tiny_files)
    folder = shelf.home("tiny") / commit
    folder.mkdir(parents=True)
    (folder / f"{WEIGHTS}.part").write_bytes(b"x" * 5_000)
    with pytest.raises(ValueError, match="has not the checksum"):
        pull(tiny, shelf)
    assert pull(tiny, shelf) == shelf.pulled("tiny")
    (folder / f"{WEIGHTS}.part").write_bytes(b"x" * (len(tiny_files[WEIGHTS]) + 1))
    (folder / WEIGHTS).write_bytes(b"cut")
    assert shelf.pulled("tiny") is None
    assert pull(tiny, shelf) == folder


def test_shards_come_with_their_index(hub, shelf, tiny):
    shards = {f"model-0000{i}-of-00002.safetensors": bytes([i]) * 3_000 for i in (1, 2)}
    index = json.dumps({"weight_map": dict(zip("abc", [*shards, *shards], strict=False))}).encode()
    files = {"config.json": b"{}", "preprocessor_config.json": b"{}", "model.safetensors.index.json": index, **shards}
    hub.put(
        REPO, {**files, "flax_model.msgpack": b"not wanted", "pytorch_model.bin": b"nor this", "a/config.json": b""}
    )
    folder = pull(replace(tiny, layout="Hugging Face"), shelf, accept=lambda *_: None)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == files
    assert shelf.pulled("tiny") == folder
    shelf.remove("tiny")
    pull(replace(tiny, layout="Hugging Face"), shelf, accept=lambda *_: None)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == files


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda hub, files: files.pop("open_clip_config.json"), "it holds no open_clip_config.json"),
        (lambda hub, files: files.pop(WEIGHTS), "it holds none of open_clip_model.safetensors"),
        (lambda hub, files: hub.silent.add(WEIGHTS), "does not say how open_clip_model.safetensors is checked"),
        (lambda hub, files: hub.extra.append({"rfilename": "../../x", "size": 1, "blobId": "a" * 40}), None),
        (lambda hub, files: hub.extra.append({"rfilename": "/etc/open_clip_config.json", "size": 1}), None),
        (lambda hub, files: files.update({"evil.pkl": b"x", "tokenizer.json/../../y": b"x"}), None),
    ],
)
def test_a_repository_names_no_other_file_or_place(hub, shelf, tiny, tiny_files, change, message):
    files = dict(tiny_files)
    change(hub, files)
    hub.put(REPO, files)
    if message is None:
        pull(tiny, shelf)
        assert {file.name for file in shelf.pulled("tiny").iterdir()} == {"open_clip_config.json", WEIGHTS}
        assert {file.name for file in shelf.folder.parent.iterdir()} == {"models"}
        return
    with pytest.raises(ValueError, match=message):
        pull(tiny, shelf)
    assert nothing_is_there(shelf)


@pytest.mark.parametrize("shard", ["../x.safetensors", "evil.pkl", "model-00001-of-00002.safetensors"])
def test_an_index_of_shards_names_no_other_file(hub, shelf, tiny, shard):
    index = json.dumps({"weight_map": {"a": shard}}).encode()
    hub.put(REPO, {"config.json": b"{}", "model.safetensors.index.json": index, "evil.pkl": b"x"})
    with pytest.raises(ValueError, match="its index names the shard"):
        pull(replace(tiny, layout="Hugging Face"), shelf)
    assert shelf.pulled("tiny") is None


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        ({"/api/": (401, "RepoNotFound")}, r"there is no someone/tiny-clip at http://127.0.0.1:\d+, or it is given"),
        ({"/api/": (404, "RepoNotFound")}, "there is no someone/tiny-clip"),
        ({"/api/": (404, "RevisionNotFound")}, "has no revision main any more"),
        ({"/api/": (403, "GatedRepo")}, "agreed to its terms"),
        ({"/api/": (500, None)}, "answers with status 500 for revision main. Nothing of it is used"),
        ({"/resolve/": (404, "EntryNotFound")}, "has no open_clip_config.json any more"),
        ({"/resolve/": (403, None)}, "answers with status 403 for open_clip_config.json"),
        ({WEIGHTS: (401, None)}, "answers with status 401|is given only to who is logged in"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_plain_words(hub, shelf, tiny, tiny_files, refused, message):
    hub.put(REPO, tiny_files)
    hub.refused = refused
    with pytest.raises((ValueError, OSError), match=message):
        pull(tiny, shelf)
    assert nothing_is_there(shelf)


def test_offline_is_told_in_plain_words(shelf, tiny, monkeypatch):
    with small_hub() as (_, address):
        pass  # nobody listens there any more
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(OSError, match=rf"{address} cannot be reached, .* Is this machine online\?"):
        pull(tiny, shelf)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="since HF_HUB_OFFLINE is set"):
        pull(tiny, shelf)
    assert shelf.pulled("tiny") is None


def test_a_full_disk_is_told_with_its_folder_and_the_next_call_goes_on(hub, shelf, tiny, tiny_files, monkeypatch):
    hub.put(REPO, tiny_files)
    write = remote.Remote.download

    def full(self, commit, name, file, *rest):
        if name == WEIGHTS:
            file.write(tiny_files[name][:1000])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, commit, name, file, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(remote.Remote, "download", full)
        with pytest.raises(OSError, match=rf"kept in {shelf.folder} \(No space left on device\).*'converted_models'"):
            pull(tiny, shelf)
    assert shelf.pulled("tiny") is None
    pull(tiny, shelf)
    assert downloads(hub)[-1] == (WEIGHTS, "bytes=1000-")


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EMFILE, errno.ENOENT, errno.EACCES])
def test_what_another_file_or_pipe_meets_is_not_told_of_the_folder(hub, shelf, tiny, tiny_files, number):
    hub.put(REPO, tiny_files)
    met = OSError(number, os.strerror(number), *[shelf.folder.parent / "elsewhere"] * (number == errno.EACCES))

    def tell(*_):
        raise met

    with pytest.raises(type(met)) as raised:
        pull(tiny, shelf, on_progress=tell)
    assert raised.value is met


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EDQUOT, "Make room, or have"),
        (errno.EFBIG, "takes no file that large: have"),
        (errno.EROFS, "It can be read alone: have"),
        (errno.EACCES, "Let this user read and write there, or have"),
        (errno.EPERM, "Let this user read and write there, or have"),
    ],
)
def test_why_the_folder_takes_nothing_is_told_with_what_helps(shelf, tiny, monkeypatch, number, remedy):
    def refuse(self, *_, **__):
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(type(shelf.folder), "mkdir", refuse)
    with pytest.raises(OSError, match=rf"{os.strerror(number)}\)\. .*{remedy} the setting 'converted_models'"):
        pull(tiny, shelf)


def test_a_folder_that_cannot_be_one_is_told_with_its_setting(hub, shelf, tiny, tiny_files):
    hub.put(REPO, tiny_files)
    shelf.folder.write_bytes(b"a file")
    with pytest.raises(OSError, match=r"cannot be kept in .*A file is where .*'converted_models' name another folder"):
        pull(tiny, shelf)


def test_another_model_than_the_name_says_is_refused(hub, shelf, tiny, tiny_files):
    said = json.loads(tiny_files["open_clip_config.json"])
    said["model_cfg"]["quick_gelu"] = False
    hub.put(REPO, {**tiny_files, "open_clip_config.json": json.dumps(said).encode()})
    with pytest.raises(ValueError, match="holds another model than 'tiny': its quick_gelu is False, not True"):
        pull(tiny, shelf)
    assert nothing_is_there(shelf)
    assert shelf.pin("tiny") is None
    good = hub.put(REPO, tiny_files)  # mended there since
    assert pull(tiny, shelf).name == good
    assert shelf.pin("tiny").commit == good
    assert {path.name for path in shelf.home("tiny").iterdir()} == {good, "pulled.json"}
    assert len(list(shelf.folder.glob("*.safetensors"))) == 1


def test_two_processes_do_not_fetch_one_model_at_once(hub, shelf, tiny, tiny_files):
    hub.put(REPO, tiny_files)
    with shelf.alone("tiny"):
        with pytest.raises(ValueError, match="another process is fetching or removing tiny"):
            pull(tiny, shelf)
        with pytest.raises(ValueError, match="another process is fetching or removing tiny"):
            shelf.remove("tiny")
    assert hub.asked == []


def test_what_comes_with_picsift_is_not_fetched(shelf, tiny):
    with pytest.raises(ValueError, match="comes with picsift"):
        shelf.pull("builtin")
    with pytest.raises(ValueError, match="no model is called 'tinny'; did you mean 'tiny'"):
        shelf.pull("tinny")
