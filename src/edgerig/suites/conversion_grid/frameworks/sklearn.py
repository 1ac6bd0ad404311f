"""scikit-learn by skl2onnx: trees, neighbours and other models that are no networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgerig.suites.conversion_grid.conversion import Exported, ONNXConversion

FEATURES = 8


def _linear() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=200)


def _scaled() -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    return make_pipeline(StandardScaler(), PolynomialFeatures(2), _linear())


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(12, max_depth=5, random_state=0)


def _boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=12, random_state=0)


def _vectors() -> Any:
    from sklearn.svm import SVC

    return SVC(random_state=0)


def _neighbours() -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(3)


def _perceptron() -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((12,), max_iter=300, random_state=0)


def _bayes() -> Any:
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB()


#: By name what is special about an estimator, and what makes one that is not trained yet.
ESTIMATORS: Mapping[str, tuple[str, Callable[[], Any]]] = {
    "linear": ("logistic regression", _linear),
    "scaled": ("standardized, polynomial, then linear", _scaled),
    "forest": ("a random forest", _forest),
    "boosting": ("boosted trees by histograms", _boosting),
    "vectors": ("support vectors with a kernel", _vectors),
    "neighbours": ("nearest neighbours", _neighbours),
    "perceptron": ("a network of scikit-learn's own", _perceptron),
    "bayes": ("naive Bayes", _bayes),
}


class SklearnConversion(ONNXConversion):
    """Classifiers of scikit-learn, trained on drawn data: labels and probabilities."""

    name = "sklearn"
    summary = "exports scikit-learn's classifiers by skl2onnx"
    extra = "sklearn"
    modules = ("sklearn", "skl2onnx")
    packages = ("scikit-learn", "skl2onnx", "onnx")
    networks: ClassVar[Mapping[str, str]] = {name: about for name, (about, _) in ESTIMATORS.items()}
    opsets = (17, 13, 14, 15, 16, 18, 19, 20, 21)

    def _export(self, network: str, opset: int, path: Path) -> Exported:
        from skl2onnx import to_onnx

        rng = np.random.default_rng(2)
        features = rng.standard_normal((300, FEATURES)).astype(np.float32)
        labels = (features[:, 0] * features[:, 1] > 0).astype(int) + (features[:, 2] > 0.5)
        model = ESTIMATORS[network][1]().fit(features, labels)
        scores = hasattr(model, "predict_proba")
        options = {id(model): {"zipmap": False} if scores else {"zipmap": False, "raw_scores": True}}
        path.write_bytes(to_onnx(model, features[:1], options=options, target_opset=opset).SerializeToString())

        def run(sample: Any) -> list[Any]:
            values = sample["X"]
            second = model.predict_proba(values) if scores else model.decision_function(values)
            return [model.predict(values).astype(np.int64), second.astype(np.float32)]

        # A batch of one sample: what an engine on a device gets.
        return Exported({"X": ((1, FEATURES), "float32")}, run, classes=(0,))
