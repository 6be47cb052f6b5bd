"""Commands as people run them: exit codes, one line for an error, and files."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Done, Forked, toy_rows, write_jsonl

from textcls.artifacts import load_model, save_model
from textcls.config import load_config, model_kinds
from textcls.models import classifier_class

Command = Callable[..., Done]

SEEDS = ROOT / "data" / "seeds"
COMMANDS = (
    "sentences",
    "agreement",
    "adjudicate",
    "data",
    "config",
    "train",
    "sweep",
    "curve",
    "evaluate",
    "predict",
    "compare",
    "runs",
    "register",
    "reproduce",
    "ui",
)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "model"
    rows = toy_rows()
    save_model(classifier_class("tfidf")(min_df=1).fit(rows, [row["label"] for row in rows]), folder)
    return folder


@pytest.fixture
def config(toy_file: Path, store_folder: Path, tmp_path: Path) -> Path:
    """A config of a quick run with folds, tracked in the test's store."""
    path = tmp_path / "config.yaml"
    settings = {
        "data": {"train": str(toy_file), "name": "toy"},
        "splits": {"kind": "leave-one-group-out"},
        "model": {"kind": "tfidf", "min_df": 1, "C": 100},
        "tracking": {"folder": str(store_folder)},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def assert_one_line(done: Done, message: str) -> None:
    assert (done.code, done.out) == (1, "")
    *warnings, line = done.err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert all(warning.startswith("WARNING: the store was moved") or warning.endswith("…") for warning in warnings), warnings


# --- help and wrong usage -------------------------------------------------------------------------------------------


def test_help_loads_no_heavy_library() -> None:
    code = """
import sys
sys.argv = ["textcls", *sys.argv[1:]]
from textcls.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
print(*(name for name in ("torch", "transformers", "datasets", "mlflow", "sklearn", "numpy", "matplotlib") if name in sys.modules), file=sys.stderr)
"""
    for arguments in (["--help"], ["train", "--help"], ["predict", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=True)
        assert "Usage: textcls" in done.stdout
        assert done.stderr == "\n"


def test_help_names_every_command(textcls: Command) -> None:
    done = textcls("--help")
    assert done.code == 0
    for name in COMMANDS:
        assert re.search(rf"\b{name}\b", done.out)


def test_version(textcls: Command) -> None:
    done = textcls("--version")
    assert (done.code, done.out) == (0, f"{version('textcls')}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, textcls: Command) -> None:
    done = textcls(name, "-h")
    assert done.code == 0
    assert f"textcls {name}" in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("trian",),
        ("train",),
        ("train", "a.yaml", "b.yaml"),
        ("train", "a.yaml", "--ouput", "x"),
        ("predict", "model"),
        ("evaluate", "model"),
        ("config",),
        ("config", "a.yaml", "--schema"),
        ("config", "--schema", "--init", "tfidf"),
        ("agreement",),
        ("compare", "A", "--report", "r.html"),
        ("compare", "A", "B", "--table", "--data", "rows.jsonl"),
        ("runs", "show"),
        ("runs", "diff", "one"),
        ("runs", "remove"),
        ("register",),
        ("reproduce",),
        ("ui", "--port", "0"),
        ("ui", "--port", "many"),
        ("data", "build", "articles"),
    ],
)
def test_wrong_usage_has_exit_code_2(arguments: tuple[str, ...], textcls: Command) -> None:
    done = textcls(*arguments)
    assert done.code == 2
    assert "Usage: textcls" in done.out + done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("A", "--report", "r.html"), "name two runs or more"),
        (("A", "B", "--table", "--report", "r.html"), "--table makes none, leave it out"),
    ],
)
def test_a_table_of_runs_goes_into_no_report(arguments: tuple[str, ...], remedy: str, textcls: Command) -> None:
    words = " ".join(textcls("compare", *arguments).err.replace("│", " ").split())
    assert f"--data, --report, --output and --figures are for a comparison; {remedy}" in words


