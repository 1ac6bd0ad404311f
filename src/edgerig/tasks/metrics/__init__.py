"""Metrics: pure functions of scores and labels, mirrored by objects that update and compute."""

from edgerig.tasks.metrics.functions import (
    PerClass,
    accuracy,
    auc,
    confusion_matrix,
    macro_f1,
    per_class,
    top_k_accuracy,
    wilson_interval,
)
from edgerig.tasks.metrics.objects import (
    Accuracy,
    Auc,
    ConfusionMatrix,
    MacroF1,
    Metric,
    PrecisionRecallF1,
    TopK,
    classification_metrics,
)

__all__ = [
    "Accuracy",
    "Auc",
    "ConfusionMatrix",
    "MacroF1",
    "Metric",
    "PerClass",
    "PrecisionRecallF1",
    "TopK",
    "accuracy",
    "auc",
    "classification_metrics",
    "confusion_matrix",
    "macro_f1",
    "per_class",
    "top_k_accuracy",
    "wilson_interval",
]
