"""An image tower that ONNX Runtime computes on the CPU, called as a tower of ours is."""

from __future__ import annotations

import torch
from torch import Tensor

from clip_model.int8.graph import FEATURES, PIXELS


class GraphTower:
    """A tower by its ONNX graph; safe to call from several threads.

    Args:
        graph: the file's bytes.

    Raises:
        ValueError: if ONNX Runtime cannot open it.
    """

    def __init__(self, graph: bytes) -> None:
        import onnxruntime

        wanted = onnxruntime.SessionOptions()
        wanted.intra_op_num_threads = torch.get_num_threads()
        wanted.log_severity_level = 3  # errors
        # Threads that spin while they wait would take the cores of those that decode the next photos.
        wanted.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(graph, wanted, providers=["CPUExecutionProvider"])
        except Exception as error:  # its classes have no base of their own
            raise ValueError(f"ONNX Runtime cannot open the image tower: {error}") from error

    def __call__(self, pixels: Tensor) -> Tensor:
        """(b, 3, s, s) float32, normalised -> (b, d) float32, raw features.

        Raises:
            ValueError: if ONNX Runtime cannot compute it, such as that of another size.
        """
        try:
            features = self._session.run([FEATURES], {PIXELS: pixels.contiguous().numpy()})[0]
        except Exception as error:  # likewise
            raise ValueError(f"ONNX Runtime cannot compute the image tower: {error}") from error
        return torch.from_numpy(features)
