"""The imports of every module, read and held against the layers of the design."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Each imports only from those above it. Lazy imports inside functions count; types under TYPE_CHECKING do not.
LAYERS = (
    {"errors", "wording"},
    {"files", "stores", "torchrun"},
    {"config", "segmentation"},
    {"articles", "dataset", "splits", "models", "tracking"},
    {"annotation", "evaluation"},
    {"model_card"},
    {"artifacts"},
    {"training", "prediction", "registry", "serving"},
    {"comparing"},
    {"cli"},
    {"__main__"},
)
OWNERS = {
    "torch": {"models"},
    "transformers": {"models"},
    "mlflow": {"tracking"},
    "typer": {"cli"},
    "rich": {"cli"},
}
NOWHERE = ("pickle", "joblib", "cloudpickle", "dill", "skops", "pytest")

FILES = sorted((ROOT / "textcls").rglob("*.py"))


def stage_of(module: str) -> str:
    """`textcls.models.base` belongs to `models`; textcls itself to the stage of no name."""
    return [*module.split("."), ""][1]


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """The line and the full name of everything imported, also inside functions, but for types."""

    def visit(node: ast.AST) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for child in node.orelse:
                yield from visit(child)
            return
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            assert node.module is not None
            # `from textcls import articles` imports a module.
            whole = node.module == "textcls"
            yield from ((node.lineno, f"textcls.{alias.name}" if whole else node.module) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    yield from visit(ast.parse(file.read_text(encoding="utf-8")))


def test_every_stage_has_its_layer() -> None:
    stages = {stage_of(name_of(file)) for file in FILES} - {""}
    assert stages == set().union(*LAYERS)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_imports_point_one_way(file: Path) -> None:
    stage = stage_of(name_of(file))
    layer = next((number for number, stages in enumerate(LAYERS) if stage in stages), 0)
    above = set().union(*LAYERS[:layer]) | {stage} if stage else set()
    for line, imported in imports(file):
        if imported.split(".")[0] == "textcls":
            assert stage_of(imported) in above, f"{file}:{line}: {stage or 'textcls'} must not import {imported}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_some_libraries_are_used_nowhere(file: Path) -> None:
    for line, imported in imports(file):
        library = imported.split(".")[0]
        assert library not in NOWHERE, f"{file}:{line}: {library} is used nowhere"


def test_heavy_libraries_have_one_owner() -> None:
    importing: dict[str, set[str]] = {library: set() for library in OWNERS}
    for file in FILES:
        for library in {imported.split(".")[0] for _, imported in imports(file)} & OWNERS.keys():
            importing[library].add(stage_of(name_of(file)))
    assert importing == OWNERS


def dependencies(*, dev: bool) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [lines for extra, lines in project["optional-dependencies"].items() if dev or extra != "dev"]
    return [Requirement(line) for line in chain(project["dependencies"], *extras)]


def test_the_versions_that_are_tested_are_within_what_is_declared() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tested = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines if line[0] != "#")}
    for needed in dependencies(dev=True):
        assert needed.name == "textcls" or tested[canonicalize_name(needed.name)] in needed.specifier, needed


def test_what_is_imported_is_declared() -> None:
    declared = {canonicalize_name(needed.name) for needed in dependencies(dev=False)}
    distributions = packages_distributions()
    for file in FILES:
        for line, imported in imports(file):
            library = imported.split(".")[0]
            if library not in sys.stdlib_module_names | {"textcls"}:
                known = {canonicalize_name(name) for name in distributions.get(library, [library])}
                assert known & declared, f"{file}:{line}: {library} is not among the dependencies of pyproject.toml"


def test_the_reader_sees_imports_wherever_they_are(tmp_path: Path) -> None:
    source = """
from typing import TYPE_CHECKING
import torch.nn as nn
if TYPE_CHECKING:
    import mlflow
else:
    import rich
def function():
    from textcls import cli
    from textcls.models import base
"""
    (tmp_path / "module.py").write_text(source)
    assert {name for _, name in imports(tmp_path / "module.py")} == {
        "typing",
        "torch.nn",
        "rich",
        "textcls.cli",
        "textcls.models",
    }
