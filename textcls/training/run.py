"""One run, top to bottom: data, splits, fits, figures, the final model, and all of it tracked."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.artifacts import DataSummary, pip_requirements, save_model
from textcls.config import Config, EnsembleConfig, load_config, make_config
from textcls.dataset import dataset_identity, dataset_name, load_dataset, row_identities
from textcls.errors import ConfigError, OutputError
from textcls.evaluation import Evaluation, Intervals
from textcls.evaluation.abstention import NONE_ANSWERED
from textcls.files import check_new, folder_bytes, new_folder
from textcls.models import TextClassifier
from textcls.tracking import NullRun, track
from textcls.training.environment import arithmetic_tags, run_tags
from textcls.training.fitting import Outcome, fit_classifier, measure_classifier
from textcls.training.members import check_known, make_ensemble, member_folders
from textcls.training.mistakes import doubted_labels, look_at_mistakes
from textcls.training.planning import Fit, in_context, plan, protocol
from textcls.training.pooling import final_metrics, pool, speed
from textcls.training.record import kept_log, log_inputs, log_results
from textcls.training.reporting import Relay, Reporter
from textcls.training.workspace import Workspace, check_resumable, identity_in_order, open_workspace, unfinished_run

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

_TIMED_TEXTS = 225


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
        data = _read(config)
        if resume is not None:
            check_resumable(config.tracking.folder, resume, config, data.summary.identity, data.identity_in_order)
        fits, final = plan(config, data.in_context, validate=validate)
        ensemble = None
        if isinstance(config.model, EnsembleConfig):
            ensemble = make_ensemble(config, member_folders(config.tracking, config.model.members), data.summary.identity)
            split, texts = fits[0].split, np.array(data.rows["text"][:], dtype=object)
            others = np.concatenate([split.train, split.validation, split.calibration])
            check_known(ensemble, texts[others].tolist(), texts[split.test].tolist())
        name = config.tracking.name or run_name(config)

        run = opened.enter_context(_tracked(config, data, name, within, resume, several=len(fits) > 1))
        if resume is None:
            workspace = left_last.enter_context(open_workspace(config.tracking.folder, run.id, stays=within is None))
        workspace.note(config, data.summary.identity, data.identity_in_order)
        if run.id is not None:
            reporter.started(run.id)
        # Of a resumed run too, which may have been killed in the midst of it.
        log_inputs(run, config, data.rows, data.row_identities, data.summary.name, given)

        work = _Work(config, data, name, run, workspace, reporter)
        outcomes = [_only(work, fits[0], ensemble)] if len(fits) == 1 else _children(work, fits)
        classifier = outcomes[-1].classifier
        if final is not None and within is None:
            reporter.phase("fitting the final model")
            classifier = fit_classifier(config, data.in_context, final, Relay(run, reporter), workspace.checkpoints("final"))
            run.tags(arithmetic_tags(classifier))
        if classifier is None:
            raise RuntimeError("a run of one fit, and a trial, are fitted in this process")

        reporter.phase("writing")
        evaluation, intervals, predictions = pool(data.rows, outcomes, grouped_by=config.data.group or "article")
        metrics = final_metrics(outcomes, evaluation, intervals)
        measured = protocol(config, fits)
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="textcls-"))) / "model"
        tested = {metric: value for metric, value in metrics.items() if metric.startswith(("test/", "pooled/"))}
        save_model(
            classifier, folder, config=config.model_dump(mode="json"), data=data.summary, metrics=tested, protocol=measured
        )
        if resume is None:  # how long a process that was killed was at work is not known
            metrics["time/total_s"] = time.monotonic() - started
        metrics["size/model_mb"] = folder_bytes(folder) / 1e6
        metrics |= speed(classifier, data.in_context.select(range(min(_TIMED_TEXTS, len(data.in_context)))).to_list())
        run.metrics(metrics)
        result = RunResult(run.id, name, metrics, evaluation, intervals, predictions, classifier, output)
        if within is None:  # of a trial, of which there are many, the figures are enough
            if metrics.get("test/coverage") == 0:
                logger.warning(NONE_ANSWERED)
            if run.id is not None:
                _keep_results(work, result, outcomes, measured)
            run.model(folder, name=name, requirements=pip_requirements())
        if output is not None:
            try:
                with new_folder(output) as place:
                    shutil.copytree(folder, place, dirs_exist_ok=True)
            except OutputError as error:  # after all the training
                kept = f"; nothing else is lost: go on with --resume {run.id} and another output" if run.id is not None else ""
                raise OutputError(f"{error}{kept}") from error
        if log:  # most runs have nothing to warn of
            run.text("\n".join(log) + "\n", "log.txt")
    return result


def run_name(config: Config) -> str:
    """Name a run by its model and the settings that people vary, such as `tfidf-C1-s42`."""
    return f"{config.model.short_name()}-s{config.seed}"


# --- stages ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Data:
    """The rows of a run; the same with their neighbours, if the model reads any; and what they are known again by."""

    rows: Dataset
    in_context: Dataset
    summary: DataSummary
    row_identities: list[dict[str, Any]]
    identity_in_order: str


@dataclass(frozen=True)
class _Work:
    """What the fits of a run share."""

    config: Config
    data: _Data
    name: str
    run: NullRun
    workspace: Workspace
    reporter: Reporter


def _resolve(config: Config | Mapping[str, Any] | str | Path, overrides: Sequence[str]) -> Config:
    if isinstance(config, str | Path):
        return load_config(config, overrides)
    if isinstance(config, Config):
        return make_config(config.model_dump(mode="json"), overrides) if overrides else config
    return make_config(config, overrides)


def _read(config: Config) -> _Data:
    rows = load_dataset(config.data)
    identities = row_identities(rows)
    summary = DataSummary(dataset_name(config.data), dataset_identity(rows), len(rows))
    return _Data(rows, in_context(rows, config.model.context), summary, identities, identity_in_order(identities))


def _tracked(
    config: Config, data: _Data, name: str, within: NullRun | None, resume: str | None, *, several: bool
) -> AbstractContextManager[NullRun]:
    if within is not None:
        return within.child(name, "trial")
    tags = run_tags(config, data.summary.identity, "parent" if several else "single")
    return track(config.tracking, experiment=data.summary.name, name=name, tags=tags, resume=resume)


def _only(work: _Work, fit: Fit, model: TextClassifier | None) -> Outcome:
    """Make the only fit of a run, or measure the model that needs none."""
    work.reporter.phase("fitting")
    return _fit_and_measure(work, fit, work.run, "only", model)


def _children(work: _Work, fits: Sequence[Fit]) -> list[Outcome]:
    """Make each fit in a run of its own."""
    outcomes = []
    for number, fit in enumerate(fits, 1):
        work.reporter.phase(f"{fit.name} ({number} of {len(fits)})")
        outcomes.append(_child(work, fit, f"fit-{number}"))
    return outcomes


def _child(work: _Work, fit: Fit, key: str) -> Outcome:
    """Fit and measure in a run of its own, or take what an earlier process noted of it."""
    noted = work.workspace.measurement(key)
    if noted is not None:
        return Outcome(fit, noted, classifier=None)
    kind = "seed" if work.config.splits.kind in ("given", "hash") else "fold"
    with work.run.child(f"{fit.name}, {work.name}", kind, resume=work.workspace.child(key)) as child:
        work.workspace.note_child(key, child.id)
        outcome = _fit_and_measure(work, fit, child, key)
        child.metrics(outcome.measured.metrics)
    # Only now that the child has ended: what is noted is never opened again, and a run that is given up here is not the child's.
    work.workspace.note_measurement(key, outcome.measured)
    work.reporter.measured(outcome.measured.metrics)
    return outcome


def _fit_and_measure(work: _Work, fit: Fit, run: NullRun, key: str, model: TextClassifier | None = None) -> Outcome:
    # As if the fit had begun so much earlier as those processes took whose work it goes on with.
    started = time.monotonic() - work.workspace.seconds(key)
    listener = Relay(run, work.reporter, lambda: work.workspace.note_seconds(key, time.monotonic() - started))
    classifier = fit_classifier(work.config, work.data.in_context, fit, listener, work.workspace.checkpoints(key), model=model)
    run.tags(arithmetic_tags(classifier))
    return Outcome(fit, measure_classifier(work.data.in_context, fit, classifier, time.monotonic() - started), classifier)


def _keep_results(work: _Work, result: RunResult, outcomes: Sequence[Outcome], measured: str) -> None:
    """Keep what a run came to, with what can be learnt from its mistakes."""
    data = work.data
    about = {
        "measured": measured,
        "data": f"{data.summary.name}, {data.summary.rows:,} rows, identity {data.summary.identity[:12]}",
        "model": work.config.model.kind,
    }
    seeds = {outcome.fit.seed for outcome in outcomes}
    if len(seeds) > 1:
        about["parts and doubted labels"] = f"of seed {work.config.seed}, the first of {len(seeds)}"
    log_results(
        work.run,
        work.config,
        result.evaluation,
        result.intervals,
        result.predictions,
        look_at_mistakes(result.predictions, outcomes, data.rows, data.in_context),
        doubted_labels(result.predictions, outcomes, data.rows),
        title=work.name,
        about=about,
    )
