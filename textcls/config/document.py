"""A config for people and editors: its JSON Schema, and a file to start from."""

from __future__ import annotations

import json
import types
from typing import Any, Literal, Union, get_args, get_origin

from textcls.config.base import Settings
from textcls.config.models import model_kinds
from textcls.config.settings import Config, DataConfig, DecisionConfig, GatesConfig, SplitsConfig, TrackingConfig
from textcls.errors import ConfigError
from textcls.wording import did_you_mean


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
        ("decision", DecisionConfig),
        ("tracking", TrackingConfig),
        ("gates", GatesConfig),
    ]
    # The shipped example has two articles: enough to leave each out once, too few to stop early on a third.
    given: dict[tuple[str, str], Any] = {
        ("data", "train"): "data/seeds/sentences.jsonl",
        ("splits", "kind"): "leave-one-group-out",
        ("splits", "validation"): 0,
        ("model", "kind"): kind,
        ("model", "members"): ["models/first", "models/second"],
    }
    if kind == "ensemble":  # whose members must not know the test rows: train them with these splits too
        given |= {("splits", "kind"): "hash", ("splits", "test"): 0.5}
    lines = ["# A textcls config. Run it with: textcls train THIS_FILE", ""]
    lines += [f"# {Config.model_fields['seed'].description}", f"seed: {Config.model_fields['seed'].default}"]
    for name, section in sections:
        lines += ["", f"# {(section.__doc__ or '').strip()}", f"{name}:"]
        for key, field in section.model_fields.items():
            value = json.dumps(given.get((name, key), field.default), ensure_ascii=False)
            lines += [f"  # {field.description}{_choices(field.annotation)}", f"  {key}: {value}"]
    lines += [
        "",
        f"# {Config.model_fields['sweep'].description} Such as {{trials: 20, space: {{{_searched(kind)}}}}}.",
        "sweep: null",
    ]
    return "\n".join(lines) + "\n"


def _searched(kind: str) -> str:
    """A setting of a model family that is worth a search, with values. (The seed is none: its best is the luckiest split.)"""
    values = {"learning_rate": [0.0001, 0.0002, 0.0005], "C": [0.3, 1, 3], "weights": [[1, 1], [1, 2], [2, 1]]}
    return next(f"model.{key}: {values[key]}" for key in values if key in model_kinds()[kind].model_fields)


def _choices(annotation: Any) -> str:
    """Word the values that a setting can take where they are few: ` One of: stop, drop, warn.`"""
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    values = [value for option in options if get_origin(option) is Literal for value in get_args(option)]
    return f" One of: {', '.join(map(str, values))}." if len(values) > 1 else ""
