"""From a run to a registered model: the gates that it must pass, and what is written of it when it has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from textcls.config import GatesConfig, Overrides, load_config, make_config
from textcls.errors import ConfigError, TrackingError
from textcls.evaluation import compare, make_predictions
from textcls.evaluation.significance import FEWEST
from textcls.tracking import RunSummary, Store
from textcls.tracking.kept import read_config, read_predictions
from textcls.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    ModelVersion,
    find_version,
    register_version,
    registered_name,
    set_alias,
)
from textcls.wording import counted, did_you_mean


@dataclass(frozen=True)
class Gate:
    """A gate: whether it was passed, and the figures that say so."""

    passed: bool
    words: str


@dataclass(frozen=True)
class Registration:
    """What came of registering a run.

    Attributes:
        run: the run.
        name: of the registered model.
        gates: each gate that the config has.
        version: the version that was made, or that was there already; None if a gate was not passed.
        alias: the alias that leads to it now.
    """

    run: RunSummary
    name: str
    gates: list[Gate]
    version: ModelVersion | None
    alias: str | None


def register(
    store: Store,
    run: str,
    *,
    name: str | None = None,
    config: str | Path | None = None,
    overrides: Overrides = (),
    champion: bool = False,
) -> Registration:
    """Register the model of a run if it passes the gates.

    The first version of a model is its champion, and one after it its challenger, which `champion` makes the champion.

    Args:
        store: where the run is.
        run: its id or name.
        name: of the registered model; by default `textcls-` and the data set's name.
        config: a config file whose gates count; by default those of the run's own config.
        overrides: settings on top, such as `gates.minimum.macro_f1=0.7`, or as values by `section.key`.
        champion: whether the version takes the champion's place.

    Raises:
        TrackingError: the name is empty, there is no such run, or it has not finished or has kept no model or no predictions.
        ConfigError: the config is wrong, or a gate names no metric of the run.
    """
    if name is not None and not name.strip():
        raise TrackingError("the name of the registered model is empty; name one, or leave it out for textcls-DATASET")
    found = store.run(run)
    if found.status != "FINISHED":
        raise TrackingError(f"run {found.name}: its status is {found.status.lower()}; only a finished run is registered")
    if store.kept_model(found) is None:
        raise TrackingError(f"run {found.name}: it has kept no model to register")
    if config is not None:
        gates = load_config(config, overrides).gates
    else:
        gates = make_config(read_config(store, found), overrides, name=f"run {found.name}").gates
    name = name or registered_name(found.experiment)
    now = find_version(store, name, CHAMPION)
    checked = list(_check(store, found, gates, now))
    if not all(gate.passed for gate in checked):
        return Registration(found, name, checked, None, None)
    version = register_version(store, found, name, _version_tags(found))
    alias = CHAMPION if champion or now is None or now.number == version.number else CHALLENGER
    set_alias(store, version, alias)
    return Registration(found, name, checked, version, alias)


def _check(store: Store, run: RunSummary, gates: GatesConfig, champion: ModelVersion | None) -> Iterator[Gate]:
    for sort, word in (("minimum", "at least"), ("maximum", "at most")):
        for wanted, bound in getattr(gates, sort).items():
            metric, value = _figure(store, run, wanted, f"gates.{sort}.{wanted}")
            passed = value >= bound if sort == "minimum" else value <= bound
            yield Gate(passed, f"{metric} {value:g}, {word} {bound:g}")
    if gates.worse_than_champion is not None:
        yield _against_champion(store, run, gates.worse_than_champion, gates.confidence, champion)


def _figure(store: Store, run: RunSummary, wanted: str, where: str) -> tuple[str, float]:
    """The name and the value of a metric that a run has tracked, or else of a figure that its evaluation has."""
    if wanted.startswith("compare/"):
        raise ConfigError(
            f"{where}: expected a figure of the run itself, found one of the last comparison that it was in, whatever with; "
            "for a bound against the champion set gates.worse_than_champion"
        )
    for name in (wanted, f"test/{wanted}"):
        if name in run.metrics:
            return name, run.metrics[name]
    kept = json.loads(store.artifact(run, "evaluation.json") or b"{}")
    evaluation = {name: value for name, value in kept.items() if isinstance(value, int | float)}
    short = wanted.removeprefix("test/")
    if short in evaluation:
        return f"{short} of all rows held out", evaluation[short]  # for it is no mean over fits, as a tracked metric is
    known = {name.removeprefix("test/") for name in run.metrics if not name.startswith("compare/")} | evaluation.keys()
    raise ConfigError(f"{where}: no metric of run {run.name}; {did_you_mean(wanted, known)}")


def _against_champion(store: Store, run: RunSummary, margin: float, confidence: float, champion: ModelVersion | None) -> Gate:
    allowed = f"no worse than the champion by more than {margin:g} macro-F1"
    if champion is None:
        return Gate(True, f"{allowed}: there is no champion yet")
    if champion.run_id == run.id:
        return Gate(True, f"{allowed}: it is the champion")
    other = store.find(champion.run_id)
    its_name = f"version {champion.number}{f', {other.name}' if other else ''}"
    if other is None:
        return Gate(
            False, f"{allowed}: the run of the champion ({its_name}) is gone; --set gates.worse_than_champion=null does not ask"
        )
    mine, theirs = (
        make_predictions(
            read_predictions(store, each),
            name=each.name,
            data=each.data,
            grouped_by=each.parameters.get("data.group", "article"),
        )
        for each in (run, other)
    )
    rows, others = (set(zip(each.ids, each.true, strict=True)) for each in (mine, theirs))
    if rows != others:
        return Gate(
            False,
            f"{allowed}: measured on other rows than the champion ({its_name}): {len(rows & others):,} of its {len(rows):,} are among the "
            f"champion's {len(others):,}; train the champion's config with this run's data and splits, make that the champion "
            "(register it with --champion --set gates.worse_than_champion=null), and then register this one",
        )
    # A bound on one side with a confidence of 95 % is that of an interval with 90 %.
    (pair,) = compare([theirs, mine], level=2 * confidence - 1)
    difference = pair.metrics["macro_f1"]
    if pair.n_units < FEWEST:
        few = f"{counted(pair.n_units, pair.unit)}, which says nothing of others; expected {FEWEST} or more"
        return Gate(False, f"{allowed} ({its_name}): {difference.value:+.3f}, but over {few}")
    lowest = difference.interval.low if difference.interval else difference.value  # the same whichever articles are drawn
    over = f"{pair.n_units:,} {pair.unit}s{', since they name no articles or groups' if pair.unit == 'row' else ''}"
    return Gate(
        lowest >= -margin,
        f"{allowed} ({its_name}): {difference.value:+.3f}, with {confidence:.0%} confidence {lowest:+.3f} or more, over {over}",
    )


def _version_tags(run: RunSummary) -> dict[str, str]:
    tags = {
        "run": run.name,
        "macro_f1": f"{run.metrics['test/macro_f1']:.4f}" if "test/macro_f1" in run.metrics else "",
        "data_sha": run.data,
        "config_sha": run.tags.get("textcls.config_sha", ""),
        "commit": run.commit,
    }
    return {key: value for key, value in tags.items() if value}
