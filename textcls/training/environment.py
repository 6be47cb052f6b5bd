"""What a run is made in: the commit of the folder that it is started in, the versions and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import distributions, version
from pathlib import Path

from textcls.config import Config
from textcls.errors import ConfigError
from textcls.models import TextClassifier
from textcls.torchrun import world_size


def run_tags(config: Config, identity: str, kind: str) -> dict[str, str]:
    """The tags of a run of a kind, `single` or `parent`, on data of an identity.

    The commit is that of the folder it is started in, which may hold its config and its data; textcls itself has a version.
    """
    tags = {
        "textcls.kind": kind,
        "textcls.model_family": config.model.kind,
        "textcls.config_sha": sha256(config.as_yaml().encode()).hexdigest(),
        "textcls.data_sha": identity,
        "textcls.version": version("textcls"),
        "textcls.machine": machine(),
        "textcls.processes": str(world_size()),
        "mlflow.source.name": Path(sys.argv[0]).name or "python",
        "mlflow.source.type": "LOCAL",
    }
    commit = _git("rev-parse", "HEAD")
    if commit:
        tags["mlflow.source.git.commit"] = commit
        changes = _git("status", "--porcelain", "--untracked-files=no")  # a store of runs is no change
        if changes is not None:
            tags["textcls.git_dirty"] = str(bool(changes)).lower()
    return tags


def check_one_process(what: str) -> None:
    """Check that this is no process of several under `torchrun`, which would wait for each other while each is at another run.

    Raises:
        ConfigError: it is.
    """
    processes = world_size()
    if processes > 1:
        raise ConfigError(
            f"{what} makes many runs, which the {processes} processes of torchrun cannot share; start it without torchrun"
        )


def arithmetic_tags(classifier: TextClassifier) -> dict[str, str]:
    """The tags that say what a fit was computed with, which the config leaves to the machine, if there was a choice."""
    return {f"textcls.{what}": value for what, value in (classifier.arithmetic or {}).items()}


@cache
def installed_versions() -> Mapping[str, str]:
    """Versions of all that is installed."""
    # Read and parsed once each: a distribution's `metadata` and `version` would do so every time they are asked for.
    return {found["Name"]: found["Version"] for found in (distribution.metadata for distribution in distributions())}


def machine() -> str:
    """What kind of machine this is: others can round otherwise in the last digits."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def _git(*arguments: str) -> str | None:
    """What git says in the working directory; None where there is no git or no repository, or it fails or takes too long."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603, S607
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
