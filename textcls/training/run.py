"""One run, top to bottom: data, splits, fits, figures, the final model, and all of it tracked."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from textcls.artifacts import pip_requirements, save_model
from textcls.config import Config, EnsembleConfig, Overrides, make_config, parse_config, read_config_file
from textcls.errors import ConfigError, OutputError
from textcls.evaluation import Evaluation, Intervals
from textcls.evaluation.abstention import NONE_ANSWERED
from textcls.files import check_new, folder_bytes, new_folder
from textcls.models import TextClassifier
from textcls.torchrun import is_first, world_size
from textcls.tracking import NullRun, track
from textcls.training.fitting import Outcome
from textcls.training.members import check_calibration, check_known, make_ensemble
from textcls.training.mistakes import doubted_labels, look_at_mistakes, neighbours
from textcls.training.planning import plan, protocol, with_neighbours
from textcls.training.pooling import final_metrics, pool, speed
from textcls.training.reading import RunData, read_data
from textcls.training.record import kept_log, log_inputs, log_results
from textcls.training.reporting import Reporter
from textcls.training.work import Job, Work, make_fits
from textcls.training.workspace import check_resumable, open_workspace, unfinished_run

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Attributes:
        run_id: the MLflow run's id; None if it was not tracked.
        name: the run's name.
        config: what was run, in full.
        metrics: the run's final figures under the names that MLflow has them by; of several fits the means, but where it is said.
            `test/macro_f1`, `test/accuracy`, `test/log_loss` (nats), `test/ece`: on the test rows. Of several fits each also with
            `_std`, and of three folds or more with `_low` and `_high`, the ends of its 95 % interval by Student's t; of one fit
            macro-F1 and accuracy with the ends of the bootstrap's. Where the model may abstain, `test/coverage` and, if it answers
            any, `test/risk` (shares).
            `pooled/…`: the same four over the predictions of several fits together, macro-F1 and accuracy with the bootstrap's ends.
            `validation/…`: the same four on validation rows, if there are any; without ends.
            `test.per_label/f1/LABEL`: of all predictions together, for each of 20 labels or fewer.
            `time/fit_s` (seconds of a fit), `n_train` (rows of a fit), `n_children` (fits, if several).
            `time/total_s` (seconds of the run, if it was not resumed), `latency/p50_ms` (median milliseconds for one text),
            `time/texts_per_s` (texts at once), `size/model_mb` (megabytes of 10^6): of the final model.
        evaluation: figures over the predictions of all folds together.
        intervals: their 95 % intervals, by a bootstrap over articles.
        predictions: a row for each measured one: `text`, `prediction`, `label`, `score`, `id`, `article`, `fold`, `seed`,
            `probabilities`, and the data's columns that part rows into a few sorts.
        classifier: the final model.
        model_folder: where it was written, if the caller named a place.
    """

    run_id: str | None
    name: str
    config: Config
    metrics: dict[str, float]
    evaluation: Evaluation
    intervals: Intervals
    predictions: list[dict[str, Any]]
    classifier: TextClassifier
    model_folder: Path | None


