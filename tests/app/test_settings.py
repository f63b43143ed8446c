"""What a person may set, and what they are told when it will not do."""

import logging
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, SettingsError, config_path, load_settings
from indexer.folders.ignoring import Ignoring
from indexer.vectors.index import EXACT_UP_TO


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    """No settings of the machine's own: an empty config file and no PICSIFT_ variables."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PICSIFT_{name.upper()}", raising=False)
    path = tmp_path / "config.toml"
    path.write_text("")
    monkeypatch.setenv("PICSIFT_CONFIG", str(path))
    return path


def test_defaults_listen_on_loopback_and_leave_the_machine_to_decide():
    settings = load_settings()
    assert (settings.host, settings.port, settings.device, settings.precision) == ("127.0.0.1", 7860, "auto", "auto")
    assert settings.library.is_absolute()
    assert settings.library.name == "picsift"
    assert settings.model is None


def test_an_option_goes_before_a_variable_and_a_variable_before_the_file(config, monkeypatch):
    config.write_text('library = "/from/file"\nport = 1\nmodel = "of-file"\nhost = "of-file"\n')
    monkeypatch.setenv("PICSIFT_LIBRARY", "/from/variable")
    monkeypatch.setenv("PICSIFT_PORT", "2")
    settings = load_settings(port=3, host="of-option")
    assert (settings.library, settings.model) == (Path("/from/variable"), "of-file")
    assert (settings.port, settings.host) == (3, "of-option")


def test_an_option_that_was_not_given_overrides_nothing(config):
    config.write_text("port = 1234\n")
    assert load_settings(port=None).port == 1234


def test_an_empty_variable_counts_as_unset(config, monkeypatch):
    config.write_text("port = 1234\n")
    monkeypatch.setenv("PICSIFT_PORT", "")
    assert load_settings().port == 1234


def test_a_variable_counts_in_either_case_and_below_what_is_given(monkeypatch):
    monkeypatch.setenv("picsift_port", "1234")
    monkeypatch.setenv("PICSIFT_HIDDEN", "true")
    assert (Settings().port, Settings().hidden) == (1234, True)
    assert (Settings(port=5).port, load_settings(hidden=False).hidden) == (5, False)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        load_settings().port = 1


def test_the_password_does_not_show_in_a_log():
    assert "hunter2" not in repr(load_settings(password="hunter2"))


def test_a_relative_library_is_taken_from_here_and_a_tilde_from_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert load_settings(library="lib").library == tmp_path / "lib"
    assert load_settings(library="~/lib").library == Path("/home/someone/lib")


def test_an_unknown_key_in_the_file_is_named_with_the_known_ones(config):
    config.write_text("libary = '/x'\n")
    with pytest.raises(SettingsError, match=r"config\.toml sets 'libary', which is no setting. Known: .*library"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 99999", r"port in .*config\.toml cannot be 99999: .*65535"),
        ("precision = 'fp8'", r"precision in .*config\.toml cannot be 'fp8': .*'fp32'"),
        ("device = 'gpu'", r"device in .*config\.toml cannot be 'gpu'"),
        ("batch_size = 'many'", r"batch_size in .*config\.toml cannot be 'many'"),
        ("workers = -1", r"workers in .*config\.toml cannot be -1"),
        ("port = = 3", r"config\.toml is not valid TOML"),
    ],
)
def test_a_bad_value_in_the_file_is_named_with_the_file(config, text, said):
    config.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_settings()


def test_a_bad_value_in_a_variable_is_named_with_the_variable(monkeypatch):
    monkeypatch.setenv("PICSIFT_PORT", "eighty")
    with pytest.raises(SettingsError, match="the variable PICSIFT_PORT cannot be 'eighty'"):
        load_settings()


def test_a_bad_option_is_named_as_it_is_typed():
    with pytest.raises(SettingsError, match="the option --batch-size cannot be -5"):
        load_settings(batch_size=-5)


def test_every_bad_value_is_told_at_once(config, monkeypatch):
    config.write_text("port = 99999")
    monkeypatch.setenv("PICSIFT_WORKERS", "x")
    with pytest.raises(SettingsError, match=r"(?s)(?=.*PICSIFT_WORKERS)(?=.*port in )"):
        load_settings()


def test_a_bad_password_is_not_repeated(config):
    config.write_text("password = 12345")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "12345" not in str(caught.value)


def test_a_password_that_no_answer_would_be_compared_with_is_refused():
    with pytest.raises(SettingsError, match="at most 256 characters"):
        load_settings(password="long" * 65)
    assert load_settings(password="long" * 64).password is not None


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Photos.LAN", "photos.lan"),
        ("photos.lan.", "photos.lan"),
        ("fe80::1", "[fe80::1]"),
        ("[FE80::0:1]", "[fe80::1]"),
        ("fe80::1%eth0", "[fe80::1]"),
    ],
)
def test_a_name_to_answer_to_is_kept_as_browsers_say_it(written, name):
    assert load_settings(allowed_host=[written]).allowed_host == (name,)


@pytest.mark.parametrize("written", ["photos.lan:8080", "http://photos.lan", "photos lan", "*", "[::1", "a/b", "é.lan"])
def test_what_no_browser_says_is_no_name_to_answer_to(written):
    with pytest.raises(SettingsError, match=r"--allowed-host cannot be.*photos\.lan, without http") as refused:
        load_settings(allowed_host=[written])
    assert "Value error" not in str(refused.value)


def test_a_config_file_that_was_named_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PICSIFT_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match=r"PICSIFT_CONFIG names .*none\.toml, and there is no such file"):
        load_settings()


def test_without_a_config_file_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.delenv("PICSIFT_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_path() == tmp_path / "picsift" / "config.toml"
    assert load_settings().port == 7860


def test_a_config_file_that_is_no_text_is_explained(config):
    config.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not valid TOML"):
        load_settings()


def test_a_misspelt_variable_is_warned_of_with_the_right_one(monkeypatch, caplog):
    monkeypatch.setenv("PICSIFT_LIBARY", "/x")
    with caplog.at_level(logging.WARNING):
        load_settings()
    assert "PICSIFT_LIBARY is no setting and is ignored; did you mean PICSIFT_LIBRARY?" in caplog.text


def test_what_is_passed_over_is_a_list_in_the_file_and_lines_in_a_variable(config, monkeypatch):
    config.write_text('ignore = ["*.tif", "!keep.tif"]\nhidden = true\n')
    assert load_settings().ignoring == Ignoring(("*.tif", "!keep.tif"), hidden=True)
    monkeypatch.setenv("PICSIFT_IGNORE", "raw/\n*.bmp")
    assert load_settings().ignoring == Ignoring(("raw/", "*.bmp"), hidden=True)


def test_a_pattern_that_is_none_is_named(config):
    config.write_text('ignore = ["a\\\\"]\n')
    with pytest.raises(SettingsError, match="ignore in"):
        load_settings()


def test_proxies_and_names_are_lists_in_the_file_and_words_in_a_variable(config, monkeypatch):
    config.write_text(
        'trusted_proxy = ["127.0.0.1", "10.0.0.0/8"]\nallowed_host = "Photos.LAN"\nroot_path = "photos/"\n'
    )
    settings = load_settings()
    assert settings.trusted_proxy == ("127.0.0.1", "10.0.0.0/8")
    assert (settings.allowed_host, settings.root_path) == (("photos.lan",), "/photos")
    monkeypatch.setenv("PICSIFT_TRUSTED_PROXY", "::1, 192.168.0.0/16 10.0.0.1")
    assert load_settings().trusted_proxy == ("::1", "192.168.0.0/16", "10.0.0.1")
    assert load_settings(trusted_proxy=["fe80::/64"]).trusted_proxy == ("fe80::/64",)


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("trusted_proxy", ["localhost"], "--trusted-proxy"),
        ("root_path", "/api", "--root-path"),
        ("root_path", "http://a.example", "--root-path"),
    ],
)
def test_what_can_be_no_proxy_or_root_is_a_sentence(option, value, named):
    with pytest.raises(SettingsError, match=named):
        load_settings(**{option: value})


def test_every_setting_stands_in_the_table_with_its_default():
    table = (Path(__file__).parents[2] / "docs/settings.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE))
    assert list(rows) == list(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        if field.default and isinstance(field.default, str | int | float | bool):
            assert rows[name] == f"`{str(field.default).lower()}`"
    assert rows["exact_up_to"] == f"`{EXACT_UP_TO}`"


def test_the_settings_that_are_shown_will_do(config):
    text = (Path(__file__).parents[2] / "docs/settings.md").read_text(encoding="utf-8")
    config.write_text(re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1])
    assert load_settings().ignore == ("*.tmp", "Exports/")
