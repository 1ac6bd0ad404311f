"""ONNX to engines of TensorRT, on the device that is to run them: float32, float16, or int8 by calibration.

Written by the documentation of TensorRT 10's Python API; it was not run on a device yet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from edgerig.artifact import Artifact
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.compilers.onnx import refuses_quantized
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError
from edgerig.models.tensorrt_engine import Bound, packed
from edgerig.plugins import Settings
from edgerig.progress import Progress


class TensorRtSettings(CompilerSettings, frozen=True, kw_only=True):
    """Settings of TensorRT's builder."""

    workspace: Annotated[int, msgspec.Meta(description="MiB that a layer may use while it runs", ge=1)] = 1024


class TensorRtInt8Settings(TensorRtSettings, frozen=True, kw_only=True):
    """Settings of int8."""

    calibration_samples: Annotated[
        int, msgspec.Meta(description="samples of the training split that ranges are taken from", ge=1)
    ] = 256


class TensorRt(ModelCompiler):
    """ONNX to an engine of TensorRT in float32, without TF32. It runs on the device and version alone that built it."""

    name = "tensorrt"
    summary = "TensorRT engine, float32; on the NVIDIA device that runs it (not run by edgerig's own tests)"
    modules = ("tensorrt", "cuda")
    packages = ("tensorrt", "cuda-python")
    takes = frozenset({"onnx"})
    makes = "tensorrt"
    scheme = "float32"
    precision: ClassVar[str] = "float32"
    Settings: ClassVar[type[Settings]] = TensorRtSettings
    settings: TensorRtSettings

    def _refuses(self, format: str, scheme: str) -> str | None:
        return refuses_quantized(self.name, format, scheme)

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        import tensorrt

        from edgerig.models.tensorrt_device import check, device, tensors_of

        _, name, capability = device()
        logger = tensorrt.Logger(tensorrt.Logger.ERROR)
        builder = tensorrt.Builder(logger)
        network = builder.create_network(0)
        parser = tensorrt.OnnxParser(network, logger)
        if not parser.parse(artifact.read()):
            errors = "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
            raise CompileError(f"TensorRT cannot read {artifact.name}: {errors}.", "Name another engine for it.")
        config = builder.create_builder_config()
        config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, self.settings.workspace << 20)
        config.profiling_verbosity = tensorrt.ProfilingVerbosity.DETAILED
        config.clear_flag(tensorrt.BuilderFlag.TF32)
        calibrator = self._configure(config, artifact, dataset)
        plan = builder.build_serialized_network(network, config)
        del calibrator
        check(plan is not None, f"TensorRT could not build an engine of {artifact.name}")
        content = bytes(plan)
        engine = tensorrt.Runtime(logger).deserialize_cuda_engine(content)
        check(engine is not None, "TensorRT does not load the engine that it built")
        inputs, outputs = tensors_of(engine)
        bound = Bound(
            version=tensorrt.__version__,
            device=name,
            capability=capability,
            precision=self.precision,
            bytes=len(content),
            inputs=inputs,
            outputs=outputs,
        )
        return packed(bound, content)

    def _configure(self, config: Any, artifact: Artifact, dataset: Dataset | None) -> object:
        """Set the precision; the result must live until the engine is built."""
        return None


class TensorRtFloat16(TensorRt):
    """The same in float16, where TensorRT finds that faster: the census tells which layers are."""

    name = "tensorrt-float16"
    summary = "TensorRT engine, float16; on the NVIDIA device that runs it (not run by edgerig's own tests)"
    scheme = "float16"
    precision = "float16"

    def _configure(self, config: Any, artifact: Artifact, dataset: Dataset | None) -> object:
        import tensorrt

        config.set_flag(tensorrt.BuilderFlag.FP16)
        return None


class TensorRtInt8(TensorRt):
    """The same in int8, with ranges from calibration samples; inputs and outputs stay float32."""

    name = "tensorrt-int8"
    summary = "TensorRT engine, int8, calibrated; on the NVIDIA device that runs it (not run by edgerig's own tests)"
    scheme = "int8"
    precision = "int8"
    needs_dataset = True
    Settings: ClassVar[type[Settings]] = TensorRtInt8Settings

    def _configure(self, config: Any, artifact: Artifact, dataset: Dataset | None) -> object:
        import tensorrt

        from edgerig.compilers.calibration import calibration_inputs
        from edgerig.models.tensorrt_device import DeviceBuffers

        assert dataset is not None, "the pipeline refuses to calibrate without a dataset"
        assert isinstance(self.settings, TensorRtInt8Settings)
        count = self.settings.calibration_samples
        samples = calibration_inputs(dataset, artifact.preprocessing, artifact.inputs, count)
        buffers = DeviceBuffers(artifact.inputs)
        rows = iter(range(len(samples[0])))

        def get_batch(_: Any, names: list[str]) -> list[int] | None:
            row = next(rows, None)
            if row is None:
                return None
            for spec, values in zip(artifact.inputs, samples, strict=True):
                buffers.write(spec.name, np.ascontiguousarray(values[row]))
            return [buffers.address(name) for name in names]

        calibrator: Any = type(
            "Calibrator",
            (tensorrt.IInt8EntropyCalibrator2,),
            {
                "get_batch_size": lambda _: artifact.inputs[0].batch,
                "get_batch": get_batch,
                "read_calibration_cache": lambda _: None,
                "write_calibration_cache": lambda _, cache: None,
            },
        )()
        config.set_flag(tensorrt.BuilderFlag.INT8)
        config.int8_calibrator = calibrator
        return calibrator, buffers
