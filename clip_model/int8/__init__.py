"""Image towers in 8-bit integers on a CPU: made by ONNX Runtime out of our own, proved on pictures, kept on disk."""
