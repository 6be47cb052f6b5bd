"""What a model folder holds, and how it is written, verified and read.

textcls.json         kind, labels, settings, versions, the full config, the data's identity, figures, and each file's SHA-256
README.md            the model card
learnt.safetensors   digests of the texts that the model has learnt from, if it knows
…                    the family's own files, in folders too: safetensors and JSON, never pickle
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from textcls.config import Config, make_config
from textcls.errors import ModelError, OutputError
from textcls.files import new_folder
from textcls.model_card import model_card
from textcls.models import Decision, TextClassifier, classifier_class

FORMAT = 1
"""Version of the folder's layout. Raise it with every change that an older textcls could not read."""

_DESCRIPTION = "textcls.json"
_CARD = "README.md"
_LEARNT = "learnt.safetensors"


@dataclass(frozen=True)
class DataSummary:
    """Which data a model learnt from: their name, their identity (`dataset.dataset_identity`), and the number of rows."""

    name: str
    identity: str
    rows: int


class ModelDescription(BaseModel):
    """What `textcls.json` says."""

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    kind: str
    labels: list[str]
    settings: dict[str, Any]
    """Parameters of the classifier's constructor."""
    config: dict[str, Any] | None = None
    """The full config of the run, if a run made the model."""
    data: DataSummary | None = None
    metrics: dict[str, float] = {}
    protocol: str | None = None
    """How the figures were measured."""
    decision: Decision | None = None
    """The decision policy; None takes the most probable label."""
    versions: dict[str, str] = {}
    created: str = ""
    files: dict[str, str] = {}
    """SHA-256 of every file of the folder but the card and this one."""

    @property
    def group(self) -> str | None:
        """The column of the groups in the data that the model learnt from (`data.group`), if the config names one."""
        column: str | None = (self.config or {}).get("data", {}).get("group")
        return column

    @property
    def columns(self) -> dict[str, str]:
        """The columns of the text and the label in the data that the model learnt from."""
        data = (self.config or {}).get("data", {})
        return {name: data.get(name) or name for name in ("text", "label")}


