"""Changes the input and output types of a full-integer TFLite network, by one operator at each of them."""

from __future__ import annotations

from typing import Any

from edgerig.compilers import flatbuffer

#: uint8 is int8 with everything, zero point included, shifted by 128.
UINT8_SHIFT = 128


def set_io_types(data: bytes, input_type: str, output_type: str) -> bytes:
    """The same network with inputs and outputs of the given types; the tensors keep their names.

    Args:
        data: A full-integer TFLite file, with int8 or int16 activations.
        input_type, output_type: The activations' own type (nothing is changed), ``float32``, or ``uint8`` for
            int8 activations.

    A float32 input is quantized by a QUANTIZE operator and a float32 output produced by a DEQUANTIZE operator, with
    the scale and zero point of the integer tensor; uint8 has the same scale, and the zero point plus 128. Inputs and
    outputs that are not quantized, such as indices, stay unchanged.
    """
    model = flatbuffer.unpack(data)
    file = _File(model)
    for position, index in enumerate(file.integer_ends(file.graph.inputs)):
        if index is not None and file.type_of(index) != input_type:
            file.put_before(position, index, input_type)
    for position, index in enumerate(file.integer_ends(file.graph.outputs)):
        if index is not None and file.type_of(index) != output_type:
            file.put_behind(position, index, output_type)
    return flatbuffer.pack(model)


class _File:
    """A model while it is changed."""

    def __init__(self, model: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.model, self.schema, self.graph = model, schema, model.subgraphs[0]
        graph = self.graph
        graph.inputs, graph.outputs = [int(i) for i in graph.inputs], [int(i) for i in graph.outputs]
        self.types = {schema.TensorType.INT8: "int8", schema.TensorType.INT16: "int16"}

    def integer_ends(self, indices: list[int]) -> list[int | None]:
        """The given tensors, None for those that are not quantized."""

        def quantized(tensor: Any) -> bool:
            quantization = tensor.quantization
            return (
                tensor.type in self.types
                and quantization is not None
                and quantization.scale is not None
                and len(quantization.scale) > 0
            )

        return [index if quantized(self.graph.tensors[index]) else None for index in indices]

    def type_of(self, index: int) -> str:
        return self.types[self.graph.tensors[index].type]

    def put_before(self, position: int, inner: int, dtype: str) -> None:
        outer = self.outer_tensor(inner, dtype)
        self.graph.operators.insert(0, self.operator("QUANTIZE", outer, inner, self.quantize_version(inner)))
        self.graph.inputs[position] = outer
        self.move_signature("inputs", inner, outer)

    def put_behind(self, position: int, inner: int, dtype: str) -> None:
        outer = self.outer_tensor(inner, dtype)
        if dtype == "float32":
            version = 3 if self.type_of(inner) == "int16" else 2
            self.graph.operators.append(self.operator("DEQUANTIZE", inner, outer, version))
        else:
            self.graph.operators.append(self.operator("QUANTIZE", inner, outer, 1))
        self.graph.outputs[position] = outer
        self.move_signature("outputs", inner, outer)

    def quantize_version(self, target: int) -> int:
        return 2 if self.type_of(target) == "int16" else 1

    def outer_tensor(self, inner: int, dtype: str) -> int:
        """A tensor like ``inner``, which takes its name."""
        schema, source = self.schema, self.graph.tensors[inner]
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.shapeSignature = source.name, source.shape, source.shapeSignature
        tensor.hasRank, tensor.buffer = source.hasRank, 0
        tensor.type = getattr(schema.TensorType, dtype.upper())
        if dtype == "uint8":
            quantization = schema.QuantizationParametersT()
            quantization.scale = list(map(float, source.quantization.scale))
            quantization.zeroPoint = [int(zero) + UINT8_SHIFT for zero in source.quantization.zeroPoint]
            tensor.quantization = quantization
        source.name = self.unused(source.name + b"_" + self.type_of(inner).encode())
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def unused(self, name: bytes) -> bytes:
        used = {tensor.name for tensor in self.graph.tensors}
        while name in used:
            name += b"_"
        return name

    def operator(self, kind: str, source: int, target: int, version: int) -> Any:
        schema = self.schema
        operator = schema.OperatorT()
        operator.opcodeIndex = self.code(getattr(schema.BuiltinOperator, kind), version)
        operator.inputs, operator.outputs = [source], [target]
        options = "QuantizeOptions" if kind == "QUANTIZE" else "DequantizeOptions"
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
        operator.builtinOptions = getattr(schema, options + "T")()
        return operator

    def code(self, builtin: int, version: int) -> int:
        for index, code in enumerate(self.model.operatorCodes):
            if code.builtinCode == builtin:
                code.version = max(code.version, version)
                return index
        code = self.schema.OperatorCodeT()
        # The one-byte field for old readers; 127 there means that the other field holds the code.
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def move_signature(self, ends: str, old: int, new: int) -> None:
        for signature in self.model.signatureDefs or []:
            for entry in getattr(signature, ends) or []:
                if signature.subgraphIndex == 0 and entry.tensorIndex == old:
                    entry.tensorIndex = new
