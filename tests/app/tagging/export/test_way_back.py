"""Undoing exports into photos: after moves, kills and refusals; what hangs costs one photo."""

import os
import signal
import subprocess
import textwrap

import pytest
from typer.testing import CliRunner

from app.cli import commands as cli
from app.tagging.exiftool import kept_process
from app.tagging.exiftool.exiftool import ExifTool
from tests import forked_code
from tests.app.colours import World
from tests.app.tagging.export.test_export_service import files
from tests.app.tagging.export.test_into_files import exiftool, one, tag, write  # noqa: F401


def killed(world, call, *, before):
    """Kill a process in the middle of an undo: before the new bytes get their name, or after."""
    code = f"""
    import os, signal, sys
    from pathlib import Path
    from app.tagging.export import safe_write
    from app.tagging.export.export_service import ExportService
    from indexer.library import open_library
    real = safe_write._put
    def put(*arguments):
        if not {before}: real(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    safe_write._put = put
    ExportService(open_library(Path(sys.argv[1]), create=False)).{call}
    """
    assert forked_code.run(textwrap.dedent(code), world.settings.library).returncode == -signal.SIGKILL


@pytest.mark.parametrize("before", [True, False])
def test_a_kill_while_files_are_put_back_leaves_nothing_beside_them(tmp_path, before):
    world, path, services = one(tmp_path)
    was = files(world)
    services.exports.run(into_files=True)
    killed(world, "undo(1)", before=before)
    assert len(list(path.parent.iterdir())) == (2 if before else 1)
    services.exports.recover()
    assert list(path.parent.iterdir()) == [path]
    assert [export.put_back for export in services.exports.history()] == [0 if before else 1]
    if before:
        assert services.exports.undo(1).written == 1
    assert files(world) == was
    assert world.index().updated == 0


def test_a_photo_that_was_moved_is_put_back_where_it_is(tmp_path):
    world, path, services = one(tmp_path)
    was = path.read_bytes()
    services.exports.run(into_files=True)
    moved = path.rename(world.photos / "moved.jpg")
    world.index()
    write(world, "a.jpg")
    other = path.read_bytes()
    report = services.exports.undo(1)
    assert (report.refused, report.written) == ([], 1)
    assert (moved.read_bytes(), path.read_bytes()) == (was, other)


def test_a_photo_that_is_gone_is_said_to_be_gone(tmp_path):
    _, path, services = one(tmp_path)
    services.exports.run(into_files=True)
    path.unlink()
    [(_, reason)] = services.exports.undo(1).refused
    assert "not there any more" in reason


def test_an_export_of_which_a_part_was_put_back_is_not_called_undone(tmp_path, monkeypatch):
    world = World(tmp_path)
    for name in ("a.jpg", "b.jpg"):
        write(world, name)
    world.index()
    services = tag(world)
    services.exports.run(into_files=True)
    path = world.photos / "a.jpg"
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0")
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))
    assert CliRunner().invoke(cli.app, ["export", "--undo", "1"]).exit_code == 1
    assert "2 files  done, 1 of them put back" in CliRunner().invoke(cli.app, ["export", "--history"]).stdout
    path.write_bytes(whole)
    assert CliRunner().invoke(cli.app, ["export", "--undo", "1"]).exit_code == 0
    assert "2 files  undone" in CliRunner().invoke(cli.app, ["export", "--history"]).stdout


def hanging(tmp_path, monkeypatch, condition):
    """An ExifTool that hangs where a condition of the shell is true of what it is asked, `$in`."""
    real = subprocess.run(["which", "exiftool"], capture_output=True, text=True, check=True).stdout.strip()
    program = tmp_path / "bin" / "exiftool"
    program.parent.mkdir()
    program.write_text(f"""#!/bin/bash
exec 3> >(exec {real} -config "" -stay_open True -@ -)
in=
while IFS= read -r line; do
  in+=$line$'\\n'
  [ "$line" = -execute ] || continue
  if {condition}; then exec sleep 600; fi
  printf %s "$in" >&3
  in=
done
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(kept_process, "SECONDS_A_COMMAND", 3.0)
    monkeypatch.setattr(kept_process, "SECONDS_A_LOOK", 0.1)


def three(tmp_path):
    world = World(tmp_path)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        write(world, name)
    world.index()
    return world, tag(world)


def test_a_photo_over_which_exiftool_hangs_costs_that_photo_alone(tmp_path, monkeypatch):
    _, services = three(tmp_path)
    flag = tmp_path / "once"
    flag.touch()
    work = f"[ -e {flag} ] && grep -q 'XMP<' <<<\"$in\" && rm {flag} && cp photo.jpg photo.jpg_exiftool_tmp"
    hanging(tmp_path, monkeypatch, work)
    report = services.exports.run(into_files=True)
    [(path, reason)] = report.refused
    assert (path.name, report.written) == ("a.jpg", 2)
    assert "took more than 3 s" in reason


FAKE = """#!/bin/bash
while read -r line; do
  case $line in
    -echo3) read -r mark ;;
    read*) file=$line ;;
    -execute) [[ $(readlink "$file") = */b.jpg ]] && exec sleep 600; echo "$mark"; echo "$mark" >&2 ;;
  esac
done
"""


def test_a_file_over_which_reading_hangs_costs_that_file_alone(tmp_path, monkeypatch):
    world, _ = three(tmp_path)
    hanging(tmp_path, monkeypatch, "false")
    (tmp_path / "bin" / "exiftool").write_text(FAKE)
    with ExifTool() as tool:
        found = tool.read(sorted(world.photos.iterdir()))
    assert ["took more than 3 s" in one.trouble for one in found] == [False, True, False]


def test_a_stop_does_not_wait_for_exiftool(tmp_path, monkeypatch):
    world, services = three(tmp_path)
    before = files(world)
    hanging(tmp_path, monkeypatch, "true")
    monkeypatch.setattr(kept_process, "SECONDS_A_COMMAND", 1_000.0)
    report = services.exports.run(into_files=True, stop=lambda: True)
    assert (report.complete, report.written) == (False, 0)
    assert files(world) == before
