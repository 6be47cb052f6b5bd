"""`textcls compare`: runs, model folders and files by name; what is written back to the runs; and the line each mistake gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from conftest import Done, predicted, rows_of, write_jsonl

from textcls.config import TrackingConfig
from textcls.evaluation import Predictions
from textcls.tracking import track

Command = Callable[..., Done]


def write_predictions(*several: Predictions) -> list[Path]:
    return [write_jsonl(Path(f"{one.name}.jsonl"), rows_of(one)) for one in several]


def tracked(store: Path, name: str, one: Predictions | None, *, error: bool = False, data: str = "d" * 64) -> None:
    tags = {"textcls.kind": "single", "textcls.data_sha": data}
    try:
        with track(TrackingConfig(folder=str(store)), experiment="news", name=name, tags=tags) as run:
            if one is not None:
                run.text("".join(json.dumps(row) + "\n" for row in rows_of(one)), "predictions/test.jsonl")
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
    for fragment in ("600 sentences of 40 articles", "macro-F1", "F1 of each label", "McNemar's exact test", "won: ", "lost: "):
        assert fragment in done.out
    report = json.loads(Path("report.json").read_text())
    assert report["verdict"] == first
    assert [one["name"] for one in report["systems"]] == ["A.jsonl", "B.jsonl"]
    assert report["systems"][0]["intervals"]["metrics"].keys() >= {"macro_f1", "roc_area"}
    assert report["comparisons"][0]["decided"] is True
    assert Path("figures/difference.png").read_bytes().startswith(b"\x89PNG")


def test_compare_runs_by_name_with_files_and_as_a_table(textcls: Command, store_folder: Path) -> None:
    a, b = predicted("A", 1.0), predicted("B", 2.5, seed=2)
    tracked(store_folder, "weak [run]", a)
    tracked(store_folder, "strong", b)
    write_predictions(predicted("C", 2.5, seed=3))
    done = textcls("compare", "weak [run]", "strong", "C.jsonl", "--store", store_folder)
    assert done.code == 0, done.err
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
    (file,) = write_predictions(a)
    write_jsonl(Path("half.jsonl"), rows_of(a)[:30])
    Path("model").mkdir()
    cases: Sequence[tuple[tuple[object, ...], str]] = (
        (("good", "good"), "good: the same as another that is compared, good ("),
        ((file, file), "A.jsonl: the same as another that is compared, A.jsonl; name two different ones"),
        (("good", "broken"), "): expected a finished run, found one that is failed"),
        (("good", "empty"), "): it has kept no predictions; train it again to compare it"),
        (("good", "gone"), "no run 'gone'; "),
        (("good", "model"), "model: expected a run or a file of predictions, found a folder; name the run that made it"),
        (("good", "gone.jsonl"), "gone.jsonl: no such file"),
        (
            ("good", "half.jsonl"),
            "good and half.jsonl were measured on different rows: 30 only in good (such as 'row 30'), 0 only in",
        ),
        (("good", "--output", "o.json"), "--output and --figures are for a comparison; name two runs or more"),
        (("good", file, "--output", file), "A.jsonl: exists already; remove it or name another output"),
    )
    for arguments, message in cases:
        done = textcls("compare", *arguments, "--store", store_folder)
        assert (done.code, done.out) == (1, ""), (arguments, done)
        errors = [line for line in done.err.splitlines() if not line.startswith("WARNING: the store was moved")]
        assert len(errors) == 1, errors
        assert message in errors[0]
