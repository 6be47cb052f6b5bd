"""One run, top to bottom: data, splits, fits, figures, the final model, and all of it tracked."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.artifacts import DataSummary, folder_megabytes, library_versions, save_model
from textcls.config import Config, ContextConfig, load_config, make_config
from textcls.dataset import add_context, conflicts, dataset_identity, dataset_name, load_dataset, near_duplicates
from textcls.errors import ConfigError, DataError
from textcls.evaluation import Evaluation, evaluate, summarize
from textcls.files import check_new, new_folder
from textcls.models import Listener, TextClassifier, classifier_class, make_classifier
from textcls.splits import Split, check_duplicates, final_split, make_splits
from textcls.tracking import NullRun, track
from textcls.training.record import kept_log, log_inputs, log_results, run_tags

if TYPE_CHECKING:
    from datasets import Dataset

_MOST_LABELS_TRACKED = 20
_LATENCY_TEXTS = 25


class Reporter(Listener):
    """Told of a run's phases, and within each of its progress; this one is silent."""

    def phase(self, name: str) -> None:
        """Take note that a phase begins, such as `fold 2 of 5`."""


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Attributes:
        run_id: the MLflow run's id; None if it was not tracked.
        name: the run's name.
        metrics: the run's final metrics, such as `test/macro_f1`; the means over the folds if there are several.
        evaluation: figures over the predictions of all folds together.
        predictions: a row for each measured one: `text`, `prediction`, `label`, `score`, `id`, `article`, `fold`.
        classifier: the final model.
        model_folder: where it was written, if the caller named a place.
    """

    run_id: str | None
    name: str
    metrics: dict[str, float]
    evaluation: Evaluation
    predictions: list[dict[str, Any]]
    classifier: TextClassifier
    model_folder: Path | None


@dataclass(frozen=True)
class _Outcome:
    """A fitted and measured split."""

    classifier: TextClassifier
    rows: np.ndarray
    probabilities: np.ndarray
    evaluation: Evaluation
    metrics: dict[str, float]


def train(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    overrides: Sequence[str] = (),
    output: str | Path | None = None,
    reporter: Reporter | None = None,
) -> RunResult:
    """Train, measure and track a classifier.

    With one split, the measured classifier is the final one. With folds, each is measured by a classifier of its own,
    and the final one learns from all rows but those held out to stop early on.

    Args:
        config: a config, its settings as nested mappings, or a config file.
        overrides: settings on top, `section.key=value`.
        output: a path at which to write the final model's folder; nothing may be there yet.
        reporter: told of phases and progress.

    Raises:
        TextclsError: the config, the data, the model, the store or the output cannot be used.
    """
    file = Path(config) if isinstance(config, str | Path) else None
    config = _resolve(config, overrides)
    given = file.read_text(encoding="utf-8") if file is not None else None
    reporter = reporter or Reporter()
    if output is not None:
        check_new(output)
    elif not config.tracking.enabled:
        raise ConfigError("tracking.enabled is false and no output is named, so the model would be lost; name an output")

    with kept_log() as log:
        return _run(config, given, Path(output) if output is not None else None, reporter, log)


def _run(config: Config, given: str | None, output: Path | None, reporter: Reporter, log: list[str]) -> RunResult:
    started = time.monotonic()
    reporter.phase("reading the data")
    family = classifier_class(config.model.kind)
    dataset = load_dataset(config.data)
    splits, final = _plan(config, dataset, validate=family.uses_validation)
    name = config.tracking.name or run_name(config)
    data = DataSummary(dataset_name(config.data), dataset_identity(dataset), len(dataset))
    if config.model.context is not None:
        dataset = _in_context(dataset, config.model.context)
    protocol = _protocol(config, splits)
    several = len(splits) > 1

    tags = run_tags(config, data.identity, "parent" if several else "single")
    with (
        track(config.tracking, experiment=data.name, name=name, tags=tags) as run,
        TemporaryDirectory(prefix="textcls-") as scratch,
    ):
        log_inputs(run, config, dataset, data.name, given)
        outcomes = []
        for number, split in enumerate(splits, 1):
            reporter.phase(f"{split.name} ({number} of {len(splits)})" if several else "fitting")
            with run.child(f"{split.name}, {name}", "fold") if several else nullcontext(run) as child:
                outcomes.append(_fit_and_measure(config, dataset, split, child, reporter))
                if several:
                    child.metrics(outcomes[-1].metrics)
        if final is None:
            classifier = outcomes[0].classifier
        else:
            reporter.phase("fitting the final model")
            classifier = _fit(config, dataset, final, run, reporter)

        reporter.phase("writing")
        evaluation, predictions = _pool(dataset, splits, outcomes)
        metrics = _final_metrics(outcomes, evaluation)
        folder = Path(scratch) / "model"
        tested = {metric: value for metric, value in metrics.items() if metric.startswith("test/")}
        save_model(classifier, folder, config=config.model_dump(mode="json"), data=data, metrics=tested, protocol=protocol)
        metrics |= {
            "time/total_s": time.monotonic() - started,
            "size/model_mb": folder_megabytes(folder),
            "latency/p50_ms": _latency(classifier, dataset["text"][:_LATENCY_TEXTS]),
        }
        run.metrics(metrics)
        log_results(run, evaluation, predictions, title=f"{name}\n{protocol}")
        run.model(folder, name=name, versions=library_versions())
        if output is not None:
            with new_folder(output) as place:
                shutil.copytree(folder, place, dirs_exist_ok=True)
        run.text("\n".join(log) + "\n", "log.txt")
    return RunResult(run.id, name, metrics, evaluation, predictions, classifier, output)


def run_name(config: Config) -> str:
    """Name a run by its model and the settings that people vary, such as `tfidf-C1-s42`."""
    model = config.model
    parts = (
        ["tfidf", f"C{model.C:g}"]
        if model.kind == "tfidf"
        else [Path(model.encoder).name, f"lr{model.learning_rate:g}", f"e{model.epochs:g}"]
    )
    return "-".join([*parts, f"s{config.seed}"])


# --- stages ---------------------------------------------------------------------------------------------------------


def _resolve(config: Config | Mapping[str, Any] | str | Path, overrides: Sequence[str]) -> Config:
    if isinstance(config, str | Path):
        return load_config(config, overrides)
    if isinstance(config, Config):
        return make_config(config.model_dump(mode="json"), overrides) if overrides else config
    return make_config(config, overrides)


def _in_context(dataset: Dataset, context: ContextConfig) -> Dataset:
    if not any(dataset["group"]) and not any(dataset["before"]) and not any(dataset["after"]):
        raise DataError(
            "model.context asks for neighbouring sentences, but the data have no articles: name their column in data.group, "
            "give the rows `before` and `after`, or set model.context to null"
        )
    rows = add_context(dataset.to_list(), before=context.before, after=context.after)
    for side in ("before", "after"):
        dataset = dataset.remove_columns(side).add_column(side, [row[side] for row in rows])
    return dataset


def _plan(config: Config, dataset: Dataset, *, validate: bool) -> tuple[list[Split], Split | None]:
    """Part the rows, check them for duplicates, and choose the rows of the final model if there are folds."""
    texts, labels, groups, given = (dataset[column][:] for column in ("text", "label", "group", "split"))
    splits = make_splits(
        config.splits, seed=config.seed, labels=labels, groups=groups, ids=dataset["id"][:], given=given, validate=validate
    )
    if len(splits) > 1:
        splits.append(final_split(config.splits, seed=config.seed, groups=groups, given=given, validate=validate))
    checked = check_duplicates(
        splits, config.splits, clusters=near_duplicates(texts), texts=texts, conflicting=list(conflicts(texts, labels))
    )
    return (checked, None) if len(checked) == 1 else (checked[:-1], checked[-1])


def _fit(config: Config, dataset: Dataset, split: Split, run: NullRun, reporter: Reporter) -> TextClassifier:
    def part(rows: np.ndarray) -> tuple[list[dict[str, Any]], list[str]]:
        chosen = dataset.select(rows).to_list()
        return chosen, [row["label"] for row in chosen]

    texts, labels = part(split.train)
    # A rare label may stand in validation rows alone, on which nothing can be stopped early.
    useful = split.validation[np.isin(dataset.select(split.validation)["label"][:], labels)]
    validation = part(useful) if len(useful) else None
    return make_classifier(config.model).fit(texts, labels, validation=validation, listener=_Both(run, reporter))


def _fit_and_measure(config: Config, dataset: Dataset, split: Split, run: NullRun, reporter: Reporter) -> _Outcome:
    started = time.monotonic()
    classifier = _fit(config, dataset, split, run, reporter)
    fitted = time.monotonic()
    measured_on = np.union1d(split.validation, split.test)
    labels = sorted({*classifier.classes_.tolist(), *dataset.select(measured_on)["label"]})
    probabilities = _probabilities(classifier, dataset.select(split.test).to_list(), labels)
    measured = time.monotonic()
    evaluation = evaluate(dataset.select(split.test)["label"][:], probabilities, labels)
    metrics = {f"test/{metric}": value for metric, value in evaluation.metrics.items()}
    if len(split.validation):
        rows = dataset.select(split.validation)
        validated = evaluate(rows["label"][:], _probabilities(classifier, rows.to_list(), labels), labels)
        metrics |= {f"validation/{metric}": value for metric, value in validated.metrics.items()}
    metrics |= {"time/fit_s": fitted - started, "time/texts_per_s": len(split.test) / max(measured - fitted, 1e-9)}
    return _Outcome(classifier, split.test, probabilities, evaluation, metrics)


def _probabilities(classifier: TextClassifier, rows: list[dict[str, Any]], labels: Sequence[str]) -> np.ndarray:
    """Predict, with a column for every label, also for one that this fold's training rows do not have."""
    probabilities = np.zeros((len(rows), len(labels)))
    probabilities[:, np.searchsorted(labels, classifier.classes_)] = classifier.predict_proba(rows)
    return probabilities


