"""The command line: what a stranger types, the one line a mistake gets, and the exit codes."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Done, run_textcls, toy_rows, write_jsonl

Run = Callable[..., Done]


@pytest.fixture
def config(tmp_path: Path, toy_file: Path, store_folder: Path) -> Path:
    """A config that trains on the toy rows in a moment and tracks into a store of the test's own."""
    path = tmp_path / "config.yaml"
    path.write_text(
        f"data: {{train: {toy_file}}}\nsplits: {{folds: 2}}\nmodel: {{kind: tfidf, min_df: 1}}\ntracking: {{folder: {store_folder}}}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def model(textcls: Run, config: Path, tmp_path: Path) -> Path:
    """A model folder, made by the command that users make one with."""
    assert textcls("train", config, "--set", "tracking.enabled=false", "--output", tmp_path / "model").code == 0
    return tmp_path / "model"


def only_error(done: Done) -> str:
    """The one line of an error of the input, after checking that it is one and that the exit code is 1."""
    assert done.code == 1, done
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in done.err
    return line.removeprefix("error: ")


def test_help_loads_nothing_heavy() -> None:
    done = run_textcls("--help", env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "typer" in loaded
    assert not loaded & {"torch", "transformers", "datasets", "mlflow", "sklearn", "pandas", "numpy", "pydantic", "matplotlib"}


@pytest.mark.parametrize(
    "command", ["sentences", "agreement", "adjudicate", "data", "config", "train", "evaluate", "predict", "compare", "ui"]
)
def test_every_command_has_help(textcls: Run, command: str) -> None:
    done = textcls(command, "--help")
    assert done.code == 0
    assert "Usage: " in done.out
    assert command in textcls("--help").out


@pytest.mark.parametrize(
    "arguments", [["trian"], ["train"], ["train", "x.yaml", "--outptu", "y"], ["config"], ["ui", "--port", "99999"]]
)
def test_wrong_usage_is_exit_code_2(textcls: Run, arguments: list[str]) -> None:
    assert textcls(*arguments).code == 2


def test_train_reports_tracks_and_says_how_to_go_on(textcls: Run, config: Path, store_folder: Path, tmp_path: Path) -> None:
    done = textcls("train", config, "--output", tmp_path / "model")
    assert done.code == 0
    assert "macro-F1" in done.out and "over 24 rows held out; mean of 2 folds" in done.out
    assert f"model: {tmp_path / 'model'}" in done.out
    run = next(line.split()[1] for line in done.out.splitlines() if line.startswith("run: "))
    assert f"--store {store_folder}" in done.out
    assert "\x1b" not in done.out + done.err  # no bars and no colours where nobody watches
    compared = textcls("compare", "--store", store_folder)
    assert compared.code == 0
    assert "toy (data " in compared.out and run[:8] in compared.out and "finished" in compared.out
    by_run = textcls("predict", run, ROOT / "seeds", "--store", store_folder)
    by_folder = textcls("predict", tmp_path / "model", ROOT / "seeds")
    assert by_run.code == by_folder.code == 0
    assert by_run.out == by_folder.out and len(by_run.out.splitlines()) == 72


def test_an_output_that_exists_is_refused_before_any_work(textcls: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("precious", encoding="utf-8")
    done = textcls("train", config, "--set", "data.train=nowhere.jsonl", "--output", tmp_path / "kept")
    assert only_error(done) == f"{tmp_path / 'kept'}: exists already; remove it or name another output"
    assert (tmp_path / "kept").read_text(encoding="utf-8") == "precious"


def test_a_run_that_would_leave_nothing_is_refused(textcls: Run, config: Path) -> None:
    done = textcls("train", config, "--set", "tracking.enabled=false")
    assert only_error(done) == "tracking.enabled is false and no output is named, so the model would be lost; name an output"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["modle.C=1"], "{config}: modle: unknown key; did you mean 'model'?"),
        (["model.kind=tfidff"], "{config}: model.kind: unknown kind 'tfidff'; did you mean 'tfidf'?"),
        (["model.C=much"], '{config}: model.C: input should be a valid number, found "much"'),
        (["model.C"], "--set model.C: expected key=value, such as model.learning_rate=3e-5"),
        (["data.train=nowhere.jsonl"], "data.train: nowhere.jsonl: no such file or folder"),
        (["data.text=body"], "{data}, line 1: no column 'body'; known: article, id, label, text"),
        (["splits.folds=9"], "splits.folds is 9, but the label 'fact' has only 8 rows; lower it or annotate more"),
        (["splits.folds=5"], "splits.folds is 5, but there are only 4 groups; lower it to that or less"),
        (["model.min_df=20", "model.char_ngrams=null"], None),
    ],
)
def test_mistakes_in_a_config_get_one_line(
    textcls: Run, config: Path, toy_file: Path, settings: list[str], message: str | None
) -> None:
    arguments = [argument for setting in settings for argument in ("--set", setting)]
    error = only_error(textcls("train", config, *arguments))
    if message is None:
        assert error.startswith("no n-gram occurs in 20 of the ")
    else:
        assert error == message.format(config=config, data=toy_file)


