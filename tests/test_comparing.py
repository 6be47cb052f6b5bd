"""`textcls compare`: runs, model folders and files by name; what is written back to the runs; and the line each mistake gets."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from conftest import Done, predicted, rows_of, toy_rows, write_jsonl

from textcls.artifacts import save_model
from textcls.config import TrackingConfig
from textcls.errors import TrackingError
from textcls.evaluation import Predictions, make_predictions
from textcls.evaluation.significance import corrected_t_test
from textcls.models.tfidf import TfidfClassifier
from textcls.tracking import Store, track
from textcls.training import train

Command = Callable[..., Done]


def write_predictions(*several: Predictions) -> list[Path]:
    return [write_jsonl(Path(f"{one.name}.jsonl"), rows_of(one)) for one in several]


def tracked(
    store: Path,
    name: str,
    one: Predictions | None,
    *,
    error: bool = False,
    damaged: bool = False,
    data: str = "d" * 64,
    parameters: Mapping[str, object] | None = None,
    metrics: Mapping[str, float] | None = None,
) -> None:
    tags = {"textcls.kind": "single", "textcls.data_sha": data}
    try:
        with track(TrackingConfig(folder=str(store)), experiment="news", name=name, tags=tags) as run:
            run.parameters(parameters or {})
            run.metrics(metrics or {})
            if one is not None:
                lines = "".join(json.dumps(row) + "\n" for row in rows_of(one))
                run.text(lines[: -20 if damaged else None], "predictions/test.jsonl")
            if error:
                raise RuntimeError
    except RuntimeError:
        pass


def test_compare_files_needs_no_store(textcls: Command) -> None:
    write_predictions(predicted("A", 1.0), predicted("B", 2.5, seed=2))
    done = textcls("compare", "A.jsonl", "B.jsonl", "--output", "report.json", "--figures", "figures", "--store", "nowhere")
    assert (done.code, done.err) == (0, "")
    first = done.out.splitlines()[0]
    assert first.startswith("B.jsonl is better by ")
    assert "each has one seed, so what another seed would change is not in the interval" in done.out
    for fragment in (
        "600 sentences of 40 articles, with 95 % intervals",
        "macro-F1",
        "F1 of each label",
        "McNemar's exact test",
        "won: ",
        "lost: ",
    ):
        assert fragment in done.out
    report = json.loads(Path("report.json").read_text())
    assert report["verdict"] == first
    assert [one["name"] for one in report["systems"]] == ["A.jsonl", "B.jsonl"]
    assert report["systems"][0]["intervals"]["metrics"].keys() >= {"macro_f1", "roc_area"}
    assert report["comparisons"][0]["decided"] is True
    assert Path("figures/difference.png").read_bytes().startswith(b"\x89PNG")


def test_articles_that_one_of_several_knows_are_those_of_all_intervals(textcls: Command) -> None:
    known, b = predicted("A", 1.0, articles=6), predicted("B", 2.5, articles=6, seed=2)
    turned = replace(known, groups=[None] * len(known)).take(np.arange(len(known))[::-1])
    intervals = []
    for a in (known, turned):
        write_predictions(a, b)
        for names in (("A.jsonl", "B.jsonl"), ("B.jsonl", "A.jsonl")):
            done = textcls("compare", *names, "--output", "c.json")
            assert "600 sentences of 6 articles, with 95 % intervals" in done.out
            systems = {one["name"]: one["intervals"] for one in json.loads(Path("c.json").read_text())["systems"]}
            intervals.append(systems["A.jsonl"])
            Path("c.json").unlink()
    assert {(its["unit"], its["n_units"]) for its in intervals} == {("article", 6)}
    # Which article comes first decides which are drawn together, so it is only with rows in the same order that all is the same.
    assert intervals[0] == intervals[1] == intervals[3]
    assert intervals[2]["metrics"]["macro_f1"]["low"] == pytest.approx(intervals[0]["metrics"]["macro_f1"]["low"], abs=0.01)


def test_compare_runs_by_name_with_files_and_as_a_table(textcls: Command, store_folder: Path) -> None:
    a, b = predicted("A", 1.0), predicted("B", 2.5, seed=2)
    tracked(store_folder, "weak [run]", a)
    tracked(store_folder, "strong", b)
    write_predictions(predicted("C", 2.5, seed=3))
    done = textcls("compare", "weak [run]", "strong", "C.jsonl", "--store", store_folder)
    assert done.code == 0, done.err
    assert "written to the runs" not in done.out, "one of them is no run"
    assert "it is better than weak [run] (by " in done.out
    assert "p (Holm)" in done.out
    table = textcls("compare", "weak [run]", "strong", "--table", "--store", store_folder)
    assert table.code == 0
    assert "started" in table.out
    assert "better" not in table.out


def test_what_cannot_be_compared_is_one_line(textcls: Command, store_folder: Path) -> None:
    a = predicted("A", 1.0, rows=60)
    tracked(store_folder, "good", a)
    tracked(store_folder, "broken", a, error=True)
    tracked(store_folder, "empty", None)
    tracked(store_folder, "damaged", a, damaged=True)
    tracked(store_folder, "foreign", replace(a, texts=["other"] * 60))
    tracked(store_folder, "relabelled", replace(a, true=["quote" if label == "fact" else label for label in a.true]))
    (file,) = write_predictions(a)
    write_jsonl(Path("half.jsonl"), rows_of(a)[:30])
    Path("model").mkdir()
    cases: Sequence[tuple[tuple[object, ...], str]] = (
        (("good", "good"), "good: the same as another that is compared, good ("),
        ((file, file), "A.jsonl: the same as another that is compared, A.jsonl; name two different ones"),
        (("good", "broken"), "): expected a finished run, found one that is failed"),
        (("good", "empty"), "): it has kept no predictions; train it again to compare it"),
        (("good", "gone"), "no run 'gone'; "),
        (
            ("good", "model"),
            "model: expected a run or a file of predictions, found a folder; name the rows that it is to predict with --data FILE",
        ),
        (
            ("good", "models:/m@champion"),
            "models:/m@champion: expected a run or a file of predictions, found a registered model; name the rows ",
        ),
        (("good", "damaged"), "): its predictions/test.jsonl is damaged: Expecting"),
        (
            ("good", "foreign"),
            "good and foreign were measured on different data: 60 rows with another text, such as 'row 0': 'text 0' and",
        ),
        (
            ("good", "relabelled"),
            "good and relabelled were measured on different data: 19 rows with another label, such as 'row 3': ",
        ),
        (("good", file, "--report", file), "A.jsonl: exists already; remove it or name another output"),
        (("good", "gone.jsonl"), "gone.jsonl: no such file"),
        (("good", "GONE.CSV"), "GONE.CSV: no such file"),
        (
            ("good", "half.jsonl"),
            "good and half.jsonl were measured on different rows: 30 only in good (such as 'row 30'); compare predictions for",
        ),
        (("good", file, "--output", file), "A.jsonl: exists already; remove it or name another output"),
    )
    for arguments, message in cases:
        done = textcls("compare", *arguments, "--store", store_folder)
        assert (done.code, done.out) == (1, ""), (arguments, done)
        errors = [line for line in done.err.splitlines() if not line.startswith("WARNING: the store was moved")]
        assert len(errors) == 1, errors
        assert message in errors[0]


# --- models on rows -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def two_models(store_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the run `run` on given splits, and a model folder of other data, beside each other; and their files of rows."""
    place = tmp_path_factory.mktemp("two models")
    store = Path(shutil.copytree(store_template, place / "experiments"))
    for name, articles in (("train", "abcd"), ("test", "efghij"), ("other", "klmn")):
        write_jsonl(place / f"{name}.jsonl", toy_rows(list(articles)))
    model = {"kind": "tfidf", "min_df": 1, "C": 100}
    tracking = {"folder": str(store), "name": "run"}
    train({"data": {"train": f"{place}/train.jsonl", "test": f"{place}/test.jsonl"}, "model": model, "tracking": tracking})
    other = {"data": {"train": f"{place}/other.jsonl"}, "model": model, "splits": {"folds": 2}, "tracking": {"enabled": False}}
    train(other, output=place / "model")
    return place


