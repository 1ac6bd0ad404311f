"""Float TFLite to ONNX, operator by operator, without TensorFlow.

TFLite keeps images as (batch, height, width, channels), ONNX's convolutions want (batch, channels, height, width).
Between operators that do not care a tensor stays in the layout in which it was made; a Transpose is put in only
where somebody needs the other one, once for each tensor. Inputs and outputs keep TFLite's layout, so that the same
preprocessing serves both files.
"""

from edgerig.compilers.tflite_to_onnx.export import SUPPORTED, export_onnx

__all__ = ["SUPPORTED", "export_onnx"]
