"""Forests as C on the simulated STM32F746: edgerig's beside m2cgen's, and both against scikit-learn itself.

Trains on scikit-learn's digits and asks of every test sample whether the class is that of ``predict``. Instructions and
flash are those of the same build: -O2, no C library. m2cgen is asked for with ``pip install m2cgen``.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from micro_peers import Image, Running

from edgerig.boards.toolchain import Toolchain, find_toolchain
from edgerig.micro import Options, compile_model

SAMPLES = 450
_GLUE = """\
#include <string.h>
{declarations}
float peer_input[{features}], peer_output[{classes}];
void peer_run(void)
{{
    {body}
}}
"""


def main() -> None:
    """Print a row for each forest and engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="test samples to compare")
    arguments = parser.parse_args()
    train, labels, test = _digits()
    toolchain = find_toolchain("gcc")
    print("forest                 engine     same class  max error  instructions     flash       RAM")
    for name, estimator in _forests().items():
        estimator.fit(train, labels)
        for engine, image_of in _engines().items():
            with tempfile.TemporaryDirectory(prefix="edgerig-") as work:
                try:
                    row = _row(
                        image_of(estimator, Path(work)), estimator, test[: arguments.samples], Path(work), toolchain
                    )
                except (Exception, SystemExit) as error:
                    row = f"failed: {str(error).splitlines()[0][:80]}"
            print(f"{name:22} {engine:9}  {row}", flush=True)


def _digits() -> tuple[Any, Any, Any]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    train, test, labels, _ = train_test_split(x.astype(np.float32), y, test_size=0.25, random_state=0)
    return train, labels, test


def _forests() -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    return {
        "50 trees, depth 6": RandomForestClassifier(50, max_depth=6, random_state=0),
        "50 trees, depth 10": RandomForestClassifier(50, max_depth=10, random_state=0),
        "10 x 10 trees, boosted": HistGradientBoostingClassifier(max_iter=10, random_state=0),
    }


def _engines() -> dict[str, Callable[[Any, Path], Image]]:
    engines: dict[str, Callable[[Any, Path], Image]] = {"edgerig": edgerig_image}
    if importlib.util.find_spec("m2cgen"):
        engines["m2cgen"] = m2cgen_image
    else:
        print("m2cgen is not installed: pip install m2cgen", file=sys.stderr)
    return engines


def edgerig_image(estimator: Any, folder: Path) -> Image:
    """The forest by way of ONNX."""
    from skl2onnx import to_onnx

    sample = np.zeros((1, estimator.n_features_in_), np.float32)
    data = to_onnx(estimator, sample, options={"zipmap": False}).SerializeToString()
    compile_model(data, "model", Options(cpu="cortex-m7"), "forest.onnx").write(folder / "c")
    body = (
        "memcpy(model_input(0), peer_input, sizeof peer_input); model_run(); "
        "memcpy(peer_output, model_output(1), sizeof peer_output);"
    )
    _glue(folder, estimator, '#include "c/model.h"', body)
    return _image([*sorted((folder / "c").rglob("*.c")), folder / "peer.c"], folder)


def m2cgen_image(estimator: Any, folder: Path) -> Image:
    """The forest as nested comparisons in double precision."""
    import m2cgen

    (folder / "forest.c").write_text(m2cgen.export_to_c(estimator))
    sizes = {"features": estimator.n_features_in_, "classes": len(estimator.classes_)}
    body = (
        "static double x[{features}], y[{classes}]; for (int i = 0; i < {features}; i++) x[i] = peer_input[i]; "
        "score(x, y); for (int i = 0; i < {classes}; i++) peer_output[i] = (float)y[i];"
    ).format(**sizes)
    _glue(folder, estimator, "void score(double *input, double *output);", body)
    return _image([folder / "forest.c", folder / "peer.c"], folder)


def _glue(folder: Path, estimator: Any, declarations: str, body: str) -> None:
    sizes = {"features": estimator.n_features_in_, "classes": len(estimator.classes_)}
    (folder / "peer.c").write_text(_GLUE.format(declarations=declarations, body=body, **sizes))


def _image(sources: list[Path], folder: Path) -> Image:
    return Image(sources, [folder], "peer_run", "peer_input", "peer_output")


def _row(image: Image, estimator: Any, test: Any, folder: Path, toolchain: Toolchain) -> str:
    running = Running(image, folder / "image", "2", toolchain)
    expected = estimator.predict_proba(test)
    empty = np.zeros(expected.shape[1], np.float32)
    results = [running.infer(sample, empty) for sample in test]
    scores = np.array([score for score, _ in results])
    same = float((scores.argmax(1) == expected.argmax(1)).mean())
    count = float(np.mean([instructions for _, instructions in results]))
    error = float(np.abs(scores - expected).max())
    return f"{same:9.2%}  {error:9.1e}  {count:12,.0f}  {running.flash:8,}  {running.ram:8,}"


if __name__ == "__main__":
    main()