# --- errors of the input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "no.yaml"), "no.yaml: no such config file"),
        (("data", "check", "rows.jsonl"), "rows.jsonl: expected a config file, found one of data; name it in a config, or with"),
        (("train", "{config}", "--set", "model.C"), "--set model.C: expected key=value"),
        (("train", "{config}", "--set", "model.min_dff=1"), "model.min_dff: unknown key; did you mean 'min_df'?"),
        (("train", "{config}", "--set", "data.train=no.jsonl"), "data.train: no.jsonl: no such file or folder in /"),
        (("train", "{config}", "--set", "tracking.enabled=false"), "so the model would be lost; name an output"),
        (("train", "{config}", "--set", "tracking.folder=config.yaml/store"), "config.yaml/store: the store cannot be opened: "),
        (("predict", "nothing", "a.txt"), "nothing: no such model folder"),
        (("predict", "{model}", "nothing.txt"), "nothing.txt: no such file or folder"),
        (("predict", "{model}", "{toy}", "--text", "body"), "no column 'body'; "),
        (
            ("predict", "{model}", "{toy}", "--output", "out.xlsx"),
            "out.xlsx: expected a name that ends in .jsonl, .csv, .parquet",
        ),
        (("predict", "{model}", "{toy}", "--output", "{toy}/out.csv"), "/out.csv: cannot be written: "),
        (("predict", "{model}", "empty.txt"), "empty.txt: expected sentences, found none"),
        (("evaluate", "{model}", "nothing.jsonl"), "nothing.jsonl: no such file"),
        (("evaluate", "{model}", "{toy}", "--label", "class"), "no column 'class'; "),
        (("config", "no.yaml"), "no.yaml: no such config file"),
        (("config", "--init", "tf-idf"), "unknown kind 'tf-idf'; did you mean 'tfidf'?"),
        (("agreement", "nothing.jsonl"), "nothing.jsonl"),
        (("compare", "--store", "nowhere"), "nowhere: no runs here; "),
        (("compare", "tfidf", "--store", "{store}"), "no run 'tfidf'; "),
        (("ui", "--store", "nowhere"), "nowhere: no runs here; "),
        (("sentences", "empty.txt"), "empty.txt: expected sentences, found none"),
        (("sentences", "nothing.txt"), "nothing.txt: no such file or folder"),
        (("sentences", ""), "'': no such file or folder"),
        (("data", "build", "", "labels.jsonl"), "'': no such file or folder"),
        (("predict", "{model}", ""), "'': no such file or folder"),
        (("predict", "", "empty.txt"), "'': no such model folder or run"),
        (("predict", "{model}", 30 * "It rained. "), "It rained. It…: File name too long"),
    ],
)
def test_an_error_of_the_input_is_one_line_and_exit_code_1(
    arguments: tuple[str, ...], message: str, textcls: Command, config: Path, model: Path, toy_file: Path, store_folder: Path
) -> None:
    Path("empty.txt").write_text("\n")
    Path("config.yaml").write_text("")
    places = {"config": config, "model": model, "toy": toy_file, "store": store_folder}
    assert_one_line(textcls(*(argument.format(**places) for argument in arguments)), message)


def test_config_errors_come_all_at_once_a_line_each(textcls: Command, config: Path) -> None:
    done = textcls("train", config, "--set", "seed=-1", "--set", "model.kinds=tfidf")
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert len(done.err.splitlines()) == 2


