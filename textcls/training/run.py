"""One run, top to bottom: data, splits, fits, figures, the final model, and all of it tracked."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from textcls.artifacts import DataSummary, pip_requirements, save_model
from textcls.config import Config, EnsembleConfig, load_config, make_config
from textcls.dataset import dataset_identity, dataset_name, load_dataset, row_identities
from textcls.errors import ConfigError
from textcls.evaluation import Evaluation, Intervals
from textcls.evaluation.abstention import NONE_ANSWERED
from textcls.files import check_new, folder_bytes, new_folder
from textcls.models import Listener, TextClassifier
from textcls.tracking import NullRun, track
from textcls.training.environment import run_tags
from textcls.training.fitting import Outcome, final_metrics, fit_classifier, latency, measure_classifier, pool
from textcls.training.members import make_ensemble, member_folders
from textcls.training.mistakes import doubted_labels, look_at_mistakes
from textcls.training.planning import Fit, in_context, plan, protocol
from textcls.training.record import kept_log, log_inputs, log_results
from textcls.training.workspace import Workspace, check_resumable, identity_in_order, open_workspace, unfinished_run

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

_LATENCY_TEXTS = 25


class Reporter(Listener):
    """Told of a run's phases, and within each of its progress; this one is silent."""

    def phase(self, name: str) -> None:
        """Take note that a phase begins, such as `fold 2 of 5`."""

    def started(self, run_id: str) -> None:
        """Take note of the id of the run that is tracked."""

    def measured(self, metrics: Mapping[str, float]) -> None:
        """Take note of the metrics of a fold or a seed, of which more are to come; `GivenUp` is raised to have the run end here."""


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Attributes:
        run_id: the MLflow run's id; None if it was not tracked.
        name: the run's name.
        metrics: the run's final metrics, such as `test/macro_f1`; the means over the folds if there are several.
        evaluation: figures over the predictions of all folds together.
        intervals: their 95 % intervals, by a bootstrap over articles.
        predictions: a row for each measured one: `text`, `prediction`, `label`, `score`, `id`, `article`, `fold`, `seed`,
            `probabilities`, and the data's columns that part rows into a few sorts.
        classifier: the final model.
        model_folder: where it was written, if the caller named a place.
    """

    run_id: str | None
    name: str
    metrics: dict[str, float]
    evaluation: Evaluation
    intervals: Intervals
    predictions: list[dict[str, Any]]
    classifier: TextClassifier
    model_folder: Path | None


def train(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    overrides: Sequence[str] = (),
    output: str | Path | None = None,
    resume: str | None = None,
    reporter: Reporter | None = None,
) -> RunResult:
    """Train, measure and track a classifier.

    With one split, the measured classifier is the final one. With folds or several seeds, each is measured by a classifier
    of its own, and the final one learns from all rows but those held out to stop early on or to learn a decision on.

    Under `torchrun`, the processes share the work of each fit, and the first of them tracks and writes.

    Args:
        config: a config, its settings as nested mappings, or a config file.
        overrides: settings on top, `section.key=value`.
        output: a path at which to write the final model's folder; nothing may be there yet.
        resume: the id of a run that did not come to its end, to go on with it; config and data must be those it was begun with.
            The result is the same to the last bit as if it had not been interrupted.
        reporter: told of phases and progress.

    Raises:
        TextclsError: the config, the data, the model, the store or the output cannot be used.
    """
    file = Path(config) if isinstance(config, str | Path) else None
    config = _resolve(config, overrides)
    given = file.read_text(encoding="utf-8") if file is not None else None
    if output is not None:
        check_new(output)
    elif not config.tracking.enabled:
        raise ConfigError("tracking.enabled is false and no output is named, so the model would be lost; name an output")
    if resume is not None:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ConfigError("a run of several processes keeps no checkpoints and cannot be resumed; start a new run")
        if not config.tracking.enabled:
            raise ConfigError("only a tracked run can be resumed; set tracking.enabled to true")
        resume = unfinished_run(config.tracking, resume)
    if int(os.environ.get("RANK", "0")):  # as torchrun numbers its processes
        config = config.model_copy(update={"tracking": config.tracking.model_copy(update={"enabled": False})})
        output = reporter = None

    return run_config(config, given=given, output=Path(output) if output is not None else None, resume=resume, reporter=reporter)


def run_config(
    config: Config,
    *,
    given: str | None = None,
    output: Path | None = None,
    resume: str | None = None,
    within: NullRun | None = None,
    validate: bool = False,
    reporter: Reporter | None = None,
) -> RunResult:
    """Make the run of a config; see `train`.

    Args:
        config: the config.
        given: the text of the file that it was read from.
        output: a path at which to write the final model's folder.
        resume: the id of an unfinished run to go on with.
        within: a run that this one is a trial of; a trial keeps no model.
        validate: whether to measure on validation rows also a model that makes no use of them.
        reporter: told of phases and progress.
    """
    started = time.monotonic()
    reporter = reporter or Reporter()
    # The working folder is left last: it is removed only when the run's end is written.
    with ExitStack() as left_last, ExitStack() as opened:
        log = opened.enter_context(kept_log())
        if resume is not None:  # held before all else, so that of two processes one goes on with the run
            workspace = left_last.enter_context(open_workspace(config.tracking.folder, resume))
        reporter.phase("reading the data")
        rows = load_dataset(config.data)
        data = DataSummary(dataset_name(config.data), dataset_identity(rows), len(rows))
        dataset = in_context(rows, config.model.context)
        identities = row_identities(rows)
        in_order = identity_in_order(identities)
        if resume is not None:
            check_resumable(config.tracking.folder, resume, config, data.identity, in_order)
        fits, final = plan(config, dataset, validate=validate)
        ensemble = None
        if isinstance(config.model, EnsembleConfig):
            ensemble = make_ensemble(config, member_folders(config.tracking, config.model.members), data.identity)
        name = config.tracking.name or run_name(config)
        measured = protocol(config, fits)

        if within is None:
            tags = run_tags(config, data.identity, "single" if len(fits) == 1 else "parent")
            tracked = track(config.tracking, experiment=data.name, name=name, tags=tags, resume=resume)
        else:
            tracked = within.child(name, "trial")
        run = opened.enter_context(tracked)
        if resume is None:
            workspace = left_last.enter_context(open_workspace(config.tracking.folder, run.id, stays=within is None))
        workspace.note(config, data.identity, in_order)
        if run.id is not None:
            reporter.started(run.id)
        # Of a resumed run too, which may have been killed in the midst of it.
        log_inputs(run, config, rows, identities, data.name, given)
        outcomes = []
        for number, fit in enumerate(fits, 1):
            if len(fits) == 1:
                reporter.phase("fitting")
                outcomes.append(_fit_and_measure(config, dataset, fit, run, workspace, "only", reporter, ensemble))
            else:
                reporter.phase(f"{fit.name} ({number} of {len(fits)})")
                outcomes.append(_child_outcome(config, dataset, fit, run, name, workspace, f"fit-{number}", reporter))
        classifier = outcomes[-1].classifier
        if final is not None and within is None:
            reporter.phase("fitting the final model")
            classifier = fit_classifier(config, dataset, final, _Both(run, reporter), workspace.checkpoints("final"))
        if classifier is None:
            raise RuntimeError("a run of one fit, and a trial, are fitted in this process")
        classifier.group = config.data.group

        reporter.phase("writing")
        evaluation, intervals, predictions = pool(rows, outcomes, grouped_by=config.data.group or "article")
        metrics = final_metrics(outcomes, evaluation, intervals)
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="textcls-"))) / "model"
        tested = {metric: value for metric, value in metrics.items() if metric.startswith(("test/", "pooled/"))}
        save_model(classifier, folder, config=config.model_dump(mode="json"), data=data, metrics=tested, protocol=measured)
        if resume is None:  # how long a process that was killed was at work is not known
            metrics["time/total_s"] = time.monotonic() - started
        metrics |= {
            "size/model_mb": folder_bytes(folder) / 1e6,
            "latency/p50_ms": latency(classifier, dataset.select(range(min(_LATENCY_TEXTS, len(dataset)))).to_list()),
        }
        run.metrics(metrics)
        if within is None:  # of a trial, of which there are many, the figures are enough
            if metrics.get("test/coverage") == 0:
                logger.warning(NONE_ANSWERED)
            about = {
                "measured": measured,
                "data": f"{data.name}, {data.rows:,} rows, identity {data.identity[:12]}",
                "model": config.model.kind,
            }
            seeds = {outcome.fit.seed for outcome in outcomes}
            if len(seeds) > 1:
                about["parts and doubted labels"] = f"of seed {config.seed}, the first of {len(seeds)}"
            if run.id is not None:
                wrong = look_at_mistakes(predictions, outcomes, rows, dataset)
                doubted = doubted_labels(predictions, outcomes, rows)
                log_results(run, config, evaluation, intervals, predictions, wrong, doubted, title=name, about=about)
            run.model(folder, name=name, requirements=pip_requirements())
        if output is not None:
            with new_folder(output) as place:
                shutil.copytree(folder, place, dirs_exist_ok=True)
        if log:  # most runs have nothing to warn of
            run.text("\n".join(log) + "\n", "log.txt")
    return RunResult(run.id, name, metrics, evaluation, intervals, predictions, classifier, output)


def run_name(config: Config) -> str:
    """Name a run by its model and the settings that people vary, such as `tfidf-C1-s42`."""
    return f"{config.model.short_name()}-s{config.seed}"


# --- stages ---------------------------------------------------------------------------------------------------------


def _resolve(config: Config | Mapping[str, Any] | str | Path, overrides: Sequence[str]) -> Config:
    if isinstance(config, str | Path):
        return load_config(config, overrides)
    if isinstance(config, Config):
        return make_config(config.model_dump(mode="json"), overrides) if overrides else config
    return make_config(config, overrides)


def _child_outcome(
    config: Config,
    dataset: Dataset,
    fit: Fit,
    run: NullRun,
    name: str,
    workspace: Workspace,
    key: str,
    reporter: Reporter,
) -> Outcome:
    """Fit and measure in a run of its own, or take what an earlier process noted of it."""
    noted = workspace.measurement(key)
    if noted is not None:
        return Outcome(fit, noted, classifier=None)
    kind = "seed" if config.splits.kind in ("given", "hash") else "fold"
    with run.child(f"{fit.name}, {name}", kind, resume=workspace.child(key)) as child:
        workspace.note_child(key, child.id)
        outcome = _fit_and_measure(config, dataset, fit, child, workspace, key, reporter)
        child.metrics(outcome.measured.metrics)
    # Only now that the child has ended: what is noted is never opened again, and a run that is given up here is not the child's.
    workspace.note_measurement(key, outcome.measured)
    reporter.measured(outcome.measured.metrics)
    return outcome


def _fit_and_measure(
    config: Config,
    dataset: Dataset,
    fit: Fit,
    run: NullRun,
    workspace: Workspace,
    key: str,
    reporter: Reporter,
    model: TextClassifier | None = None,
) -> Outcome:
    # As if the fit had begun so much earlier as those processes took whose work it goes on with.
    started = time.monotonic() - workspace.seconds(key)
    listener = _Both(run, reporter, lambda: workspace.note_seconds(key, time.monotonic() - started))
    classifier = fit_classifier(config, dataset, fit, listener, workspace.checkpoints(key), model=model)
    return Outcome(fit, measure_classifier(dataset, fit, classifier, time.monotonic() - started), classifier)


class _Both(Listener):
    """Pass curves on to the run, progress to the reporter, and to a third that a checkpoint was written."""

    def __init__(self, run: NullRun, reporter: Reporter, on_save: Callable[[], None] = lambda: None) -> None:
        self.run, self.reporter, self.on_save = run, reporter, on_save

    def metric(self, name: str, value: float, step: int) -> None:
        self.run.point(name, value, step)
        self.reporter.metric(name, value, step)

    def progress(self, done: int, total: int) -> None:
        self.reporter.progress(done, total)

    def saved(self) -> None:
        self.on_save()
