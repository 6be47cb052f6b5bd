"""The MLflow flavor of a model folder: what `mlflow.pyfunc.load_model` and `mlflow models serve --env-manager local` load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textcls.artifacts import load_model
from textcls.errors import DataError
from textcls.models import TextClassifier

if TYPE_CHECKING:
    import pandas


class _PyfuncModel:
    def __init__(self, classifier: TextClassifier) -> None:
        self.classifier = classifier

    def predict(self, model_input: pandas.DataFrame, params: dict[str, Any] | None = None) -> pandas.DataFrame:
        """Predict a column `text`: a row each with `label`, its probability as `score`, and all `probabilities`."""
        import pandas

        if "text" not in model_input:
            raise DataError(f"expected a column 'text', found {', '.join(map(str, model_input.columns))}")
        probabilities = self.classifier.predict_proba(model_input["text"].tolist())
        labels = [str(label) for label in self.classifier.classes_]
        best = probabilities.argmax(axis=1)
        return pandas.DataFrame(
            {
                "label": [labels[number] for number in best],
                "score": probabilities.max(axis=1, initial=0.0),
                "probabilities": [dict(zip(labels, map(float, row), strict=True)) for row in probabilities],
            }
        )


def _load_pyfunc(path: str) -> _PyfuncModel:
    """Load a model folder; MLflow calls this by name."""
    return _PyfuncModel(load_model(path))
