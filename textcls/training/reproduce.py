"""Run a run again from what it holds, and say whether the figures are the same to the last digit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from textcls.artifacts import describe_model, library_versions
from textcls.config import Config, Overrides, make_config
from textcls.dataset import dataset_identity, load_dataset, row_identities
from textcls.errors import DataError, ModelError, TrackingError
from textcls.models import TextClassifier
from textcls.tracking import CHILDREN, METRIC_DIGITS, RunSummary, Store
from textcls.tracking.difference import compare_rows, differing, flatten
from textcls.tracking.kept import commit_of, computed_on, read_config, read_row_identities, read_versions
from textcls.training.environment import arithmetic_tags, installed_versions, run_tags
from textcls.training.reporting import Reporter
from textcls.training.run import train

_APART = 1e-6
"""Probabilities that are as far apart are others: arithmetic that differs in the last digit alone does not make another model."""


@dataclass(frozen=True)
class Restored:
    """Whether one thing that a run was made from is the same again, None where that is not known, and in words what is not."""

    what: str
    same: bool | None
    words: str


@dataclass(frozen=True)
class Reproduction:
    """What came of running a run again.

    Attributes:
        run: the run.
        restored: config, data, commit of the folder started in, versions and machine, each the same or not, if that is known.
        figures: number of figures that were compared.
        other_figures: those that differ, each then and now.
        predictions: number of predictions that were compared.
        other_predictions: number of those of which a probability differs by a millionth or more.
        furthest: the most that a probability differs by.
    """

    run: RunSummary
    restored: list[Restored]
    figures: int
    other_figures: dict[str, tuple[Any, Any]]
    predictions: int
    other_predictions: int
    furthest: float

    @property
    def same(self) -> bool:
        """Whether all figures and predictions are the same."""
        return not self.other_figures and not self.other_predictions


def reproduce(store: Store, name: str, *, overrides: Overrides = (), reporter: Reporter | None = None) -> Reproduction:
    """Run a run again, untracked, and compare.

    Args:
        store: where the run is.
        name: its id or name.
        overrides: settings on top of the run's config, `section.key=value` or as values by `section.key`, such as where its data lie now.
        reporter: told of phases and progress.

    Raises:
        TrackingError: there is no such run, or it has kept no config or no figures.
        ConfigError: this textcls does not take its config.
        DataError: its data are not there.
    """
    run = store.run(name)
    if run.kind in CHILDREN and run.parent:
        raise TrackingError(f"run {run.name}: a {run.kind} of another run; reproduce that one: {run.parent}")
    settings = read_config(store, run)
    kept = store.artifact(run, "evaluation.json")
    if kept is None:
        raise TrackingError(f"run {run.name}: it has kept no figures to compare with; its status is {run.status}")
    config = make_config(settings, overrides, name=f"run {run.name}")
    config = config.model_copy(update={"tracking": config.tracking.model_copy(update={"enabled": False})})
    restored = [
        _config(settings, config),
        _data(store, run, config),
        _commit(run, config),
        _versions(store, run),
    ]
    with TemporaryDirectory(prefix="textcls-") as scratch:
        result = train(config, output=Path(scratch) / "model", reporter=reporter)
    restored.append(_machine(run, config, result.classifier))

    then, now = flatten(json.loads(kept)), flatten(json.loads(json.dumps(result.evaluation.as_dict())))
    both = [figure for figure in then if figure in now]
    other = differing({figure: then[figure] for figure in both}, {figure: now[figure] for figure in both})
    # Means over folds stand in the run alone, where they are rounded.
    means = {figure: value for figure, value in run.metrics.items() if figure.startswith(("test/", "validation/", "pooled/"))}
    means_now = {figure: round(float(result.metrics[figure]), METRIC_DIGITS) for figure in means if figure in result.metrics}
    other |= differing({figure: means[figure] for figure in means_now}, means_now)
    compared, others, furthest = _compare_predictions(store, run, result.predictions)
    return Reproduction(run, restored, len(both) + len(means_now), other, compared, others, furthest)


def _config(settings: Mapping[str, Any], config: Config) -> Restored:
    changed = differing(flatten(settings), flatten(config.model_dump(mode="json")))
    changed.pop("tracking.enabled", None)
    words = ", ".join(f"{key} was {then}, is {now}" for key, (then, now) in changed.items())
    return Restored("config", not changed, words)


def _data(store: Store, run: RunSummary, config: Config) -> Restored:
    try:
        dataset = load_dataset(config.data)
    except DataError as error:
        raise DataError(f"run {run.name}: its data cannot be restored: {error}; name where they are with --set") from error
    identity = dataset_identity(dataset)
    kept = read_row_identities(store, run)
    rows = compare_rows(kept, row_identities(dataset)) if kept is not None else None
    if identity == run.data and not rows:
        return Restored("data", True, f"identity {identity[:12]}")
    changed = f"identity was {run.data[:12]}, is {identity[:12]}" if identity != run.data else f"identity {identity[:12]}"
    return Restored("data", False, changed if rows is None else f"{changed}; {rows}")


def _commit(run: RunSummary, config: Config) -> Restored:
    """Compare the folder that it was started in with this one; the version of textcls is one of the versions."""
    now = replace(run, tags=run_tags(config, run.data, run.kind))
    dirty = [each.tags.get("textcls.git_dirty") for each in (run, now)]
    if run.commit != now.commit:
        return Restored("commit", False, f"it was started in a folder at {commit_of(run)}, this one is at {commit_of(now)}")
    if not run.commit:
        return Restored("commit", None, "started in no repository, then and now")
    if "true" in dirty:
        words = (
            f"started in a folder at {commit_of(run)} then, at {commit_of(now)} now; what was not committed cannot be compared"
        )
        return Restored("commit", False, words)
    words = f"started in a folder at {commit_of(run)} then and now"
    if None in dirty:
        return Restored("commit", None, f"{words}; git could not say whether there were uncommitted changes")
    return Restored("commit", True, words)


def _versions(store: Store, run: RunSummary) -> Restored:
    then, now = read_versions(store, run), dict(installed_versions())
    relevant = library_versions()
    try:
        then["python"] = describe_model(store.model_folder(run.id)).versions["python"]
        now["python"] = relevant["python"]
    except (TrackingError, ModelError, KeyError):
        then.pop("python", None)
    changed = differing(then, now)
    named = [f"{key} was {a or 'not installed'}, is {b or 'not installed'}" for key, (a, b) in changed.items() if key in relevant]
    more = len(changed) - len(named)
    if more:
        named.append(f"{more} other librar{'y' if more == 1 else 'ies'}")
    return Restored("versions", not changed, ", ".join(named) or f"{len(now)} libraries")


def _machine(run: RunSummary, config: Config, classifier: TextClassifier) -> Restored:
    """Compare what the run was computed on, its final model if it made several, with what it was now."""
    then, now = (computed_on(tags) for tags in (run.tags, run_tags(config, run.data, run.kind) | arithmetic_tags(classifier)))
    changed = differing(then, now)
    if changed:
        words = ", ".join(f"{what} was {a or 'none'}, is {b or 'none'}" for what, (a, b) in changed.items())
        return Restored("machine", False, words)
    return Restored("machine", True, ", ".join(its if what == "machine" else f"{what} {its}" for what, its in now.items()))


def _compare_predictions(store: Store, run: RunSummary, predictions: Sequence[Mapping[str, Any]]) -> tuple[int, int, float]:
    kept = store.artifact(run, "predictions/test.jsonl")
    if kept is None:
        return 0, 0, 0.0
    # A row is predicted once with each seed.
    then, now = (
        {(row["id"], row.get("seed")): row["probabilities"] for row in rows}
        for rows in (map(json.loads, kept.splitlines()), predictions)
    )
    gaps = list(_gaps(then, now))
    return len(gaps), sum(gap >= _APART for gap in gaps), max(gaps, default=0.0)


def _gaps(then: Mapping[Any, Mapping[str, float]], now: Mapping[Any, Mapping[str, float]]) -> Iterator[float]:
    for row in {**then, **now}:
        before, after = then.get(row, {}), now.get(row, {})
        yield max(abs(before.get(label, 0.0) - after.get(label, 0.0)) for label in {**before, **after})
