"""Weights files of picsift's own layout whose header or tensors were changed by hand."""

import json

from safetensors import safe_open
from safetensors.torch import save_file


def reheaded(path, **changes):
    """Change the configuration in the header alone, as {"text.layers": 3}; the tensors' bytes stay."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    config = json.loads(header["__metadata__"]["config"])
    for name, value in changes.items():
        *parts, last = name.split(".")
        part = config
        for each in parts:
            part = part[each]
        part[last] = value
    header["__metadata__"]["config"] = json.dumps(config)
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + data[8 + length :])
    return path


def rewritten(path, change):
    """Save the tensors of a model again, after `change` had its way with them."""
    with safe_open(path, framework="pt") as file:
        state, metadata = {name: file.get_tensor(name).clone() for name in file.keys()}, file.metadata()  # noqa: SIM118
    change(state)
    save_file(state, path, metadata)
    return path
