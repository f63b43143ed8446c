"""ExifTool as tests ask it, of any file that they name: one process for all of them."""

import atexit
import shutil
from functools import cache
from json import loads
from pathlib import Path

from app.tagging.exiftool.kept_process import KeptProcess


def ask(*arguments):
    """What a command writes."""
    said = _process().ask([str(argument) for argument in arguments])
    assert not said.trouble.startswith("Error"), said.trouble
    return said.out


def told(paths, *fields):
    """What it finds in files, one dictionary each."""
    return loads(ask("-j", "-G1", "-struct", *(f"-{field}" for field in fields), *paths))


@cache
def _process():
    process = KeptProcess(shutil.which("exiftool"), Path("/"))
    atexit.register(process.close)
    return process
