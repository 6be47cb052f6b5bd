"""What MLflow keeps of a run: inputs, parameters, figures, predictions and the log."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.config import Config
from textcls.dataset import ANNOTATORS, dataset_identity
from textcls.evaluation import Evaluation, Interval, Intervals, Predictions
from textcls.evaluation.annotators import Ceiling, judgements, measure_annotators
from textcls.evaluation.drawing import as_png
from textcls.evaluation.predictions import as_kept
from textcls.evaluation.report import run_report
from textcls.evaluation.slices import Slice, slice_figures
from textcls.evaluation.weighed import word_weighed
from textcls.tracking import ROWS, NullRun
from textcls.training.environment import installed_versions

if TYPE_CHECKING:
    from datasets import Dataset
    from matplotlib.figure import Figure


_MOST_SHOWN = 10_000
"""Rows of the tables that MLflow's pages show; `predictions/test.jsonl` has all."""


def log_inputs(
    run: NullRun, config: Config, dataset: Dataset, rows: Sequence[Mapping[str, Any]], name: str, given: str | None
) -> None:
    """Keep what the run is made from: settings, the data's identities, and the environment.

    Args:
        run: the run.
        config: its config.
        dataset: all its rows.
        rows: what they are known again by, as `row_identities` gives it.
        name: the data set's name.
        given: the config file's text, if there was a file.
    """
    settings = config.model_dump(mode="json")
    run.parameters(
        {"seed": config.seed}
        | {f"model.{key}": value for key, value in settings["model"].items()}
        | {"model.seed": config.model_seed}
        | {f"splits.{key}": value for key, value in settings["splits"].items()}
        | {f"decision.{key}": value for key, value in config.decision.model_dump(mode="json", exclude_defaults=True).items()}
        | {
            f"data.{key}": settings["data"][key]
            for key in ("train", "validation", "test", "group", "annotations")
            if settings["data"][key]
        }
        | {"data.rows": len(dataset), "data.n_labels": len(dataset.unique("label"))}
    )
    contexts = {"train": "training", "validation": "validation", "test": "test"}
    for split, context in contexts.items():
        numbers = np.flatnonzero(np.array(dataset["split"][:]) == split)
        if len(numbers):
            run.data(f"{name}-{split}", dataset_identity(dataset.select(numbers)), getattr(config.data, split), context)
    run.file(gzip.compress(_json_lines(rows).encode(), mtime=0), ROWS)
    run.text(config.as_yaml(), "config/resolved.yaml")
    if given is not None:
        run.text(given, "config/given.yaml")
    installed = sorted(f"{library}=={number}" for library, number in installed_versions().items())
    run.text("\n".join(installed) + "\n", "environment.txt")
    run.text(json.dumps(sorted(dataset.unique("label")), ensure_ascii=False), "labels.json")


def log_results(
    run: NullRun,
    config: Config,
    evaluation: Evaluation,
    intervals: Intervals,
    predictions: Sequence[Mapping[str, Any]],
    wrong: Sequence[Mapping[str, Any]],
    doubted: Sequence[Mapping[str, Any]],
    *,
    title: str,
    about: Mapping[str, str],
) -> None:
    """Keep figures as pictures and tables, every prediction, suspected label errors, and a report of it all.

    Args:
        run: the run.
        config: its config.
        evaluation, intervals: its figures.
        predictions: its predictions, as `RunResult` has them.
        wrong: the wrong ones, as `look_at_mistakes` gives them.
        doubted: suspected label errors, as `doubted_labels` gives them.
        title: its name.
        about: what the report says first: how it was measured, the data, the model.
    """
    once = _of_first_seed(predictions, config, evaluation.labels, title)
    slices = slice_figures(once)
    ceiling = measure_annotators(once.true, judgements(once.columns.get(ANNOTATORS, [])), evaluation.labels, once.groups)
    heading = f"{title}\n{next(iter(about.values()), '')}"
    pictures = {name: as_png(figure) for name, figure in _figures(evaluation, predictions, slices, ceiling, heading)}
    for name, picture in pictures.items():
        run.picture(picture, name)
    report = run_report(
        title=title,
        about=about,
        evaluation=evaluation,
        intervals=intervals,
        slices=slices,
        wrong=wrong,
        pictures={name.replace("_", " "): picture for name, picture in pictures.items()},
        ceiling=ceiling,
    )
    run.text(report, "report.html")
    run.text(_label_table(evaluation, intervals, ceiling), "per_label.csv")
    if slices:
        run.text(_slice_table(slices), "slices.csv")
    run.text(json.dumps(evaluation.as_dict(), indent=1, ensure_ascii=False), "evaluation.json")
    run.text(json.dumps(intervals.as_dict(), indent=1, ensure_ascii=False), "intervals.json")
    if ceiling:
        run.text(json.dumps(ceiling.as_dict(), indent=1, ensure_ascii=False), "annotators.json")
    plain = [{key: value for key, value in row.items() if key != "probabilities"} for row in predictions[:_MOST_SHOWN]]
    run.table(plain, "predictions/test.json")
    run.table([{**row, "weighed": word_weighed(row["weighed"] or ())} for row in wrong[:_MOST_SHOWN]], "predictions/wrong.json")
    kept = ({**row, "probabilities": as_kept(row["probabilities"])} for row in predictions)
    run.text(_json_lines(kept), "predictions/test.jsonl")
    if doubted:
        run.text(_json_lines(doubted), "suspects.jsonl")


