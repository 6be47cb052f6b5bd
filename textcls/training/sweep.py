"""Search a space of settings by Optuna: every trial a run below one parent, resumable, by several processes at once."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from textcls.config import Config, SpanConfig, SweepConfig, TrackingConfig, load_config, make_config, takes_fractions
from textcls.dataset import dataset_identity, dataset_name, load_dataset
from textcls.errors import ConfigError, DataError, ModelError, TrackingError
from textcls.evaluation import less_is_better
from textcls.files import check_new, new_file
from textcls.tracking import GivenUp, NullRun, Store, is_alive, this_process, track
from textcls.training.environment import run_tags
from textcls.training.planning import plan
from textcls.training.run import Reporter, run_config, run_name

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

_WARM_UP = 5
"""Trials that are drawn at random, and of which none is pruned."""
_MOST_SECONDS = 120.0
"""How long another process may keep the sweeps of a folder to itself."""


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: its number, from 0 on.
        state: `complete`, `pruned`, `failed`, or `running` in another process.
        settings: what it tried.
        value: the metric it reached, if it is complete.
        error: why its settings failed; None also if its process died.
    """

    number: int
    state: str
    settings: dict[str, Any]
    value: float | None
    error: str | None = None


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


def sweep(
    config: str | Path,
    *,
    overrides: Sequence[str] = (),
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
        overrides: settings on top, `section.key=value`.
        output: a path at which to write the best config; nothing may be there yet. While another process is at a trial, nothing is
            written: it is the last to end that knows the best.
        reporter: told of phases and progress.

    Raises:
        TextclsError: the config, its space, the study or the data cannot be used, or no trial came to an end.
    """
    base = load_config(config, overrides)
    if base.sweep is None:
        raise ConfigError(f"{config}: it has no sweep; add one with a space, such as sweep: {{space: {{model.C: [0.3, 1, 3]}}}}")
    if output is not None:
        check_new(output)
    plain = base.model_dump(mode="json", exclude={"sweep"})
    _check_space(base.sweep, plain)
    optuna = _optuna()
    rows = load_dataset(base.data)
    identity = dataset_identity(rows)
    metric = base.sweep.metric or _default_metric(base, rows)
    folder = Path(base.tracking.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrackingError(f"tracking.folder: {folder}: cannot be made: {error.strerror}; name another") from error
    name = base.sweep.name or f"sweep-{run_name(base)}"
    study = _open_study(optuna, base, base.sweep, name, {"data": identity, "metric": metric}, folder)
    reporter = reporter or Reporter()

    tags = run_tags(base, identity, "parent") | {"textcls.sweep": name}
    with ExitStack() as opened:
        with _locked(folder):  # so that of two processes that begin together one makes the parent, and the other finds it
            parent = _kept_parent(study, base.tracking)
            run = opened.enter_context(
                track(base.tracking, experiment=dataset_name(base.data), name=name, tags=tags, resume=parent)
            )
            if parent is None and run.id is not None:
                study.set_user_attr("run", run.id)
                searched = base.sweep.model_dump(mode="json", exclude={"storage"})  # whose URL may hold a password
                run.parameters({f"sweep.{key}": value for key, value in searched.items()})
        opened.callback(_leave_to_others, optuna, study, run)
        while (trial := _next_trial(optuna, study, base, base.sweep, folder)) is not None:
            reporter.phase(f"trial {trial.number + 1} (of {base.sweep.trials} in all)")
            _run_trial(optuna, study, trial, plain, metric, run, reporter)
        trials = [_describe(trial) for trial in study.get_trials(deepcopy=False)]
        complete = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
        running = any(trial.state == "running" for trial in trials)
        if not complete and running:
            raise ModelError(f"sweep {name}: no trial has ended yet, and another process is at one; wait for it")
        if not complete:
            why = next((trial.error for trial in reversed(trials) if trial.error is not None), "their processes died")
            raise ModelError(
                f"sweep {name}: none of {len(trials)} trials came to an end, the last because: {why}; "
                "mend it and set sweep.name to begin a new one"
            )
        best = ranked(complete, metric)[0]
        best_config = make_config(plain, best.settings)
        run.metrics({metric: best.value or 0.0, "n_children": len(trials)})
        run.text(best_config.as_yaml(), "config/best.yaml")
    if output is not None and not running:
        with new_file(output) as scratch:
            header = f"# Best of {len(trials)} trials of {name}: {metric} {best.value:.4f}.\n#\n#   textcls train {output}\n\n"
            scratch.write_text(header + best_config.as_yaml(), encoding="utf-8")
    counted = [trial for trial in trials if trial.state != "failed" or trial.error is not None]
    return SweepResult(metric, trials, best, best_config, run.id, len(counted) < base.sweep.trials)


def ranked(trials: Sequence[Trial], metric: str) -> list[Trial]:
    """Order trials by a metric, the best first, of equals the earliest; those without a value come last."""
    sign = 1.0 if less_is_better(metric) else -1.0
    return sorted(trials, key=lambda trial: (trial.value is None, sign * (trial.value or 0.0), trial.number))


# --- the space ------------------------------------------------------------------------------------------------------


def _check_space(sweep: SweepConfig, plain: Mapping[str, Any]) -> None:
    """Make a config of every end of the space, so that no trial can stumble over an unknown or impossible setting."""
    for key, values in sweep.space.items():
        if key.split(".")[0] in ("tracking", "gates", "sweep"):
            raise ConfigError(f"sweep.space: {key}: only settings of data, splits, model and decision, and seed, can be searched")
        if isinstance(values, list) and not values:
            raise ConfigError(f"sweep.space: {key}: expected values to choose from, found none")
        ends = values if isinstance(values, list) else [values.low, values.high]
        if isinstance(values, SpanConfig) and not takes_fractions(key, plain["model"]["kind"]):
            if values.step is not None and not values.step.is_integer():
                raise ConfigError(f"sweep.space: {key}: expected a whole step, found {values.step:g}")
            ends = [int(end) if end.is_integer() else end for end in ends]
        for value in ends:
            make_config(plain, {key: value}, name="sweep.space")


def _distribution(optuna: Any, key: str, values: list[Any] | SpanConfig, kind: str) -> Any:
    if isinstance(values, list):
        # Optuna's choices are plain values; a list such as an n-gram span is chosen by its place.
        return optuna.distributions.CategoricalDistribution(range(len(values)))
    if takes_fractions(key, kind):
        return optuna.distributions.FloatDistribution(values.low, values.high, log=values.log, step=values.step)
    return optuna.distributions.IntDistribution(int(values.low), int(values.high), log=values.log, step=int(values.step or 1))


def _settings(sweep: SweepConfig, drawn: Mapping[str, Any]) -> dict[str, Any]:
    return {key: values[drawn[key]] if isinstance(values, list) else drawn[key] for key, values in sweep.space.items()}


def _combinations(sweep: SweepConfig, space: Mapping[str, Any]) -> float:
    """How many different settings the space holds; there is no end to them where a setting takes any number between two bounds."""
    return math.prod(
        len(_distinct(values))
        if isinstance(values, list)
        else round((space[key].high - space[key].low) / space[key].step) + 1
        if space[key].step is not None
        else math.inf
        for key, values in sweep.space.items()
    )


def _distinct(values: Iterable[Any]) -> list[Any]:
    """As `set`, of values such as lists."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _default_metric(config: Config, rows: Dataset) -> str:
    """What is measured on validation rows, if each fit has some that it is not measured on in the end, else on the test."""
    splits = [fit.split for fit in plan(config, rows, validate=True)[0]]
    apart = all(len(split.validation) and not np.array_equal(split.validation, split.test) for split in splits)
    if apart:
        return "validation/macro_f1"
    logger.warning(
        "not every fit has validation rows apart from its test rows, so the sweep selects on test rows, and the best trial's figure is too "
        "good; set splits.validation, and name data.test if data.validation is named, or measure the best config on rows that no trial "
        "was measured on"
    )
    return "test/macro_f1"


# --- the study ------------------------------------------------------------------------------------------------------


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ModelError("a sweep needs optuna; install it with: pip install 'textcls[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _open_study(optuna: Any, config: Config, sweep: SweepConfig, name: str, measured: Mapping[str, str], folder: Path) -> Any:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    url = sweep.storage or f"sqlite:///{(folder / 'sweeps.db').resolve()}"
    try:
        shown = make_url(url).render_as_string()  # without a password
    except ArgumentError as error:
        raise ConfigError("sweep.storage: expected a database's URL, such as sqlite:///sweeps.db, found none") from error
    settings = config.model_dump(mode="json", exclude={"sweep": {"trials", "storage"}, "tracking": True})
    made_of = {"config": sha256(str(settings).encode()).hexdigest(), **measured}
    try:
        with _locked(folder):
            study = optuna.create_study(
                study_name=name,
                storage=optuna.storages.RDBStorage(url),
                direction="minimize" if less_is_better(measured["metric"]) else "maximize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_WARM_UP) if sweep.prune else optuna.pruners.NopPruner(),
            )
            known = study.user_attrs
            for what in made_of.keys() - known.keys():
                study.set_user_attr(what, made_of[what])
    except (SQLAlchemyError, OSError, ImportError) as error:
        raise TrackingError(f"sweep.storage: {shown}: cannot be opened: {str(error).splitlines()[0]}") from error
    for what, value in made_of.items():
        if known.get(what, value) != value:
            raise ConfigError(
                f"the study {name!r} in {shown} was begun with {'other' if what == 'data' else 'another'} {what}; "
                f"set sweep.name to begin a new one, or restore the {what}"
            )
    return study


def _kept_parent(study: Any, tracking: TrackingConfig) -> str | None:
    """The run of the study, unless it was deleted, after which the sweep goes on under a new one."""
    parent: str | None = study.user_attrs.get("run")
    if parent is None or not tracking.enabled:
        return parent
    store = Store(tracking.uri or tracking.folder, create=True)
    return parent if any(run.id == parent for run in store.runs()) else None


def _next_trial(optuna: Any, study: Any, config: Config, sweep: SweepConfig, folder: Path) -> Any:
    """Begin the next trial, or none if there are enough; one by one, so that several processes do not try the same."""
    with _locked(folder):
        states = optuna.trial.TrialState
        for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            process = trial.user_attrs.get("process")
            # Without one, a process died between the two steps below, for none but this one is at them now.
            if process is None or process == this_process() or is_alive(process) is False:
                study.tell(trial.number, state=states.FAIL)
        # What failed by its settings counts: the next draw of the same number would be the same settings again.
        begun = [t for t in study.get_trials(deepcopy=False) if t.state != states.FAIL or "error" in t.user_attrs]
        tried = _distinct(t.user_attrs["settings"] for t in begun if "settings" in t.user_attrs)
        space = {key: _distribution(optuna, key, values, config.model.kind) for key, values in sweep.space.items()}
        if len(begun) >= sweep.trials or len(tried) >= _combinations(sweep, space):
            return None
        # A sampler of its own for each trial: what it draws hangs on the study alone, so there is no state to lose.
        study.sampler = _sampler(
            optuna, (config.seed + len(begun)) % 2**32, space, lambda drawn: _settings(sweep, drawn) in tried
        )
        trial = study.ask(space)
        trial.set_user_attr("process", this_process())
        trial.set_user_attr("settings", _settings(sweep, trial.params))
        return trial


def _sampler(optuna: Any, seed: int, space: Mapping[str, Any], tried: Callable[[Mapping[str, Any]], bool]) -> Any:
    """TPE, but where it draws what was tried, which would come to the very same figures, a draw at random of what was not."""

    class Untried(optuna.samplers.TPESampler):
        def infer_relative_search_space(self, study: Any, trial: Any) -> Mapping[str, Any]:
            return space

        def sample_relative(self, study: Any, trial: Any, search_space: Mapping[str, Any]) -> dict[str, Any]:
            drawn = {key: self.sample_independent(study, trial, key, values) for key, values in space.items()}
            random = optuna.samplers.RandomSampler(seed=seed)
            while tried(drawn):
                drawn = {key: random.sample_independent(study, trial, key, values) for key, values in space.items()}
            return drawn

    return Untried(seed=seed, n_startup_trials=_WARM_UP)


def _run_trial(
    optuna: Any, study: Any, trial: Any, plain: Mapping[str, Any], metric: str, run: NullRun, reporter: Reporter
) -> None:
    states = optuna.trial.TrialState
    try:
        config = make_config(plain, trial.user_attrs["settings"])
        validate = metric.startswith("validation/")
        metrics = run_config(config, within=run, validate=validate, reporter=_Pruning(trial, metric, reporter)).metrics
    except GivenUp:
        study.tell(trial, state=states.PRUNED)
        return
    except (ConfigError, DataError, ModelError) as error:  # of the settings; a store that fails ends the sweep
        failed = str(error).splitlines()[0]
    else:
        value = metrics.get(metric)
        if value is not None and np.isfinite(value):
            study.tell(trial, value)
            return
        known = ", ".join(sorted(name for name in metrics if name.startswith(("test/", "validation/"))))
        failed = f"sweep.metric is {metric!r}, which the runs do not have; known: {known}"
        if value is not None:
            failed = f"{metric} is {value}, which cannot be compared"
        elif not study.get_trials(deepcopy=False, states=(states.COMPLETE,)):  # else only some settings are without it
            study.tell(trial, state=states.FAIL)
            raise ConfigError(failed)
    logger.warning("trial %d failed: %s", trial.number + 1, failed)
    trial.set_user_attr("error", failed)  # first: a process that dies between the two leaves a trial that counts all the same
    study.tell(trial, state=states.FAIL)


def _leave_to_others(optuna: Any, study: Any, run: NullRun) -> None:
    """Have the parent ended by the last process that works on it, however this one leaves."""
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        process = trial.user_attrs.get("process", this_process())
        if process != this_process() and is_alive(process) is not False:
            run.hand_over(process)
            return


def _describe(trial: Any) -> Trial:
    state = {"COMPLETE": "complete", "PRUNED": "pruned", "RUNNING": "running"}.get(trial.state.name, "failed")
    value = trial.value if state == "complete" else None
    return Trial(trial.number, state, dict(trial.user_attrs.get("settings", {})), value, trial.user_attrs.get("error"))


class _Pruning(Reporter):
    """Report to Optuna how a trial is getting on, and give it up where Optuna says so."""

    def __init__(self, trial: Any, metric: str, reporter: Reporter) -> None:
        self.trial, self.name, self.reporter = trial, metric, reporter
        self.values: list[float] = []

    def progress(self, done: int, total: int) -> None:
        self.reporter.progress(done, total)

    def measured(self, metrics: Mapping[str, float]) -> None:
        if self.name in metrics:
            self.values.append(metrics[self.name])
            self.trial.report(sum(self.values) / len(self.values), len(self.values))
            if self.trial.should_prune():
                raise GivenUp


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        held = FileLock(folder / ".sweeps.lock", timeout=_MOST_SECONDS).acquire()
    except Timeout as error:
        raise TrackingError(
            f"{folder}: another process has kept the sweeps to itself for {_MOST_SECONDS:g} seconds; wait for it, or end it"
        ) from error
    with held:
        yield
