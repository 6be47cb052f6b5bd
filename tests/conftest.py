"""What the tests share: a guard against the network, toy data, a tiny encoder, an MLflow store, and the command line."""

from __future__ import annotations

import base64
import json
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from textcls.evaluation import Predictions

# Before anything imports PyTorch: the tests' processes share the processors, and with other threads sums round otherwise.
os.environ["OMP_NUM_THREADS"] = "1"

# Under nohup, and in the background of a script, signals are ignored from the start, which processes that the tests make would inherit.
for _number, _handler in {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}.items():
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

ROOT = Path(__file__).parents[1]

_DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
"""A picture."""
_FOREIGN = ("HF_", "MLFLOW_", "RANK", "TRANSFORMERS_", "WORLD_SIZE")


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run every test in an empty folder, without the caller's settings, and fail it if it reaches for the network."""
    for name in os.environ:
        if name.startswith(_FOREIGN) and name != "MLFLOW_DISABLE_TELEMETRY":
            monkeypatch.delenv(name)
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    monkeypatch.chdir(cwd)
    scratch = tmp_path_factory.mktemp("tmp")  # apart from `tmp_path`, whose name is too long for sockets
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    reached: list[Any] = []

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            reached.append(address)
            raise OSError(f"the tests have no network: {address}")
        connect(self, address)

    def no_names(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in (None, "127.0.0.1", "::1", "localhost", socket.gethostname()):
            reached.append(host)
            raise socket.gaierror(f"the tests have no network: {host}")
        return resolve(host, *arguments, **options)

    connect, resolve = socket.socket.connect, socket.getaddrinfo
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    yield
    # A library may have swallowed the error.
    assert not reached, f"reached for the network: {reached}"


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a run one dot for each figure, but for the tests that look at them: drawing is most of what tracking a toy run takes."""
    if request.node.get_closest_marker("drawn") is None:
        monkeypatch.setattr("textcls.training.record.as_png", lambda figure: _DOT)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep embeddings out of the user's cache, and MLflow's reports of its use at home in processes that no guard watches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXTCLS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield


# --- data -----------------------------------------------------------------------------------------------------------

_TOPICS = {
    "fact": "the council opened a bridge on {}",
    "opinion": "the council surely has the worst plan on {}",
    "quote": "“the bridge will stay,” the mayor said on {}",
}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "may 4")


def toy_rows(articles: Sequence[str] = ("a", "b", "c", "d"), *, per_article: int = 2) -> list[dict[str, str]]:
    """Rows that are easy to learn: three labels, `per_article` of each in every article, no two texts alike."""
    rows = []
    for number, article in enumerate(articles):
        for label, template in _TOPICS.items():
            for turn in range(per_article):
                day = f"{_DAYS[(number * per_article + turn) % 8]} in ward {article * 6} {'xyzuvw'[turn] * 8}"
                text = template.format(day)
                rows.append({"id": f"{article}:{label}:{turn}", "text": text, "label": label, "article": article})
    return rows


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def toy_file(tmp_path: Path) -> Path:
    """A JSONL file of 24 easy rows in four articles."""
    return write_jsonl(tmp_path / "toy.jsonl", toy_rows())


# --- predictions ----------------------------------------------------------------------------------------------------


_LABELS = ["fact", "opinion", "quote"]


def predicted(
    name: str, skill: float, *, rows: int = 600, articles: int = 40, seed: int = 1, fold: int = 0, articles_known: bool = True
) -> Predictions:
    """Predictions for the same labels and articles whatever the name and the skill."""
    import numpy as np

    from textcls.evaluation import Predictions

    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, rows)
    article = rng.integers(0, articles, rows)
    noise = rng.normal(0, 1, (rows, 3))
    logits = 1.5 * (noise + 0.5 * np.random.default_rng(seed).normal(0, 1, (rows, 3)))
    logits[np.arange(rows), true] += skill
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(
        name,
        [f"row {i}" for i in range(rows)],
        [_LABELS[i] for i in true],
        probabilities,
        _LABELS,
        [f"article {i}" if articles_known else None for i in article],
        [f"text {i}" for i in range(rows)],
        [f"fold {i % fold}" if fold else None for i in article],
    )


def rows_of(one: Predictions) -> list[dict[str, Any]]:
    return [
        {
            "id": one.ids[i],
            "article": one.groups[i],
            "text": one.texts[i],
            "label": one.true[i],
            "prediction": str(one.predicted[i]),
            "probabilities": dict(zip(one.labels, one.probabilities[i].tolist(), strict=True)),
        }
        | {key: value for key, value in (("fold", one.folds[i]), ("seed", one.seeds[i])) if value is not None}
        for i in range(len(one))
    ]


# --- models ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BERT of one layer with random weights, whose words are letters and the toy rows' words."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer
    from transformers.utils import logging as transformers_logging

    folder = tmp_path_factory.mktemp("encoder") / "tiny-bert"
    words = sorted({word for row in toy_rows() for word in row["text"].split() if word.isalpha()})
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    vocabulary += [*"“”‘’\"',.?!:;-–0123456789", *(word for word in words if len(word) > 1)]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
            initializer_range=0.2,  # at 0.02 a net this small hardly learns
        )
        model = BertModel(config)
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    model.save_pretrained(folder)
    if bars:
        transformers_logging.enable_progress_bar()
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizer(vocab=str(folder / "vocab.txt"), do_lower_case=True).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def model_settings(tiny_encoder: str) -> Callable[[str], dict[str, Any]]:
    """Settings with which a family learns the toy rows in a second."""
    settings: dict[str, dict[str, Any]] = {
        "tfidf": {"kind": "tfidf", "min_df": 1, "C": 100.0},
        "transformer": {
            "kind": "transformer",
            "encoder": tiny_encoder,
            "epochs": 12,
            "batch_size": 4,
            "learning_rate": 0.01,
            "max_length": 48,
            "precision": "fp32",
        },
        "embedding": {"kind": "embedding", "encoder": tiny_encoder, "C": 1e4, "max_length": 48, "precision": "fp32"},
        "setfit": {
            "kind": "setfit",
            "encoder": tiny_encoder,
            "pairs": 10,
            "learning_rate": 0.01,
            "C": 100.0,
            "max_length": 48,
            "precision": "fp32",
        },
        "static": {
            "kind": "static",
            "encoder": tiny_encoder,
            "dimensions": 16,
            "epochs": 20,
            "batch_size": 4,
            "learning_rate": 0.05,
        },
    }
    return lambda kind: dict(settings[kind])


# --- tracking -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, opened once: making a database takes seconds."""
    from textcls.tracking import Store

    store = Store(tmp_path_factory.mktemp("store") / "template", create=True)
    with closing(sqlite3.connect(store.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return store.folder


@pytest.fixture
def store_folder(store_template: Path, tmp_path: Path) -> Path:
    """A store's folder of the test's own: a copy of the template, so it counts as moved when it is opened."""
    return Path(shutil.copytree(store_template, tmp_path / "experiments"))


# --- the command line -----------------------------------------------------------------------------------------------


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def textcls(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Done]]:
    """Run `textcls …` in this process, by the function that the installed script calls."""
    from textcls.cli import main

    handlers = list(logging.getLogger().handlers)
    handled = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)}
    hook = sys.unraisablehook

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["textcls", *map(str, arguments)])
        capsys.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        return Done(code, *capsys.readouterr())

    yield run
    for number, handler in handled.items():
        signal.signal(number, handler)
    sys.unraisablehook = hook
    logging.getLogger().handlers[:] = handlers


