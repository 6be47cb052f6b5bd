"""What MLflow keeps of a run: inputs, parameters, tags, figures, predictions and the log."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.metadata import distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.config import Config
from textcls.dataset import dataset_identity, row_identities
from textcls.evaluation import Evaluation, Intervals, make_predictions, wrong_predictions
from textcls.evaluation.report import run_report
from textcls.evaluation.slices import Slice, slice_figures
from textcls.tracking import ROWS, NullRun

if TYPE_CHECKING:
    from datasets import Dataset
    from matplotlib.figure import Figure


def log_inputs(run: NullRun, config: Config, dataset: Dataset, name: str, given: str | None) -> None:
    """Keep what the run is made from: settings, the data's identities, and the environment.

    Args:
        run: the run.
        config: its config.
        dataset: all its rows.
        name: the data set's name.
        given: the config file's text, if there was a file.
    """
    settings = config.model_dump(mode="json")
    run.parameters(
        {"seed": config.seed}
        | {f"model.{key}": value for key, value in settings["model"].items()}
        | {f"splits.{key}": value for key, value in settings["splits"].items()}
        | {f"data.{key}": settings["data"][key] for key in ("train", "validation", "test", "group") if settings["data"][key]}
        | {"data.rows": len(dataset), "data.n_labels": len(set(dataset["label"]))}
    )
    contexts = {"train": "training", "validation": "validation", "test": "test"}
    for split, context in contexts.items():
        rows = np.flatnonzero(np.array(dataset["split"]) == split)
        if len(rows):
            run.data(f"{name}-{split}", dataset_identity(dataset.select(rows)), getattr(config.data, split), context)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in row_identities(dataset))
    run.file(gzip.compress(lines.encode(), mtime=0), ROWS)
    run.text(config.as_yaml(), "config/resolved.yaml")
    if given is not None:
        run.text(given, "config/given.yaml")
    installed = sorted(f"{library}=={number}" for library, number in installed_versions().items())
    run.text("\n".join(installed) + "\n", "environment.txt")
    run.text(json.dumps(sorted(set(dataset["label"])), ensure_ascii=False), "labels.json")


def log_results(
    run: NullRun,
    evaluation: Evaluation,
    intervals: Intervals,
    predictions: Sequence[Mapping[str, Any]],
    *,
    title: str,
    about: Mapping[str, str],
) -> None:
    """Keep figures as pictures and tables, every prediction, and a report of it all.

    Args:
        run: the run.
        evaluation, intervals: its figures.
        predictions: its predictions, as `RunResult` has them.
        title: its name.
        about: what the report says first: how it was measured, the data, the model.
    """
    if run.id is None:
        return
    slices: list[Slice] = []
    if len({row["seed"] for row in predictions}) == 1:  # a row stands once
        slices = slice_figures(make_predictions(predictions, name=title))
    shown = [{key: value for key, value in row.items() if key != "probabilities"} for row in predictions]
    wrong = wrong_predictions(shown)
    heading = f"{title}\n{next(iter(about.values()), '')}"
    pictures = {name: run.figure(figure, name) for name, figure in _figures(evaluation, predictions, slices, heading)}
    report = run_report(
        title=title,
        about=about,
        evaluation=evaluation,
        intervals=intervals,
        slices=slices,
        wrong=wrong,
        pictures={name.replace("_", " "): picture for name, picture in pictures.items()},
    )
    run.text(report, "report.html")
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["label", "precision", "recall", "f1", "f1_low", "f1_high", "support"])
    for label, scores in evaluation.per_label.items():
        f1 = intervals.per_label.get(label, {}).get("f1")
        figures = [scores.precision, scores.recall, scores.f1, *((f1.low, f1.high) if f1 else ())]
        writer.writerow([label, *(f"{value:.4f}" for value in figures), *([] if f1 else ["", ""]), scores.support])
    run.text(table.getvalue(), "per_label.csv")
    run.text(json.dumps(evaluation.as_dict(), indent=1, ensure_ascii=False), "evaluation.json")
    run.text(json.dumps(intervals.as_dict(), indent=1, ensure_ascii=False), "intervals.json")
    run.table(shown, "predictions/test.json")
    run.table(wrong, "predictions/wrong.json")
    kept = ("id", "article", "fold", "seed", "text", "label", "prediction", "probabilities")
    lines = (json.dumps({key: row[key] for key in kept if row.get(key) is not None}, ensure_ascii=False) for row in predictions)
    run.text("".join(f"{line}\n" for line in lines), "predictions/test.jsonl")


def _figures(
    evaluation: Evaluation, predictions: Sequence[Mapping[str, Any]], slices: Sequence[Slice], title: str
) -> Iterator[tuple[str, Figure]]:
    from textcls.evaluation.abstention import risk_coverage
    from textcls.evaluation.curves import pr_figure, reliability_figure, risk_coverage_figure, slices_figure
    from textcls.evaluation.figures import confusion_figure, per_label_figure

    yield "confusion_matrix", confusion_figure(evaluation, title=title)
    yield "per_label", per_label_figure(evaluation, title=title)
    true = [row["label"] for row in predictions]
    probabilities = np.array([list(row["probabilities"].values()) for row in predictions])
    measured = (true, probabilities, evaluation.labels)
    yield "precision_recall", pr_figure(*measured, title=title)
    yield "reliability", reliability_figure(*measured, title=title)
    yield "risk_coverage", risk_coverage_figure({"this run": risk_coverage(*measured)}, title=title)
    if slices:
        yield "slices", slices_figure(slices, title=title)


def run_tags(config: Config, identity: str, kind: str) -> dict[str, str]:
    """The tags of a run of a kind, `single` or `parent`, on data of an identity."""
    tags = {
        "textcls.kind": kind,
        "textcls.model_family": config.model.kind,
        "textcls.config_sha": sha256(config.as_yaml().encode()).hexdigest(),
        "textcls.data_sha": identity,
        "textcls.version": version("textcls"),
        "textcls.machine": machine(),
        "mlflow.source.name": Path(sys.argv[0]).name or "python",
        "mlflow.source.type": "LOCAL",
    }
    commit = _git("rev-parse", "HEAD")
    if commit:
        tags |= {"mlflow.source.git.commit": commit, "textcls.git_dirty": str(bool(_git("status", "--porcelain"))).lower()}
    return tags


@cache
def installed_versions() -> Mapping[str, str]:
    """Versions of all that is installed."""
    # Read and parsed once each: a distribution's `metadata` and `version` would do so every time they are asked for.
    return {found["Name"]: found["Version"] for found in (distribution.metadata for distribution in distributions())}


def machine() -> str:
    """What kind of machine this is: others can round otherwise in the last digits."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def _git(*arguments: str) -> str:
    """What git says in the working directory; nothing where there is no git or no repository."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603, S607
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


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
