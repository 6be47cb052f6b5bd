"""The space of a sweep: what its config says of it, checked, and as Optuna has it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from textcls.config import SpanConfig, SweepConfig, make_config, takes_fractions
from textcls.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def check_space(sweep: SweepConfig, plain: Mapping[str, Any]) -> None:
    """Make a config of every end of the space, so that no trial can stumble over an unknown or impossible setting.

    Args:
        sweep: the sweep.
        plain: the config as nested mappings, without the sweep.

    Raises:
        ConfigError: a setting is unknown or not to be searched, or a value impossible.
    """
    for key, values in sweep.space.items():
        if key.split(".")[0] in ("tracking", "gates", "sweep"):
            raise ConfigError(f"sweep.space: {key}: only settings of data, splits, model and decision, and seed, can be searched")
        if isinstance(values, list) and not values:
            raise ConfigError(f"sweep.space: {key}: expected values to choose from, found none")
        ends = values if isinstance(values, list) else [values.low, values.high]
        if isinstance(values, SpanConfig) and not takes_fractions(key, plain["model"]["kind"]):
            if values.step is not None and not values.step.is_integer():
                raise ConfigError(f"sweep.space: {key}: expected a whole step, found {values.step:g}")
            ends = [int(end) if end.is_integer() else end for end in ends]
        for value in ends:
            make_config(plain, {key: value}, name="sweep.space")


def distributions(sweep: SweepConfig, kind: str) -> dict[str, BaseDistribution]:
    """The space in Optuna's terms, for models of a kind."""
    return {key: _distribution(key, values, kind) for key, values in sweep.space.items()}


def settings_of(sweep: SweepConfig, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a draw of Optuna's stands for."""
    return {key: values[drawn[key]] if isinstance(values, list) else drawn[key] for key, values in sweep.space.items()}


def combinations(sweep: SweepConfig, space: Mapping[str, Any]) -> float:
    """Count the different settings that the space holds; there is no end to them where a setting takes any number between two bounds."""
    return math.prod(
        len(distinct(values))
        if isinstance(values, list)
        else round((space[key].high - space[key].low) / space[key].step) + 1
        if space[key].step is not None
        else math.inf
        for key, values in sweep.space.items()
    )


def distinct(values: Iterable[Any]) -> list[Any]:
    """As `set`, of values such as lists."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _distribution(key: str, values: list[Any] | SpanConfig, kind: str) -> BaseDistribution:
    import optuna

    if isinstance(values, list):
        # Optuna's choices are plain values; a list such as an n-gram span is chosen by its place.
        return optuna.distributions.CategoricalDistribution(range(len(values)))
    if takes_fractions(key, kind):
        return optuna.distributions.FloatDistribution(values.low, values.high, log=values.log, step=values.step)
    return optuna.distributions.IntDistribution(int(values.low), int(values.high), log=values.log, step=int(values.step or 1))
