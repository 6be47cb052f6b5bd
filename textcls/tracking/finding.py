"""Find runs in a store: all of them, those that a condition names, or one by its id, without reading others."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from textcls.errors import TrackingError
from textcls.tracking.summaries import CHILDREN, RunSummary, summarize_run
from textcls.wording import did_you_mean

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MOST_NAMED = 10
"""Runs that the message on an unknown one names."""


def pages(search: Callable[..., Any], *given: Any, **named: Any) -> Iterator[Any]:
    """All that a search of MLflow's finds."""
    token = None
    while True:
        page = search(*given, **named, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def search_runs(client: MlflowClient, condition: str = "", *, deleted: bool = False) -> list[RunSummary]:
    """List the runs that an MLflow filter lets through, the newest first; those that were deleted, if they are asked for."""
    from mlflow.entities import ViewType

    # A deleted run may lie in an experiment that was deleted too.
    of, view = (ViewType.ALL, ViewType.DELETED_ONLY) if deleted else (ViewType.ACTIVE_ONLY, ViewType.ACTIVE_ONLY)
    experiments = {e.experiment_id: e.name for e in pages(client.search_experiments, view_type=of)}
    if not experiments:
        return []
    found = pages(client.search_runs, list(experiments), filter_string=condition, run_view_type=view)
    return sorted((summarize_run(run, experiments[run.info.experiment_id]) for run in found), key=lambda run: -run.started)


def find_run(client: MlflowClient, id: str) -> RunSummary | None:
    """Find the run of an id; None if there is none, or it or its experiment was deleted."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(id)
        experiment = client.get_experiment(run.info.experiment_id)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None
    active = run.info.lifecycle_stage == experiment.lifecycle_stage == "active"
    return summarize_run(run, experiment.name) if active else None


def with_children(runs: Sequence[RunSummary], among: Sequence[RunSummary]) -> list[RunSummary]:
    """Runs and all that are below them, in the order of those that they are looked for among."""
    children: dict[str | None, list[RunSummary]] = defaultdict(list)
    for run in among:
        children[run.parent].append(run)
    found = list(runs)
    for run in found:
        found += children[run.id]
    return found


def choose_run(client: MlflowClient, name: str, *, unfinished: bool, only: bool, place: str) -> RunSummary:
    """Find the run that a name means; see `Store.runs`.

    Raises:
        TrackingError: it fits no run, or several that it cannot stand for; the message begins with the `place`.
    """
    if re.fullmatch("[0-9a-f]{32}", name) and (run := find_run(client, name)):
        return run
    fitting = _named(client, name) or _begin_with(client, name)
    # The newest that has come to an end is meant, but not one of other data or another run whose id begins alike.
    if not only:
        fitting = [run for run in fitting if (run.status == "FINISHED") is not unfinished] or fitting
    if len({run.id if only else (run.experiment, run.name) for run in fitting}) > 1:
        ids = ", ".join(f"{run.id[:8]} ({run.experiment})" for run in fitting)
        raise TrackingError(f"{place}: several runs are {name!r}; name one by its id: {ids}")
    if not fitting:
        raise TrackingError(f"{place}: no run {name!r}; {_known(name, search_runs(client))}")
    return fitting[0]


def _named(client: MlflowClient, name: str) -> list[RunSummary]:
    # MLflow's filters know no escapes: a name with both sorts of quotes is looked for by a pattern, which others may fit too.
    quote = '"' if "'" in name else "'"
    pattern = name.replace(quote, "_")
    condition = f"attributes.run_name {'=' if pattern == name else 'LIKE'} {quote}{pattern}{quote}"
    found = [run for run in search_runs(client, condition) if run.name == name]
    # A sweep's trial bears the name that a run of its settings has, and keeps no model.
    return [run for run in found if run.kind not in CHILDREN] or found


def _begin_with(client: MlflowClient, beginning: str) -> list[RunSummary]:
    if not re.fullmatch("[0-9a-f]{4,}", beginning):
        return []
    return search_runs(client, f"attributes.run_id LIKE '{beginning}%'")


def _known(name: str, found: Sequence[RunSummary]) -> str:
    runs = [run for run in found if run.kind not in CHILDREN]
    count = Counter(run.name for run in runs)
    listed = [
        run.name if count[run.name] == 1 else f"{run.name} ({run.id[:8]}, {run.experiment})" for run in runs[:_MOST_NAMED]
    ] or ["no runs yet"]
    if len(runs) > _MOST_NAMED:
        listed.append("…; textcls runs lists all")
    return did_you_mean(name, {run.name for run in found}, listed=listed)
