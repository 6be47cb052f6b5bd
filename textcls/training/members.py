"""The members of an ensemble: finished models that are averaged, and may be measured only on rows that none has learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from textcls.artifacts import ModelDescription, describe_model, load_model
from textcls.config import Config
from textcls.errors import ConfigError, ModelError
from textcls.models import text_digests
from textcls.models.ensemble import EnsembleClassifier
from textcls.tracking import Store
from textcls.wording import counted

_PARTS = ("train", "validation", "test")


def make_ensemble(config: Config, identity: str) -> EnsembleClassifier:
    """Load an ensemble's members, after checking that the config's test rows are new to all of them.

    Args:
        config: a config whose model is an ensemble, of model folders, or of runs in the store that it tracks in.
        identity: the identity of the config's data.

    Raises:
        ConfigError: a member may have learnt from rows that the run measures on.
        TrackingError: a member is neither a folder nor a run with a model.
        ModelError: a member is damaged, or does not fit the others.
    """
    ensemble = EnsembleClassifier(**config.model.model_dump(exclude={"kind"}))
    # One store, and held until the models are read: a copy of a model is removed with it.
    store = cache(lambda: Store(config.tracking.uri or config.tracking.folder))
    folders = [Path(name) if Path(name).is_dir() else store().model_folder(name) for name in ensemble.members]
    check_members(config, dict(zip(ensemble.members, map(describe_model, folders), strict=True)), identity)
    return ensemble.join([load_model(folder) for folder in folders])


def check_members(config: Config, members: Mapping[str, ModelDescription], identity: str) -> None:
    """Check that no member has learnt from a row that the run measures on, as far as the members' own configs tell.

    Raises:
        ConfigError: folds or repeats, after which final models have learnt from all rows; or a member of other data or splits.
        ModelError: a member does not say what it learnt from.
    """
    if config.splits.kind not in ("given", "hash"):
        raise ConfigError(
            f"an ensemble cannot be measured with splits.kind {config.splits.kind!r}, since its members have learnt from all rows; "
            "train its members with data.test named or with splits.kind 'hash', and the ensemble with the same"
        )
    if config.splits.repeats > 1:
        raise ConfigError(
            f"splits.repeats is {config.splits.repeats}, but an ensemble learns nothing that a seed could change, "
            "and its members know the test rows of other seeds; set it to 1"
        )
    for name, member in members.items():
        if member.config is None or member.data is None:
            raise ModelError(f"member {name} does not say what it learnt from; take a model that `textcls train` made")
        if member.data.identity != identity:
            raise ConfigError(
                f"member {name} learnt from other data ({member.data.name}, identity {member.data.identity[:12]}…) than the config's "
                f"(identity {identity[:12]}…), so it may know the test rows; name the data that it was trained on"
            )
        wanted, found = _parting(config.model_dump(mode="json")), _parting(member.config)
        for setting, value in wanted.items():
            if found[setting] != value:
                raise ConfigError(
                    f"member {name} was trained with {setting} {found[setting]!r}, not {value!r}, "
                    "so it may know the test rows; use the same splits"
                )
        repeats = member.config["splits"].get("repeats", 1)
        if config.splits.kind == "hash" and repeats > 1:
            raise ConfigError(
                f"member {name} was trained with splits.repeats {repeats}, after which the final model learns from all rows, "
                "so it knows the test rows; take one trained with splits.repeats 1"
            )


def check_known(ensemble: EnsembleClassifier, learnt: Sequence[str], tested: Sequence[str]) -> None:
    """Check that no member has learnt a text that the run measures on, as far as the members themselves know: files may have changed.

    Args:
        ensemble: the ensemble, with its members.
        learnt: the texts that the run's own split has to learn from, of which the data may have some twice.
        tested: those that it measures on.

    Raises:
        ConfigError: a member has.
    """
    new = np.setdiff1d(text_digests(tested), text_digests(learnt))
    for name, member in zip(ensemble.members, ensemble.members_, strict=True):
        known = 0 if member.learnt_ is None else int(np.isin(new, member.learnt_).sum())
        if known:
            raise ConfigError(
                f"member {name} has learnt {known:,} of the {counted(len(new), 'text')} that the run measures on; "
                "the files hold other rows than when it was trained: train it again, or measure on others"
            )


def check_calibration(ensemble: EnsembleClassifier, texts: Sequence[str]) -> None:
    """Check that no member has learnt from the texts that a decision is to be learnt on: there it is surer than elsewhere.

    Raises:
        ConfigError: a member has, or may have.
    """
    for name, member in zip(ensemble.members, ensemble.members_, strict=True):
        known = len(texts) if member.learnt_ is None else int(np.isin(text_digests(texts), member.learnt_).sum())
        if known:
            raise ConfigError(
                f"decision is to be learnt on {counted(len(texts), 'row')}, of which member {name} has learnt {known:,}, so that it would "
                "promise too much; let the members learn decisions, and leave the ensemble's out (abstain_below may stay)"
            )


def _parting(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide which rows are in the test."""
    data, splits = config["data"], config["splits"]
    parting: dict[str, Any] = {"splits.kind": splits.get("kind"), **{f"data.{part}": data.get(part) for part in _PARTS}}
    if splits.get("kind") == "hash":
        parting |= {"splits.test": splits.get("test"), "data.id": data.get("id"), "seed": config.get("seed")}
    return parting