def test_several_mistakes_come_in_one_report(textcls: Run, config: Path) -> None:
    done = textcls("train", config, "--set", "modle.C=1", "--set", "splits.fold=3", "--set", "seed=-1")
    assert done.code == 1
    assert [line.rpartition(f"{config}: ")[2].partition(":")[0] for line in done.err.splitlines()] == [
        "seed",
        "splits.fold",
        "modle",
    ]


def test_a_missing_config_says_how_to_get_one(textcls: Run) -> None:
    assert (
        only_error(textcls("train", "mine.yaml"))
        == "mine.yaml: no such config file; `textcls config --init` writes a starting one"
    )


def test_config_prints_in_full_its_schema_and_a_first_file(textcls: Run, config: Path, tmp_path: Path) -> None:
    full = textcls("config", config, "--set", "model.C=3e-1")
    assert "C: 0.3" in full.out and "sublinear_tf: true" in full.out
    again = tmp_path / "full.yaml"
    again.write_text(full.out, encoding="utf-8")
    assert textcls("config", again).out == full.out
    assert json.loads(textcls("config", "--schema").out)["type"] == "object"
    first = tmp_path / "first.yaml"
    first.write_text(textcls("config", "--init", "transformer").out, encoding="utf-8")
    assert textcls("config", first).code == 0
    assert only_error(textcls("config", "--init", "transfomer")) == "unknown kind 'transfomer'; did you mean 'transformer'?"


