"""MLflow's model registry: versions of the models that runs have kept, and the aliases that lead to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from textcls.errors import TrackingError
from textcls.tracking.finding import pages
from textcls.tracking.store import Store
from textcls.tracking.summaries import RunSummary

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model.

    Attributes:
        name: of the registered model.
        number: of the version.
        run_id: the run whose model it is.
        aliases: the aliases that lead to it.
    """

    name: str
    number: str
    run_id: str
    aliases: tuple[str, ...]

    @property
    def alias_words(self) -> str:
        """The aliases in brackets, for a line of text; nothing without any."""
        return f" ({', '.join(self.aliases)})" if self.aliases else ""


def all_versions(store: Store) -> list[ModelVersion]:
    """List every version of every registered model."""
    aliases: dict[tuple[str, str], list[str]] = {}
    for model in pages(store.client.search_registered_models):
        for alias, number in sorted(model.aliases.items()):
            aliases.setdefault((model.name, str(number)), []).append(alias)
    found = []
    for version in pages(store.client.search_model_versions):  # no filter by name, which cannot hold a name with an apostrophe
        number = str(version.version)
        found.append(ModelVersion(version.name, number, version.run_id, tuple(aliases.get((version.name, number), ()))))
    return found


def versions_of(store: Store, run: RunSummary) -> list[ModelVersion]:
    """List the versions of registered models that come from a run."""
    return [version for version in all_versions(store) if version.run_id == run.id]


def find_version(store: Store, name: str, alias: str) -> ModelVersion | None:
    """Find the version that an alias of a registered model leads to."""
    return next((v for v in all_versions(store) if v.name == name and alias in v.aliases), None)


def register_version(store: Store, run: RunSummary, name: str, tags: Mapping[str, str]) -> ModelVersion:
    """Register the model of a run, or find the version that it has already.

    Raises:
        TrackingError: the run has kept no model, MLflow refuses the name, or the store cannot be written to.
    """
    from mlflow.exceptions import MlflowException

    store.check_writable()
    model_id = store.model_id(run)
    version = next((v for v in versions_of(store, run) if v.name == name), None)
    try:
        if version is None:
            if not any(model.name == name for model in pages(store.client.search_registered_models)):
                store.client.create_registered_model(name)
            # Given a model's id, MLflow looks for the model in the default store.
            with store.as_default():
                made = store.client.create_model_version(
                    name, source=f"models:/{model_id}", run_id=run.id, model_id=model_id, await_creation_for=0
                )
            version = ModelVersion(name, str(made.version), run.id, ())
        for key, value in tags.items():
            store.client.set_model_version_tag(name, version.number, key, value)
    except MlflowException as error:
        raise TrackingError(f"{store.place}: {name}: MLflow does not register it: {str(error).splitlines()[0]}") from error
    return version


def set_alias(store: Store, version: ModelVersion, alias: str) -> None:
    """Let an alias lead to a version, which champion and challenger never do at the same time."""
    other = {CHAMPION: CHALLENGER, CHALLENGER: CHAMPION}.get(alias)
    if other in version.aliases:
        store.client.delete_registered_model_alias(version.name, other)
    store.client.set_registered_model_alias(version.name, alias, version.number)


def registered_name(data: str) -> str:
    """Name the registered model of a data set: `textcls-news`."""
    return f"textcls-{re.sub(r'[/:]', '-', data)}"
