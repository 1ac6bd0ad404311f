"""Bundles as a real run would leave them, without running anything."""

from __future__ import annotations

import base64
import functools
import io
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.artifact import Artifact, Origin, Preprocessing, Quantization, TensorSpec
from edgerig.files import sha256, write_bytes, write_json
from edgerig.measure.kinds import Kind, Measurement, Quantity, Unavailable
from edgerig.measure.layer_key import LayerKey
from edgerig.measure.machine import MachineState
from edgerig.measure.profile import LayerTime
from edgerig.measure.stats import summarize
from edgerig.report.load import Loaded
from edgerig.results.layers.layer_map import RULES, FileOperator, LayerMap, MappedRow, write_layer_map
from edgerig.results.types import (
    BUNDLE_VERSION,
    CellFailure,
    CellResult,
    DatasetInfo,
    Latency,
    ModelInfo,
    Round,
    RunResult,
    VariantSize,
)
from edgerig.tasks.judgement import Agreement, ClassQuality, Disagreement, MetricValue, Quality
from edgerig.tasks.pictures import picture_of

SAMPLES = 2000
#: A run: variant, runtime, target, accuracy, microseconds, bytes, kind.
Row = tuple[str, str, str, float, float, int, Kind]
DEMO: tuple[Row, ...] = (
    ("float32", "litert", "local", 0.9850, 196.0, 375_840, "measured"),
    ("float16", "litert", "local", 0.9850, 201.0, 190_912, "measured"),
    ("dynamic", "litert", "local", 0.9845, 141.0, 103_128, "measured"),
    ("int8", "litert", "local", 0.9840, 92.0, 101_664, "measured"),
    ("int8", "litert", "tcp://127.0.0.1:7433", 0.9840, 93.5, 101_664, "measured"),
    ("onnx", "onnxruntime", "local", 0.9850, 118.0, 376_930, "measured"),
    ("int8", "tflm", "local", 0.9840, 4_810.0, 101_664, "measured"),
    ("int8", "tflm", "sim:stm32f746", 0.9840, 71_300.0, 101_664, "emulated"),
)
#: Operators of the digit network, with their shapes and their share of the time.
_OPERATORS = (
    ("CONV_2D", "sequential/conv2d/Relu", (1, 26, 26, 32), 0.24),
    ("MAX_POOL_2D", "pool", (1, 13, 13, 32), 0.06),
    ("CONV_2D", "sequential/conv2d_1/Relu", (1, 11, 11, 64), 0.58),
    ("MAX_POOL_2D", "pool_1", (1, 5, 5, 64), 0.04),
    ("RESHAPE", "flatten", (1, 1600), 0.004),
    ("FULLY_CONNECTED", "dense/Relu", (1, 64), 0.064),
    ("SOFTMAX", "softmax", (1, 10), 0.012),
)


def number(value: float, unit: str = "s", *, kind: Kind = "measured", method: str = "m", **more: Any) -> Measurement:
    if kind in ("modelled", "estimated"):
        more |= {"low": 0.8 * value, "high": 1.5 * value, "bounds": "model"}
    return Measurement(value=value, unit=unit, kind=kind, method=method, **more)


def round_of(cell: CellResult, times_ns: NDArray[np.int64], number: int, **more: Any) -> Round:
    """A round of ``times_ns`` in all else as ``cell`` is."""
    return Round(
        number=number,
        started="2026-03-14T09:26:00+00:00",
        seconds=1.0,
        series="s",
        load=cell.latency.load,
        first=cell.latency.first,
        steady=summarize(times_ns * 1e-9),
        memory=cell.memory,
        machine=cell.machine,
        machine_after=cell.machine_after,
        **more,
    )


def machine(**changes: Any) -> MachineState:
    state = MachineState(
        host="workbench",
        system="Linux 6.1.0-30-amd64",
        architecture="x86_64",
        cpu="AMD EPYC 7B13 64-Core Processor",
        cores=2,
        memory_bytes=25_276_502_016,
        memory_free_bytes=19_400_000_000,
        load_1min=0.31,
        governor=None,
        frequency_hz=2.45e9,
        virtual="kvm",
        python="3.11.2",
        packages={"ai-edge-litert": "2.3.0", "onnxruntime": "1.31.1", "numpy": "2.4.6"},
        edgerig="0.1.0",
        time="2026-03-14T09:26:00+00:00",
    )
    return msgspec.structs.replace(state, **changes)


