"""Drawn pictures, and archives of them, honest and otherwise."""

import io
import tarfile

from PIL import Image

from clip_model.evaluation.readers.data_sets import open_data_set


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


def read(*named):
    """All that the reader of what is named gives."""
    return list(open_data_set([str(one) for one in named], {".png", ".jpg"}).items)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
