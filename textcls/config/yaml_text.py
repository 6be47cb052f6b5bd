"""YAML as people expect it."""

from __future__ import annotations

import re
from typing import Any

import yaml


def parse_yaml(text: str) -> Any:
    """Read YAML in which `3e-5` is a number, a date is a string, and a key given twice is an error.

    Raises:
        yaml.YAMLError: it is not valid.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader


def dump_yaml(content: Any) -> str:
    """Write YAML such that `parse_yaml` gives the same again."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """Loads what `parse_yaml` says."""

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
