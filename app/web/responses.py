"""What routes of the HTTP API may answer beside their models, as /openapi.json describes it. It answers nothing."""

from typing import Any

from app.web.originals import SHOWN_INLINE
from app.web.problems import MEDIA_TYPE, Problem

Responses = dict[int | str, dict[str, Any]]

PREFIX = "/api/v1"  # of every path
WEBP = "image/webp"
UNKNOWN_KIND = "application/octet-stream"


def _described() -> dict[str, Any]:
    """The schema of a problem in one piece: what a document within another one refers to, it would not find."""
    schema = Problem.model_json_schema()
    schema["properties"]["position"] = schema.pop("$defs")["Position"]
    return schema


_PROBLEM = {MEDIA_TYPE: {"schema": _described()}}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_FILE_KINDS = dict.fromkeys(sorted({*SHOWN_INLINE.values(), UNKNOWN_KIND}), _BYTES)
_MEANINGS: dict[int | str, str] = {
    400: "What was asked cannot be understood.",
    404: "No such photo, or export.",
    409: "Something excludes it now: mostly what is running, here or in another process.",
    410: "The photo's file is gone, or is another one now.",
    412: "What the client names in If-Match or If-Unmodified-Since is another file by now.",
    413: "What was sent is too large.",
    415: "The picture cannot be read.",
    422: "A parameter is out of its bounds.",
    503: "The library or the model cannot be used now.",
    "default": "Any other refusal: at the door, or for a reason that nobody foresaw.",
}


def refusals(*codes: int) -> Responses:
    """How a route refuses: always with a problem document."""
    told: list[int | str] = [*codes, "default"]
    return {code: {"description": _MEANINGS[code], "content": _PROBLEM} for code in told}


CURSOR_GONE: Responses = {
    410: {"description": "There is no such cursor any more, or it is of another model or library.", "content": _PROBLEM}
}
_SAME: Responses = {304: {"description": "What the client names in If-None-Match is still the same."}}
PICTURE: Responses = {
    200: {"description": "The picture.", "content": {WEBP: _BYTES}},
    **_SAME,
    **refusals(404, 410, 415, 422, 503),
}
TABLES: Responses = {
    200: {
        "description": "The table.",
        "content": dict.fromkeys(("text/csv", "application/jsonl", "application/vnd.apache.parquet"), _BYTES),
    },
}
FILE: Responses = {
    200: {"description": "The file.", "content": _FILE_KINDS},
    206: {"description": "The range that was asked for.", "content": {**_FILE_KINDS, "multipart/byteranges": _BYTES}},
    **_SAME,
    **refusals(404, 410, 412, 422, 503),
    400: {"description": "The range cannot be understood.", "content": _TEXT},
    416: {"description": "The range lies outside of the file.", "content": _TEXT},
}
