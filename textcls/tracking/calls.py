"""What is said of a run, one call after the other, in a form that can be carried out now or kept and carried out later.

Each call can be carried out twice and leaves the store as if it had been once, so that one that was cut off is repeated.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textcls.tracking.models import keep_model

if TYPE_CHECKING:
    from textcls.tracking.store import Store


@dataclass(frozen=True)
class Call:
    """A call.

    Attributes:
        run: id of the run.
        action: what to do: `start`, `reopen`, `tags`, `parameters`, `metrics`, `file`, `data`, `model` or `end`.
        values: its arguments, as JSON has them.
        content: the file or folder that goes with it.
    """

    run: str
    action: str
    values: Mapping[str, Any]
    content: Path | None = None


def carry_out(store: Store, call: Call) -> str:
    """Carry out a call, and give the id of the run, which `start` makes, and `reopen` finds by one that stood for it."""
    client = store.client
    match call.action, call.values:
        case "start", {"experiment": experiment, "name": name, "tags": tags, "time": time}:
            return _start(store, call.run, experiment, name, tags, time)
        case "reopen", {"tags": tags}:
            run = _made_for(store, [e.experiment_id for e in client.search_experiments()], call.run) or call.run
            # The tags first: who opens the store in between would take a running run of a dead process for a failed one.
            for key, value in tags.items():
                client.set_tag(run, key, value)
            client.update_run(run, status="RUNNING")
            return run
        case "tags", tags:
            from mlflow.entities import RunTag

            client.log_batch(call.run, tags=[RunTag(key, value) for key, value in tags.items()])
        case "parameters", parameters:
            from mlflow.entities import Param

            client.log_batch(call.run, params=[Param(key, value) for key, value in parameters.items()])
        case "metrics", {"points": points}:
            from mlflow.entities import Metric

            for start in range(0, len(points), 1000):
                client.log_batch(call.run, metrics=[Metric(*point) for point in points[start : start + 1000]])
        case "file", {"folder": folder}:
            client.log_artifact(call.run, str(call.content), folder or None)
        case "data", {"name": name, "identity": identity, "source": source, "context": context}:
            _data(store, call.run, name, identity, source, context)
        case "model", {"name": name, "requirements": requirements} if call.content is not None:
            keep_model(store, call.run, call.content, name, requirements)
        case "end", {"status": status, "time": time}:
            client.set_terminated(call.run, status=status, end_time=time)
        case _:
            raise ValueError(f"no such call: {call.action}")
    return call.run


def _start(store: Store, stand_in: str, experiment: str, name: str, tags: Mapping[str, str], time: int) -> str:
    experiment_id = store.experiment(experiment).experiment_id
    if stand_in:
        tags = {**tags, "textcls.stand_in": stand_in}
        if made := _made_for(store, [experiment_id], stand_in):
            return made
    return str(store.client.create_run(experiment_id, start_time=time, run_name=name, tags=tags).info.run_id)


def _made_for(store: Store, experiments: list[str], stand_in: str) -> str | None:
    """The run that was made for an id that stood for it while there was no server."""
    made = store.client.search_runs(experiments, filter_string=f"tags.`textcls.stand_in` = '{stand_in}'", max_results=1)
    return made[0].info.run_id if made else None


def _data(store: Store, run: str, name: str, identity: str, source: str, context: str) -> None:
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of two ways to read a path, both are right
        dataset = MetaDataset(resolve_dataset_source(source), name=name, digest=identity[:36])
    entity = DatasetInput(dataset._to_mlflow_entity(), tags=[InputTag("mlflow.data.context", context)])
    store.client.log_inputs(run, [entity])
