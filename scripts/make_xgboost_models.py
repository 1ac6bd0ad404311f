"""Write the models of boosters and branches that tests read, and what XGBoost itself predicts with them.

The files are kept in the repository; this runs beside XGBoost 3.2: ``pip install xgboost==3.2.0 pandas scikit-learn``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import xgboost

FOLDER = Path(__file__).parents[1] / "tests" / "models" / "graph" / "xgboost_models"
#: Files, their parameters, and how many classes their labels have.
MODELS = {
    "dart": ({"booster": "dart", "rate_drop": 0.5, "objective": "reg:squarederror"}, 0),
    "categories": ({"objective": "reg:squarederror", "max_cat_to_onehot": 1}, 0),
    "one_hot": ({"objective": "reg:squarederror", "max_cat_to_onehot": 100}, 0),
    "two_sums": ({"objective": "multi:softprob", "num_class": 2}, 2),
    "linear": ({"booster": "gblinear", "objective": "reg:squarederror"}, 0),
}
#: What is no category, or none of training.
ODD = (-1, -0.5, -0.0, 0.5, 2.99, 11.5, 39.99, 40, 1000, 2**24 - 1, 2**24, 1e9, np.nan)


def main() -> None:
    """Write each model, and ``categories.npz`` with the samples and predictions."""
    random = np.random.default_rng(7)
    x = random.normal(size=(300, 5)).astype(np.float32)
    x[:, 3:] = random.integers(0, (12, 40), size=(300, 2))
    score = x[:, 0] * x[:, 1] + np.sin(7 * x[:, 3]) + np.cos(5 * x[:, 4])
    x[random.random(x.shape) < 0.05] = np.nan
    odd = x[:40].copy()
    odd[:, 3] = np.resize(ODD, 40)
    odd[:, 4] = np.resize(ODD[::-1], 40)
    arrays = {"x": np.concatenate([x, odd])}
    for name, (parameters, classes) in MODELS.items():
        labels = (score > 0).astype(np.float32) if classes else score
        kinds = ["q", "q", "q", "c", "c"] if "cat" in name or "hot" in name else ["q"] * 5
        data = xgboost.DMatrix(x, labels, feature_types=kinds)
        booster = xgboost.train({"max_depth": 4, "seed": 3, "nthread": 1, **parameters}, data, 6)
        booster.save_model(FOLDER / f"{name}.ubj")
        arrays[name] = booster.predict(xgboost.DMatrix(arrays["x"], feature_types=kinds)).reshape(len(arrays["x"]), -1)
    np.savez_compressed(FOLDER / "boosters.npz", **arrays)
    _write_codes(random)


def _write_codes(random: np.random.Generator) -> None:
    """A model that stores the categories of its features, as XGBoost does where it is trained on a DataFrame."""
    frame = pandas.DataFrame(
        {
            "a": pandas.Categorical(random.choice([10, 20, 30], 300)),
            "b": pandas.Categorical(random.choice(list("xyz"), 300)),
            "c": random.normal(size=300),
        }
    )
    model = xgboost.XGBRegressor(n_estimators=3, max_depth=3, enable_categorical=True, tree_method="hist")
    model.fit(frame, frame["a"].astype(int) / 10 + frame["c"])
    model.save_model(FOLDER / "codes.json")


if __name__ == "__main__":
    main()
