"""A classifier and texts or files in, labels out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from textcls.articles import Article, decode_article, find_articles, read_article
from textcls.artifacts import load_model
from textcls.dataset import (
    SUFFIXES,
    Names,
    add_context,
    group_column,
    group_of,
    holds_rows,
    optional_text,
    parse_rows,
    read_rows,
)
from textcls.errors import DataError, ModelError, TrackingError
from textcls.evaluation import Evaluation, Intervals, bootstrap_intervals, evaluate, predicted_rows, wrong_predictions
from textcls.evaluation.abstention import NONE_ANSWERED, Answered, answered
from textcls.evaluation.annotators import ANNOTATORS, Ceiling, judgements, measure_annotators
from textcls.models import TextClassifier, text_digests
from textcls.stores import DEFAULT_STORE
from textcls.tracking import Store
from textcls.wording import counted, did_you_mean

logger = logging.getLogger(__name__)

Row = dict[str, Any]

_BATCH = 1024
_EXPLAINED_BATCH = 64
_MOST_WEIGHED = 10
_WRITTEN = ("id", "article", "start", "end", "text")


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
        folder = Store(store).model_folder(str(model))
    except TrackingError as error:
        asked = "" if str(model).startswith("models:/") else f"{model}: no such model folder; and as a run: "
        raise ModelError(f"{asked}{error}") from error
    return load_model(folder)


def predict_inputs(
    classifier: TextClassifier, inputs: Sequence[str], *, text: str | None = None, id: str = "id", explain: bool = False
) -> Iterator[Row]:
    """Label everything in the inputs, in their order.

    Args:
        classifier: a fitted classifier.
        inputs: each a `.txt` article, a folder of them, a JSONL, CSV or Parquet file, or `-` for standard input, which is read
            as JSONL if it begins with `{` and else as an article; a JSON array, and a first line that is a CSV's and names the
            column of the text, are refused.
        text, id: the columns of the text and of what the rows are known by, for files with columns; by default the text's is that of the
            data that the classifier learnt from, or else `text`.
        explain: whether to say what weighed, which takes an encoder half a second a sentence.

    Yields:
        for a sentence of an article `article`, `start`, `end`, `text`, `label` and `probabilities`; for a row of a file its
        `id` and `article`, if it has them, `text`, `label` and `probabilities`. The label is None where the classifier's
        policy is to abstain. Headings of articles are left out, with a warning where these seem to be texts, one a line. If it
        is to be explained, `weighed` are the pieces of the text
        that added most to the log odds of the most probable label over the next, each as `piece`, `weight` and `part`.

    Raises:
        DataError: an input is missing or broken, or two articles have one name.
        ModelError: it is to be explained, and the classifier cannot say what weighed.
    """
    find_articles(*filter(_holds_articles, inputs))  # all there, and no two of one name, before work is spent on any
    names = named(text, classifier, "text")
    rows = (row for name in inputs for row in _in_context(classifier, _read_input(name, names, id, classifier.group)))
    while batch := list(islice(rows, _EXPLAINED_BATCH if explain else _BATCH)):
        predicted = _predict_batch(classifier, batch)
        yield from _explained(classifier, batch, list(predicted)) if explain else predicted


def predict_article(classifier: TextClassifier, article: Article) -> list[Row]:
    """Label the sentences of an article; see `predict_inputs` for what a row holds, and which sentences have none."""
    return list(_predict_batch(classifier, list(_in_context(classifier, _sentences(article.id, [article])))))


class FileEvaluation(NamedTuple):
    """What a classifier reaches on a file.

    Attributes:
        evaluation: its figures, of all rows: where it abstains, of the labels that it would give.
        intervals: their 95 % intervals, by a bootstrap over the classifier's `group`, or where the rows have no such column over
            `article`, or else over rows.
        ceiling: what annotators reach, where the column `annotator_labels` lists what they said of each row.
        wrong: the wrong predictions, the most confident first.
        answered: what it answers, if its policy is to abstain.
    """

    evaluation: Evaluation
    intervals: Intervals
    ceiling: Ceiling | None
    wrong: list[Row]
    answered: Answered | None


def evaluate_file(
    classifier: TextClassifier, data: str | Path, *, text: str | None = None, label: str | None = None
) -> FileEvaluation:
    """Measure a classifier on a file of labelled rows; it warns if the classifier has learnt from any of them.

    Args:
        classifier: a fitted classifier.
        data: the file.
        text, label: its columns; by default those of the data that the classifier learnt from, or else `text` and `label`.

    Raises:
        DataError: the file cannot be used, or a label is none of the classifier's.
    """
    rows = []
    for number, row in enumerate(
        read_rows(data, text=named(text, classifier, "text"), label=named(label, classifier, "label")), 1
    ):
        where = f"{data}, row {number}"
        its = {"article": optional_text(row, "article", where), "group": group_of(row, classifier.group, where)}
        rows.append(row | its)
    if classifier.learnt is None:
        logger.warning("the model does not say which texts it has learnt from, so it may know some of %s", data)
    elif known := count_learnt(classifier, rows):
        which = f"{known:,} of the {len(rows):,} texts" if known < len(rows) else "the very rows"
        logger.warning("the model has learnt from %s of %s; its figures there say little of others", which, data)
    labels = [str(name) for name in classifier.classes_]
    probabilities = label_probabilities(classifier, rows, where=str(data))
    true, groups = [row["label"] for row in rows], [row["group"] for row in rows]
    column = group_column(rows[0], classifier.group)
    judged = judgements([row.get(ANNOTATORS) for row in rows])
    below = classifier.abstain_below
    its_answers = answered(true, probabilities, labels, below) if below is not None else None
    if its_answers is not None and its_answers.coverage == 0:
        logger.warning(NONE_ANSWERED)
    return FileEvaluation(
        evaluate(true, probabilities, labels),
        bootstrap_intervals(true, probabilities, labels, groups, grouped_by=column),
        measure_annotators(true, judged, labels, groups),
        wrong_predictions(predicted_rows(rows, probabilities, labels)),
        its_answers,
    )


def named(column: str | None, classifier: TextClassifier, what: str) -> Names:
    """The column that is named; if none is, that of the data that the classifier learnt from, or else what it is called by itself."""
    return column if column is not None else (classifier.columns[what], what)


def count_learnt(classifier: TextClassifier, rows: Sequence[Row]) -> int:
    """Count the rows whose text the classifier has learnt from; none where it does not say."""
    return int(np.isin(text_digests(rows), classifier.learnt).sum()) if classifier.learnt is not None else 0


def label_probabilities(classifier: TextClassifier, rows: Sequence[Row], *, where: str) -> np.ndarray:
    """Predict labelled rows: the probabilities of the classifier's labels, shape (n_rows, n_labels).

    Raises:
        DataError: a label is none of the classifier's; `where` says where the rows are from.
    """
    labels = [str(name) for name in classifier.classes_]
    for number, row in enumerate(rows, 1):
        if row["label"] not in labels:
            raise DataError(f"{where}, row {number}: unknown label {row['label']!r}; {did_you_mean(row['label'], labels)}")
    probabilities: np.ndarray = classifier.predict_proba(list(_in_context(classifier, rows)))
    return probabilities


# --- reading --------------------------------------------------------------------------------------------------------


def _read_input(name: str, text: Names, id: str, group: str | None) -> Iterator[Row]:
    path = Path(name)
    if name == "-":
        yield from _read_standard_input(text, id, group)
    elif holds_rows(path):
        yield from (_known_columns(row, id, group, name) for row in read_rows(path, text=text))
    elif _holds_articles(name):
        yield from _sentences(name, map(read_article, find_articles(path)))
    elif path.exists():
        raise DataError(f"{path}: expected a .txt article, a folder of them, or a {', '.join(SUFFIXES)} file")
    else:
        raise DataError(f"{path}: no such file or folder")


def _read_standard_input(text: Names, id: str, group: str | None) -> Iterator[Row]:
    article = decode_article(sys.stdin.buffer.read(), id="-", name="standard input")
    begins = article.text.lstrip()
    if not begins.startswith("{"):
        if re.match(r"\[\s*[{\"]", begins):
            raise DataError(
                "standard input: expected an article or JSONL, found a JSON array; write each object on a line of its own"
            )
        first = begins.partition("\n")[0].rstrip()
        names = {text} if isinstance(text, str) else {*text}
        if any(names & {cell.strip('"') for cell in first.split(mark)} for mark in ",;\t" if mark in first):
            raise DataError(
                f"standard input: expected an article or JSONL, found the head of a CSV, {first!r}; name the file itself"
            )
        yield from _sentences("standard input", [article])
        return
    lines = article.text.split("\n")  # not splitlines, which cuts at marks that JSON allows in a text
    yield from (_known_columns(row, id, group, "standard input") for row in parse_rows(lines, name="standard input", text=text))


def _holds_articles(name: str) -> bool:
    path = Path(name)
    return path.is_dir() or path.suffix.lower() == ".txt"


def _known_columns(row: Row, id: str, group: str | None, where: str) -> Row:
    if id != "id" and id not in row:
        raise DataError(f"{where}: no column {id!r}; {did_you_mean(id, row)}")
    known: Row = {"id": row[id]} if id in row else {}
    known |= {key: row[key] for key in ("text", "article", "before", "after") if key in row}
    return known if group is None else known | {"group": row.get(group)}


def _sentences(source: str, articles: Iterable[Article]) -> Iterator[Row]:
    """Yield the sentences of articles but for headings, and warn at the end of what seems to be no article but one text a line."""
    headed, blocks, headings = 0, 0, 0
    for article in articles:
        texts = [None, *(sentence.text for sentence in article.sentences), None]
        for number, sentence in enumerate(article.sentences, 1):
            if sentence.block != "heading":
                place = {"article": article.id, "start": sentence.start, "end": sentence.end, "text": sentence.text}
                yield place | {"before": texts[number - 1], "after": texts[number + 1]}
        kinds = [block.kind for block in article.blocks]
        if _holds_lines(kinds):
            headed, blocks, headings = headed + 1, blocks + len(kinds), headings + kinds.count("heading")
    if headed:
        logger.warning(
            "%s: %s of %s in %s are headings and got no label; for one text a line, give a JSONL, CSV or Parquet file",
            source,
            f"{headings:,}",
            counted(blocks, "block"),
            counted(headed, "article"),
        )


def _holds_lines(kinds: Sequence[str]) -> bool:
    """Whether blocks look as one text a line does, of which those without a full stop are taken for headings.

    Headings are most of them, or follow one another twice or more between the first paragraph and the last, as those of articles hardly do.
    """
    paragraphs = [number for number, kind in enumerate(kinds) if kind == "paragraph"]
    body = kinds[paragraphs[0] : paragraphs[-1]] if paragraphs else []
    return kinds.count("heading") > len(kinds) / 2 or list(pairwise(body)).count(("heading", "heading")) > 1


def _in_context(classifier: TextClassifier, rows: Iterable[Row]) -> Iterable[Row]:
    """Give rows the sentences around them where the classifier reads these; that takes all rows of an input at once."""
    if classifier.context is None:
        return rows
    # As in training, what is no string is no sentence, such as a number in a column of that name.
    sentences = [
        {**row, **{side: row[side] if isinstance(row.get(side), str) else None for side in ("before", "after")}} for row in rows
    ]
    return add_context(sentences, **{side: classifier.context.get(side, 0) for side in ("before", "after")})


def _predict_batch(classifier: TextClassifier, rows: list[Row]) -> Iterator[Row]:
    probabilities = classifier.predict_proba(rows)
    labels = [str(label) for label in classifier.classes_]
    for row, of_labels in zip(rows, probabilities, strict=True):
        sure = classifier.abstain_below is None or of_labels.max() >= classifier.abstain_below
        yield {
            **{key: row[key] for key in _WRITTEN if key in row},
            "label": labels[int(np.argmax(of_labels))] if sure else None,
            "probabilities": {label: round(float(p), 6) for label, p in zip(labels, of_labels, strict=True)},
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
