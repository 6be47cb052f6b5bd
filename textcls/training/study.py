"""The study of a sweep: its trials in Optuna's storage, which several processes may work at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from textcls.config import Config, SweepConfig
from textcls.errors import ConfigError, ModelError, TrackingError
from textcls.evaluation import less_is_better
from textcls.tracking import UNFINISHED, is_alive, this_process
from textcls.training.space import combinations, distinct, distributions, settings_of
from textcls.training.workspace import Workspace

if TYPE_CHECKING:
    import optuna

_WARM_UP = 5
"""Trials that are drawn at random, and of which none is pruned."""
_MOST_SECONDS = 120.0
"""How long another process may keep the sweeps of a folder to itself."""


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: its number, from 0 on.
        state: `complete`, `pruned`, `failed`, `stopped` if its process was, or `running` in another one.
        settings: what it tried.
        value: the metric it reached, if it is complete.
        error: why its settings failed.
    """

    number: int
    state: str
    settings: dict[str, Any]
    value: float | None
    error: str | None = None


def ranked(trials: Sequence[Trial], metric: str) -> list[Trial]:
    """Order trials by a metric, the best first, of equals the earliest; those without a value come last."""
    sign = 1.0 if less_is_better(metric) else -1.0
    return sorted(trials, key=lambda trial: (trial.value is None, sign * (trial.value or 0.0), trial.number))


def check_optuna() -> None:
    """Look whether Optuna is installed.

    Raises:
        ModelError: it is not.
    """
    try:
        import optuna  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModelError("a sweep needs optuna; install it with: pip install 'textcls[sweep]'") from error


class Study:
    """The study of a config's sweep, begun or gone on with; `close` it.

    Attributes:
        metric: what the trials are told apart by.

    Args:
        config: the config.
        sweep: its sweep.
        name: the study's name, one in its database.
        data: the identity of the data.
        metric: what the trials are told apart by.
        folder: where the database is, unless the sweep names another, and what keeps processes apart.

    Raises:
        TextclsError: the database cannot be opened, or the study in it is of another config, other data or another metric, or was not
            made by textcls.
    """

    def __init__(self, config: Config, sweep: SweepConfig, *, name: str, data: str, metric: str, folder: Path) -> None:
        self.config, self.sweep, self.folder, self.metric = config, sweep, folder, metric
        with ExitStack() as opened:
            self._study = _open_study(config, sweep, name, {"data": data, "metric": metric}, folder, opened)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Close the database."""
        self._opened.close()

    @property
    def parent(self) -> str | None:
        """The id of the run that the trials are children of, once there is one."""
        id: str | None = self._study.user_attrs.get("run")
        return id

    @parent.setter
    def parent(self, id: str) -> None:
        self._study.set_user_attr("run", id)

    def trials(self) -> list[Trial]:
        """All trials, in their order."""
        return [_describe(trial) for trial in self._study.get_trials(deepcopy=False)]

    def other_process(self) -> str | None:
        """Name another process that is at a trial, if there is one."""
        import optuna

        for trial in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            process: str = trial.user_attrs.get("process", this_process())
            if process != this_process() and is_alive(process) is not False:
                return process
        return None

    def next_trial(self) -> optuna.Trial | None:
        """Begin the next trial, or none if there are enough; one by one, so that several processes do not try the same.

        What a trial whose process died has left in its working folder is removed: another begins anew in its place.
        """
        from optuna.trial import TrialState

        with locked(self.folder):
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                process = trial.user_attrs.get("process")
                # Without one, a process died between the two steps below, for none but this one is at them now.
                if process is None or process == this_process() or is_alive(process) is False:
                    if "run" in trial.user_attrs:
                        Workspace(self.folder / UNFINISHED / trial.user_attrs["run"]).remove()
                    self._study.tell(trial.number, state=TrialState.FAIL)
            # What failed by its settings counts: the next draw of the same number would be the same settings again.
            begun = [t for t in self._study.get_trials(deepcopy=False) if t.state != TrialState.FAIL or "error" in t.user_attrs]
            tried = distinct(t.user_attrs["settings"] for t in begun if "settings" in t.user_attrs)
            space = distributions(self.sweep, self.config.model.kind)
            if len(begun) >= self.sweep.trials or len(tried) >= combinations(self.sweep, space):
                return None
            # A sampler of its own for each trial: what it draws hangs on the study alone, so there is no state to lose.
            self._study.sampler = _sampler(
                (self.config.seed + len(begun)) % 2**32, space, lambda drawn: settings_of(self.sweep, drawn) in tried
            )
            asked = self._study.ask(space)
            asked.set_user_attr("process", this_process())
            asked.set_user_attr("settings", settings_of(self.sweep, asked.params))
            return asked

    def complete(self, trial: optuna.Trial, value: float) -> None:
        """Note the metric that a trial reached."""
        self._study.tell(trial, value)

    def prune(self, trial: optuna.Trial) -> None:
        """Note that a trial was given up."""
        import optuna

        self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def fail(self, trial: optuna.Trial, error: str | None = None) -> None:
        """Note that a trial failed; with an error, by its settings, so that it counts as one."""
        import optuna

        if error is not None:  # first: a process that dies between the two leaves a trial that counts all the same
            trial.set_user_attr("error", error)
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep the sweeps of a folder from other processes.

    Raises:
        TrackingError: another process does not let go of them.
    """
    try:
        held = FileLock(folder / ".sweeps.lock", timeout=_MOST_SECONDS).acquire()
    except Timeout as error:
        raise TrackingError(
            f"{folder}: another process has kept the sweeps to itself for {_MOST_SECONDS:g} seconds; wait for it, or end it"
        ) from error
    with held:
        yield


