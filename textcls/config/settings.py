"""The sections of a config file: typed settings with one default each. What they do is up to the stages that take them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from textcls.config.base import Settings
from textcls.config.models import ModelConfig
from textcls.config.yaml_text import dump_yaml
from textcls.stores import DEFAULT_STORE


class DataConfig(Settings):
    """Where the labelled rows are and how their columns are called."""

    name: str | None = Field(default=None, min_length=1)
    """Name of the data set, which names the MLflow experiment; by default the file or folder of `train`."""
    train: str = Field(min_length=1)
    """Rows to learn from: a JSONL, CSV or Parquet file, a glob, a folder, or a dataset's name on the Hugging Face hub. Paths begin in the folder that the command is run in."""
    validation: str | None = Field(default=None, min_length=1)
    """Rows to stop early on."""
    test: str | None = Field(default=None, min_length=1)
    """Rows to measure on."""
    text: str = Field(default="text", min_length=1)
    """Column of the text."""
    label: str = Field(default="label", min_length=1)
    """Column of the label, which is a string."""
    annotations: str | None = Field(default=None, min_length=1)
    """Column that lists each annotator's label. Models learn from these and are measured on `label`; null learns from `label`."""
    group: str | None = Field(default=None, min_length=1)
    """Column whose equal values never fall apart between splits; by default `article` where the data have it."""
    id: str | None = Field(default="id", min_length=1)
    """Column of the row's unique id; a row without one, and with null every row, is known by a hash of its text."""
    labels: tuple[str, ...] | None = Field(default=None, min_length=1)
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
    """Share of the training groups (rows, where they have none) held out to stop early on, and for a sweep to select on, where `data` names no file for it; with 0 neither is done."""
    test: float = Field(default=0.2, gt=0, lt=1)
    """Share of the groups (rows, where they have none) that `hash` holds out for the test."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Share of the training groups (rows, where they have none) to learn from; with one seed, a larger share holds all of a smaller one."""
    repeats: int = Field(default=1, ge=1)
    """Number of times to do it all, each with a seed of its own: `seed`, `seed` + 1, and so on."""
    duplicates: Literal["stop", "drop", "warn"] = "stop"
    """What to do about a text that stands in two splits, or twice with different labels: `drop` takes it out of training."""


class DecisionConfig(Settings):
    """How probabilities become answers, learnt on training groups that are held out for it; by default by the best label."""

    calibration: Literal["temperature", "isotonic"] | None = None
    """How to make probabilities mean what they say: by one number, or by a curve for each label, which takes 1,000 rows."""
    label_weights: bool = False
    """Whether to weigh labels by a power of their rarity, such that macro-F1 is best on the rows held out."""
    abstain_below: float | None = Field(default=None, gt=0, lt=1)
    """Lowest probability at which the best label is given; below it a text gets none."""
    risk: float | None = Field(default=None, gt=0, lt=1)
    """Share of the answers that may be wrong, with 95 % confidence; it chooses what to abstain below."""
    share: float = Field(default=0.15, gt=0, lt=1)
    """Share of the training groups (rows, where they have none) held out to learn all this on."""

    @property
    def learns(self) -> bool:
        """Whether anything is to be learnt, for which rows are held out."""
        return self.calibration is not None or self.label_weights or self.risk is not None

    @model_validator(mode="after")
    def _one_threshold(self) -> DecisionConfig:
        if self.abstain_below is not None and self.risk is not None:
            raise ValueError("abstain_below and risk both say when to abstain; give one of them")
        return self


class SpanConfig(Settings):
    """Numbers between two bounds."""

    low: float
    """The least."""
    high: float
    """The most."""
    log: bool = False
    """Whether to search among the orders of magnitude."""
    step: float | None = Field(default=None, gt=0)
    """What the numbers go up by."""

    @model_validator(mode="after")
    def _in_order(self) -> SpanConfig:
        if self.low >= self.high:
            raise ValueError(f"low must be less than high, found {self.low:g} and {self.high:g}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log takes a low above 0 and no step")
        return self