def test_a_bug_keeps_its_traceback(textcls: Command, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*arguments: Any, **options: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("textcls.prediction.load", bug)
    with pytest.raises(ZeroDivisionError):
        textcls("predict", model, "a.txt")


@pytest.mark.parametrize(
    ("number", "words"), [(28, "No space left on device"), (30, "Read-only file system"), (13, "Permission denied")]
)
def test_what_the_disk_says_is_one_line(
    number: int, words: str, textcls: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(number, words, "/some/file")

    monkeypatch.setattr("textcls.prediction.load", full)
    assert_one_line(textcls("predict", model, "a.txt"), f"/some/file: {words}")


def test_other_errors_of_the_system_keep_their_traceback(textcls: Command, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*arguments: Any, **options: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/a/bug")

    monkeypatch.setattr("textcls.prediction.load", bug)
    with pytest.raises(FileNotFoundError):
        textcls("predict", model, "a.txt")


def test_a_disk_that_is_full_while_writing(textcls: Command, model: Path, toy_file: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        done = textcls("predict", model, toy_file, "--output", "out.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert_one_line(done, "out.jsonl: cannot be written: File too large")
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [("config", "--schema"), ("config", "--init", "tfidf")])
def test_standard_output_on_a_full_disk(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "textcls", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "error: disk: No space left on device\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = [sys.executable, "-m", "textcls", "config", "--schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=60)
    assert err == ""


def test_an_interruption_has_exit_code_130_and_no_traceback(
    textcls: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*arguments: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("textcls.prediction.load", terminated)
    done = textcls("predict", model, "a.txt")
    assert done.code == 130
    assert "Traceback" not in done.err


def test_an_interruption_in_a_finalizer_is_no_less_one(textcls: Command, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Article: ...

    def terminated(*arguments: Any, **options: Any) -> None:
        article = Article()
        reference = weakref.ref(article, lambda _: os.kill(os.getpid(), signal.SIGTERM))
        del article  # what is raised now is swallowed
        assert reference() is None
        time.sleep(60)

    monkeypatch.setattr("textcls.prediction.load", terminated)
    begun = time.monotonic()
    done = textcls("predict", model, "a.txt")
    assert done.code == 130
    assert time.monotonic() - begun < 30
    assert done.err == ""


# --- outputs that exist ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "{config}", "--set", "data.train=nothing.jsonl", "--output", "there"),
        ("predict", "no model", "no input.txt", "--output", "there"),
        ("evaluate", "no model", "no data.jsonl", "--output", "there"),
        ("evaluate", "no model", "no data.jsonl", "--wrong", "there"),
    ],
)
def test_an_existing_output_is_refused_before_work_is_done(arguments: tuple[str, ...], textcls: Command, config: Path) -> None:
    # Were work done first, the missing input would be told.
    Path("there").write_text("precious")
    done = textcls(*(argument.format(config=config) for argument in arguments))
    assert_one_line(done, "there: exists already; remove it or name another output")
    assert Path("there").read_text() == "precious"


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "no model", "no input.txt", "--output", "there.xlsx"),
        ("evaluate", "no model", "no data.jsonl", "--wrong", "there.xlsx"),
        ("sentences", "no article.txt", "--output", "there.xlsx"),
        ("data", "build", "no articles", "no labels.jsonl", "--output", "there.xlsx"),
        ("data", "check", "{config}", "--set", "data.train=nothing.jsonl", "--suspects", "there.xlsx"),
    ],
)
def test_an_output_of_another_suffix_is_refused_before_work_is_done(
    arguments: tuple[str, ...], textcls: Command, config: Path
) -> None:
    done = textcls(*(argument.format(config=config) for argument in arguments))
    assert_one_line(done, "there.xlsx: expected a name that ends in .jsonl, .csv, .parquet, found .xlsx")


def test_of_many_labels_the_worst_are_printed(config: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    from textcls.cli.output import console
    from textcls.cli.trained import print_trained
    from textcls.evaluation import bootstrap_intervals, evaluate
    from textcls.training import RunResult

    labels = [f"label {i:02}" for i in range(50)]
    true = [label for label in labels for _ in range(2)]
    probabilities = np.eye(50)[[i if i >= 35 else (i + turn) % 50 for i in range(50) for turn in range(2)]]
    evaluation = evaluate(true, probabilities, labels)
    intervals = bootstrap_intervals(true, probabilities, labels, number=100, areas=False)
    predictions = [{"id": str(number), "label": label, "fold": "test", "seed": 1} for number, label in enumerate(true)]
    result = RunResult("r" * 32, "many", load_config(config), {}, evaluation, intervals, predictions, load_model(model), None)
    print_trained(console(), result)
    out = capsys.readouterr().out
    assert sum(line.startswith("label ") for line in out.splitlines()) == 1 + 30
    assert "label 49" not in out
    assert "the 30 labels of the lowest F1, of 50: per_label.csv among the run's artifacts has all" in out


# --- train, evaluate, predict, compare ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        (("kind=hash", "test=0.5", "repeats=2"), r"; mean of 2 seeds "),
        (("kind=k-fold", "folds=2", "repeats=2"), r" on 48 predictions of 24 rows held out; mean of 4 fits "),
        (("kind=k-fold", "folds=2"), r" on 24 rows held out; mean of 2 folds "),
    ],
)
def test_a_mean_says_what_it_is_of(textcls: Command, config: Path, splits: tuple[str, ...], words: str) -> None:
    done = textcls("train", config, *(part for its in splits for part in ("--set", f"splits.{its}")))
    assert done.code == 0
    assert re.search(words, done.out)
    if "kind=k-fold" in splits:
        assert re.search(r"^fact\b.* 8 *$", done.out, re.MULTILINE), "a row counts once, whatever the seeds"


def test_rows_of_groups_are_not_called_articles(textcls: Command, config: Path, store_folder: Path, tmp_path: Path) -> None:
    rows = [{"body": row["text"], "label": row["label"], "customer": row["article"]} for row in toy_rows("abcdef")]
    names = {"train": write_jsonl(tmp_path / "tickets.jsonl", rows), "text": "body", "group": "customer"}
    settings = [part for key, value in names.items() for part in ("--set", f"data.{key}={value}")]
    done = textcls("train", config, *settings, "--set", "splits.kind=hash", "--set", "splits.test=0.5")
    assert done.code == 0, done.err
    assert "the same whichever groups are drawn" in done.out
    assert f" --store {store_folder} FILE " in done.out
    assert "article" not in done.out.lower()

    stats = textcls("data", "stats", names["train"], "--text", "body", "--group", "customer")
    check = textcls("data", "check", config, *settings)
    for done in (stats, check):
        assert re.search(r"\| groups +\| +6 ", done.out)
        assert "article" not in done.out.lower()