def _pool(dataset: Dataset, splits: Sequence[Split], outcomes: Sequence[_Outcome]) -> tuple[Evaluation, list[dict[str, Any]]]:
    """Put the measured rows of all folds together: their figures, and a prediction each in the order of the data."""
    labels = sorted({label for outcome in outcomes for label in outcome.evaluation.labels})
    rows = np.concatenate([outcome.rows for outcome in outcomes])
    probabilities = np.zeros((len(rows), len(labels)))
    start = 0
    for outcome in outcomes:
        columns = np.searchsorted(labels, outcome.evaluation.labels)
        probabilities[start : start + len(outcome.rows), columns] = outcome.probabilities
        start += len(outcome.rows)
    fold = [split.name for split, outcome in zip(splits, outcomes, strict=True) for _ in outcome.rows]
    best = probabilities.argmax(axis=1)
    predictions = []
    for number in np.argsort(rows, kind="stable"):
        row = dataset[int(rows[number])]
        predictions.append(
            {
                "text": row["text"],
                "prediction": labels[best[number]],
                "label": row["label"],
                "score": round(float(probabilities[number, best[number]]), 4),
                "id": row["id"],
                "article": row["group"],
                "fold": fold[number],
                "probabilities": {label: round(float(p), 6) for label, p in zip(labels, probabilities[number], strict=True)},
            }
        )
    return evaluate([dataset[int(row)]["label"] for row in rows], probabilities, labels), predictions