def make_artifact(variant: str, size: int) -> Artifact:
    integer = variant == "int8"
    dtype, quantization = ("int8", Quantization((0.00390625,), (-128,))) if integer else ("float32", None)
    suffix = "onnx" if variant.startswith("onnx") else "tflite"
    origins = [Origin("keras", {"epochs": 3, "seed": 0}, None, {"keras": "3.15.1", "jax": "0.10.2"}, 21.4)]
    origins.append(Origin("float32", {}, sha256(b"keras"), {"litert-converter": "0.5.0"}, 0.83))
    if variant not in {"float32", "onnx"}:
        origins.append(Origin(variant, {"calibration": 200}, sha256(b"float32"), {"litert-quantizer": "0.11.0"}, 1.9))
    return Artifact(
        name=f"mnist-cnn-{variant}",
        format=suffix,
        sha256=sha256(variant.encode()),
        size=size,
        inputs=(TensorSpec("image", (1, 28, 28, 1), dtype, quantization),),
        outputs=(TensorSpec("digit", (1, 10), dtype, quantization),),
        path=f"artifacts/{variant}.{suffix}",
        preprocessing=Preprocessing(scale=1 / 255),
        scheme=variant,
        classes=tuple("0123456789"),
        origins=tuple(origins),
    )


def make_times(micro: float, n: int, seed: int) -> NDArray[np.int64]:
    """Right-skewed, with a few interruptions, as a real machine gives them."""
    rng = np.random.default_rng(seed)
    times = micro * 1e3 * (1 + 0.02 * rng.gamma(2.0, 1.0, n))
    times[rng.random(n) < 0.006] *= 1.9
    return times.astype(np.int64)


