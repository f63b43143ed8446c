"""The service definitions, read by what will read them."""

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import service_unit
from app.cli.service_unit import ServiceError
from app.settings import Settings


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in [name for name in os.environ if name.startswith("PICSIFT_")]:
        monkeypatch.delenv(name)
    return tmp_path


def install(home, **options):
    settings = Settings(library=home / "my library 100%")
    given = {"options": [], "print_only": False, "force": False, **options}
    service_unit.install(settings, [home / "photos"], **given)


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
def test_the_unit_is_written_and_the_command_that_enables_it_said(home, capsys):
    install(home, options=["--max-cpu", "40", "--videos"])
    out, err = capsys.readouterr()
    assert out == "systemctl --user enable --now picsift-watch\n"
    unit = home / "config/systemd/user/picsift-watch.service"
    assert str(unit) in err
    text = unit.read_text()
    assert f'ReadWritePaths="{home}/my library 100%%"\n' in text
    assert f'"watch" "--library" "{home}/my library 100%%" "--max-cpu" "40" "--videos" "{home}/photos"' in text
    for line in ("ProtectSystem=strict", "ProtectHome=read-only", "NoNewPrivileges=yes", "Restart=on-failure"):
        assert line in text.splitlines()
    assert (home / "my library 100%").is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
def test_a_unit_that_is_there_is_replaced_only_by_force(home):
    install(home)
    unit = home / "config/systemd/user/picsift-watch.service"
    unit.write_text("mine")
    with pytest.raises(ServiceError, match="--force"):
        install(home)
    assert unit.read_text() == "mine"
    install(home, force=True)
    assert "ProtectSystem" in unit.read_text()


def test_printing_writes_nothing(home, capsys):
    install(home, print_only=True)
    assert "picsift" in capsys.readouterr().out
    assert list(home.iterdir()) == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path, monkeypatch):
    monkeypatch.setenv("PICSIFT_CONFIG", "/etc/with space/100%.toml")
    command = [sys.executable, "-m", "app.launch", "watch", 'a "quoted" $HOME \\ folder', "100%"]
    unit = tmp_path / "picsift-watch.service"
    unit.write_text(service_unit.systemd_unit(command, tmp_path))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    about = [line for line in checked.stderr.splitlines() if "picsift" in line]
    assert about == []


def test_the_agent_is_a_property_list_with_the_command(home, monkeypatch):
    monkeypatch.setenv("PICSIFT_CONFIG", "/a/config.toml")
    agent = plistlib.loads(service_unit.launchd_agent(["/bin/picsift", "watch", "--library", "/a & b"]).encode())
    assert agent["ProgramArguments"] == ["/bin/picsift", "watch", "--library", "/a & b"]
    assert (agent["KeepAlive"], agent["LowPriorityIO"], agent["Nice"]) == ({"SuccessfulExit": False}, True, 10)
    assert agent["EnvironmentVariables"] == {"PICSIFT_CONFIG": "/a/config.toml"}
    monkeypatch.setenv("PICSIFT_IGNORE", "raw/\n*.bmp")
    monkeypatch.setenv("PICSIFT_PASSWORD", "secret")
    text = service_unit.launchd_agent(["picsift", "watch"])
    assert plistlib.loads(text.encode())["EnvironmentVariables"] == {
        "PICSIFT_CONFIG": "/a/config.toml",
        "PICSIFT_IGNORE": "raw/\n*.bmp",
    }
    unit = service_unit.systemd_unit(["picsift", "watch"], Path("/library"))
    assert 'Environment="PICSIFT_IGNORE=raw/\\n*.bmp"\n' in unit
    assert "secret" not in text + unit


def test_on_a_mac_the_agent_goes_where_launchd_looks(home, monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "darwin")
    install(home)
    target = home / "Library/LaunchAgents/org.picsift.watch.plist"
    assert plistlib.loads(target.read_bytes())["Label"] == "org.picsift.watch"
    assert capsys.readouterr().out.startswith("launchctl load -w ")