def test_a_model_knows_its_columns_again(textcls: Command, config: Path, store_folder: Path, tmp_path: Path) -> None:
    rows = [{"body": row["text"], "queue": row["label"], "group": row["article"]} for row in toy_rows("abcdef")]
    train = write_jsonl(tmp_path / "train.jsonl", rows[:18])
    names = {"train": train, "text": "body", "label": "queue", "group": "group"}
    settings = [part for key, value in names.items() for part in ("--set", f"data.{key}={value}")]
    for model in ("one", "two"):
        assert textcls("train", config, *settings, "--output", model, "--set", "splits.folds=2").code == 0
    own = write_jsonl(tmp_path / "own.jsonl", rows[18:])
    plain = write_jsonl(tmp_path / "plain.jsonl", toy_rows("def"))
    for data in (own, plain):
        assert len(textcls("predict", "one", data).out.splitlines()) == len(rows[18:])
        assert json.loads(textcls("evaluate", "one", data).out)["rows"] == len(rows[18:])
        assert textcls("compare", "one", "two", "--data", data).code == 0
    done = textcls("evaluate", "one", own, "--text", "txt")
    assert (done.code, done.err.startswith(f"error: {own}, line 1: no column 'txt'")) == (1, True)


def test_train_evaluate_predict_and_compare(textcls: Command, config: Path, toy_file: Path, store_folder: Path) -> None:
    done = textcls("train", config, "--output", "model")
    assert done.code == 0
    assert re.search(r"fact( +[01]\.\d{3}){3} +8", done.out)
    assert re.search(r"macro-F1 [01]\.\d{3} .*on 24 rows held out; mean of 4 folds [01]\.\d{3}, standard deviation", done.out)
    assert "model: model" in done.out
    run = re.search(r"run: ([0-9a-f]{32})", done.out)
    assert run is not None
    assert f"--store {store_folder}" in done.out
    assert load_model("model").classes_.tolist() == ["fact", "opinion", "quote"]

    done = textcls("evaluate", "model", toy_file, "--output", "figures.json", "--wrong", "wrong.jsonl")
    assert done.code == 0
    figures = json.loads(done.out)
    assert figures == json.loads(Path("figures.json").read_text())
    assert figures["accuracy"] == figures["macro_f1"] == 1.0
    perfect = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 8, "roc_area": 1.0, "pr_area": 1.0}
    assert figures["per_label"]["quote"] == perfect
    assert Path("wrong.jsonl").read_text() == ""

    for name in (run[1], run[1][:8]):
        done = textcls("predict", name, toy_file, "--store", store_folder)
        assert done.code == 0
        assert [json.loads(line)["label"] for line in done.out.splitlines()] == [row["label"] for row in toy_rows()]

    done = textcls("compare", "--store", store_folder)
    assert (done.code, done.err) == (0, "")
    for fragment in ("toy (data ", "macro-F1", "accuracy", run[1][:8], "finished", "means over the folds or seeds"):
        assert fragment in done.out
    assert re.search(r"[01]\.\d{3} ± [01]\.\d{3}", done.out)
    assert "without a" not in done.out, "folds are no runs of their own here"


def test_compare_puts_the_best_first_and_takes_names(textcls: Command, store_folder: Path) -> None:
    from textcls.config import TrackingConfig
    from textcls.tracking import track

    for name, score in {"worse [a]": 0.25, "best [/b]": 0.75, "middle": 0.5, "unfinished": None}.items():
        tags = {"textcls.kind": "single", "textcls.data_sha": "abc"}
        with track(TrackingConfig(folder=str(store_folder)), experiment="news", name=name, tags=tags) as run:
            if score is not None:
                run.metrics({"test/macro_f1": score, "time/fit_s": 12.34})
    done = textcls("compare", "--store", store_folder)
    assert done.code == 0
    order = re.findall(r"worse \[a\]|best \[/b\]|middle|unfinished", done.out)
    assert order == ["best [/b]", "middle", "worse [a]", "unfinished"]
    assert "0.750" in done.out
    assert "12.3" in done.out
    chosen = textcls("compare", "middle", "--store", store_folder)
    assert "middle" in chosen.out
    assert "worse" not in chosen.out


