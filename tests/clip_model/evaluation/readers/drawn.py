"""Drawn pictures, and archives of them, honest and otherwise."""

import io
import tarfile

from PIL import Image


def picture(colour="red", format="PNG", size=(12, 8)):
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, format)
    return data.getvalue()


def shard(path, members):
    """A tar of (name, content) pairs; a TarInfo stands for itself."""
    with tarfile.open(path, "w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            name, content = member
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path