def test_models_are_compared_on_rows(textcls: Command, two_models: Path) -> None:
    store = ("--store", two_models / "experiments")
    model, data = two_models / "model", two_models / "test.jsonl"
    done = textcls("compare", model, "run", "--data", data, "--output", "c.json", *store)
    assert (done.code, done.err) == (0, "")
    assert "written to the runs" not in done.out, "its figures are of other rows than the run's own"
    content = json.loads(Path("c.json").read_text())
    assert [its["name"] for its in content["systems"]] == [str(model), "run"]
    assert (content["comparisons"][0]["rows"], content["comparisons"][0]["n_units"]) == (36, 6)
    # The run has kept what it predicted for the same rows.
    (run,) = Store(two_models / "experiments").runs(["run"])
    assert content["systems"][1]["evaluation"]["macro_f1"] == pytest.approx(run.metrics["test/macro_f1"], abs=1e-4)


def test_models_are_not_compared_on_rows_that_they_have_learnt(
    textcls: Command, two_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ("--store", two_models / "experiments")
    model = two_models / "model"
    for data, learner in (("train.jsonl", "run"), ("other.jsonl", str(model))):
        done = textcls("compare", model, "run", "--data", two_models / data, *store)
        message = (
            f"{learner}: it has learnt from the very rows of {two_models / data}, so its figures there say nothing of others; "
        )
        assert (done.code, done.err) == (1, f"error: {message}name rows that are new to all\n")
    some = write_jsonl(tmp_path / "some.jsonl", [*toy_rows()[-6:], *toy_rows(["e", "f"])])
    done = textcls("compare", model, "run", "--data", some, *store)
    assert done.code == 0
    assert f"run: it has learnt from 6 of the 18 texts of {some}" in caplog.messages


def test_a_model_that_does_not_say_what_it_has_learnt_from_is_told(
    textcls: Command, two_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As those of an earlier textcls do not."""
    rows = toy_rows()
    fitted = TfidfClassifier(min_df=1).fit([row["text"] for row in rows], [row["label"] for row in rows])
    fitted.learnt_ = None
    save_model(fitted, tmp_path / "old")
    data = two_models / "test.jsonl"
    said = f"it does not say which texts it has learnt from, so it may know some of {data}"
    assert textcls("compare", tmp_path / "old", "run", "--data", data, "--store", two_models / "experiments").code == 0
    assert f"{tmp_path / 'old'}: {said}" in caplog.messages
    textcls("evaluate", tmp_path / "old", data)
    assert said.replace("it does", "the model does", 1) in caplog.messages


def test_a_model_that_is_measured_on_rows_it_has_learnt_is_told(
    textcls: Command, two_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = two_models / "model"
    some = write_jsonl(tmp_path / "some.jsonl", [*toy_rows()[-6:], *toy_rows(["e", "f"])])
    of_both = write_jsonl(tmp_path / "both.jsonl", [*toy_rows(["k"])[:5], *toy_rows(["e", "f"])])
    for name, data, told in (
        ("run", some, "6 of the 18 texts"),
        ("run", two_models / "train.jsonl", "the very rows"),
        ("run", two_models / "test.jsonl", None),
        (model, two_models / "other.jsonl", "the very rows"),
        (model, of_both, "5 of the 17 texts"),
        (model, two_models / "test.jsonl", None),
    ):
        caplog.clear()
        done = textcls("evaluate", name, data, "--store", two_models / "experiments")
        assert json.loads(done.out)["rows"] > 0
        said = [f"the model has learnt from {told} of {data}; its figures there say little of others"] if told else []
        assert [message for message in caplog.messages if "moved" not in message] == said


def test_rows_that_a_decision_was_learnt_on_are_known_again(
    textcls: Command, two_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They taught the model how sure it may be, though the classifier inside has not seen them."""
    data = write_jsonl(tmp_path / "many.jsonl", toy_rows([f"article {number}" for number in range(20)]))
    train(
        {
            "data": {"train": str(data), "test": f"{two_models}/test.jsonl"},
            "model": {"kind": "tfidf", "min_df": 1},
            "decision": {"calibration": "temperature", "share": 0.5},
            "splits": {"duplicates": "warn"},
            "tracking": {"enabled": False},
        },
        output=tmp_path / "decided",
    )
    textcls("evaluate", tmp_path / "decided", data)
    assert f"the model has learnt from the very rows of {data}" in caplog.text


def test_rows_that_a_hash_held_out_are_new_to_the_model_unless_a_final_one_was_fitted(
    textcls: Command, two_models: Path, store_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for repeats in (1, 2):
        run = train(
            {
                "data": {"train": f"{two_models}/other.jsonl"},
                "splits": {"kind": "hash", "test": 0.5, "repeats": repeats},
                "model": {"kind": "tfidf", "min_df": 1},
                "tracking": {"folder": str(store_folder), "name": f"of {repeats}"},
            }
        )
        if repeats == 1:
            held_out = {row["id"] for row in run.predictions}
    rows = toy_rows(list("klmn"))
    write_jsonl(Path("held.jsonl"), [row for row in rows if row["id"] in held_out])
    write_jsonl(Path("learnt.jsonl"), [row for row in rows if row["id"] not in held_out])
    for name, data, known in (("of 1", "held", False), ("of 1", "learnt", True), ("of 2", "held", True)):
        caplog.clear()
        assert textcls("evaluate", name, f"{data}.jsonl", "--store", store_folder).code == 0
        assert (f"the model has learnt from the very rows of {data}.jsonl" in caplog.text) is known


def test_a_column_of_no_sentences_is_told_once_whatever_reads_the_rows(
    textcls: Command, two_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{**row, "before": number, "id": None} for number, row in enumerate(toy_rows(["e", "f"]))]
    data = write_jsonl(tmp_path / "numbers.jsonl", rows)
    store = ("--store", two_models / "experiments")
    for command in (("compare", two_models / "model", "run", "--data", data), ("evaluate", "run", data)):
        caplog.clear()
        done = textcls(*command, *store)
        assert done.code == 0, done.err
        said = f"{data} has a column 'before', in which 0 is no sentence and is left out; rename it to keep it"
        assert [message for message in caplog.messages if "column" in message] == [said]


def test_models_on_rows_that_do_not_fit_are_one_line(textcls: Command, two_models: Path, tmp_path: Path) -> None:
    store = ("--store", two_models / "experiments")
    rows = toy_rows(["e", "f"])
    unknown = write_jsonl(tmp_path / "unknown.jsonl", [*rows, {**rows[0], "id": "new", "label": "rumour"}])
    done = textcls("compare", two_models / "model", "run", "--data", unknown, *store)
    assert (done.code, done.out) == (1, "")
    assert f"{unknown}, row 13: unknown label 'rumour'; known: fact, opinion, quote" in done.err
    done = textcls("compare", two_models / "model", "run", "--data", "gone.jsonl", *store)
    assert (done.code, done.err) == (1, "error: gone.jsonl: no such file\n")
    broken = Path(shutil.copytree(two_models / "model", tmp_path / "broken"))
    (broken / "textcls.json").write_text("{")
    done = textcls("compare", broken, "run", "--data", two_models / "test.jsonl", *store)
    assert (done.code, done.err) == (1, f"error: {broken}: damaged: textcls.json is not valid JSON\n")


# --- written back ---------------------------------------------------------------------------------------------------


def kept(store: Path, name: str) -> tuple[dict[str, float], dict[str, str], dict[str, int], list[int]]:
    """What a comparison has left at a run: metrics, tags, files, and how many values each metric has had."""
    opened = Store(store)
    run = opened.run(name)
    metrics = {key: value for key, value in run.metrics.items() if key.startswith("compare/")}
    tags = {key: value for key, value in run.tags.items() if key.startswith("compared")}
    files = {path: size for path, size in opened.artifacts(run).items() if "compar" in path}
    return metrics, tags, files, [len(opened.client.get_metric_history(run.id, key)) for key in metrics]


def test_a_comparison_is_written_to_the_runs_and_again_replaces_it(textcls: Command, store_folder: Path) -> None:
    a, b = predicted("A", 1.0), predicted("B", 2.5, seed=2)
    tracked(store_folder, "weak/[run]", a)
    tracked(store_folder, "strong", b)
    before = Store(store_folder).runs()
    ids = {run.name: run.id[:8] for run in before}
    done = textcls("compare", "weak/[run]", "strong", "--no-write", "--store", store_folder)
    assert done.code == 0
    assert kept(store_folder, "strong") == ({}, {}, {}, [])
    done = textcls("compare", "weak/[run]", "strong", "--store", store_folder)
    assert done.code == 0
    assert done.out.endswith("written to the runs: metrics compare/…, the tag compared, compare/…/report.html\n")
    metrics, tags, files, _ = strong = kept(store_folder, "strong")
    verdict = done.out.splitlines()[0]
    found = re.match(r"strong is better by ([\d.]+) points of macro-F1 \(([\d.]+) to ([\d.]+)\)", verdict)
    assert found is not None
    for word, points in zip(("difference", "difference_low", "difference_high"), found.groups(), strict=True):
        assert 100 * metrics[f"compare/macro_f1_{word}"] == pytest.approx(float(points), abs=0.06)
    assert set(metrics) == {f"compare/macro_f1_{word}" for word in ("difference", "difference_low", "difference_high", "p")}
    assert tags == {
        "compared": f"better than weak/[run] by {found[1]} points of macro-F1",
        f"compared.{ids['weak/[run]']}": f"with weak/[run]: {verdict}",
    }
    folder = f"compare/weak--run--{ids['weak/[run]']}"
    assert {f"{folder}/report.html", f"{folder}/comparison.json", "plots/comparison.png"} < set(files)
    assert len(files) == 5, "and the picture and its small copy for the grid of images"
    metrics, tags, _, _ = kept(store_folder, "weak/[run]")
    assert metrics["compare/macro_f1_difference"] == -strong[0]["compare/macro_f1_difference"]
    assert metrics["compare/macro_f1_difference_low"] == -strong[0]["compare/macro_f1_difference_high"]
    assert tags["compared"] == f"worse than strong by {found[1]} points of macro-F1"
    # Once more, the other way round.
    assert textcls("compare", "strong", "weak/[run]", "--store", store_folder).code == 0
    again = kept(store_folder, "strong")
    assert (again[0], again[1], set(again[2])) == (strong[0], strong[1], set(strong[2]))
    assert set(again[3]) == {1}, "the same value is not another point of a curve"
    for was, run in zip(before, Store(store_folder).runs(), strict=True):
        assert (was.id, was.status, was.started, was.ended) == (run.id, run.status, run.started, run.ended)
    shown = textcls("runs", "show", "strong", "--store", store_folder).out
    assert f"compared  with weak/[run]: {verdict}\n" in shown
    assert "compare/macro_f1_difference" in shown


def test_a_comparison_of_several_is_written_with_each_other_and_the_best_other(textcls: Command, store_folder: Path) -> None:
    for name, skill, seed in (("A", 1.0, 1), ("B", 2.5, 2), ("C", 1.1, 3)):
        tracked(store_folder, name, predicted(name, skill, seed=seed))
    ids = {run.name: run.id[:8] for run in Store(store_folder).runs()}
    assert textcls("compare", "A", "B", "C", "--store", store_folder).code == 0
    metrics, tags, files, _ = kept(store_folder, "A")
    assert set(tags) == {"compared", f"compared.{ids['B']}", f"compared.{ids['C']}"}
    assert re.fullmatch(r"worse than B by .* points of macro-F1; cannot tell from C", tags["compared"])
    folder = f"compare/{'+'.join(sorted((ids['B'], ids['C'])))}"
    content = Store(store_folder).artifact(Store(store_folder).run("A"), f"{folder}/comparison.json")
    scores = {its["name"]: its["evaluation"]["macro_f1"] for its in json.loads(content or b"")["systems"]}
    assert metrics["compare/macro_f1_difference"] == pytest.approx(scores["A"] - scores["B"], abs=1e-4)
    assert f"{folder}/report.html" in files


def test_many_runs_are_written_to_a_folder_whose_name_a_file_system_takes(textcls: Command, store_folder: Path) -> None:
    """Eight characters of each of thirty ids are more than a name may have."""
    names = [f"run {number}" for number in range(6)]
    for number, name in enumerate(names):
        tracked(store_folder, name, predicted(name, 1.0, rows=60, seed=number))
    found = set()
    for order in (names, names[::-1]):
        assert textcls("compare", *order, "--store", store_folder).code == 0
        (folder,) = {path.split("/")[1] for path in kept(store_folder, "run 0")[2] if path.startswith("compare/")}
        found.add(folder)
    assert len(found) == 1, "again replaces it, in whatever order"
    assert re.fullmatch("5-runs-[0-9a-f]{12}", found.pop())


def test_figures_are_written_when_the_report_that_explains_them_is(
    textcls: Command, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seed in (("A", 1), ("B", 2)):
        tracked(store_folder, name, predicted(name, 1.0, rows=60, seed=seed))

    def full(*_: object) -> None:
        raise TrackingError("the disk is full")

    monkeypatch.setattr("textcls.tracking.run.Run.text", full)
    assert textcls("compare", "A", "B", "--store", store_folder).code == 1
    assert kept(store_folder, "A")[:2] == ({}, {})


def test_runs_of_several_seeds_are_compared(textcls: Command, two_models: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(two_models / "experiments", tmp_path / "experiments"))
    model = {"kind": "tfidf", "min_df": 1, "C": 0.01}
    data = {"train": f"{two_models}/train.jsonl", "test": f"{two_models}/test.jsonl"}
    tracking = {"folder": str(store), "name": "three"}
    train({"data": data, "splits": {"repeats": 3}, "model": model, "tracking": tracking})
    done = textcls("compare", "run", "three", "--report", "r.html", "--figures", "figures", "--store", store)
    assert done.code == 0, done.err
    assert "36 sentences of 6 articles" in done.out
    assert "run has one seed only, which is taken to matter as much as those of three do" in done.out
    assert "seed 43" in Path("r.html").read_text()
    assert {file.name for file in Path("figures").iterdir()} == {"difference.png", "folds_and_seeds.png"}


def test_seeds_of_hash_splits_are_tested_where_it_is_known_how_many_rows_they_learnt_from(
    textcls: Command, store_folder: Path
) -> None:
    """Each of three seeds holds out other rows, some of them twice, so the rows learnt from are not all others."""
    for name, skill in (("a", 1.0), ("b", 2.5)):
        both = [predicted(name, skill, seed=seed) for seed in range(3)]
        rows = [{**row, "seed": str(seed)} for seed in range(3) for row in rows_of(both[seed])[seed * 100 : seed * 100 + 150]]
        tracked(store_folder, name, make_predictions(rows, name=name), metrics={"n_train": 400})
        write_jsonl(Path(f"{name}.jsonl"), rows)
    for compared, tested in ((("a", "b"), True), (("a.jsonl", "b.jsonl"), False)):
        assert textcls("compare", *compared, "--output", "c.json", "--store", store_folder).code == 0
        (pair,) = json.loads(Path("c.json").read_text())["comparisons"]
        assert (pair["folds"] is not None) == tested
        if tested:
            differences = [b - a for a, b in pair["parts"].values()]
            assert pair["folds"]["p"] == pytest.approx(corrected_t_test(differences, 150 / 400).p)
        Path("c.json").unlink()


def test_only_texts_of_articles_stand_between_their_neighbours(textcls: Command, store_folder: Path) -> None:
    a, b = (predicted(name, skill, rows=60, articles=2) for name, skill in (("A", 1.0), ("B", 2.5)))
    for group in ("article", "customer"):
        for one in (a, b):
            tracked(store_folder, f"{one.name} by {group}", one, parameters={"data.group": group})
        compared = (f"A by {group}", f"B by {group}", "--output", f"{group}.json")
        assert textcls("compare", *compared, "--store", store_folder).code == 0
        (pair,) = json.loads(Path(f"{group}.json").read_text())["comparisons"]
        assert any(row["before"] or row["after"] for row in pair["disagreements"]) == (group == "article")


def test_a_file_of_predictions_may_hold_seeds(textcls: Command) -> None:
    rows = [{**row, "seed": seed} for seed in (1, 2) for row in rows_of(predicted("A", 1.0, rows=60))]
    write_jsonl(Path("A.jsonl"), rows)
    write_jsonl(Path("B.jsonl"), rows_of(predicted("B", 2.5, rows=60, seed=2)))
    done = textcls("compare", "A.jsonl", "B.jsonl")
    assert (done.code, done.err) == (0, "")
    assert "60 sentences of" in done.out
    assert "each has one seed" not in done.out


def test_what_two_differ_in_besides_predictions_is_told(textcls: Command, store_folder: Path) -> None:
    """In print, report and JSON: data that they learnt from, labels that only one knows, and articles that do not fit."""
    a, b = predicted("A", 1.0, rows=60, articles=6), predicted("B", 2.5, rows=60, articles=6, seed=2)
    others = [f"other {i // 10}" for i in range(60)]
    wider = replace(b, labels=[*b.labels, "zzz"], probabilities=np.column_stack([b.probabilities, np.zeros(60)]), groups=others)
    renamed = replace(b, groups=[f"new {name}" for name in b.groups])
    tracked(store_folder, "same", renamed)
    for name, its, data in (("first", a, "d" * 64), ("second", wider, "e" * 64)):
        tracked(store_folder, name, its, data=data)
    done = textcls("compare", "first", "second", "--store", store_folder, "--report", "r.html", "--output", "r.json")
    assert done.code == 0, done.err
    words = (
        f"first and second learnt from different data: identities {'d' * 12} and {'e' * 12}; `textcls runs diff` shows in what",
        "a label that second knows and first does not: 'zzz'",
        "first and second part the rows into different articles, 6 and 6; those of first are used",
    )
    (pair,) = json.loads(Path("r.json").read_text())["comparisons"]
    page = unescape(Path("r.html").read_text())
    for number, line in enumerate(words):
        assert line in done.out
        assert line in page
        assert pair["caveats"][number].startswith(line)
    plain = textcls("compare", "first", "same", "--store", store_folder, "--output", "s.json")
    assert plain.code == 0, plain.err
    assert json.loads(Path("s.json").read_text())["comparisons"][0]["caveats"] == []


def test_labels_without_probabilities_are_compared_by_what_needs_none(textcls: Command) -> None:
    whole = [predicted("A", 1.0, rows=90), predicted("B", 2.5, rows=90, seed=2)]
    write_predictions(*whole)
    bare = [{key: value for key, value in row.items() if key != "probabilities"} for row in rows_of(whole[1])]
    write_jsonl(Path("llm.jsonl"), bare)
    done = textcls("compare", "A.jsonl", "llm.jsonl", "--output", "llm.json", "--report", "llm.html")
    assert (done.code, done.err) == (0, "")
    assert textcls("compare", "A.jsonl", "B.jsonl", "--output", "B.json").code == 0
    found, known = (json.loads(Path(f"{name}.json").read_text()) for name in ("llm", "B"))
    assert found["verdict"] == known["verdict"].replace("B.jsonl", "llm.jsonl")
    (pair,), (full,) = found["comparisons"], known["comparisons"]
    assert pair["metrics"] == {name: its for name, its in full["metrics"].items() if name != "log_loss"}
    assert {row["score_b"] for row in pair["disagreements"]} == {None}
    (line,) = pair["caveats"]
    assert line == "llm.jsonl has labels without probabilities, so it has no log loss, calibration or areas to compare"
    assert line in done.out
    assert line in Path("llm.html").read_text()
    assert re.search(r"llm\.jsonl .* – +– *$", done.out, re.MULTILINE)
    for part in ("evaluation", "intervals"):
        assert not re.search("log_loss|brier|ece|area", json.dumps(found["systems"][1][part]))
        assert "log_loss" in json.dumps(found["systems"][0][part])
    write_jsonl(Path("half.jsonl"), [*bare[:-1], rows_of(whole[1])[-1]])
    half = textcls("compare", "A.jsonl", "half.jsonl")
    assert half.code == 1
    assert "half.jsonl, row 1: expected 'id', 'label' (the true one) and 'probabilities'" in half.err


def test_a_label_that_no_row_carries_is_named_and_costs_no_more_than_its_rows(textcls: Command) -> None:
    rows = [{"id": f"{i:03}", "label": "xy"[i % 2], "article": i // 10, "text": f"text {i}"} for i in range(200)]
    write_jsonl(Path("A.jsonl"), [{**row, "prediction": "x"} for row in rows])
    write_jsonl(
        Path("B.jsonl"), [{**row, "prediction": "a,b\n|c" if i % 20 == 3 else row["label"]} for i, row in enumerate(rows)]
    )
    done = textcls("compare", "A.jsonl", "B.jsonl", "--output", "c.json")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("B.jsonl is better by ")
    assert "B.jsonl predicts a label that no row carries, 'a,b |c' 10 times, of 200 predictions" in done.out
    assert "10 × y: x → a,b |c" in done.out, "a label is one line, whatever it holds"
    content = json.loads(Path("c.json").read_text())
    (pair,) = content["comparisons"]
    of_b = content["systems"][1]
    assert of_b["evaluation"]["macro_f1"] == pytest.approx(pair["metrics"]["macro_f1"]["b"])
    ends = of_b["intervals"]["metrics"]["macro_f1"]
    assert ends["low"] <= pair["metrics"]["macro_f1"]["b"] <= ends["high"]


def test_a_single_article_is_told(textcls: Command) -> None:
    write_predictions(predicted("A", 1.0, articles=1), predicted("B", 2.5, articles=1, seed=2))
    done = textcls("compare", "A.jsonl", "B.jsonl", "--report", "r.html")
    assert done.code == 0
    for where in (done.out, Path("r.html").read_text()):
        assert "cannot tell: all 600 sentences are of one article, which says nothing of others" in where
        assert "all rows are of one article, so there are no intervals over articles" in where
        assert "ith 95 % intervals" not in where
    write_predictions(*(predicted(name, 1.0, rows=1) for name in "AB"))
    done = textcls("compare", "A.jsonl", "B.jsonl")
    assert done.out.startswith("no difference: A.jsonl and B.jsonl predict the same label for the only sentence\n")
