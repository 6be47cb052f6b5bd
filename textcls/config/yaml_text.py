"""YAML as people expect it."""

from __future__ import annotations

import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"


def parse_yaml(text: str) -> Any:
    """Read YAML in which `3e-5` is a number, `yes`, `off`, `12:30` and dates are strings, and a key given twice is an error.

    Raises:
        yaml.YAMLError: it is not valid.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader


def dump_yaml(content: Any) -> str:
    """Write YAML such that `parse_yaml` gives the same again."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """Loads what `parse_yaml` says."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: bool | tuple[bool, bool]) -> str:
        tag: str = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        if kind is yaml.ScalarNode and value is not None and _of_yaml_1_1(tag, value):
            return f"{_TAG}str"
        return tag

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


def _of_yaml_1_1(tag: str, value: str) -> bool:
    """Whether YAML 1.1, which PyYAML follows, sees more in a value than people do: a truth in `no`, a number of base 60, a date."""
    match tag.removeprefix(_TAG):
        case "bool":
            return value.lower() not in ("true", "false")
        case "int" | "float":
            return ":" in value
    return tag == f"{_TAG}timestamp"  # no setting is one


# In YAML 1.1 a float needs a dot and a signed exponent.
for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(f"{_TAG}float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+0123456789."))
