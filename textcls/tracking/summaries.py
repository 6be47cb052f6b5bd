"""What a table of runs shows of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

CHILDREN = ("fold", "seed", "trial")
"""Kinds of runs that belong to another."""

COMPARED = "compared"
"""The tag that says how a run did in its newest comparison; with a dot and the beginning of an id, how it did against that run.

Its name is short, for MLflow cuts it."""


@dataclass(frozen=True)
class RunSummary:
    """What a table of runs shows of one."""

    id: str
    name: str
    experiment: str
    kind: str
    status: str
    started: int
    """Milliseconds since 1970."""
    metrics: dict[str, float]
    parameters: dict[str, str]
    data: str
    """Identity of the data."""
    tags: dict[str, str]
    ended: int | None
    """Milliseconds since 1970; None while it is running."""
    model_ids: tuple[str, ...]
    """Ids of the models it has kept."""
    artifact_uri: str
    """Where its artifacts lie."""

    @property
    def family(self) -> str:
        """The model family, such as `tfidf`."""
        return self.tags.get("textcls.model_family", "")

    @property
    def commit(self) -> str:
        """The commit of the folder that it was started in; nothing where that is not known."""
        return self.tags.get("mlflow.source.git.commit", "")

    @property
    def error(self) -> str:
        """What it failed by; nothing if it did not."""
        return self.tags.get("textcls.error", "")

    @property
    def parent(self) -> str | None:
        """The id of the run that this one is a child of."""
        return self.tags.get("mlflow.parentRunId")


def summarize_run(run: MlflowRun, experiment: str) -> RunSummary:
    """Summarise a run of MLflow's, and of the experiment of this name."""
    tags: dict[str, str] = dict(run.data.tags)
    return RunSummary(
        id=run.info.run_id,
        name=run.info.run_name,
        experiment=experiment,
        kind=tags.get("textcls.kind", ""),
        status=run.info.status,
        started=run.info.start_time,
        metrics=dict(run.data.metrics),
        parameters=dict(run.data.params),
        data=tags.get("textcls.data_sha", ""),
        tags=tags,
        ended=run.info.end_time,
        model_ids=tuple(output.model_id for output in run.outputs.model_outputs) if run.outputs else (),
        artifact_uri=run.info.artifact_uri,
    )
