"""From an image tower of ours to an ONNX graph, and to one whose matrix products are of 8-bit integers.

Weights become integers once, what they are multiplied with in each run ("dynamic"); all else stays float32.
It keeps nothing and proves nothing.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

PIXELS, FEATURES = "pixels", "features"
"""Names of the graph's input, (b, 3, s, s) float32, and of its output, (b, d) float32."""
_OPSET = 17
_PRODUCTS = ["MatMul", "Gemm"]


def export_graph(tower: nn.Module, side: int, path: Path) -> None:
    """Write a tower as an ONNX graph of float32 that takes batches of any size.

    Args:
        tower: on the CPU, in float32, ready to evaluate.
        side: of its square input in pixels.
        path: of the file to write.
    """
    axes = {PIXELS: {0: "batch"}, FEATURES: {0: "batch"}}
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter without onnxscript is called old, and shapes constant
        torch.onnx.export(
            tower, (torch.zeros(2, 3, side, side),), str(path), dynamo=False, opset_version=_OPSET,
            input_names=[PIXELS], output_names=[FEATURES], dynamic_axes=axes,
        )  # fmt: skip


def quantized_graph(tower: nn.Module, side: int, folder: Path) -> bytes:
    """The file of a tower's graph in 8-bit integers.

    Args:
        tower: as `export_graph` takes it.
        side: of its square input in pixels.
        folder: an empty one for what is made on the way, several times the size of the tower.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    export_graph(tower, side, folder / "fp32.onnx")
    model = onnx.load(folder / "fp32.onnx")
    add_pre_process_metadata(model)  # else advice to rearrange it first is given, by way of the root logger
    quantize_dynamic(
        model, folder / "int8.onnx", op_types_to_quantize=_PRODUCTS, per_channel=True, weight_type=QuantType.QInt8
    )
    return (folder / "int8.onnx").read_bytes()