def _open_study(
    config: Config, sweep: SweepConfig, name: str, measured: Mapping[str, str], folder: Path, opened: ExitStack
) -> optuna.Study:
    import optuna
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = sweep.storage or f"sqlite:///{(folder / 'sweeps.db').resolve()}"
    try:
        shown = make_url(url).render_as_string()  # without a password
    except ArgumentError as error:
        raise ConfigError("sweep.storage: expected a database's URL, such as sqlite:///sweeps.db, found none") from error
    # Without defaults, so that a setting that a newer textcls has does not make it another config.
    settings = config.model_dump(mode="json", exclude={"sweep": {"trials", "storage"}, "tracking": True}, exclude_defaults=True)
    made_of = {"config": sha256(str(settings).encode()).hexdigest(), **measured}
    direction = (
        optuna.study.StudyDirection.MINIMIZE if less_is_better(measured["metric"]) else optuna.study.StudyDirection.MAXIMIZE
    )
    try:
        with locked(folder):
            storage = optuna.storages.RDBStorage(url)
            opened.callback(storage.engine.dispose)  # Optuna keeps it open for good
            opened.callback(storage.remove_session)
            study = optuna.create_study(
                study_name=name,
                storage=storage,
                direction=direction,
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_WARM_UP) if sweep.prune else optuna.pruners.NopPruner(),
            )
            known = study.user_attrs
            # Ours has no config only if its process died before the next lines, and then no trials either.
            if "config" not in known and (study.directions != [direction] or study.get_trials(deepcopy=False)):
                raise ConfigError(f"the study {name!r} in {shown} was not made by textcls; set sweep.name to begin a new one")
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


def _sampler(seed: int, space: Mapping[str, Any], tried: Callable[[Mapping[str, Any]], bool]) -> optuna.samplers.BaseSampler:
    """TPE, but where it draws what was tried, which would come to the very same figures, a draw at random of what was not."""
    import optuna

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


def _describe(trial: Any) -> Trial:
    state = trial.state.name.lower()
    if state == "fail":
        state = "failed" if "error" in trial.user_attrs else "stopped"
    value = trial.value if state == "complete" else None
    return Trial(trial.number, state, dict(trial.user_attrs.get("settings", {})), value, trial.user_attrs.get("error"))
