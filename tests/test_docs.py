"""The documents against what they describe: commands and their options, model families, and the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import ROOT

from textcls.cli import app
from textcls.config import model_kinds

DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("data/**/*.md"), *ROOT.glob("experiments/*/*.md"), *ROOT.glob("configs/**/*.yaml")]
)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(of: Any = None, name: str = "textcls") -> Iterator[tuple[str, Any]]:
    """Every command and group of commands, by what one types."""
    of = of or typer.main.get_command(app)
    yield name, of
    for below, command in getattr(of, "commands", {}).items():
        yield from commands(command, f"{name} {below}")


COMMANDS = dict(commands())


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def named_in(line: str) -> str:
    """The longest command that a line of shell begins with."""
    words = line.split()
    return next(" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in COMMANDS)


def options_of(name: str) -> set[str]:
    below = [command for other, command in COMMANDS.items() if other == name or other.startswith(f"{name} ")]
    return {"--help"} | {option for command in below for parameter in command.params for option in parameter.opts}


def lines_of_shell(text: str) -> list[str]:
    """What a document says of commands: in a block, in a comment of its own, or between backticks in a sentence."""
    text = text.replace("\\\n", " ")
    fenced = "".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    found = re.findall(r"^(textcls .*)$", fenced, re.MULTILINE)
    found += re.findall(r"^(?:#   |    )(textcls .*)$", text, re.MULTILINE) + re.findall(r"`(textcls [^`]+)`", text)
    return [line.partition("  #")[0] for line in found if re.match(r"textcls [a-z]+( |$)", line)]


# --- commands -------------------------------------------------------------------------------------------------------


def test_the_readmes_table_names_every_command_and_no_other() -> None:
    named = set()
    for row in re.findall(r"^\| (`textcls .*?) \| ", section("Commands"), re.MULTILINE):
        for span in re.findall(r"`([^`]+)`", row):
            if span.startswith("textcls "):
                name = named_in(span)
                group = name if hasattr(COMMANDS[name], "commands") else name.rpartition(" ")[0]
                named.add(name)
            else:  # `textcls data build` · `stats FILE`
                named.add(f"{group} {span.split()[0]}")
    groups = {name for name, command in COMMANDS.items() if hasattr(command, "commands")}
    assert {"textcls train", "textcls data stats", "textcls runs"} <= named
    # A group is named by its commands or, as `textcls runs`, for what it does alone, which is to list.
    assert named - groups == set(COMMANDS) - groups - {"textcls runs list"}


def test_the_readmes_table_names_the_arguments_that_a_command_must_have() -> None:
    counted = 0
    for span in re.findall(r"`(textcls [^`]+)`", section("Commands")):
        command = COMMANDS[named_in(span)]
        if hasattr(command, "commands"):
            continue
        bare = re.sub(r"--[a-z]+ [A-Z]+", "", re.sub(r"\[.*?\]", "", span))
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        words = {word.strip("….") for word in bare.split() if word.strip("….").isupper()}
        assert {a.metavar for a in arguments if a.required} <= words <= {a.metavar for a in arguments}, span
        counted += 1
    assert counted > 10


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_commands_and_options_that_there_are(document: Path) -> None:
    for line in lines_of_shell(document.read_text(encoding="utf-8")):
        name = named_in(line)
        assert name != "textcls", line
        assert set(re.findall(r"(?<!\S)\[?(--[a-z-]+)", line)) <= options_of(name), line


def test_documents_name_commands_at_all() -> None:
    assert sum(len(lines_of_shell(document.read_text(encoding="utf-8"))) for document in DOCUMENTS) > 40
    assert named_in("textcls train configs/tfidf.yaml") == "textcls train"
    assert "--resume" in options_of("textcls train")
    assert "--ouput" not in options_of("textcls train")


# --- families and the tree ------------------------------------------------------------------------------------------


def test_the_readme_names_every_family() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", section("Models"), re.MULTILINE)) == set(model_kinds())


def test_the_readmes_tree_is_the_tree() -> None:
    tree = section("The tree").partition("```\n")[2].partition("\n```")[0]
    package = tree.partition("textcls/\n")[2].partition("\nconfigs/")[0]
    named = set(re.findall(r"(?:^| {2})([a-z_]+(?:/|\.py))", package, re.MULTILINE))
    there = {f"{path.name}/" if path.is_dir() else path.name for path in (ROOT / "textcls").iterdir() if path.name[0] not in "_."}
    assert named == there - {"py.typed"}
    for folder in re.findall(r"^([a-z]+)/", tree, re.MULTILINE):
        assert (ROOT / folder).is_dir()