def _sort_of_space(values: object) -> str | None:
    """Whether it is a list or a span; errors are then of this one, not of both."""
    if isinstance(values, list):
        return "list"
    a_span = isinstance(values, SpanConfig) or (isinstance(values, dict) and values.keys() & SpanConfig.model_fields)
    return "span" if a_span else None


class SweepConfig(Settings):
    """A search for better settings, by Optuna's tree-structured Parzen estimator (Bergstra et al. 2011)."""

    space: dict[
        str,
        Annotated[
            Annotated[list[Any], Tag("list")] | Annotated[SpanConfig, Tag("span")],
            Discriminator(
                _sort_of_space,
                custom_error_type="space",
                custom_error_message="expected values, or low and high, of a setting that is written with its dots, such as model.C: [0.1, 1]",
            ),
        ],
    ] = Field(min_length=1)
    """What to search: `section.key` to a list of values, or to `{low: …, high: …}` with `log` or `step`."""
    trials: int = Field(default=20, ge=1)
    """Number of trials, those that are pruned included."""
    metric: str | None = None
    """What to search by, such as `validation/macro_f1`, which is the default where there are validation rows, else `test/macro_f1`; a loss,
    an error, a time or a size, such as `test/log_loss`, is made small."""
    storage: str | None = None
    """Database of the study, as a URL that SQLAlchemy takes; by default `sweeps.db` in the folder of the runs."""
    name: str | None = Field(default=None, min_length=1)
    """Name of the study; by default the run's."""
    prune: bool = True
    """Whether to give up a trial that does worse than half of those before it did at the same point."""


class TrackingConfig(Settings):
    """Where MLflow keeps the runs."""

    enabled: bool = True
    """Whether to track the run."""
    folder: str = Field(default=DEFAULT_STORE, min_length=1)
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
    """Macro-F1 by which the model may be worse than the champion on the same test rows, of six articles or more; null does not ask."""
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    """How sure it must be that the model is not worse by more, by a bootstrap over articles."""


class Config(Settings):
    """Everything that a run is made from."""

    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of the splits, the model and the trainer."""
    data: DataConfig
    splits: SplitsConfig = SplitsConfig()
    model: ModelConfig
    decision: DecisionConfig = DecisionConfig()
    tracking: TrackingConfig = TrackingConfig()
    gates: GatesConfig = GatesConfig()
    sweep: SweepConfig | None = None
    """What `textcls sweep` searches; `textcls train` takes no notice of it."""

    @model_validator(mode="after")
    def _derive(self) -> Config:
        given = self.data.validation or self.data.test
        if self.splits.kind == "given" and not given:
            raise ValueError("splits.kind is 'given', but data names no test or validation file; name one or use 'k-fold'")
        if self.splits.kind in ("k-fold", "leave-one-group-out", "hash") and self.data.test:
            raise ValueError(
                f"splits.kind is {self.splits.kind!r}, which makes its own test rows, but data.test names a file; set splits.kind=given"
            )
        if (last := max(self.seed, self.model_seed) + self.splits.repeats - 1) >= 2**32:
            raise ValueError(
                f"splits.repeats counts seeds up to {last}, but they must be less than {2**32}; lower it or the seed"
            )
        if self.data.annotations is not None and self.model.kind == "setfit":
            raise ValueError(
                "data.annotations names labels of several annotators, but kind 'setfit' learns from pairs of one label each; "
                "set it to null or take another kind"
            )
        if self.splits.kind is None:
            splits = self.splits.model_copy(update={"kind": "given" if given else "k-fold"})
            object.__setattr__(self, "splits", splits)
        return self

    @property
    def model_seed(self) -> int:
        """The seed of the model's random choices; of several seeds, the first one's."""
        return self.seed if self.model.seed is None else self.model.seed

    def as_yaml(self) -> str:
        """Write the config out in full, such that reading it again gives an equal one."""
        return dump_yaml(self.model_dump(mode="json"))
