"""Float TFLite to ONNX, operator by operator, without TensorFlow.

TFLite keeps images as (batch, height, width, channels), ONNX's convolutions need (batch, channels, height, width).
Between operators that accept both, a tensor keeps its layout; a Transpose is inserted only where an operator needs the
other layout, once for each tensor. Inputs and outputs keep TFLite's layout, so that the same
preprocessing serves both files.
"""

from edgerig.compilers.tflite_to_onnx.export import SUPPORTED, export_onnx

__all__ = ["SUPPORTED", "export_onnx"]
