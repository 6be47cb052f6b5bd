"""What a run has kept of itself: its config, its rows, its predictions, and the commit and the libraries that it was made with."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any

from textcls.config import parse_yaml
from textcls.errors import TrackingError
from textcls.tracking.store import Store
from textcls.tracking.summaries import CHILDREN, RunSummary

ROWS = "data/rows.jsonl.gz"
"""The artifact that says which rows a run was made from, without their texts."""

_COMPUTED_ON = ("machine", "device", "precision", "processes")

RowIdentity = Mapping[str, str | None]
"""`id`, `text` (a hash), `label`, `group` and `split` of a row."""


def read_config(store: Store, run: RunSummary) -> dict[str, Any]:
    """Read the resolved config of a run.

    Raises:
        TrackingError: it has kept none.
    """
    kept = store.artifact(run, "config/resolved.yaml")
    if kept is None:
        raise TrackingError(f"run {run.name}: it has kept no config (its status is {run.status}); name another run")
    config: dict[str, Any] = parse_yaml(kept.decode())
    return config


def read_row_identities(store: Store, run: RunSummary) -> list[RowIdentity] | None:
    """Read which rows a run was made from; None if it has not kept them."""
    kept = store.artifact(run, ROWS)
    return None if kept is None else [json.loads(line) for line in gzip.decompress(kept).splitlines()]


def read_versions(store: Store, run: RunSummary) -> dict[str, str]:
    """Read the versions of all that was installed when a run was made."""
    kept = store.artifact(run, "environment.txt")
    return dict(_versions((kept or b"").decode()))


def read_predictions(store: Store, run: RunSummary) -> list[dict[str, Any]]:
    """Read what a run predicted for the rows that it was measured on: `id`, `label`, `probabilities` and more.

    Raises:
        TrackingError: the run is not finished, is a part of another, or has kept no predictions.
    """
    who = f"run {run.name} ({run.id[:8]})"
    if run.kind in CHILDREN:
        raise TrackingError(f"{who}: it is a {run.kind} of a run, which keeps the predictions; name that run")
    if run.status != "FINISHED":
        raise TrackingError(f"{who}: expected a finished run, found one that is {run.status.lower()}")
    content = store.artifact(run, "predictions/test.jsonl")
    if content is None:
        raise TrackingError(f"{who}: it has kept no predictions; train it again to compare it")
    try:
        return [json.loads(line) for line in content.decode("utf-8").split("\n") if line]
    except ValueError as error:
        raise TrackingError(f"{who}: its predictions/test.jsonl is damaged: {error}") from error


def computed_on(tags: Mapping[str, str]) -> dict[str, str]:
    """What the tags of a run say that it was computed on: `machine`, `device`, `precision` and `processes`, as far as they say so."""
    return {what: tags[f"textcls.{what}"] for what in _COMPUTED_ON if f"textcls.{what}" in tags}


def commit_of(run: RunSummary) -> str:
    """Word the commit of the folder that a run was started in, which may hold its config and its data."""
    changed = " with uncommitted changes" if run.tags.get("textcls.git_dirty") == "true" else ""
    return f"{run.commit[:12]}{changed}" if run.commit else "an unknown commit"


def _versions(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, equals, version = line.partition("==")
        if equals:
            yield name, version