def save_model(
    classifier: TextClassifier,
    folder: str | Path,
    *,
    config: Config | Mapping[str, Any] | None = None,
    data: DataSummary | None = None,
    metrics: Mapping[str, float] | None = None,
    protocol: str | None = None,
) -> ModelDescription:
    """Write a fitted classifier as a model folder, which `load` and every command take.

    Args:
        classifier: a fitted classifier.
        folder: a path at which nothing is yet.
        config: the config that it was made by, if one was; by it the model finds its columns in other data.
        data: which data it learnt from.
        metrics: figures for its card, such as `test/macro_f1`.
        protocol: how they were measured, such as `by 5-fold cross-validation`.

    Returns:
        what the folder says of the model.

    Raises:
        ModelError: it is not fitted, its labels are numbers, or what is said of it is not what it must be.
        ConfigError: the config, or a parameter of the classifier, is not what it may be.
        OutputError: something is there already, or it cannot be written; nothing is left behind.
    """
    if not isinstance(classifier, TextClassifier) or not classifier.__sklearn_is_fitted__():
        found = type(classifier).__name__ + (", which has learnt nothing" if isinstance(classifier, TextClassifier) else "")
        raise ModelError(f"expected a fitted classifier of textcls, found {found}; of a search, save its best_estimator_")
    if not all(isinstance(label, str) for label in classifier.classes_):
        found = ", ".join(map(str, classifier.classes_))
        raise ModelError(
            f"expected a classifier whose labels are strings, found the numbers {found}; fit it on labels as strings"
        )
    if config is not None:
        config = (config if isinstance(config, Config) else make_config(config)).model_dump(mode="json")
    try:
        description = ModelDescription(
            kind=classifier.kind,
            labels=[str(label) for label in classifier.classes_],
            settings=classifier.plain_params(),
            config=config,
            data=data,
            metrics=metrics or {},  # type: ignore[arg-type]  # which pydantic checks
            protocol=protocol,
            decision=classifier.decision_,
            versions=library_versions(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    except ValidationError as error:
        raise ModelError(f"the model is not written: {_problem(error)}") from error
    # A figure that is not a number says nothing, and JSON cannot hold it.
    description.metrics = {name: value for name, value in description.metrics.items() if math.isfinite(value)}
    with new_folder(folder) as scratch:
        try:
            classifier.write(scratch)
            if classifier.learnt_ is not None:
                save_file({"texts": classifier.learnt_}, scratch / _LEARNT)
        except SafetensorError as error:  # what safetensors makes of a full disk
            raise OutputError(f"{folder}: cannot be written: {error}") from error
        description.files = {name: _sha256(scratch / name) for name in _files(scratch)}
        (scratch / _DESCRIPTION).write_text(description.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (scratch / _CARD).write_text(model_card(description), encoding="utf-8")
    return description


def load_model(folder: str | Path) -> TextClassifier:
    """Read a model folder, after checking every file of it.

    Raises:
        ModelError: the folder is missing, not a model folder, from a newer textcls, or damaged.
    """
    folder = Path(folder)
    description = describe_model(folder)
    _verify(folder, description)
    try:
        classifier = classifier_class(description.kind)(**description.settings)
    except TypeError as error:
        raise ModelError(f"{folder}: settings that this textcls does not know: {error}") from error
    classifier.read(folder, description.labels)
    classifier.decision_ = description.decision
    classifier.group, classifier.columns = description.group, description.columns
    if _LEARNT in description.files:
        classifier.learnt_ = load_file(folder / _LEARNT)["texts"]
    return classifier


def describe_model(folder: str | Path) -> ModelDescription:
    """Read a model folder's `textcls.json`.

    Raises:
        ModelError: the folder is missing, not a model folder, or from a newer textcls.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(
            f"{folder}: expected a model folder, found a file" if folder.exists() else f"{folder}: no such model folder"
        )
    try:
        content = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder}: not a model folder of textcls: it has no {_DESCRIPTION}") from error
    except ValueError as error:
        raise ModelError(f"{folder}: damaged: {_DESCRIPTION} is not valid JSON") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise ModelError(f"{folder}: expected a model of format {FORMAT}, found {found!r}; another version of textcls wrote it")
    try:
        return ModelDescription.model_validate(content)
    except ValidationError as error:
        raise ModelError(f"{folder}: damaged: {_DESCRIPTION}: {_problem(error)}") from error


def library_versions() -> dict[str, str]:
    """Versions of Python, of textcls and of the libraries that fit and predict, as far as they are installed."""
    names = ("textcls", "scikit-learn", "numpy", "scipy", "datasets", "torch", "transformers", "safetensors", "mlflow-skinny")
    versions = {"python": platform.python_version()}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def pip_requirements() -> list[str]:
    """What pip must install where a model folder is to be loaded: `library_versions`, each from where it was installed here."""
    return [_requirement(name, number) for name, number in library_versions().items() if name != "python"]


def _requirement(name: str, number: str) -> str:
    """A library as `pip freeze` names it: what came from a folder or a repository stands under its version on no index (PEP 610)."""
    origin = json.loads(distribution(name).read_text("direct_url.json") or "{}")
    if not origin:
        return f"{name}=={number.partition('+')[0]}"  # a local build, such as 2.13.0+cpu, is on no index either
    vcs = origin.get("vcs_info")
    return f"{name} @ {vcs['vcs']}+{origin['url']}@{vcs['commit_id']}" if vcs else f"{name} @ {origin['url']}"


def _problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def _verify(folder: Path, description: ModelDescription) -> None:
    present = set(_files(folder))
    for name in sorted(present - set(description.files)):
        raise ModelError(f"{folder}: {name} does not belong to the model; remove it")
    for name, expected in description.files.items():
        if name not in present:
            raise ModelError(f"{folder}: damaged: {name} is missing")
        if _sha256(folder / name) != expected:
            raise ModelError(f"{folder}: damaged: {name} is not the file that was written (SHA-256 differs)")


def _files(folder: Path) -> list[str]:
    """The files but for the card and the description, in folders too, as paths with slashes; the system's hidden ones do not count."""
    found = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file() or file.is_symlink())
    names = [path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts)]
    return sorted(set(names) - {_DESCRIPTION, _CARD})


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