def test_a_narrow_terminal_cuts_no_id_and_no_figure(
    textcls: Command, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    from textcls.config import TrackingConfig
    from textcls.tracking import track

    figures = {f"{name}{suffix}": 0.123 for name in ("test/macro_f1", "test/accuracy") for suffix in ("", "_std")}
    ids = []
    for name in ("short", "all-minilm-l6-v2-lr0.0002-e10-s42"):
        tags = {"textcls.kind": "parent", "textcls.data_sha": "abc"}
        with track(TrackingConfig(folder=str(store_folder)), experiment="news", name=name, tags=tags) as run:
            run.metrics({**figures, "time/fit_s": 12.34, "size/model_mb": 91.6, "latency/p50_ms": 1.5})
        ids.append(str(run.id)[:8])
    commands = ("compare", "runs")
    for command in commands:
        whole = textcls(command, "--store", store_folder).out
        assert "started" in whole
        assert "no room" not in whole
    for width in (80, 40):
        terminal = Console(width=width, force_terminal=True, color_system=None)
        monkeypatch.setattr("textcls.cli.output.console", lambda terminal=terminal: terminal)
        for command in commands:
            terminal.file = io.StringIO()
            assert textcls(command, "--store", store_folder).code == 0
            table, note = terminal.file.getvalue().split("no room for: ")
            for fragment in (*ids, "0.123 ± 0.123", "short"):
                assert fragment in table
            assert "…" not in table
            assert note.splitlines()[0].endswith("; to see all, pipe it into: less -S")
            assert width < 80 or max(map(len, table.splitlines())) <= width


def test_compare_without_runs_says_how_to_make_one(textcls: Command, store_folder: Path) -> None:
    done = textcls("compare", "--store", store_folder)
    assert (done.code, done.out) == (0, f"no runs in {store_folder} yet; make one with: textcls train CONFIG\n")


def test_labels_with_square_brackets_are_shown_as_they_are(textcls: Command, config: Path, tmp_path: Path) -> None:
    rows = [{**row, "label": {"fact": "[fact]", "quote": "[/quote]"}.get(row["label"], "other")} for row in toy_rows()]
    data = write_jsonl(tmp_path / "brackets.jsonl", rows)
    settings = ("--set", f"data.train={data}", "--set", "tracking.enabled=false")
    done = textcls("train", config, *settings, "--output", "model")
    assert done.code == 0, done.err
    assert "[fact]" in done.out
    assert "[/quote]" in done.out


def test_predictions_go_to_standard_output_or_a_file(textcls: Command, model: Path) -> None:
    Path("article.txt").write_text("The council opened a bridge.\n\nNobody knows.")
    done = textcls("predict", model, "article.txt")
    assert (done.code, done.err) == (0, "")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["text"] for row in rows] == ["The council opened a bridge.", "Nobody knows."]
    for suffix in (".jsonl", ".csv", ".parquet"):
        done = textcls("predict", model, "article.txt", "--output", f"out{suffix}")
        assert (done.code, done.out, done.err) == (0, "", f"2 predictions written to out{suffix}\n")
        assert Path(f"out{suffix}").is_file()
    assert [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()] == rows


def test_predict_abstains_below_what_is_asked_for(textcls: Command, model: Path, toy_file: Path) -> None:
    def answered(*options: str) -> list[bool]:
        return [json.loads(line)["label"] is not None for line in textcls("predict", model, toy_file, *options).out.splitlines()]

    assert all(answered())
    assert not any(answered("--abstain-below", "1"))
    assert all(answered("--abstain-below", "0"))
    assert textcls("predict", model, toy_file, "--abstain-below", "2").code == 2


def test_predict_reads_standard_input(textcls: Command, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"id": 3, "text": "the council opened a bridge"}\n')))
    done = textcls("predict", model, "-")
    assert done.code == 0
    assert json.loads(done.out)["id"] == 3
    assert json.loads(done.out)["label"] == "fact"


def test_two_inputs_of_which_one_is_missing_leave_no_file(textcls: Command, model: Path) -> None:
    Path("article.txt").write_text("It rains.")
    done = textcls("predict", model, "article.txt", "nothing.txt", "--output", "out.jsonl")
    assert_one_line(done, "nothing.txt: no such file or folder")
    assert not Path("out.jsonl").exists()