# --- other processes ------------------------------------------------------------------------------------------------

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["mlflow.store.tracking.sqlalchemy_store", "textcls.models.transformer", "textcls.training"])


class Forked(NamedTuple):
    """A process that was forked, and the files that its standard output and error go to."""

    process: Any
    out: Path
    err: Path

    def wait(self, seconds: float = 120) -> Done:
        """Wait for its end; the code of one that a signal ended is the signal's number, negative."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"still going on after {seconds} seconds: {self.err.read_text()}"
        return Done(self.process.exitcode, self.out.read_text(), self.err.read_text())


@pytest.fixture
def fork(tmp_path: Path) -> Iterator[Callable[..., Forked]]:
    """Call a function of a module in a process of its own, quickly: a server that has imported torch and MLflow once forks it."""
    begun: list[Any] = []

    def start(function: Callable[..., None], *arguments: object) -> Forked:
        out, err = (tmp_path / f"process-{len(begun)}.{name}" for name in ("out", "err"))
        process = _SERVER.Process(target=_forked, args=(out, err, Path.cwd(), dict(os.environ), function, arguments))
        process.start()
        begun.append(process)
        return Forked(process, out, err)

    yield start
    for process in begun:
        process.terminate()  # lets it end those that it began itself
        process.join(30)
        process.kill()
        process.join()
        process.close()


@pytest.fixture
def fork_textcls(fork: Callable[..., Forked]) -> Callable[..., Forked]:
    """Begin `textcls …` in a process of its own, by the function that the installed script calls."""
    return lambda *arguments: fork(textcls_main, [str(argument) for argument in arguments])


def _forked(
    out: Path, err: Path, cwd: Path, environment: dict[str, str], function: Callable[..., None], arguments: Sequence[object]
) -> None:
    import torch

    for path, number in ((out, 1), (err, 2)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    # What a shell gives a job in the foreground; a server ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)  # several of them with several threads each slow each other tenfold
    function(*arguments)


def textcls_main(arguments: list[str]) -> None:
    """`textcls …`, for a process of its own."""
    from textcls.cli import main

    sys.argv = ["textcls", *arguments]
    main()
