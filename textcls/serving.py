"""The MLflow flavor of a model folder: what `mlflow.pyfunc.load_model` and `mlflow models serve --env-manager local` load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textcls.artifacts import load_model
from textcls.errors import DataError
from textcls.evaluation.abstention import is_answered
from textcls.models import TextClassifier

if TYPE_CHECKING:
    import pandas


class _PyfuncModel:
    def __init__(self, classifier: TextClassifier) -> None:
        self.classifier = classifier

    def predict(self, model_input: pandas.DataFrame, params: dict[str, Any] | None = None) -> pandas.DataFrame:
        """Predict a column `text`, and for models that read context the columns `before` and `after`, which may be left out.

        Returns:
            a row each with `label`, None where the model's policy is to abstain, the best label's probability as `score`, and all
            `probabilities`.
        """
        import pandas

        if "text" not in model_input:
            raise DataError(f"expected a column 'text', found {', '.join(map(str, model_input.columns))}")
        read = [column for column in ("text", "before", "after") if column in model_input]
        values = model_input[read].astype(object)
        rows = [dict(zip(read, row, strict=True)) for row in values.where(values.notna(), None).to_numpy()]
        probabilities = self.classifier.predict_proba(rows)
        labels = [str(label) for label in self.classifier.classes_]
        sure = is_answered(probabilities, self.classifier.abstain_below)
        answers = [labels[best] if its else None for best, its in zip(probabilities.argmax(axis=1), sure, strict=True)]
        return pandas.DataFrame(
            {
                "label": pandas.Series(answers, dtype=object),  # as strings, pandas would make None a NaN
                "score": probabilities.max(axis=1),
                "probabilities": [dict(zip(labels, map(float, row), strict=True)) for row in probabilities],
            }
        )


def _load_pyfunc(path: str) -> _PyfuncModel:
    """Load a model folder; MLflow calls this by name."""
    return _PyfuncModel(load_model(path))