def train(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    overrides: Overrides = (),
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
        overrides: settings on top, `section.key=value`, or as values by `section.key`.
        output: a path at which to write the final model's folder; nothing may be there yet.
        resume: the id of a run that did not come to its end, to go on with it; config and data must be those it was begun with.
            The result is the same to the last bit as if it had not been interrupted.
        reporter: told of phases and progress.

    Raises:
        TextclsError: the config, the data, the model, the store or the output cannot be used.
    """
    config, given = _resolve(config, overrides)
    if output is not None:
        check_new(output)
    elif not config.tracking.enabled:
        raise ConfigError("tracking.enabled is false and no output is named, so the model would be lost; name an output")
    if resume is not None:
        if world_size() > 1:
            raise ConfigError("a run of several processes keeps no checkpoints and cannot be resumed; start a new run")
        if not config.tracking.enabled:
            raise ConfigError("only a tracked run can be resumed; set tracking.enabled to true")
        resume = unfinished_run(config.tracking, resume)
    if not is_first():
        config = config.model_copy(update={"tracking": config.tracking.model_copy(update={"enabled": False})})
        output = reporter = None

    return run_config(config, given=given, output=Path(output) if output is not None else None, resume=resume, reporter=reporter)


def run_config(
    config: Config,
    *,
    given: str | None = None,
    output: Path | None = None,
    resume: str | None = None,
    data: RunData | None = None,
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
        data: its rows, if they are read already; of other settings of `data` than the config's, they are read anew.
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
        if data is None or data.settings != config.data:
            reporter.phase("reading the data")
            data = read_data(config.data)
        if resume is not None:
            check_resumable(config.tracking.folder, resume, config, data.summary.identity, data.identity_in_order)
        job = _prepare(config, data, validate=validate)

        run = opened.enter_context(_tracked(job, within, resume))
        opened.push(partial(_keep_log, run, log))  # also of a run that fails
        if resume is None:
            workspace = left_last.enter_context(open_workspace(config.tracking.folder, run.id, stays=within is None))
        work = Work(job, run, workspace, reporter)
        _note_inputs(work, given)
        outcomes, classifier = make_fits(work, final=within is None)

        reporter.phase("writing")
        folder = workspace.model()
        # How long a process that was killed was at work is not known.
        result = _measure(work, outcomes, classifier, folder, output, started=started if resume is None else None)
        run.metrics(result.metrics)
        if within is None:  # of a trial, of which there are many, the figures are enough
            _keep_results(work, result, outcomes)
            run.model(folder, name=job.name, requirements=pip_requirements())
        if output is not None:
            _write_output(folder, output, run)
    return result


def run_name(config: Config) -> str:
    """Name a run by its model and the settings that people vary, such as `tfidf-C1-s42`."""
    return f"{config.model.short_name()}-s{config.seed}"


# --- stages ---------------------------------------------------------------------------------------------------------


def _resolve(config: Config | Mapping[str, Any] | str | Path, overrides: Overrides) -> tuple[Config, str | None]:
    """The config in full, and the text of its file."""
    if isinstance(config, str | Path):
        given = read_config_file(config)
        return parse_config(given, overrides, name=str(config)), given
    if isinstance(config, Config):
        return (make_config(config.model_dump(mode="json"), overrides) if overrides else config), None
    return make_config(config, overrides), None


def _prepare(config: Config, data: RunData, *, validate: bool) -> Job:
    """Part the rows, and find all that the run needs, before anything is tracked."""
    rows = with_neighbours(data.rows, config.model.context)
    fits, final = plan(config, rows, validate=validate, clusters=data.clusters)
    ensemble = None
    if isinstance(config.model, EnsembleConfig):
        ensemble = make_ensemble(config, data.summary.identity)
        split, texts = fits[0].split, rows["text"][:]
        if config.decision.learns:
            check_calibration(ensemble, [texts[row] for row in split.calibration])
        others = (*split.train, *split.validation, *split.calibration)
        check_known(ensemble, [texts[row] for row in others], [texts[row] for row in split.test])
    return Job(config, data, rows, fits, final, ensemble, config.tracking.name or run_name(config))


def _tracked(job: Job, within: NullRun | None, resume: str | None) -> AbstractContextManager[NullRun]:
    if within is not None:
        return within.child(job.name, "trial")
    return track(job.config.tracking, experiment=job.data.summary.name, name=job.name, tags=job.tags, resume=resume)


def _keep_log(run: NullRun, log: Sequence[str], failed_by: type[BaseException] | None, *_: object) -> None:
    if not log:  # most runs have nothing to warn of
        return
    try:
        run.text("\n".join(log) + "\n", "log.txt")
    except Exception:
        if failed_by is None:  # else what ends the run is told, not that its log is lost
            raise


def _note_inputs(work: Work, given: str | None) -> None:
    """Note what the run is made from, where it is made and where it is tracked; of a resumed run again, which may have been killed at it."""
    config, data, run = work.job.config, work.job.data, work.run
    work.workspace.note(config, data.summary.identity, data.identity_in_order)
    if run.id is not None:
        work.reporter.started(run.id)
    log_inputs(run, config, data.rows, data.row_identities, data.summary.name, given)


def _measure(
    work: Work,
    outcomes: Sequence[Outcome],
    classifier: TextClassifier,
    folder: Path,
    output: Path | None,
    *,
    started: float | None,
) -> RunResult:
    """Put together what the fits came to, write the model folder, and measure that and the model's speed."""
    job = work.job
    evaluation, intervals, predictions = pool(job.data.rows, outcomes, grouped_by=job.config.data.group or "article")
    metrics = final_metrics(outcomes, evaluation, intervals)
    tested = {metric: value for metric, value in metrics.items() if metric.startswith(("test/", "pooled/"))}
    settings, measured = job.config.model_dump(mode="json"), protocol(job.config, job.fits)
    save_model(classifier, folder, config=settings, data=job.data.summary, metrics=tested, protocol=measured)
    if started is not None:
        metrics["time/total_s"] = time.monotonic() - started
    metrics["size/model_mb"] = folder_bytes(folder) / 1e6
    metrics |= speed(classifier, job.in_context)
    return RunResult(work.run.id, job.name, job.config, metrics, evaluation, intervals, predictions, classifier, output)


def _keep_results(work: Work, result: RunResult, outcomes: Sequence[Outcome]) -> None:
    """Keep what a run came to, if it is tracked, with what can be learnt from its mistakes."""
    job = work.job
    if result.metrics.get("test/coverage") == 0:
        logger.warning(NONE_ANSWERED)
    if work.run.id is None:
        return
    summary = job.data.summary
    changed = " and uncommitted changes" if job.tags.get("textcls.git_dirty") == "true" else ""
    about = {
        "measured": protocol(job.config, job.fits),
        "run": work.run.id,
        "ended": datetime.now(UTC).isoformat(sep=" ", timespec="minutes"),
        "commit of the folder started in": f"{job.tags.get('mlflow.source.git.commit', 'no commit')}{changed}",
        "textcls": job.tags["textcls.version"],
        "settings": job.config.as_yaml(),
        "data": f"{summary.name}, {summary.rows:,} rows, identity {summary.identity[:12]}",
        "model": job.config.model.kind,
    }
    seeds = {outcome.fit.seed for outcome in outcomes}
    if len(seeds) > 1:
        about["parts and doubted labels"] = f"of seed {job.config.seed}, the first of {len(seeds)}"
    rows = neighbours(job.data.rows)
    log_results(
        work.run,
        job.config,
        result.evaluation,
        result.intervals,
        result.predictions,
        look_at_mistakes(result.predictions, outcomes, rows, job.in_context),
        doubted_labels(result.predictions, outcomes, rows),
        title=job.name,
        about=about,
    )


def _write_output(folder: Path, output: Path, run: NullRun) -> None:
    try:
        with new_folder(output) as place:
            shutil.copytree(folder, place, dirs_exist_ok=True)
    except OutputError as error:  # after all the training
        kept = f"; nothing else is lost: go on with --resume {run.id} and another output" if run.id is not None else ""
        raise OutputError(f"{error}{kept}") from error
