"""A server answers for a command that would read the same settings, and for no other."""

import os

import pytest

from app.running.sources import agree, digests, known, library_folder, program, servers_may_be_asked
from app.settings import Settings, load_settings

TOKEN = "ab" * 32


@pytest.fixture(autouse=True)
def nothing_is_set(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("PICSIFT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PICSIFT_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text("")


def of_server():
    return known(digests(TOKEN), Settings.model_fields)


def test_the_same_environment_agrees(monkeypatch):
    monkeypatch.setenv("PICSIFT_DEVICE", "cpu")
    assert agree(of_server(), digests(TOKEN))


@pytest.mark.parametrize("name", ["PICSIFT_DEVICE", "PICSIFT_MIN_RELEVANCE", "picsift_device", "PICSIFT_HOST", "TZ"])
def test_a_variable_that_the_command_has_in_another_way_disagrees(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    there = of_server()
    monkeypatch.setenv(name, "0")
    assert not agree(there, digests(TOKEN))


@pytest.mark.parametrize("name", ["PICSIFT_PASSWORD", "PICSIFT_PORT", "PICSIFT_ROOT_PATH", "PICSIFT_LIBRARY"])
def test_a_server_may_have_more_of_what_concerns_servers_alone(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    there = of_server()
    monkeypatch.delenv(name)
    assert agree(there, digests(TOKEN))


@pytest.mark.parametrize("name", ["PICSIFT_DEVICE", "picsift_device", "PICSIFT_MIN_RELEVANCE"])
def test_and_no_more_of_others(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    there = of_server()
    monkeypatch.delenv(name)
    assert not agree(there, digests(TOKEN))


def test_a_variable_that_is_no_setting_is_the_commands_to_tell(monkeypatch):
    monkeypatch.setenv("PICSIFT_MIN_RELEVANCES", "1")
    assert not agree(of_server(), digests(TOKEN))


@pytest.mark.parametrize("name", ["config.toml", "password.hash"])
def test_a_file_that_has_changed_disagrees(tmp_path, name):
    there = of_server()
    (tmp_path / name).write_text("min_relevance = 0.1")
    assert not agree(there, digests(TOKEN))


def test_no_value_can_be_told_from_what_is_noted(monkeypatch):
    monkeypatch.setenv("PICSIFT_PASSWORD", "hunter2")
    assert "hunter2" not in str(of_server())
    assert of_server()["PICSIFT_PASSWORD"] != digests("cd" * 32)["PICSIFT_PASSWORD"]


@pytest.mark.parametrize("value", ["yes", "true", "1", "ON", "no", "false", "0", "maybe", " yes "])
def test_whether_servers_are_asked_is_read_as_settings_read_it(monkeypatch, value):
    monkeypatch.setenv("PICSIFT_ASK_SERVER", value)
    assert servers_may_be_asked() == (value not in ("maybe", " yes ") and load_settings().ask_server)
    assert agree(of_server(), digests(TOKEN))


@pytest.mark.parametrize("where", ["variable", "file", "platform", "lower"])
def test_the_library_is_the_one_that_settings_name(tmp_path, monkeypatch, where):
    if where == "file":
        (tmp_path / "config.toml").write_text('library = "/from/file"')
    if where in ("variable", "lower"):
        monkeypatch.setenv("PICSIFT_LIBRARY" if where == "variable" else "picsift_library", "/from/variable")
    assert library_folder() == load_settings().library


def test_of_a_variable_in_two_ways_the_last_counts_and_no_server_is_asked(monkeypatch):
    assert servers_may_be_asked()
    monkeypatch.setenv("PICSIFT_LIBRARY", "/first")
    monkeypatch.setenv("picsift_library", "/last")
    assert library_folder() == load_settings().library
    assert not servers_may_be_asked()


def test_what_is_installed_tells_programs_apart(tmp_path, monkeypatch):
    before = program()
    (tmp_path / "site-packages" / "numpy-9.9.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    assert program() != before
