"""What a person may set, from config.toml and PICSIFT_* variables: the only module that reads either.

It holds values and says what is wrong with them; it opens no library and no model.
"""

import difflib
import logging
import os
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from app.password_hash import check_hash, check_length, is_hash
from app.trusted_proxies import checked_host, checked_root, networks
from indexer.errors import PicsiftError
from indexer.folders.ignoring import Ignoring, parse
from indexer.workers.isolation import DEFAULT_MEMORY_MB, DEFAULT_TIMEOUT_S

APP_NAME = "picsift"
ENV_PREFIX = "PICSIFT_"
CONFIG_VARIABLE = "PICSIFT_CONFIG"

log = logging.getLogger(__name__)


class SettingsError(PicsiftError):
    """The config file, a PICSIFT_* variable or an option holds what cannot be used."""


class Settings(BaseModel):
    """Every setting, checked. An option goes before a variable, a variable before the file.

    Variables are read here rather than by pydantic-settings, whose import takes as long as a search.

    Attributes:
        library: the folder that holds catalog, index and thumbnails.
        model: a model's name or path; None means the library's own, and the built-in one for a new library.
        converted_models: the folder where models of other programs are kept once they are converted.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: "auto", "fp32", "bf16", "fp16", or "int8" of image towers on a CPU (extra `int8`).
        workers: decoding processes; 0 means as many as suit the machine.
        batch_size: photos embedded at a time; 0 means what suits the device.
        max_pixels: a larger picture is not decoded.
        decode_timeout_s: seconds that the decoding of one picture may take.
        decode_memory_mb: mebibytes that the decoding of one picture may need.
        ignore: patterns of files and folders to pass over, as in `.gitignore`; the environment separates them by lines.
        hidden: take files and folders whose names begin with a dot after all.
        videos: take new videos in, by their frames; None means as the library was last told.
        exact_up_to: vectors up to which a search looks at every one; above, at those of the lists nearest to the
            query. None means 150,000, which take 15 ms.
        min_relevance: photos that fit a query less are no matches, 0 (all are) to 1.
        host: address the page listens on.
        port: TCP port of the page.
        password: or its argon2 hash; asked of everyone once it is set, and needed when the host is not loopback.
        root_path: path that everything is served below, such as /photos, behind a proxy.
        trusted_proxy: addresses and networks of proxies whose X-Forwarded- and Forwarded headers are believed; the
            environment separates them by commas or spaces.
        allowed_host: names that the server answers to besides this machine's own, where there is no password.
        ask_server: let `picsift search` ask a server that has the same library open.
        settle_ms: milliseconds after which a file that nobody writes to counts as whole, for the daemon.
        idle_unload_s: seconds without work after which `watch` lets the model leave the memory; 0 keeps it.
        max_cpu: percent of all processors that the daemon uses at most, on average.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), validate_default=True)

    library: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir(APP_NAME, appauthor=False)))
    model: str | None = Field(default=None, min_length=1)
    converted_models: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir(APP_NAME, appauthor=False)) / "models"
    )
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda|cuda:\d+|mps)$")
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = "auto"
    workers: int = Field(default=0, ge=0, le=256)
    batch_size: int = Field(default=0, ge=0, le=4096)
    max_pixels: int = Field(default=250_000_000, ge=1)
    decode_timeout_s: int = Field(default=DEFAULT_TIMEOUT_S, ge=1)
    decode_memory_mb: int = Field(default=DEFAULT_MEMORY_MB, ge=64)
    ignore: tuple[str, ...] = ()
    hidden: bool = False
    videos: bool | None = None
    exact_up_to: int | None = Field(default=None, ge=0)
    min_relevance: float = Field(default=0.5, ge=0, le=1)
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=7860, ge=0, le=65535)
    password: SecretStr | None = None
    root_path: str = ""
    trusted_proxy: tuple[str, ...] = ()
    allowed_host: tuple[str, ...] = ()
    ask_server: bool = True
    settle_ms: int = Field(default=2000, ge=10, le=600_000)
    idle_unload_s: float = Field(default=300, ge=0)
    max_cpu: int = Field(default=100, ge=1, le=100)

    @model_validator(mode="before")
    @classmethod
    def _below_what_is_given(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**_variables(), **given}

    @field_validator("library", "converted_models")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return Path(os.path.abspath(os.path.expanduser(value)))  # noqa: PTH100, PTH111 - resolve() would follow a link to a drive

    @field_validator("ignore", mode="before")
    @classmethod
    def _patterns(cls, value: Any) -> Any:
        lines = tuple(value.splitlines() if isinstance(value, str) else value)
        if lines:
            parse(line for line in lines if isinstance(line, str))  # raises ValueError where a line is no pattern
        return lines

    @field_validator("password")
    @classmethod
    def _whole(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            (check_hash if is_hash(value.get_secret_value()) else check_length)(value.get_secret_value())
        return value

    @field_validator("root_path")
    @classmethod
    def _root(cls, value: str) -> str:
        return checked_root(value)

    @field_validator("trusted_proxy", "allowed_host", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split() if isinstance(value, str) else value)

    @field_validator("trusted_proxy")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        networks(value)
        return value

    @field_validator("allowed_host")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(checked_host, value))

    @property
    def ignoring(self) -> Ignoring:
        """What a scan passes over."""
        return Ignoring(self.ignore, self.hidden)


def config_path() -> Path:
    """Where the config file is looked for: PICSIFT_CONFIG, or the platform's config folder."""
    named = os.environ.get(CONFIG_VARIABLE)
    return Path(named) if named else Path(platformdirs.user_config_dir(APP_NAME, appauthor=False)) / "config.toml"


