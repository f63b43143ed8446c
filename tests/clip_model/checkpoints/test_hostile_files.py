"""Files that would run code, fill the memory or are damaged: each is refused with a sentence, and nothing happens."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch

from clip_model.registry import resolve
from tests.clip_model.checkpoints.openai_files import halved, save_archive
from tests.clip_model.checkpoints.reference_models import model_of


class Running:
    """Pickled, it makes a folder when it is loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def refuse(tmp_path):
    """Resolve `evil.pt` and give the sentence that it is refused with."""

    def refusal():
        with pytest.raises(ValueError) as caught:
            resolve(tmp_path / "evil.pt", models=tmp_path / "models")
        assert not (tmp_path / "marker").exists()
        assert {file.suffix for file in (tmp_path / "models").glob("*")} <= {".lock"}
        assert str(tmp_path / "evil.pt") in str(caught.value)
        return str(caught.value)

    return refusal


def archive(path, pickled, entries=(), *, script=True, compressed=False):
    """A zip archive as torch writes them, with any data.pkl."""
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("evil/data.pkl", pickled)
        for name, data in dict(entries).items():
            file.writestr(f"evil/{name}", data)
        file.writestr("evil/version", "3\n")
        if script:
            file.writestr("evil/constants.pkl", b"\x80\x02).")
    return path


def tensor(size, stride, numel, key="0", kind="FloatStorage"):
    """The opcodes of a module of TorchScript with one tensor in it."""

    def number(n):
        return b"\x8a\x08" + n.to_bytes(8, "little", signed=True)

    def several(numbers):
        return b"(" + b"".join(number(n) for n in numbers) + b"t"

    return (
        b"\x80\x02c__torch__.M\nCLIP\n)\x81}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
        b"ctorch\n" + kind.encode() + b"\nX" + len(key).to_bytes(4, "little") + key.encode() + b"X\x03\x00\x00\x00cpu"
        + number(numel) + b"tQ" + number(0) + several(size) + several(stride)
        + b"\x89ccollections\nOrderedDict\n)RtRsb."
    )  # fmt: skip


@pytest.mark.parametrize("new", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("inside", [lambda r: r, lambda r: {"w": r}, lambda r: {"state_dict": {"w": [r]}}])
def test_a_pickle_that_runs_code_is_refused(tmp_path, refuse, new, inside):
    torch.save(inside(Running(tmp_path / "marker")), tmp_path / "evil.pt", _use_new_zipfile_serialization=new)
    assert "mkdir, and reading that could run code" in refuse()


def test_a_bare_pickle_that_runs_code_is_refused(tmp_path, refuse):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "evil.pt").write_bytes(pickle.dumps(Running(tmp_path / "marker"), protocol))
        assert "is refused" in refuse() or "is damaged" in refuse()


def test_torch_script_that_names_functions_is_refused(tmp_path, refuse):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        archive(tmp_path / "evil.pt", pickle.dumps(Running(tmp_path / "marker"), protocol))
        assert "and reading that could run code" in refuse()
    for name in ("builtins\neval", "torch\nload", "torch._utils\n_rebuild_parameter", "torch.jit._pickle\nevil"):
        archive(tmp_path / "evil.pt", b"\x80\x02c" + name.encode() + b"\n)R.")
        assert f"names {name.replace(chr(10), '.')}, and reading that could run code" in refuse()


@pytest.mark.usefixtures("small_published")
def test_code_in_an_archive_does_not_run_and_need_not_even_be_code(tmp_path):
    path = save_archive(model_of(), tmp_path / "tiny.pt")
    changed = tmp_path / "changed.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, b"no code" if "/code/" in entry.filename else old.read(entry))
    infos = [resolve(one, models=tmp_path / "models") for one in (path, changed)]
    assert infos[0].fingerprint == infos[1].fingerprint


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (tensor((4,), (1,), 4), None),
        (tensor((4,), (1,), 5), "the storage 0 has 16 bytes, and 20 are said to be there"),
        (tensor((2**40,), (0,), 4), "larger than its storage"),
        (tensor((2**31, 2**31, 2**31), (0, 0, 0), 4), "larger than its storage"),
        (tensor((-1,), (1,), 4), "impossible shape"),
        (tensor((4,), (2**40,), 4), "is damaged"),
        (tensor((4,), (1,), -1), "names a storage in no known way"),
        (tensor((4,), (1,), 4, key="1"), "is damaged"),
        (tensor((4,), (1,), 4, key="../version"), "names a storage in no known way"),
        (tensor((4,), (1,), 4, key="code/0"), "names a storage in no known way"),
        (tensor((4,), (1,), 4, kind="EvilStorage"), "names torch.EvilStorage"),
        (b"\x80\x02K\x01.", "no module of TorchScript, but int"),
        (b"\x80\x02Kr" + (2**31).to_bytes(4, "little") + b".", "is damaged"),
        (b"\x80\x02K\x01r" + (2**31).to_bytes(4, "little") + b".", "numbers its values beyond its own length"),
        (b"", "is damaged"),
        (b"\x80\x02" + b"(" * 100_000, "is damaged"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x05\x00\x00\x00_callK\x01s\x86b.",
         "sets _call of a function"),
    ],
)  # fmt: skip
def test_a_strange_tree_of_modules_is_refused(tmp_path, refuse, pickled, message):
    archive(tmp_path / "evil.pt", pickled, {"data/0": bytes(16)})
    if message is None:
        assert "no CLIP in OpenAI's layout: the tensor 'ln_final.weight' is missing" in refuse()
    else:
        assert message in refuse()


