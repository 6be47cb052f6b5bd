"""Read a config file, put overrides on top, and explain all that is wrong with it at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import ValidationError

from textcls.config.base import Settings
from textcls.config.models import model_kinds
from textcls.config.settings import Config, SpanConfig
from textcls.config.yaml_text import parse_yaml
from textcls.errors import ConfigError
from textcls.wording import did_you_mean, refused

S = TypeVar("S", bound=Settings)

_DATA = (".jsonl", ".csv", ".tsv", ".parquet", ".txt")
"""Ends of names of files that a command may be given by mistake for a config."""

Overrides = Sequence[str] | Mapping[str, Any]
"""Settings on top of others, each `section.key=value` with the value in YAML, or as values by `section.key`."""


def load_config(path: str | Path, overrides: Overrides = ()) -> Config:
    """Read a config file.

    Args:
        path: a YAML file.
        overrides: settings on top of the file, each `section.key=value` with the value in YAML, or as values by `section.key`.

    Raises:
        ConfigError: the file is missing or is not YAML, or settings are wrong; all of them in one report,
            each line `file: model.learning_rate: message`.
    """
    return parse_config(read_config_file(path), overrides, name=str(path))


def read_config_file(path: str | Path) -> str:
    """The text of a config file, for `parse_config`; what a shell gives in place of a file can be read only once.

    Raises:
        ConfigError: the file is missing, holds data, or is no text.
    """
    if Path(path).suffix.lower() in _DATA:
        raise ConfigError(
            f"{path}: expected a config file, found one of data; name it in a config, or with --set data.train={path}"
        )
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such config file; make one with: textcls config --init tfidf > {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a config file: {error}") from error


def parse_config(text: str, overrides: Overrides = (), *, name: str = "config") -> Config:
    """Check the text of a config file; `name` is what errors call it.

    Raises:
        ConfigError: as `load_config`.
    """
    return make_config(_parse(text, name), overrides, name=name)


def make_config(settings: Mapping[str, Any], overrides: Overrides = (), *, name: str = "config") -> Config:
    """Check settings that are given as nested mappings.

    Args:
        settings: the sections.
        overrides: settings on top, each `section.key=value` with the value in YAML, or as values by `section.key`.
        name: what errors call them.

    Raises:
        ConfigError: as `load_config`.
    """
    merged = json.loads(json.dumps(settings, default=str))
    if isinstance(overrides, str):  # over whose letters a loop would go
        raise ConfigError(f"overrides: expected a list of key=value, found the string {overrides!r}; pass [{overrides!r}]")
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            _put(merged, key, value, where=f"{name}: {key}")
    else:
        for override in overrides:
            _put(merged, *_parse_override(override), where=f"--set {override}")
    try:
        return Config.model_validate_json(json.dumps(merged))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{name}: {line}" for line in _explain(error))) from error


def check_settings(section: type[S], values: Mapping[str, Any], *, name: str) -> S:
    """Check the settings of one section, given as plain values; `name` is what errors call it.

    Raises:
        ConfigError: settings are wrong; a line for each.
    """
    try:
        return section.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(error, section, [name]))) from error


def takes_fractions(key: str, kind: str) -> bool:
    """Whether a setting is a number that need not be whole; `kind` is the family that the settings of `model` are those of."""
    *path, last = key.split(".")
    above = _section(model_kinds()[kind], path[1:]) if path[:1] == ["model"] else _section(Config, path)
    field = above.model_fields.get(last)
    return field is not None and float in (field.annotation, *get_args(field.annotation))


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        content = parse_yaml(text)
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


def _parse_override(override: str) -> tuple[str, Any]:
    key, equals, value = override.partition("=")
    if not equals or not all(key.strip().split(".")):
        raise ConfigError(f"--set {override}: expected key=value, such as model.learning_rate=3e-5")
    try:
        return key.strip(), json.loads(json.dumps(parse_yaml(value), default=str))
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value is not valid YAML") from error


def _put(settings: dict[str, Any], key: str, value: Any, *, where: str) -> None:
    *path, last = key.split(".")
    if path[:2] == ["sweep", "space"]:  # whose keys have dots themselves
        path, last = path[:2], key.removeprefix("sweep.space.")
    section = settings
    for step in path:
        if section.get(step) is None:  # such as model.context, where null means none of it
            section[step] = {}
        section = section[step]
        if not isinstance(section, dict):
            raise ConfigError(f"{where}: {step} is a value, not a section")
    section[last] = value


def _explain(error: ValidationError, of: type[Settings] = Config, above: Sequence[str] = ()) -> Iterator[str]:
    problems = error.errors()
    for problem in problems:
        within = any(other["loc"][:-1] == problem["loc"] for other in problems)
        if within and problem["type"] in ("too_short", "too_long"):
            continue  # only what is right was counted
        # The tag of a union stands in the location; people did not write it.
        location = [str(part) for part in problem["loc"]]
        if len(location) > 1 and location[0] == "model" and location[1] in model_kinds():
            section = _section(model_kinds()[location.pop(1)], location[1:-1])
        elif len(location) > 3 and location[:2] == ["sweep", "space"]:
            section = SpanConfig
            del location[3]
        else:
            section = _section(of, location[:-1])
        where = ".".join([*above, *location])
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
                yield f"{where}: {refused(problem)}"


def _section(section: type[Settings], location: Sequence[str]) -> type[Settings]:
    for step in location:
        annotation = section.model_fields[step].annotation if step in section.model_fields else None
        for option in (annotation, *get_args(annotation)):  # a section, or one or null
            if isinstance(option, type) and issubclass(option, Settings):
                section = option
    return section
