"""Load a model, and label articles and files with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from textcls.articles import Article
from textcls.artifacts import load_model
from textcls.dataset import Names, Row
from textcls.errors import DataError, ModelError, TrackingError
from textcls.evaluation.abstention import is_answered
from textcls.evaluation.predictions import as_kept
from textcls.models import TextClassifier
from textcls.prediction.inputs import each_once, find_inputs, in_context, named, read_input, sentences_of
from textcls.stores import DEFAULT_STORE
from textcls.tracking import Store

_BATCH = 1024
_EXPLAINED_BATCH = 64
_MOST_WEIGHED = 10
_WRITTEN = ("id", "article", "start", "end", "block", "text")


def load(model: str | Path, *, store: str | Path = DEFAULT_STORE) -> TextClassifier:
    """Load a classifier.

    Args:
        model: a model folder, the id or name of an MLflow run, or a registered model, `models:/name@alias`.
        store: the folder of the MLflow store or the address of a tracking server, for what is not a model folder.

    Returns:
        the classifier, with its decision policy if it has one. Its `predict` gives every text a label; where that is less probable
        than its `abstain_below`, `predict_article` and `predict_inputs` give None.

    Raises:
        ModelError: there is no such model, no store to look for it in, or its folder is damaged or from elsewhere.
    """
    if model == "":  # which is the current folder to `Path`, and any run to a store
        raise ModelError("'': no such model folder or run")
    if Path(model).exists():
        return load_model(model)
    try:
        opened = Store(store)  # held while the model is read, for a copy of it is removed with the store
        folder = opened.model_folder(str(model))
    except TrackingError as error:
        asked = "" if str(model).startswith("models:/") else f"{model}: no such model folder; and as a run: "
        raise ModelError(f"{asked}{error}") from error
    return load_model(folder)


def predict_inputs(
    classifier: TextClassifier, inputs: Sequence[str | Path], *, text: str | None = None, id: str = "id", explain: bool = False
) -> Iterator[Row]:
    """Label everything in the inputs, in their order; what is named again once, with a warning.

    It is labelled in batches as it is read: no more is held here, and rows of standard input do not wait for those that are yet to come.
    Only a model that reads neighbouring sentences takes all rows of an input at once.

    Args:
        classifier: a fitted classifier.
        inputs: each a `.txt` article, a folder of them, a JSONL, CSV or Parquet file, or `-` for standard input, which is read
            as JSONL if it begins with `{` and else as an article; a JSON array, and a first line that is a CSV's and names the
            column of the text, are refused.
        text, id: the columns of the text and of what the rows are known by, for files with columns; by default the text's is that of the
            data that the classifier learnt from, or else `text`.
        explain: whether to say what weighed, which takes an encoder half a second a sentence.

    Yields:
        for a sentence of an article `article`, `start`, `end`, `block`, `text`, `label` and `probabilities`; for a row of a file those of
        its `id`, `article`, `start`, `end` and `block` that it has, `text`, `label` and `probabilities`. The label is None where the
        classifier's policy is to abstain. An article's title is labelled (its `block` is `title`), its headings are left out, with a
        warning where these seem to be texts, one a line. If it is to be explained, `weighed` are the pieces of the text
        that added most to the log odds of the most probable label over the next, each as `piece`, `weight` and `part`.

    Raises:
        DataError: the inputs are no list, one is missing or broken, or two articles have one name.
        ModelError: it is to be explained, and the classifier cannot say what weighed.
    """
    if isinstance(inputs, str | Path):  # over whose letters a loop would go
        raise DataError(f"expected a list of inputs, found {str(inputs)!r} alone; pass [{str(inputs)!r}]")
    given = each_once(str(name) for name in inputs)
    articles = find_inputs(given)  # before work is spent on any
    names = named(text, classifier, "text")
    rows = chain.from_iterable(_read_for(classifier, name, articles, names, id) for name in given)
    return _in_batches(classifier, rows, explain=explain)


def _in_batches(classifier: TextClassifier, rows: Iterable[Row | None], *, explain: bool) -> Iterator[Row]:
    for batch in _batches(rows, _EXPLAINED_BATCH if explain else _BATCH):
        predicted = _predict_batch(classifier, batch)
        yield from _explained(classifier, batch, list(predicted)) if explain else predicted


def predict_article(classifier: TextClassifier, article: Article) -> list[Row]:
    """Label the sentences of an article; see `predict_inputs` for what a row holds, and which sentences have none."""
    return list(_predict_batch(classifier, in_context(classifier, list(sentences_of(article.id, [article])))))


def _read_for(
    classifier: TextClassifier, name: str, articles: Mapping[str, Sequence[Path]], text: Names, id: str
) -> Iterable[Row | None]:
    """An input as a classifier reads it: as it comes, or all of it where there are neighbours to be found."""
    rows = read_input(name, articles, text, id, classifier.group)
    if classifier.context is None:
        return rows
    file = None if name in articles else "standard input" if name == "-" else name
    return in_context(classifier, [row for row in rows if row is not None], file=file)


def _batches(rows: Iterable[Row | None], size: int) -> Iterator[list[Row]]:
    """Rows in lists of a size, and of fewer at the end and at a None, after which they may be long in coming."""
    batch: list[Row] = []
    for row in rows:
        if row is not None:
            batch.append(row)
        if len(batch) == size or (row is None and batch):
            yield batch
            batch = []
    if batch:
        yield batch


def _predict_batch(classifier: TextClassifier, rows: Sequence[Row]) -> Iterator[Row]:
    probabilities = classifier.predict_proba(rows)
    labels = [str(label) for label in classifier.classes_]
    for row, of_labels, sure in zip(rows, probabilities, is_answered(probabilities, classifier.abstain_below), strict=True):
        yield {
            **{key: row[key] for key in _WRITTEN if key in row},
            "label": labels[int(np.argmax(of_labels))] if sure else None,
            "probabilities": as_kept(dict(zip(labels, map(float, of_labels), strict=True))),
        }


def _explained(classifier: TextClassifier, rows: list[Row], predicted: list[Row]) -> list[Row]:
    ranked = [sorted(row["probabilities"], key=row["probabilities"].__getitem__, reverse=True) for row in predicted]
    weighed = classifier.explain(rows, [labels[0] for labels in ranked], [labels[1] for labels in ranked])
    if weighed is None:
        raise ModelError(f"a model of kind {classifier.kind!r} cannot explain its predictions; leave out --explain")
    return [
        {**row, "weighed": [{**piece._asdict(), "weight": round(piece.weight, 4)} for piece in pieces[:_MOST_WEIGHED]]}
        for row, pieces in zip(predicted, weighed, strict=True)
    ]