@pytest.mark.slow
def test_no_bar_is_drawn_where_there_is_no_terminal(
    config: Path, model_settings: Any, fork_textcls: Callable[..., Forked]
) -> None:
    # A transformer, whose libraries draw bars of their own.
    settings = yaml.safe_load(config.read_text())
    settings["model"] = model_settings("transformer") | {"epochs": 1}
    settings["splits"] = {"kind": "k-fold", "folds": 2, "validation": 0.3}
    config.write_text(yaml.safe_dump(settings))
    done = fork_textcls("train", config, "--output", "model").wait()
    assert done.code == 0, done.err
    lines = [line for line in done.err.splitlines() if not line.startswith("WARNING: the store was moved")]
    assert lines == [
        "reading the data …",
        "fold 1 (1 of 2) …",
        "fold 2 (2 of 2) …",
        "fitting the final model …",
        "writing …",
    ]
    assert not re.search(r"[\r\x1b]|it/s|%\|", done.out + done.err)
    assert {file.name for file in Path.cwd().iterdir()} == {"model"}


# --- config ---------------------------------------------------------------------------------------------------------


def test_config_prints_a_config_in_full(textcls: Command, config: Path) -> None:
    done = textcls("config", config, "--set", "model.C=3e1")
    assert (done.code, done.err) == (0, "")
    Path("full.yaml").write_text(done.out)
    assert load_config("full.yaml") == load_config(config, ["model.C=30.0"])
    assert "sublinear_tf: true" in done.out


def test_the_help_on_config_names_every_model_family(textcls: Command) -> None:
    assert set(model_kinds()) <= set(re.findall(r"\w+", textcls("config", "--help").out))


def test_config_prints_the_schema(textcls: Command) -> None:
    done = textcls("config", "--schema")
    assert done.code == 0
    assert {"data", "decision", "gates", "model", "seed", "splits", "sweep", "tracking"} == set(
        json.loads(done.out)["properties"]
    )


@pytest.mark.parametrize("kind", ["tfidf", "transformer"])
def test_config_prints_a_starting_file(kind: str, textcls: Command) -> None:
    done = textcls("config", "--init", kind)
    assert done.code == 0
    Path("first.yaml").write_text(done.out)
    assert load_config("first.yaml").model.kind == kind


# --- agreement ------------------------------------------------------------------------------------------------------


def test_agreement_on_the_seeds(textcls: Command) -> None:
    done = textcls("agreement", SEEDS / "annotator-a.jsonl", SEEDS / "annotator-b.jsonl")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"^\d+ sentences labelled by two annotators or more of annotator-a, annotator-b$", done.out, re.MULTILINE)
    kappa = re.search(r"^Cohen's kappa, annotator-a and annotator-b: (0\.\d{3})$", done.out, re.MULTILINE)
    alpha = re.search(r"^same label: (\d+\.\d)%   Krippendorff's alpha: (0\.\d{3})$", done.out, re.MULTILINE)
    assert kappa is not None and alpha is not None
    assert 0.5 < float(kappa[1]) < 1
    assert abs(float(kappa[1]) - float(alpha[2])) < 0.05, "two annotators without gaps: alpha is nearly kappa"
    for label in ("fact", "opinion", "quote", "speculation"):
        assert label in done.out


def test_agreement_lists_the_differences(textcls: Command) -> None:
    files = (SEEDS / "annotator-a.jsonl", SEEDS / "annotator-b.jsonl")
    plain, full = textcls("agreement", *files), textcls("agreement", *files, "--differences")
    assert full.out.startswith(plain.out)
    listed = full.out[len(plain.out) :].splitlines()
    total = re.search(r"^(\d+) sentences", plain.out)
    share = re.search(r"^same label: ([\d.]+)%", plain.out, re.MULTILINE)
    assert total is not None and share is not None
    assert len(listed) == round(int(total[1]) * (1 - float(share[1]) / 100))
    assert all(re.match(r"\S+ \d+–\d+: annotator-a \w+, annotator-b \w+: .", line) for line in listed)


def test_agreement_on_many_labels_names_what_each_is_confused_with(textcls: Command) -> None:
    """A table of 40 labels and as many columns would be cut until no label can be told from another."""
    labels = [f"card_payment_{number:02}" for number in range(40)]
    made = {"article": "a", "text": "abcd", "time": "2024-01-01T00:00:00Z", "guidelines": "1", "segmentation": "s"}
    for name in ("p", "q"):
        said = [labels[7] if name == "q" and number in (3, 43, 84) else labels[number % 40] for number in range(120)]
        rows = [
            {**made, "start": 10 * number, "end": 10 * number + 4, "label": label, "annotator": name}
            for number, label in enumerate(said)
        ]
        write_jsonl(Path(f"{name}.jsonl"), rows)
    done = textcls("agreement", "p.jsonl", "q.jsonl")
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines() if line.startswith("card_payment_")]
    assert sorted(line[0] for line in lines) == labels
    assert [[line[0], *line[2:]] for line in lines[:3]] == [
        ["card_payment_03", "card_payment_07", "2"],
        ["card_payment_07", "card_payment_03", "2"],
        ["card_payment_04", "card_payment_07", "1"],
    ]
    assert lines[3] == ["card_payment_00", "1.000"]


