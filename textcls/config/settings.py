"""The sections of a config file: typed settings with one default each. What they do is up to the stages that take them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from textcls.config.base import Settings
from textcls.config.models import ModelConfig
from textcls.config.yaml_text import dump_yaml


class DataConfig(Settings):
    """Where the labelled rows are and how their columns are called."""

    name: str | None = Field(default=None, min_length=1)
    """Name of the data set, which names the MLflow experiment; by default the file or folder of `train`."""
    train: str = Field(min_length=1)
    """Rows to learn from: a JSONL, CSV or Parquet file, a glob, a folder, or a dataset's name on the Hugging Face hub."""
    validation: str | None = None
    """Rows to stop early on."""
    test: str | None = None
    """Rows to measure on."""
    text: str = "text"
    """Column of the text."""
    label: str = "label"
    """Column of the label, which is a string."""
    group: str | None = None
    """Column whose equal values never fall apart between splits; by default `article` where the data have it."""
    id: str = "id"
    """Column of the row's unique id; a row without one is known by a hash of its text."""
    labels: tuple[str, ...] | None = None
    """The labels that may occur; by default those of `train`."""
    download: bool = False
    """Whether a dataset may be fetched from the hub."""


class SplitsConfig(Settings):
    """Who is in train, validation and test. Rows of one group always stay together."""

    kind: Literal["given", "k-fold", "leave-one-group-out", "hash"] | None = None
    """`given` takes the files of `data`; by default `given` where `data` names a test or validation file, else `k-fold`."""
    folds: int = Field(default=5, ge=2)
    """Number of folds of `k-fold`."""
    validation: float = Field(default=0.1, ge=0, lt=1)
    """Share of the training groups (rows, where they have none) held out to stop early on, for models that do and where `data` names no such file."""
    test: float = Field(default=0.2, gt=0, lt=1)
    """Share of the groups (rows, where they have none) that `hash` holds out for the test."""
    duplicates: Literal["stop", "drop", "warn"] = "stop"
    """What to do about a text that stands in two splits, or twice with different labels: `drop` takes it out of training."""


class TrackingConfig(Settings):
    """Where MLflow keeps the runs."""

    enabled: bool = True
    """Whether to track the run."""
    folder: str = Field(default="experiments", min_length=1)
    """Folder of the store: `mlflow.db` and `artifacts/`; with a `uri`, of what its server could not take."""
    uri: str | None = None
    """Address of an MLflow tracking server, such as `http://127.0.0.1:5000`, to track on instead."""
    name: str | None = None
    """Name of the run; by default the model and its main settings."""

    @model_validator(mode="after")
    def _address(self) -> TrackingConfig:
        if self.uri is not None and not re.fullmatch(r"https?://[^/\s]+(/\S*)?", self.uri):
            raise ValueError(f"uri must begin with http:// or https://, found {self.uri!r}; a folder goes in folder")
        if self.uri is not None and "@" in self.uri:
            # It would stand in the config that every run keeps.
            raise ValueError("uri holds a name or a password; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead")
        return self


class GatesConfig(Settings):
    """What a run must come up to before `textcls register` registers its model."""

    minimum: dict[str, float] = Field(default={})
    """Least value of metrics, such as `{macro_f1: 0.7}`; a name without a slash is one of `test/`."""
    maximum: dict[str, float] = Field(default={})
    """Highest value of metrics, such as `{ece: 0.1, latency/p50_ms: 5, size/model_mb: 50}`."""
    worse_than_champion: float | None = Field(default=None, ge=0, lt=1)
    """Macro-F1 by which the model may be worse than the champion on the same test rows; null does not ask."""
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    """How sure it must be that the model is not worse by more, by a bootstrap over articles."""


class Config(Settings):
    """Everything that a run is made from."""

    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of the splits, the model and the trainer."""
    data: DataConfig
    splits: SplitsConfig = SplitsConfig()
    model: ModelConfig
    tracking: TrackingConfig = TrackingConfig()
    gates: GatesConfig = GatesConfig()

    @model_validator(mode="after")
    def _derive(self) -> Config:
        given = self.data.validation or self.data.test
        if self.splits.kind == "given" and not given:
            raise ValueError("splits.kind is 'given', but data names no test or validation file; name one or use 'k-fold'")
        if self.splits.kind in ("k-fold", "leave-one-group-out", "hash") and self.data.test:
            raise ValueError(f"splits.kind is {self.splits.kind!r}, which makes its own test rows, but data.test names a file")
        if self.splits.kind is None:
            splits = self.splits.model_copy(update={"kind": "given" if given else "k-fold"})
            object.__setattr__(self, "splits", splits)
        if self.model.seed is None:
            object.__setattr__(self, "model", self.model.model_copy(update={"seed": self.seed}))
        return self

    def as_yaml(self) -> str:
        """Write the config out in full, such that reading it again gives an equal one."""
        return dump_yaml(self.model_dump(mode="json"))