def test_evaluate_prints_and_writes_the_figures_and_the_wrong_predictions(textcls: Run, model: Path, tmp_path: Path) -> None:
    rows = toy_rows(["e"])
    rows[0]["label"] = "quote"
    data = write_jsonl(tmp_path / "rows.jsonl", rows)
    done = textcls("evaluate", model, data, "--output", tmp_path / "figures.json", "--wrong", tmp_path / "wrong.jsonl")
    assert done.code == 0
    figures = json.loads(done.out)
    assert figures == json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert {"accuracy", "macro_f1", "per_label"} <= set(figures)
    assert figures["accuracy"] == pytest.approx(5 / 6)
    (wrong,) = [json.loads(line) for line in (tmp_path / "wrong.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (wrong["id"], wrong["prediction"], wrong["label"]) == ("e:fact:0", "fact", "quote")


def test_evaluate_refuses_labels_that_the_model_does_not_know(textcls: Run, model: Path, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", [{"text": "It rained.", "label": "facts"}])
    assert only_error(textcls("evaluate", model, data)) == f"{data}: unknown label 'facts'; did you mean 'fact'?"


def test_predict_refuses_what_it_cannot_read(textcls: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").touch()
    (tmp_path / "paper.pdf").touch()
    (tmp_path / "latin.txt").write_bytes("Un café.".encode("latin-1"))
    (tmp_path / "broken.jsonl").write_text('{"text": "fine"}\n{"text": \n', encoding="utf-8")
    for name, message in {
        "nowhere.txt": "no such file or folder; expected a .txt article or a folder of them",
        "nowhere": "no such file or folder",
        "empty": "expected a folder with .txt articles, found none in it",
        "empty.txt": "expected sentences, found none",
        "paper.pdf": "expected a .txt article, a folder of them, or a .jsonl, .csv, .parquet file",
        "latin.txt": "expected UTF-8, found byte 0xe9 on line 1; convert the file, for example with: iconv -f windows-1252 -t utf-8",
    }.items():
        assert only_error(textcls("predict", model, tmp_path / name)) == f"{tmp_path / name}: {message}"
    error = only_error(textcls("predict", model, tmp_path / "broken.jsonl"))
    assert error.startswith(f"{tmp_path / 'broken.jsonl'}, line 2: not valid JSON: ")


def test_a_model_that_is_not_there_or_damaged_gets_one_line(textcls: Run, model: Path, store_folder: Path) -> None:
    error = only_error(textcls("predict", "nothing", ROOT / "seeds", "--store", store_folder))
    assert error.startswith("nothing: no such model folder; and as a run: ")
    weights = model / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    error = only_error(textcls("predict", model, ROOT / "seeds"))
    assert error == f"{model}: damaged: weights.safetensors is not the file that was written (SHA-256 differs)"


def test_nothing_is_left_of_an_output_that_could_not_be_written_whole(
    textcls: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **options: Any) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "out" / "rows.jsonl"
    monkeypatch.setattr("textcls.prediction.json.dumps", full)
    done = textcls("predict", model, ROOT / "seeds", "--output", target)
    assert only_error(done) == f"{target}: cannot be written: No space left on device"
    assert list(target.parent.iterdir()) == []


def test_a_read_only_store_gets_one_line(textcls: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *arguments: Any, **options: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert "Read-only file system" in only_error(textcls("train", config))


def test_compare_without_a_store_or_a_run_says_so(textcls: Run, store_folder: Path, tmp_path: Path) -> None:
    error = only_error(textcls("compare", "--store", tmp_path / "none"))
    assert error == f"{tmp_path / 'none'}: no runs here; expected a folder that `textcls train` has tracked runs in"
    assert f"no runs in {store_folder} yet" in textcls("compare", "--store", store_folder).out
    assert f"{store_folder}: no run 'mine'; known: no runs yet" == only_error(textcls("compare", "mine", "--store", store_folder))


def test_agreement_prints_figures_confusion_and_differences(textcls: Run) -> None:
    stores = sorted((ROOT / "data" / "seeds").glob("annotator-*.jsonl"))
    done = textcls("agreement", *stores, "--differences")
    assert done.code == 0
    assert "85 sentences labelled by two annotators or more of annotator-a, annotator-b" in done.out
    assert "same label: 97.6%   Krippendorff's alpha: 0.970" in done.out
    assert "Cohen's kappa, annotator-a and annotator-b: 0.969" in done.out
    assert "annotator-a opinion, annotator-b skip: A Partnership to Watch" in done.out
    assert only_error(textcls("agreement", stores[0])) == "expected the labels of two annotators or more, found annotator-a"


def test_sentences_are_printed_with_their_places(textcls: Run) -> None:
    done = textcls("sentences", ROOT / "seeds")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert len(rows) == 85
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "seeds").glob("*.txt")}
    assert all(texts[row["article"]][row["start"] : row["end"]] == row["text"] for row in rows)


def test_ui_refuses_a_port_that_is_taken(textcls: Run, store_folder: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = only_error(textcls("ui", "--store", store_folder, "--port", port))
    assert error == f"port {port} is taken; choose another with --port"
