"""`picsift serve --set-password`, and what of it a server finds."""

import stat

import pytest

from app.cli import password_entry
from app.cli.password_entry import PasswordError, ask_and_store
from app.password_hash import matches
from app.settings import Settings, SettingsError, load_settings, password_path


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PICSIFT_{name.upper()}", raising=False)
    path = tmp_path / "config.toml"
    path.write_text("")
    monkeypatch.setenv("PICSIFT_CONFIG", str(path))
    return path


@pytest.fixture
def typed(monkeypatch):
    """What is typed, line by line; its end is the end of the input."""
    lines = []

    def getpass(prompt):
        if not lines:
            raise EOFError
        return lines.pop(0)

    monkeypatch.setattr(password_entry.getpass, "getpass", getpass)
    return lines


def test_the_hash_is_stored_for_its_owners_eyes_only_and_taken_from_there(typed):
    typed += ["correct horse"] * 2
    ask_and_store(load_settings())
    assert stat.S_IMODE(password_path().stat().st_mode) == 0o600
    assert "correct horse" not in password_path().read_text()
    stored = load_settings().password.get_secret_value()
    assert matches(stored, "correct horse")


def test_another_one_takes_its_place(typed):
    for password in ("the first one", "the second one"):
        typed += [password] * 2
        ask_and_store(load_settings())
    assert matches(load_settings().password.get_secret_value(), "the second one")


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["long enough"],
        ["long enough", "long enouhg"],
        ["short", "short"],
        ["", ""],
        ["$argon2id$abc"] * 2,
        ["long" * 100] * 2,
    ],
)
def test_what_will_not_do_is_not_stored(typed, lines):
    typed += lines
    with pytest.raises(PasswordError, match="Nothing was stored"):
        ask_and_store(load_settings())
    assert not password_path().exists()


def test_a_password_in_the_config_file_goes_before_it(config, typed):
    config.write_text('password = "in the file"\n')
    typed += ["correct horse"] * 2
    with pytest.raises(PasswordError, match=r"config\.toml"):
        ask_and_store(load_settings())
    config.write_text("")
    ask_and_store(load_settings())
    config.write_text('password = "in the file"\n')
    assert load_settings().password.get_secret_value() == "in the file"


def test_the_variable_goes_before_it_and_that_is_said(typed, monkeypatch, capsys):
    monkeypatch.setenv("PICSIFT_PASSWORD", "of the variable")
    typed += ["correct horse"] * 2
    ask_and_store(load_settings())
    assert "PICSIFT_PASSWORD is set" in capsys.readouterr().err
    assert load_settings().password.get_secret_value() == "of the variable"


def test_a_hash_is_taken_wherever_a_password_is(config, typed, monkeypatch):
    typed += ["correct horse"] * 2
    ask_and_store(load_settings())
    hashed = password_path().read_text().strip()
    password_path().unlink()
    config.write_text(f"password = '{hashed}'\n")
    assert load_settings().password.get_secret_value() == hashed
    monkeypatch.setenv("PICSIFT_PASSWORD", hashed[:40])
    with pytest.raises(SettingsError, match=r"PICSIFT_PASSWORD cannot be: .*argon2") as refused:
        load_settings()
    assert hashed[:40] not in str(refused.value)


@pytest.mark.parametrize("content", [b"a password", b"", b"$argon2id$", b"\xff\xfe"])
def test_a_damaged_file_is_a_sentence_and_no_server_without_a_password(content):
    password_path().write_bytes(content)
    with pytest.raises(SettingsError, match=r"password\.hash .*Remove it"):
        load_settings()
