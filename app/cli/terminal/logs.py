"""The log on standard error: plain sentences for a command, with the time for what runs for months, JSON on request."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.printable import printable, safe_lines

if TYPE_CHECKING:
    from app.settings import Settings

OWN = ("app", "clip_model", "indexer")
PLAIN = "picsift: %(message)s"
TIMED = "%(asctime)s %(levelname)-7s %(message)s"


class SafeLines(logging.Formatter):
    """Writes each record as a line, which names in it can neither turn nor break; a traceback follows line by line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The line itself."""
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - likewise
        """The traceback."""
        return safe_lines(super().formatException(ei))


class JsonLines:
    """Writes each record as one JSON document on a line of its own; a logging formatter."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for one record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = logging.Formatter().formatException(record.exc_info)
        return json.dumps(line)


def begin(verbose: bool, **options: object) -> Settings:
    """Set up the log of a command and read its settings."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, force=True)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(SafeLines(PLAIN))
    from app.settings import load_settings

    return load_settings(**options)


def begin_service(verbose: bool, *, log_json: bool, **options: object) -> Settings:
    """The same for what runs on and on: each line has its time, or is JSON."""
    settings = begin(False, **options)
    for package in OWN:  # what others have to say at this level is no news for a person
        logging.getLogger(package).setLevel(logging.INFO if verbose else logging.NOTSET)
    formatter = JsonLines() if log_json else SafeLines(TIMED)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)  # type: ignore[arg-type]  # all that logging asks of it is `format`
    return settings