def test_agreement_counts_what_it_leaves_out(textcls: Command) -> None:
    lines = (SEEDS / "annotator-b.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    Path("cut.jsonl").write_text("".join(lines[:40]), encoding="utf-8")
    said = textcls("agreement", SEEDS / "annotator-a.jsonl", "cut.jsonl").out.splitlines()
    assert said[:2] == [
        "40 sentences labelled by two annotators or more of annotator-a, annotator-b",
        f"left out: {len(lines) - 40} sentences labelled by one alone",
    ]
    assert "left out" not in textcls("agreement", SEEDS / "annotator-a.jsonl", SEEDS / "annotator-b.jsonl").out


def test_agreement_with_one_label_only_is_not_called_perfect(textcls: Command) -> None:
    made = {"article": "a", "text": "abcd", "label": "x", "time": "2024-01-01T00:00:00Z", "guidelines": "1", "segmentation": "s"}
    for name in ("p", "q"):
        write_jsonl(Path(f"{name}.jsonl"), [{**made, "start": n, "end": n + 4, "annotator": name} for n in (0, 10, 20)])
    done = textcls("agreement", "p.jsonl", "q.jsonl")
    assert (done.code, done.err) == (0, "")
    *said, head, _, row = done.out.splitlines()
    assert said == [
        "3 sentences labelled by two annotators or more of p, q",
        "same label: 100.0%   Krippendorff's alpha: –",
        "Cohen's kappa, p and q: –",
        "–: undefined where only one label is in use, since chance alone would make all agree",
        "confusion: rows are the first of a pair of annotators, columns the second",
    ]
    assert (head.split(), row.split()) == (["x", "kappa"], ["x", "3", "–"])


def test_agreement_of_one_annotator(textcls: Command) -> None:
    assert_one_line(textcls("agreement", SEEDS / "annotator-a.jsonl"), "")


# --- sentences ------------------------------------------------------------------------------------------------------


def test_sentences_are_printed_with_exact_offsets(textcls: Command) -> None:
    text = "A Title\n\nIt rains. It snows."
    Path("article.txt").write_text(text)
    done = textcls("sentences", "article.txt")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, [row["text"] for row in rows]) == (0, ["A Title", "It rains.", "It snows."])
    assert all(text[row["start"] : row["end"]] == row["text"] for row in rows)


def test_sentences_that_are_written_are_counted_with_their_articles(textcls: Command, caplog: pytest.LogCaptureFixture) -> None:
    for name, text in (("a", "It rains. It snows."), ("b", ""), ("c", "It hails.")):
        Path(f"{name}.txt").write_text(text)
    done = textcls("sentences", "a.txt", ".", "--output", "rows.jsonl")
    assert (done.code, done.out, done.err) == (0, "", "3 sentences of 3 articles written to rows.jsonl\n")
    assert caplog.messages == ["a.txt: named more than once; taken once", "no sentence in b.txt"]


def test_what_is_printed_is_utf_8_whatever_the_locale(textcls: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("article.txt").write_text("The café “rains”.", encoding="utf-8")
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="latin-1"))
    assert textcls("sentences", "article.txt").code == 0
    sys.stdout.flush()
    assert json.loads(printed.getvalue().decode("utf-8"))["text"] == "The café “rains”."