def test_modules_that_hold_themselves_end(tmp_path, refuse):
    module = b"c__torch__\nM\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb"
    archive(tmp_path / "evil.pt", b"\x80\x02" + module + b".")
    assert "no CLIP" in refuse()


@pytest.mark.parametrize("script", [True, False])
def test_an_archive_that_unpacks_to_more_than_it_is_long_is_refused(tmp_path, refuse, script):
    archive(tmp_path / "evil.pt", b"\x80\x02).", {"data/0": bytes(50_000_000)}, script=script, compressed=True)
    assert "tensors uncompressed, and these are not" in refuse()


@pytest.mark.parametrize("script", [True, False])
def test_only_the_folder_of_code_may_be_compressed(tmp_path, refuse, script):
    """No storage can hide in a folder of the same name."""
    with zipfile.ZipFile(tmp_path / "evil.pt", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo("evil/data.pkl"), tensor((4,), (1,), 4, key="code/0"))
        file.writestr(zipfile.ZipInfo("evil/constants.pkl" if script else "evil/version"), "3")
        file.writestr("evil/data/code/0", bytes(50_000_000))
    assert "tensors uncompressed, and these are not" in refuse()


def test_entries_that_lie_over_one_another_are_refused(tmp_path, refuse):
    archive(tmp_path / "evil.pt", tensor((4,), (1,), 4), {"data/0": bytes(1000), "data/1": bytes(1000)})
    data = bytearray((tmp_path / "evil.pt").read_bytes())
    for at in [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]:
        data[at + 20 : at + 28] = 2 * (3000).to_bytes(4, "little")
    (tmp_path / "evil.pt").write_bytes(data)
    assert "larger than the file" in refuse()


def test_tensors_that_repeat_one_storage_are_refused(tmp_path, refuse):
    torch.save({"a": torch.zeros(1).expand(10**9), "b": torch.zeros(3)}, tmp_path / "evil.pt")
    assert "its tensors claim 4000000012 bytes, the file has" in refuse()


@pytest.mark.parametrize("value", [OrderedDict(), [torch.zeros(3)], torch.zeros(3), {"a": 1}, {1: torch.zeros(3)}])
def test_a_file_that_holds_something_else_is_refused(tmp_path, refuse, value):
    torch.save(value, tmp_path / "evil.pt")
    assert "holds no state dict" in refuse()


@pytest.mark.parametrize("script", [True, False])
def test_a_file_that_was_cut_short_is_refused(tmp_path, refuse, script):
    whole = tmp_path / "whole.pt"
    model = model_of()
    save_archive(model, whole) if script else torch.save(halved(model).state_dict(), whole)
    data = whole.read_bytes()
    for length in (0, 1, 3, 4, 30, 1000, len(data) // 2, len(data) - 1):
        (tmp_path / "evil.pt").write_bytes(data[:length])
        assert "is damaged" in refuse()


def test_another_archive_is_named(tmp_path, refuse):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("readme.txt", "hello")
    (tmp_path / "evil.pt").write_bytes(buffer.getvalue())
    assert "it is a zip archive, but not one of torch: there is no data.pkl in it" in refuse()


def nested(levels):
    """A tuple that holds two of the next smaller, by DUP and by the table of kept values."""
    kept = b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(levels))
    return b"K\x01\x85" + b"2\x86" * levels, b"K\x01\x85" + kept


@pytest.mark.timeout(60)
@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("levels", [12, 60])
def test_tuples_that_never_end_are_refused(tmp_path, refuse, script, levels):
    """Hashed, compared or shown, such a tuple takes two to the power of its levels."""
    for value in nested(levels):
        for pickled in (b"\x80\x02}" + value + b"K\x01s.", b"\x80\x02}X\x01\x00\x00\x00w" + value + b"s."):
            archive(tmp_path / "evil.pt", pickled, script=script)
            said = refuse()
            assert "nests tuples beyond any model's" in said or "uses DUP" in said


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (b"cbuiltins\nbytearray\nJ\x00\x00\x00\x70\x85R", "names builtins.bytearray, and reading that could run code"),
        (b"}K\x01\x85K\x01s", "keys that are no plain values"),
        (b"ccollections\nOrderedDict\n]\x85R", "calls what no model does"),
        (b"ctorch\nFloatStorage\nJ\x00\x00\x00\x70\x85R", "calls what no model does"),
        (b"\x8a\xff" + b"\x01" * 255, "a number larger than any model's"),
    ],
)
def test_what_fills_the_memory_or_never_ends_is_not_built(tmp_path, refuse, script, pickled, message):
    archive(tmp_path / "evil.pt", b"\x80\x02" + pickled + b".", script=script)
    assert message in refuse()


def test_a_pickle_of_before_torch_1_6_is_looked_through_too(tmp_path, refuse):
    torch.save({"w": torch.zeros(3)}, tmp_path / "evil.pt", _use_new_zipfile_serialization=False)
    data = (tmp_path / "evil.pt").read_bytes()
    evil = b"\x80\x02cbuiltins\nbytearray\nJ\x00\x00\x00\x70\x85R."
    content = data.index(b"\x80\x02}", data.index(b"\x80\x02}") + 1)
    (tmp_path / "evil.pt").write_bytes(data[:content] + evil + data[content:])
    assert "names builtins.bytearray, and reading that could run code" in refuse()


@pytest.mark.parametrize("content", [b"", b"rubbish " * 20, b"\x11\x12\x13\x14"])
def test_a_file_that_begins_like_none_of_torchs_is_called_so(tmp_path, refuse, content):
    (tmp_path / "evil.pt").write_bytes(content)
    assert "no file that torch wrote: it begins like none" in refuse()