def make_quality(accuracy: float, seed: int, samples: int = SAMPLES) -> Quality:
    rng = np.random.default_rng(seed)
    confusion = np.diag(np.full(10, samples // 10))
    for _ in range(round((1 - accuracy) * samples)):
        i, j = ((4, 9), (7, 2), (3, 5), (8, 3), *(tuple(rng.choice(10, 2, replace=False)) for _ in range(3)))[
            rng.integers(7)
        ]
        confusion[i, i] -= 1
        confusion[i, j] += 1
    right = np.diag(confusion)
    precision, recall = right / np.maximum(confusion.sum(0), 1), right / confusion.sum(1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    half = 1.96 * float(np.sqrt(accuracy * (1 - accuracy) / samples))
    return Quality(
        samples=samples,
        metrics=(
            MetricValue(
                name="accuracy",
                value=accuracy,
                higher_is_better=True,
                low=max(0.0, accuracy - half),
                high=min(1.0, accuracy + half),
            ),
            MetricValue(name="macro F1", value=float(f1.mean()), higher_is_better=True),
        ),
        classes=tuple(
            ClassQuality(
                name=str(i),
                precision=float(precision[i]),
                recall=float(recall[i]),
                f1=float(f1[i]),
                support=int(confusion[i].sum()),
            )
            for i in range(10)
        ),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
    )


@functools.cache
def digit_picture(seed: int) -> str:
    """A stroke on black, 28 by 28."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros((28, 28))
    x, y = rng.uniform(8, 20, 2)
    dx, dy = rng.normal(0, 1, 2)
    rows, columns = np.mgrid[:28, :28]
    for _ in range(60):
        canvas = np.maximum(canvas, np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2.2))
        dx, dy = dx + rng.normal(0, 0.3), dy + rng.normal(0, 0.3)
        x, y = float(np.clip(x + 0.5 * dx, 5, 23)), float(np.clip(y + 0.5 * dy, 4, 24))
    data = picture_of((canvas * 255).astype(np.uint8))
    assert data is not None
    return base64.b64encode(data).decode()


def make_agreement(variant: str, count: int, samples: int = SAMPLES) -> Agreement:
    rng = np.random.default_rng(count + 1)
    found = []
    for place in range(count):
        label = int(rng.integers(10))
        wrong, other = (label + 5) % 10, (label + 1) % 10
        reference, predicted = ((label, wrong), (wrong, label), (wrong, other), (label, other))[place % 4]
        found.append(
            Disagreement(
                index=int(rng.integers(samples)),
                label=label,
                reference=reference,
                predicted=predicted,
                picture=digit_picture(place),
            )
        )
    return Agreement(
        reference="mnist-cnn-float32",
        samples=samples,
        same_class=1 - count / samples,
        max_abs_error=0.031,
        mean_abs_error=0.0009,
        disagreements=tuple(found),
    )


def make_layers(runtime: str, micro: float, kind: Kind) -> tuple[LayerTime, ...] | Unavailable:
    if runtime == "tflm" and kind == "measured":
        return Unavailable("TFLite Micro's Python build has no profiler")
    return tuple(
        LayerTime(index=i, name=name, op=op, time=number(micro * 1e-6 * share, kind=kind), output_shape=shape)
        for i, (op, name, shape, share) in enumerate(_OPERATORS)
    )


def make_layer_map(cell: CellResult) -> LayerMap | None:
    """The operators of a cell's profile as those of its file, each of the layer that its name tells."""
    if isinstance(cell.layers, Unavailable):
        return None
    return LayerMap(
        rules=RULES,
        artifact=cell.artifact.sha256,
        source=None,
        operators=tuple(
            FileOperator(
                index=layer.index,
                op=layer.op,
                scope=LayerKey((layer.name.removeprefix("sequential/").split("/")[0],), "scope"),
                layer=None,
                shape=layer.output_shape,
                macs=None,
            )
            for layer in cell.layers
        ),
        profile=tuple(MappedRow(name=layer.name, operator=layer.index, mapped="order") for layer in cell.layers),
    )


def make_cell(row: Row, *, seed: int = 0, samples: int = SAMPLES, **changes: Any) -> tuple[CellResult, dict[str, Any]]:
    """One cell and its raw arrays."""
    variant, runtime, target, accuracy, micro, size, kind = row
    times = make_times(micro, samples, seed)
    distribution = summarize(times * 1e-9, resamples=200)
    steady = number(
        distribution.median,
        kind=kind,
        method="median, 95 % bootstrap interval; invoke only",
        clock="perf_counter_ns",
        n=samples,
        low=distribution.low,
        high=distribution.high,
    )
    transport: Quantity = Unavailable("no transport: the network runs in a process of this machine")
    if target.startswith("tcp"):
        transport = number(41e-6, method="round trip less inference", n=samples)
    memory: dict[str, Quantity] = {}
    if kind == "measured":
        memory = {
            "rss_before_load": number(61.2e6, "B", method="VmRSS"),
            "peak_rss": number(66.4e6 + size * 4, "B", method="VmHWM of the process"),
        }
    else:
        memory = {"peak_rss": Unavailable("a board without an operating system has no resident set")}
    if runtime == "tflm":
        memory["arena"] = number(53_412, "B", kind=kind, method="recording allocator")
    cores_warning = "load of 2.1 on 2 cores while measuring" if variant == "dynamic" else ""
    cell = CellResult(
        id=f"{variant}-{runtime}-{target.split(':')[0]}",
        variant=variant,
        runtime=runtime,
        runtime_version={"litert": "2.3.0", "onnxruntime": "1.31.1", "tflm": "0.dev20261023"}.get(runtime, "1"),
        target=target,
        options={"threads": 1},
        artifact=make_artifact(variant, size),
        quality=make_quality(accuracy, 7, samples),
        agreement=Unavailable("it is the float model itself")
        if variant == "float32"
        else make_agreement(variant, 12 if "int8" in variant else 2, samples),
        latency=Latency(
            load=number(0.0041, kind=kind, method="file to allocated tensors", clock="perf_counter_ns"),
            first=number(distribution.median * 3.1, kind=kind, method="first inference", clock="perf_counter_ns"),
            steady=steady,
            distribution=distribution,
            throughput=number(1 / distribution.median, "1/s", kind=kind, method="1 / median"),
            transport=transport,
            preprocessing=number(6.1e-6, method="host, whole batch / n"),
            postprocessing=number(1.9e-6, method="host, whole batch / n"),
        ),
        memory=memory,
        layers=make_layers(runtime, micro, kind),
        machine=machine(),
        machine_after=machine(load_1min=0.87, memory_free_bytes=19_100_000_000, time="2026-03-14T09:27:00+00:00"),
        warnings=(cores_warning, "wide spread: (p90 - p10) / median is 0.31") if cores_warning else (),
        commands=(f"edgerig run examples/mnist/rig.yaml --only {variant}-{runtime} --out runs/again",),
        started="2026-03-14T09:26:00+00:00",
        seconds=3.4,
        measured_samples=samples,
        warmup=20,
        clock="perf_counter_ns of the device" if kind == "measured" else "instruction count at 216 MHz",
        method="invoke only; inputs set before, outputs read after",
    )
    cell = msgspec.structs.replace(cell, **changes)
    arrays = {
        "times_ns": times,
        "predictions": np.zeros(samples, np.int64),
        "labels": np.zeros(samples, np.int64),
        "indices": np.arange(samples),
    }
    return cell, arrays


def make_run(rows: tuple[Row, ...] = DEMO, *, name: str = "mnist", seed: int = 0, **changes: Any) -> Loaded:
    """A whole run in memory; ``changes`` are fields of `RunResult`."""
    made = [make_cell(row, seed=seed + place) for place, row in enumerate(rows)]
    original = 1_152_344
    files = {"original (.keras)": original, **{row[0]: row[5] for row in rows}}
    result = RunResult(
        name=name,
        version=BUNDLE_VERSION,
        edgerig="0.1.0",
        created="2026-03-14T09:25:00+00:00",
        finished="2026-03-14T09:27:10+00:00",
        model=ModelInfo(
            name="mnist-cnn",
            source="trained here",
            parameters=93_322,
            macs=2_794_240,
            training={
                "train_settings": {"epochs": 3, "batch_size": 128, "seed": 0, "train_samples": None},
                "model": "mnist-cnn",
                "dataset": "mnist",
                "train_samples": 9000,
                "fingerprints": {"train": "c2ac"},
                "accuracy": 0.98765,
            },
        ),
        dataset=DatasetInfo(
            name="mnist",
            task="classification",
            classes=tuple("0123456789"),
            test_samples=SAMPLES,
            train_samples=10_000,
            fingerprint=sha256(b"mnist"),
            options={"subset": "bundled"},
        ),
        host=machine(),
        cells=tuple(cell for cell, _ in made),
        sizes=tuple(
            VariantSize(name=key, bytes=size, ratio=original / size, saving=1 - size / original)
            for key, size in files.items()
        ),
        commands=("edgerig run examples/mnist/rig.yaml --out runs/demo",),
        stages={"train": "cached", "compile int8": "built"},
        planned=tuple(cell.id for cell, _ in made),
    )
    result = msgspec.structs.replace(result, **changes)
    maps = {cell.id: layer_map for cell, _ in made if (layer_map := make_layer_map(cell)) is not None}
    return Loaded(Path("runs") / name, result, {cell.id: arrays for cell, arrays in made}, layer_maps=maps)


def save(run: Loaded, folder: Path, *, finished: bool = True) -> Path:
    """Write a run as a bundle; unfinished without results.json."""
    result = run.result
    header = {
        "version": result.version,
        "name": result.name,
        "edgerig": result.edgerig,
        "created": result.created,
        "plan_hash": "0" * 64,
        "rig": {},
        "cells": result.planned,
        "commands": result.commands,
        "model": result.model,
        "dataset": result.dataset,
    }
    write_json(folder / "bundle.json", header)
    for cell in result.cells:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **run.samples[cell.id])
        write_bytes(folder / "cells" / cell.id / "samples.npz", buffer.getvalue())
        write_json(folder / "cells" / cell.id / "result.json", cell)
        if cell.id in run.layer_maps:
            write_layer_map(folder, cell, run.layer_maps[cell.id])
    for failure in result.failures:
        write_json(folder / "cells" / failure.id / "failure.json", failure)
    if finished:
        write_json(folder / "results.json", result)
    return folder


def failure(identity: str = "onnx-int8-onnxruntime-local") -> CellFailure:
    return CellFailure(
        id=identity, error="InferenceError", message="onnxruntime cannot load it", time="2026-03-14T09:27:00+00:00"
    )


class Maker:
    """The functions of this file, for tests: fixtures cannot be imported from a conftest."""

    Row, DEMO, SAMPLES = Row, DEMO, SAMPLES
    number, cell, run = staticmethod(number), staticmethod(make_cell), staticmethod(make_run)
    save, failure, machine, quality = (
        staticmethod(save),
        staticmethod(failure),
        staticmethod(machine),
        staticmethod(make_quality),
    )
    picture, layers, layer_map = staticmethod(digit_picture), staticmethod(make_layers), staticmethod(make_layer_map)


@pytest.fixture(scope="session")
def make() -> type[Maker]:
    return Maker


@pytest.fixture(scope="session")
def demo() -> Loaded:
    """The run of eight cells."""
    return make_run()


@pytest.fixture(scope="session")
def demo_folder(demo: Loaded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(demo, tmp_path_factory.mktemp("bundles") / "demo")


def seen(page: str) -> str:
    """The text of a page."""
    parts: list[str] = []

    class Texts(HTMLParser):
        def handle_data(self, data: str) -> None:
            parts.append(data)

    Texts().feed(page)
    return " ".join(parts)
