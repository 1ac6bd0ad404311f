"""Categories where a model takes their codes are named; ``codes.json`` is XGBoost's own, trained on a DataFrame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgerig
from edgerig.engine.rounds.category_codes import judge_codes
from edgerig.models.files import open_artifact

CODES = Path(__file__).parents[2] / "models" / "graph" / "xgboost_models" / "codes.json"


def features(first: list[float], second: list[float]) -> np.ndarray:
    """Of a feature with the categories 10, 20, 30, one with x, y, z, and a number."""
    return np.array([first, second, [0.5] * len(first)], np.float32).T


def test_codes_and_missing_values_are_right() -> None:
    assert judge_codes(open_artifact(CODES), features([0, 1, 2, np.nan], [2, np.nan, 0, 1])) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            [10, 20, 30],
            "Feature 0 holds 10, 20, 30, and the model takes codes from 0 to 2 there, of the categories 10, 20, 30",
        ),
        ([0, 1, 3], "Feature 0 holds 3, and"),
        ([-1, 1, 2], "Feature 0 holds -1, and"),
        ([0.5, 1, 2], "Feature 0 holds 0.5, and"),
    ],
)
def test_what_is_no_code_is_named(values: list[float], words: str) -> None:
    (warning,) = judge_codes(open_artifact(CODES), features(values, [0, 1, 2]))
    assert warning.startswith(words)
    (other,) = judge_codes(open_artifact(CODES), features([0, 1, 2], values))
    assert "of the categories x, y, z: map them" in other


def test_a_model_without_stored_categories_is_not_judged() -> None:
    model = open_artifact(CODES.with_name("regression.ubj"))
    assert judge_codes(model, np.full((3, 5), 77, np.float32)) == []


@pytest.mark.slow
def test_it_stands_beside_the_quality(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=features([10, 20, 30, 10], [0, 1, 2, 0]), y=np.ones((4, 1), np.float32))
    rig = {
        "model": {"file": str(CODES)},
        "dataset": {"use": "npz", "file": str(tmp_path / "d.npz")},
        "task": "regression",
        "matrix": [{"runtimes": ["onnxruntime"]}],
        "measure": {"rounds": 1, "seconds": 0, "warmup": 1, "profile": False, "transport_samples": 0},
    }
    (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    assert any("codes from 0 to 2" in text for text in cell.quality.warnings)
