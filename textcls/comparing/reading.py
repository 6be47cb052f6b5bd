"""Read what is to be compared, by name, as predictions of the same rows: runs, model folders, registered models and files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textcls.artifacts import describe_model, load_model
from textcls.dataset import Row, group_column, holds_rows, read_table
from textcls.errors import DataError
from textcls.evaluation import Predictions, make_predictions
from textcls.models import TextClassifier
from textcls.prediction import count_learnt, grouped, label_probabilities, read_labelled
from textcls.tracking import RunSummary, Store
from textcls.tracking.kept import read_predictions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class System:
    """One of those that are compared: its predictions, and the run that they are of, if it is one of the store's."""

    predictions: Predictions
    run: RunSummary | None


@dataclass(frozen=True)
class _Found:
    """What a name means: `source` is the same where two names mean the same, `name` is short and `full` tells it from all others."""

    source: str
    name: str
    full: str
    run: RunSummary | None = None
    model: Path | None = None
    file: Path | None = None


def read_systems(
    names: Sequence[str],
    open_store: Callable[[], Store],
    data: Path | None = None,
    *,
    text: str | None = None,
    label: str | None = None,
) -> list[System]:
    """Read the predictions of all that is named.

    Args:
        names: each the id or name of a run, or a file of predictions; with `data` a model folder or `models:/…` too.
        open_store: opens the MLflow store; it is called only if something is named that is no file or folder.
        data: labelled rows that every model that is named predicts; None takes the predictions that the runs have kept.
        text, label: columns of `data`; by default those of the data that a model learnt from, or else `text` and `label`.

    Raises:
        DataError: two names mean the same, a model is named without `data` or has learnt from them, or predictions are broken.
        TrackingError: there is no such run, or it is not finished or has kept no predictions.
        ModelError: a model folder is damaged.
    """
    found: dict[str, _Found] = {}
    opened: Store | None = None
    for name in names:
        if opened is None and not (Path(name).is_dir() or holds_rows(name)):
            opened = open_store()
        its = _find(name, opened, data)
        if its.source in found:
            raise DataError(f"{name}: the same as another that is compared, {found[its.source].full}; name two different ones")
        found[its.source] = its
    rows = []
    if data is not None:
        own = [describe_model(its.model).columns for its in found.values() if its.model is not None]
        texts, labels = ((*(columns[what] for columns in own), what) for what in ("text", "label"))
        rows = read_labelled(data, text=text or texts, label=label or labels)
    systems = [System(_predictions(its, opened, data, rows), its.run if data is None else None) for its in found.values()]
    short = [its.name for its in found.values()]
    return [
        system if short.count(its.name) == 1 else replace(system, predictions=replace(system.predictions, name=its.full))
        for system, its in zip(systems, found.values(), strict=True)
    ]


def _find(name: str, store: Store | None, data: Path | None) -> _Found:
    path = Path(name)
    if path.is_dir() or name.startswith("models:/"):
        if data is None:
            kind = "a registered model" if name.startswith("models:/") else "a folder"
            raise DataError(
                f"{name}: expected a run or a file of predictions, found {kind}; name the rows that it is to predict with --data FILE"
            )
        if path.is_dir():
            return _Found(str(path.resolve()), name, name, model=path)
    if holds_rows(path):
        return _Found(str(path.resolve()), name, name, file=path)
    if store is None:
        raise RuntimeError("a store is opened for whatever is no file or folder")
    if name.startswith("models:/"):
        return _Found(name, name, name, model=store.model_folder(name))
    run = store.run(name)
    model = store.model_folder(name) if data is not None else None
    return _Found(run.id, run.name, f"{run.name} ({run.id[:8]})", run=run, model=model)


def _predictions(its: _Found, store: Store | None, data: Path | None, rows: Sequence[Row]) -> Predictions:
    if its.model is not None and data is not None:
        classifier = load_model(its.model)
        _check_new_to(classifier, its.name, data, rows)
        rows = grouped(rows, classifier, file=data)
        labels = [str(name) for name in classifier.classes_]
        predicted = [
            # The prediction is given, so that a model that is right everywhere is not taken for rows without the truth.
            {
                **row,
                "article": row["group"],
                "prediction": labels[int(p.argmax())],
                "probabilities": dict(zip(labels, map(float, p), strict=True)),
            }
            for row, p in zip(rows, label_probabilities(classifier, rows, where=str(data)), strict=True)
        ]
        return make_predictions(predicted, name=its.name, grouped_by=group_column(rows[0], classifier.group))
    if its.file is not None:
        return make_predictions(read_table(its.file), name=its.name)
    if store is None or its.run is None:
        raise RuntimeError("what is no model and no file is a run")
    return make_predictions(
        read_predictions(store, its.run),
        name=its.name,
        data=its.run.data or None,
        n_train=its.run.metrics.get("n_train"),
        grouped_by=its.run.parameters.get("data.group", "article"),
    )


def _check_new_to(classifier: TextClassifier, name: str, data: Path, rows: Sequence[Row]) -> None:
    """Refuse a model that has learnt from the very rows, and warn of one that has from some, or of which it is not known."""
    known = count_learnt(classifier, rows)
    if known == len(rows):
        raise DataError(
            f"{name}: it has learnt from the very rows of {data}, so its figures there say nothing of others; "
            "name rows that are new to all"
        )
    if known:
        logger.warning("%s: it has learnt from %s of the %s texts of %s", name, f"{known:,}", f"{len(rows):,}", data)
    if classifier.learnt_ is None:
        logger.warning("%s: it does not say which texts it has learnt from, so it may know some of %s", name, data)
