"""Search a space of settings: every trial a run below one parent; which comes next is up to the study."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.config import Config, Overrides, TrackingConfig, load_config, make_config
from textcls.errors import ConfigError, DataError, ModelError, TrackingError
from textcls.files import check_new, new_file
from textcls.tracking import GivenUp, NullRun, Store, track
from textcls.training.environment import check_one_process, run_tags
from textcls.training.planning import plan
from textcls.training.reading import RunData, read_data
from textcls.training.reporting import Reporter, told_once
from textcls.training.run import run_config, run_name
from textcls.training.space import check_space
from textcls.training.study import Study, Trial, check_optuna, locked, ranked

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to.

    Attributes:
        metric: what the trials were told apart by, made large, or small where less is better.
        trials: all trials of the study, in their order.
        best: the one that did best; of those that have ended, while others are `running`.
        config: the best trial's config, without the search, which `train` takes.
        run_id: the parent run's id; None if it was not tracked.
        exhausted: whether all that the space holds was tried in fewer trials than were asked for.
    """

    metric: str
    trials: list[Trial]
    best: Trial
    config: Config
    run_id: str | None
    exhausted: bool


@told_once()
def sweep(
    config: str | Path,
    *,
    overrides: Overrides = (),
    output: str | Path | None = None,
    reporter: Reporter | None = None,
) -> SweepResult:
    """Search the space of a config, or go on with a search that was interrupted or that another process works at.

    What is tried next depends on the seed and on the trials that came to an end, all of which lie in the study's database;
    so a search that was killed goes on as if it had not been, but for the trial it was at, which begins anew. A trial whose settings
    fail, such as a learning rate that is too high, counts as one, and the search goes on. Nothing is tried twice, so it ends early
    when a space of lists and whole numbers holds nothing else.

    Args:
        config: a config file with a `sweep`.
        overrides: settings on top, `section.key=value`, or as values by `section.key`.
        output: a path at which to write the best config; nothing may be there yet. While another process is at a trial, nothing is
            written: it is the last to end that knows the best.
        reporter: told of phases and progress.

    Raises:
        TextclsError: the config, its space, the study or the data cannot be used, or no trial came to an end; or this is one of
            several processes under `torchrun`.
    """
    check_one_process("a sweep")
    base = load_config(config, overrides)
    if base.sweep is None:
        raise ConfigError(f"{config}: it has no sweep; add one with a space, such as sweep: {{space: {{model.C: [0.3, 1, 3]}}}}")
    if output is not None:
        check_new(output)
    plain = base.model_dump(mode="json", exclude={"sweep"})
    check_space(base.sweep, plain)
    check_optuna()
    data = read_data(base.data)
    identity = data.summary.identity
    metric = base.sweep.metric or _default_metric(base, data)
    folder = Path(base.tracking.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrackingError(f"tracking.folder: {folder}: cannot be made: {error.strerror}; name another") from error
    name = base.sweep.name or f"sweep-{run_name(base)}"
    reporter = reporter or Reporter()

    tags = run_tags(base, identity, "parent") | {"textcls.sweep": name}
    with ExitStack() as opened:
        study = opened.enter_context(closing(Study(base, base.sweep, name=name, data=identity, metric=metric, folder=folder)))
        with locked(folder):  # so that of two processes that begin together one makes the parent, and the other finds it
            parent = _kept_parent(study, base.tracking)
            run = opened.enter_context(track(base.tracking, experiment=data.summary.name, name=name, tags=tags, resume=parent))
            if parent is None and run.id is not None:
                study.parent = run.id
                searched = base.sweep.model_dump(mode="json", exclude={"storage"})  # whose URL may hold a password
                run.parameters({f"sweep.{key}": value for key, value in searched.items()})
        opened.callback(_leave_to_others, study, run)
        while (trial := study.next_trial()) is not None:
            reporter.phase(f"trial {trial.number + 1} ({_count(study.trials())} of {base.sweep.trials})")
            _run_trial(study, trial, plain, data, run, reporter)
        trials = study.trials()
        best = _best(trials, metric, name)
        config_of_best = make_config(plain, best.settings)
        run.metrics({metric: best.value or 0.0, "n_children": len(trials)})
        run.text(config_of_best.as_yaml(), "config/best.yaml")
    if output is not None and not any(trial.state == "running" for trial in trials):
        with new_file(output) as scratch:
            header = f"# Best of {_count(trials)} trials of {name}: {metric} {best.value:.4f}.\n#\n#   textcls train {output}\n\n"
            scratch.write_text(header + config_of_best.as_yaml(), encoding="utf-8")
    return SweepResult(metric, trials, best, config_of_best, run.id, _count(trials) < base.sweep.trials)


def _default_metric(config: Config, data: RunData) -> str:
    """What is measured on validation rows, if each fit has some that it is not measured on in the end, else on the test."""
    splits = [fit.split for fit in plan(config, data.rows, validate=True, clusters=data.clusters)[0]]
    apart = all(len(split.validation) and not np.array_equal(split.validation, split.test) for split in splits)
    if apart:
        return "validation/macro_f1"
    logger.warning(
        "not every fit has validation rows apart from its test rows, so the sweep selects on test rows, and the best trial's figure is too "
        "good; set splits.validation, and name data.test if data.validation is named, or measure the best config on rows that no trial "
        "was measured on"
    )
    return "test/macro_f1"


def _kept_parent(study: Study, tracking: TrackingConfig) -> str | None:
    """The run of the study, unless it was deleted, after which the sweep goes on under a new one."""
    parent = study.parent
    if parent is None or not tracking.enabled:
        return parent
    store = Store(tracking.uri or tracking.folder, create=True)
    return parent if store.find(parent) is not None else None


def _run_trial(
    study: Study, trial: optuna.Trial, plain: Mapping[str, Any], data: RunData, run: NullRun, reporter: Reporter
) -> None:
    metric = study.metric
    try:
        config = make_config(plain, trial.user_attrs["settings"])
        validate = metric.startswith("validation/")
        metrics = run_config(config, data=data, within=run, validate=validate, reporter=_Pruning(trial, metric, reporter)).metrics
    except GivenUp:
        study.prune(trial)
        return
    except (ConfigError, DataError, ModelError) as error:  # of the settings; a store that fails ends the sweep
        failed = str(error).splitlines()[0]
    else:
        value = metrics.get(metric)
        if value is not None and np.isfinite(value):
            study.complete(trial, value)
            return
        known = ", ".join(sorted(name for name in metrics if name.startswith(("test/", "validation/"))))
        failed = f"sweep.metric is {metric!r}, which the runs do not have; known: {known}"
        if value is not None:
            failed = f"{metric} is {value}, which cannot be compared"
        elif all(trial.state != "complete" for trial in study.trials()):  # else only some settings are without it
            study.fail(trial)
            raise ConfigError(failed)
    logger.warning("trial %d failed: %s", trial.number + 1, failed)
    study.fail(trial, failed)


def _best(trials: Sequence[Trial], metric: str, name: str) -> Trial:
    """The trial that did best.

    Raises:
        ModelError: none has come to an end.
    """
    complete = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
    if complete:
        return ranked(complete, metric)[0]
    if any(trial.state == "running" for trial in trials):
        raise ModelError(f"sweep {name}: no trial has ended yet, and another process is at one; wait for it")
    why = next((trial.error for trial in reversed(trials) if trial.error is not None), "their processes died")
    raise ModelError(
        f"sweep {name}: none of {len(trials)} trials came to an end, the last because: {why}; "
        "mend it and set sweep.name to begin a new one"
    )


def _count(trials: Sequence[Trial]) -> int:
    """Count the trials, but for those that were stopped, in whose place others come."""
    return sum(trial.state != "stopped" for trial in trials)


def _leave_to_others(study: Study, run: NullRun) -> None:
    """Have the parent ended by the last process that works on it, however this one leaves."""
    other = study.other_process()
    if other is not None:
        run.hand_over(other)


class _Pruning(Reporter):
    """Report to Optuna which run a trial is and how it is getting on, and give it up where Optuna says so."""

    def __init__(self, trial: optuna.Trial, metric: str, reporter: Reporter) -> None:
        self.trial, self.name, self.reporter = trial, metric, reporter
        self.values: list[float] = []

    def started(self, run_id: str) -> None:
        self.trial.set_user_attr("run", run_id)

    def progress(self, done: int, total: int) -> None:
        self.reporter.progress(done, total)

    def measured(self, metrics: Mapping[str, float]) -> None:
        if self.name in metrics:
            self.values.append(metrics[self.name])
            self.trial.report(sum(self.values) / len(self.values), len(self.values))
            if self.trial.should_prune():
                raise GivenUp
