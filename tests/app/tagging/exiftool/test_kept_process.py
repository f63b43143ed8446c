"""ExifTool kept open: what it is asked arrives, and whatever becomes of the process, no other file pays for it."""

import os
import shutil
import signal
import textwrap
import time
from pathlib import Path

import pytest

from app.tagging.exiftool import kept_process
from app.tagging.exiftool.exiftool import ExifTool
from app.tagging.exiftool.kept_process import ExifToolError, HungError, KeptProcess
from tests import forked_code

FAKE = """#!/bin/bash
echo start >> "$0.log"
echo $$ > "$0.pid"
while IFS= read -r line; do
  case $line in
    -echo3|-echo4) read -r mark ;;
    -execute)
      case $asked in
        *die*) exit 3 ;;
        *mute*) exec sleep 600 ;;
        *half*) printf '%s' "$asked"; exit 0 ;;
        *wait*) echo ready > "$0.waits"; exec sleep 600 ;;
      esac
      echo "$asked"; echo "$mark"; echo "$mark" >&2; asked= ;;
    *) asked+=$line ;;
  esac
done
"""


@pytest.fixture
def fake(tmp_path):
    """A program that says what it was asked, or does as that says."""
    program = tmp_path / "bin" / "exiftool"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(0o755)
    return program


@pytest.fixture
def process(fake, tmp_path):
    process = KeptProcess(str(fake), tmp_path)
    yield process
    process.close()


def starts(program):
    return len(Path(f"{program}.log").read_text().splitlines())


def pid(program):
    return int(Path(f"{program}.pid").read_text())


def is_alive(number):
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_one_process_answers_all_commands(process, fake):
    assert [process.ask([f"word{n}"]).out for n in range(3)] == [b"word0-q\n", b"word1-q\n", b"word2-q\n"]
    assert starts(fake) == 1


@pytest.mark.parametrize("how", ["die", "half"])
def test_a_death_costs_the_command_at_hand_and_none_after(process, fake, how):
    assert process.ask(["one"]).out
    with pytest.raises(ExifToolError, match="ended early"):
        process.ask([how])
    assert b"two" in process.ask(["two"]).out
    assert starts(fake) == 2


def test_a_death_between_two_commands_costs_none(process, fake):
    process.ask(["one"])
    os.kill(pid(fake), signal.SIGKILL)
    wait_for(lambda: not is_alive(pid(fake)))
    assert b"two" in process.ask(["two"]).out
    assert starts(fake) == 2


def test_a_mute_one_is_killed_in_time(process, fake, monkeypatch):
    monkeypatch.setattr(kept_process, "SECONDS_A_COMMAND", 0.5)
    monkeypatch.setattr(kept_process, "SECONDS_A_LOOK", 0.1)
    with pytest.raises(HungError):
        process.ask(["mute"])
    assert not is_alive(pid(fake))
    monkeypatch.setattr(kept_process, "SECONDS_A_COMMAND", 60.0)
    assert b"two" in process.ask(["two"]).out


def test_one_that_was_asked_enough_is_let_go(process, fake, monkeypatch):
    monkeypatch.setattr(kept_process, "COMMANDS_A_PROCESS", 2)
    for _ in range(5):
        process.ask(["word"])
    assert starts(fake) == 3


def test_one_that_says_too_much_is_ended(process, fake, monkeypatch):
    monkeypatch.setattr(kept_process, "MOST_SAID", 10)
    with pytest.raises(ExifToolError, match="more of it than can be"):
        process.ask(["a word that is longer than that"])
    assert not is_alive(pid(fake))


@pytest.mark.parametrize(
    "argument", ["", "a\nb", "a\rb", "# a comment", "#[CSTR]a", " a", "a ", "a\0b", "a\u2028b", "\udce9", "a" * 5000]
)
def test_what_would_arrive_as_something_else_is_never_sent(process, fake, argument):
    with pytest.raises(ValueError, match="reach ExifTool"):
        process.ask(["-b", argument])
    assert not Path(f"{fake}.log").exists()


@pytest.mark.parametrize(
    ("number", "busy"),
    [(signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGINT, True)],
)
def test_it_ends_with_whoever_asks_however_that_ends(fake, tmp_path, number, busy):
    code = f"""
    import os, signal, sys, threading, time
    from pathlib import Path
    from app.tagging.exiftool.kept_process import KeptProcess
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = KeptProcess(sys.argv[1], Path(sys.argv[2]))
    try:
        process.ask(["one"])
        if {busy}:
            def end():
                while not Path(sys.argv[1] + ".waits").exists(): time.sleep(0.01)
                os.kill(os.getpid(), {int(number)})
            threading.Thread(target=end, daemon=True).start()
            process.ask(["wait"])
        os.kill(os.getpid(), {int(number)})
    finally:
        process.close()
    """
    forked_code.run(textwrap.dedent(code), fake, tmp_path)
    wait_for(lambda: not is_alive(pid(fake)))


def real():
    if (program := shutil.which("exiftool")) is None:
        pytest.skip("needs exiftool, which is not installed")
    return program


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_real_one_ends_with_whoever_asks(tmp_path, number):
    code = f"""
    import os, sys
    from pathlib import Path
    from app.tagging.exiftool.kept_process import KeptProcess
    process = KeptProcess(sys.argv[1], Path(sys.argv[2]))
    process.ask(["-j", "none.jpg"])
    print(process._running._process.pid, process._running._guard.pid, flush=True)
    os.kill(os.getpid(), {int(number)})
    """
    done = forked_code.run(textwrap.dedent(code), real(), tmp_path)
    assert done.returncode == -number
    numbers = [int(word) for word in done.stdout.split()]
    assert len(numbers) == 2
    wait_for(lambda: not any(is_alive(one) for one in numbers))


def test_what_a_file_says_ends_no_answer(tmp_path):
    real()
    hostile = b"{ready}\n{ready1}\n-execute\n-stay_open\nFalse\n"
    packet = (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"/>' + hostile + b"\n"
        b'<?xpacket end="w"?>'
    )
    with ExifTool(tmp_path) as tool:
        (tool.folder / "photo.jpg").write_bytes(
            b"\xff\xd8\xff\xe1"
            + (len(packet) + 31).to_bytes(2, "big")
            + b"http://ns.adobe.com/xap/1.0/\0"
            + packet
            + b"\xff\xd9"
        )
        [found, other] = tool.read([tool.folder / "photo.jpg", tool.folder / "none"])
    assert found.xmp == packet
    assert "File not found" in other.trouble
    assert not list(tmp_path.iterdir())


def test_files_are_read_whatever_they_are_called(tmp_path):
    real()
    names = [
        b"-all=.jpg",
        b"a\nb.jpg",
        b"#[CSTR].jpg",
        b"%d'\"$(id).jpg",
        b"caf\xe9.jpg",
        b" @ .jpg",
        "名前.jpg".encode(),
    ]
    for name in names:
        plain = tmp_path / "plain.xmp"
        plain.write_bytes(
            b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'
        )
        plain.rename(tmp_path / os.fsdecode(name))
    with ExifTool() as tool:
        found = tool.read([tmp_path / os.fsdecode(name) for name in names])
    assert [one.trouble for one in found] == [""] * len(names)
    assert {os.fsencode(path.name) for path in tmp_path.iterdir()} == set(names)