def _of_first_seed(rows: Sequence[Mapping[str, Any]], config: Config, labels: list[str], name: str) -> Predictions:
    """A run's own predictions, which need no checks, by columns; of several seeds the first one's, so that a row stands once."""
    rows = [row for row in rows if row["seed"] == config.seed]
    columns = {key: [row[key] for row in rows] for key in rows[0] if key != "probabilities"}
    probabilities = np.array([list(row["probabilities"].values()) for row in rows])
    named = (columns.pop(key) for key in ("id", "label", "article", "text", "fold"))
    ids, true, groups, texts, folds = named
    return Predictions(
        name, ids, true, probabilities, labels, groups, texts, folds, columns, grouped_by=config.data.group or "article"
    )


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    encode = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps would make one for each row
    return "".join(f"{encode(row)}\n" for row in rows)


def _label_table(evaluation: Evaluation, intervals: Intervals, ceiling: Ceiling | None) -> str:
    rows = []
    for label, scores in evaluation.per_label.items():
        f1 = intervals.per_label.get(label, {}).get("f1")
        theirs = ceiling.per_label.get(label) if ceiling else None
        rows.append([label, scores.precision, scores.recall, scores.f1, *_ends(f1), scores.support, theirs])
    return csv_text(["label", "precision", "recall", "f1", "f1_low", "f1_high", "support", "annotators_f1"], rows)


def _slice_table(slices: Sequence[Slice]) -> str:
    rows: list[list[Any]] = []
    for its in slices:
        accuracy = [its.accuracy, *_ends(its.accuracy_interval), its.rest_accuracy]
        macro_f1 = [its.macro_f1, *_ends(its.macro_f1_interval)]
        rows.append([its.column, its.value, its.rows, its.units, *accuracy, *macro_f1, its.stands_out])
    figures = ["accuracy", "accuracy_low", "accuracy_high", "rest_accuracy", "macro_f1", "macro_f1_low", "macro_f1_high"]
    return csv_text(["column", "value", "rows", "units", *figures, "stands_out"], rows)


def _ends(found: Interval | None) -> tuple[float | None, float | None]:
    return (found.low, found.high) if found else (None, None)


def csv_text(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Write a table as CSV, fractions to four digits."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(heads)
    writer.writerows([f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    return table.getvalue()


def _figures(
    evaluation: Evaluation,
    predictions: Sequence[Mapping[str, Any]],
    slices: Sequence[Slice],
    ceiling: Ceiling | None,
    title: str,
) -> Iterator[tuple[str, Figure]]:
    from textcls.evaluation.abstention import risk_coverage
    from textcls.evaluation.figures import confusion_figure, per_label_figure, slices_figure
    from textcls.evaluation.probability_figures import pr_figure, reliability_figure, risk_coverage_figure

    yield "confusion_matrix", confusion_figure(evaluation, title=title)
    yield "per_label", per_label_figure(evaluation, title=title, ceiling=ceiling.per_label if ceiling else None)
    true = [row["label"] for row in predictions]
    probabilities = np.array([list(row["probabilities"].values()) for row in predictions])
    measured = (true, probabilities, evaluation.labels)
    groups, ids = ([row[name] for row in predictions] for name in ("article", "id"))
    yield "precision_recall", pr_figure(*measured, ids, title=title)
    yield "reliability", reliability_figure(*measured, groups, ids, title=title)
    yield "risk_coverage", risk_coverage_figure({"this run": risk_coverage(*measured, ids)}, title=title)
    if slices:
        yield "slices", slices_figure(slices, title=title)


@contextmanager
def kept_log() -> Iterator[list[str]]:
    """Collect what textcls logs."""
    lines: list[str] = []

    class _Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = _Collect()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("textcls")
    root.addHandler(handler)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