def test_the_documented_way_from_articles_to_rows(textcls: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    document = (ROOT / "data" / "README.md").read_text(encoding="utf-8").partition("\n## From articles of your own to rows\n")[2]
    example, shell, python = re.findall(r"^```(?:json|sh|python)\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    for folder in ("seeds", "data"):
        Path(folder).symlink_to(ROOT / folder)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("opinion\nthe author's reading\nskip\na heading\n"))
    for line in shell.splitlines():
        done = textcls(*line.partition("#")[0].split()[1:])
        assert done.code == 0, done.err
    assert Path("rows.jsonl").read_bytes() == (SEEDS / "sentences.jsonl").read_bytes()

    # What a spreadsheet makes of the rows, with an annotator's four columns, is a store.
    with Path("to-label.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    added = {"label": "fact", "annotator": "annotator-a", "time": "2026-11-22T02:55:00Z", "guidelines": "1.0"}
    with Path("labelled.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *added])
        writer.writeheader()
        writer.writerows(row | added for row in rows)
    exec(python, {})
    first = json.loads(Path("annotator-a.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first | {"start": 0, "end": 61, "label": "speculation"} == json.loads(example)
    done = textcls("agreement", "annotator-a.jsonl", "data/seeds/annotator-b.jsonl")
    assert (done.code, "85 sentences labelled by two" in done.out) == (0, True), done.err


# --- suspected label errors -----------------------------------------------------------------------------------------


def test_suspects_are_settled_by_decisions_that_are_newer(textcls: Command, tmp_path: Path) -> None:
    """The seeds' own two differences are decided already; a doubt asks for a decision of its own."""
    adjudicated = [json.loads(line) for line in (SEEDS / "adjudicated.jsonl").read_text(encoding="utf-8").splitlines()]
    decisions = write_jsonl(tmp_path / "decisions.jsonl", [row for row in adjudicated if row.get("reason")])
    doubted = next(row for row in adjudicated if row["label"] == "opinion")
    suspect = {
        **{name: doubted[name] for name in ("article", "text", "label")},
        "id": f"{doubted['article']}:{doubted['start']}",
        "suggestion": "fact",
        "score": 0.02,
        "time": "2999-01-01T00:00:00+00:00",
    }
    suspects = write_jsonl(tmp_path / "suspects.jsonl", [suspect])
    stores = [SEEDS / "annotator-a.jsonl", SEEDS / "annotator-b.jsonl"]
    command = ("adjudicate", *stores, "--decisions", decisions, "--suspects", suspects, "--output", tmp_path / "new.jsonl")
    done = textcls(*command)
    place = f"{doubted['article']} {doubted['start']}–{doubted['end']}"
    assert done.code == 1
    assert done.err == (
        f"error: 1 suspected label errors are undecided, the first at {place}; decide them on a terminal, or in {decisions}, each with "
        "a reason and a time after it was suspected\n"
    )
    assert not (tmp_path / "new.jsonl").exists()

    before = [store.read_bytes() for store in stores]
    answer = {**doubted, "label": "fact", "annotator": "second", "time": "2999-01-02T00:00:00Z", "reason": "it can be checked"}
    with decisions.open("a", encoding="utf-8") as out:
        out.write(json.dumps(answer) + "\n")
    done = textcls(*command)
    assert done.code == 0, done.err
    settled = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text(encoding="utf-8").splitlines()]
    changed = [row for row, old in zip(settled, adjudicated, strict=True) if row["label"] != old["label"]]
    assert [(row["start"], row["label"], row["reason"]) for row in changed] == [(doubted["start"], "fact", "it can be checked")]
    assert [store.read_bytes() for store in stores] == before


def test_a_suspect_that_stands_twice_needs_the_id_of_its_row(textcls: Command, tmp_path: Path) -> None:
    rows = map(json.loads, (SEEDS / "annotator-a.jsonl").read_text(encoding="utf-8").splitlines())
    twice = next(row for row in rows if len(row["text"]) < 30)  # longer ones are shortened in messages
    store = write_jsonl(tmp_path / "a.jsonl", [twice, {**twice, "start": 900, "end": 900 + len(twice["text"])}])
    suspect = {name: twice[name] for name in ("article", "text", "label")} | {"id": "7", "suggestion": "fact", "score": 0.02}
    suspects = write_jsonl(tmp_path / "suspects.jsonl", [suspect | {"time": "2999-01-01T00:00:00+00:00"}])
    done = textcls(
        "adjudicate", store, "--decisions", tmp_path / "d.jsonl", "--suspects", suspects, "--output", tmp_path / "o.jsonl"
    )
    assert done.code == 1
    assert done.err == (
        f"error: {suspects}, row 1: {twice['text']!r} stands 2 times in article {twice['article']!r}, and its id '7' does not say where; "
        "expected rows with the ids that `textcls data build` gives them\n"
    )


def test_standard_input_may_be_closed(textcls: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    store = SEEDS / "annotator-a.jsonl"
    output = tmp_path / "o.jsonl"
    done = textcls("adjudicate", store, "--decisions", tmp_path / "d.jsonl", "--output", output, "--keep-single")
    assert done.code == 0, done.err
    assert output.is_file()
    assert_one_line(textcls("predict", model, "-"), "standard input is closed; name a file, or pipe something in")


def test_a_dataset_is_built_with_what_annotators_said(textcls: Command) -> None:
    stores = sorted(SEEDS.glob("annotator-*.jsonl"))
    done = textcls("data", "build", ROOT / "seeds", SEEDS / "adjudicated.jsonl", *stores)
    assert done.code == 0, done.err
    assert done.out == (SEEDS / "sentences.jsonl").read_text(encoding="utf-8")