def _final_metrics(outcomes: Sequence[_Outcome], pooled: Evaluation) -> dict[str, float]:
    """The run's own metrics: those of its split, or the folds' means with spread and interval and the pooled figures."""
    metrics: dict[str, float] = {}
    for name in outcomes[0].metrics:
        values = [outcome.metrics[name] for outcome in outcomes if name in outcome.metrics]
        summary = summarize(values, highest=np.inf if name == "test/log_loss" else 1.0)
        if not name.startswith("test/"):
            summary = {"": summary[""]}
        metrics |= {f"{name}{suffix}": value for suffix, value in summary.items()}
    if len(outcomes) > 1:
        metrics["n_children"] = len(outcomes)
        metrics |= {f"pooled/{name}": value for name, value in pooled.metrics.items()}
    if len(pooled.labels) <= _MOST_LABELS_TRACKED:
        metrics |= {f"test.per_label/f1/{label}": scores.f1 for label, scores in pooled.per_label.items()}
    return metrics


def _latency(classifier: TextClassifier, texts: Sequence[str]) -> float:
    """Median milliseconds to predict one text."""
    times = []
    for text in texts:
        started = time.perf_counter()
        classifier.predict_proba([text])
        times.append((time.perf_counter() - started) * 1000)
    return median(times)


def _protocol(config: Config, splits: Sequence[Split]) -> str:
    held_out = sum(len(split.test) for split in splits)
    words = {
        "given": f"on {held_out:,} given test rows",
        "hash": f"on {held_out:,} rows held out by hash",
        "k-fold": f"by {len(splits)}-fold cross-validation over {held_out:,} rows",
        "leave-one-group-out": f"by leaving out each of {len(splits)} groups once, over {held_out:,} rows",
    }
    return words[config.splits.kind or "given"]


class _Both(Listener):
    """Pass curves on to the run and progress to the reporter."""

    def __init__(self, run: NullRun, reporter: Reporter) -> None:
        self.run, self.reporter = run, reporter

    def metric(self, name: str, value: float, step: int) -> None:
        self.run.point(name, value, step)
        self.reporter.metric(name, value, step)

    def progress(self, done: int, total: int) -> None:
        self.reporter.progress(done, total)