def password_path() -> Path:
    """The file beside the config file that holds the hash of the password, for its owner's eyes only."""
    return config_path().with_name("password.hash")


def load_settings(**options: Any) -> Settings:
    """Read the file and the environment; options that are not None override both.

    Raises:
        SettingsError: naming the file, variable or option, its value, and what would do instead.
    """
    given = {name: value for name, value in options.items() if value is not None}
    path = config_path()
    in_file = _read_password() | _read_file(path)
    _warn_of_unknown_variables()
    from_environment = _variables().keys()
    below = {name: value for name, value in in_file.items() if name not in from_environment}
    try:
        return Settings(**{**below, **given})
    except ValidationError as error:
        raise SettingsError(_explain(error, path, given.keys(), from_environment)) from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get(CONFIG_VARIABLE):
            raise SettingsError(f"{CONFIG_VARIABLE} names {path}, and there is no such file.") from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the config file {path} is not valid TOML: {error}. Correct it or remove it.") from None
    except OSError as error:
        raise SettingsError(f"the config file {path} cannot be read: {error.strerror}.") from None
    for name in values:
        if name not in Settings.model_fields:
            known = ", ".join(sorted(Settings.model_fields))
            raise SettingsError(f"the config file {path} sets {name!r}, which is no setting. Known: {known}.")
    return values


def _read_password() -> dict[str, Any]:
    path = password_path()
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SettingsError(f"the password in {path} cannot be read: {reason}. Remove it, then set it anew.") from None
    try:
        check_hash(text)
    except ValueError as error:
        raise SettingsError(f"{path} holds no password: {error}. Remove it, then set it anew.") from None
    return {"password": text}


def _variables() -> dict[str, str]:
    """What the environment sets, by the setting's name; an empty variable is none, and case says nothing."""
    set_there = {name.lower(): value for name, value in os.environ.items() if value}
    names = {name: f"{ENV_PREFIX}{name}".lower() for name in Settings.model_fields}
    return {name: set_there[variable] for name, variable in names.items() if variable in set_there}


def _warn_of_unknown_variables() -> None:
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields} | {CONFIG_VARIABLE}
    for name in os.environ:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.85) if name.startswith(ENV_PREFIX) else []
        if near and name not in known:
            log.warning("the variable %s is no setting and is ignored; did you mean %s?", name, near[0])


def _said(message: str) -> str:
    return message.removeprefix("Value error, ").removesuffix(".")


def _explain(error: ValidationError, path: Path, options: Collection[str], variables: Collection[str]) -> str:
    """One sentence for each value that will not do."""
    sentences = []
    for problem in error.errors():
        name = str(problem["loc"][0])
        if name in options:
            where = f"the option --{name.replace('_', '-')}"
        else:
            where = f"the variable {ENV_PREFIX}{name.upper()}" if name in variables else f"{name} in {path}"
        value = "" if name == "password" else f" {problem['input']!r}"
        sentences.append(f"{where} cannot be{value}: {_said(problem['msg'])}.")
    return " ".join(sentences)
