"""Comparisons: tests against values by hand, what is refused, verdicts, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Done, write_jsonl
from scipy import stats

from textcls.config import TrackingConfig
from textcls.errors import DataError
from textcls.evaluation import Predictions, align, compare, evaluate, make_predictions, word_overall
from textcls.evaluation.comparison import needed_rows
from textcls.evaluation.curves import difference_figure
from textcls.evaluation.significance import corrected_t_test, holm, least_p, mcnemar, permutation_test
from textcls.evaluation.sums import accuracy, sum_rows
from textcls.evaluation.verdict import points, probability
from textcls.tracking import track

Command = Callable[..., Done]
NAMES = ["fact", "opinion", "quote"]


def predicted(name: str, skill: float, *, rows: int = 600, articles: int = 40, seed: int = 1, fold: int = 0) -> Predictions:
    """Predictions for the same labels and articles whatever the name and the skill."""
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
        [NAMES[i] for i in true],
        probabilities,
        NAMES,
        [f"article {i}" for i in article],
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
        for i in range(len(one))
    ]


# --- tests ----------------------------------------------------------------------------------------------------------


def test_mcnemar_by_hand() -> None:
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 0) == pytest.approx(2 / 2**5)
    assert mcnemar(1, 5) == mcnemar(5, 1) == pytest.approx(2 * (1 + 6) / 2**6)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_corrected_t_test_by_hand() -> None:
    found = corrected_t_test([0.01, 0.02, 0.03, 0.02, 0.02], 1 / 4)
    error = ((1 / 5 + 1 / 4) * 0.00005) ** 0.5
    assert found.difference == pytest.approx(0.02)
    assert found.p == pytest.approx(2 * stats.t.sf(0.02 / error, 4))
    assert found.interval.low == pytest.approx(0.02 - 2.776445 * error)
    uncorrected = corrected_t_test([0.01, 0.02, 0.03, 0.02, 0.02], 0).p
    assert uncorrected == pytest.approx(stats.ttest_1samp([0.01, 0.02, 0.03, 0.02, 0.02], 0).pvalue)
    assert uncorrected < found.p
    assert (corrected_t_test([0, 0], 1).p, corrected_t_test([1, 1], 1).p) == (1.0, 0.0)


def test_permutation_over_few_units_is_exact() -> None:
    # Five articles of one row each; B alone is right in every one: only this way and its mirror image are as far apart.
    true = np.zeros(5, dtype=int)
    a, b = np.tile([0.1, 0.9], (5, 1)), np.tile([0.9, 0.1], (5, 1))
    sums = [sum_rows(true, p, np.arange(5), 5) for p in (a, b)]
    found = permutation_test(*sums, {"accuracy": accuracy}, number=1000, rng=np.random.default_rng(0))
    assert found["accuracy"] == pytest.approx(2 / 32) == least_p(5)


def test_permutation_at_random_is_near_mcnemar_for_independent_rows() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((300, 2)) < (0.7, 0.75)
    tables = [np.where(right[:, [i]], [[0.9, 0.1]], [[0.1, 0.9]]) for i in range(2)]
    sums = [sum_rows(np.zeros(300, dtype=int), table, np.arange(300), 300) for table in tables]
    found = permutation_test(*sums, {"accuracy": accuracy}, number=5000, rng=rng)["accuracy"]
    won, lost = int((right[:, 1] & ~right[:, 0]).sum()), int((right[:, 0] & ~right[:, 1]).sum())
    assert found == pytest.approx(mcnemar(won, lost), abs=0.03)


def test_rows_needed_by_hand() -> None:
    changes = np.array([-0.02, 0.02] * 500)
    # (1.959964 + 0.841621)² = 7.848880; the variance of two units is doubled
    assert needed_rows(0.02, changes, 100, 2) == int(np.ceil(100 * 7.848880 * 2))
    assert needed_rows(0.04, changes, 100, 1000) == pytest.approx(100 * 7.848880 / 4, abs=2)
    assert needed_rows(0.0, changes, 100, 10) is None


# --- comparison -----------------------------------------------------------------------------------------------------


def test_a_comparison_says_what_differs() -> None:
    a, b = predicted("A", 1.0), predicted("B", 2.5, seed=2)
    (found,) = compare([a, b], number=2000)
    figures = [evaluate(one.true, one.probabilities, one.labels) for one in (a, b)]
    for name in ("macro_f1", "accuracy", "log_loss"):
        its = found.metrics[name]
        assert (its.a, its.b) == pytest.approx([getattr(one, name) for one in figures])
        assert its.value == its.b - its.a
        assert its.interval is not None
        assert its.interval.low < its.value < its.interval.high
    for label, its in found.per_label.items():
        assert (its.a, its.b) == pytest.approx([one.per_label[label].f1 for one in figures])
    assert (found.unit, found.n_units, found.rows, found.note) == ("article", 40, 600, None)
    right = [one.predicted == np.array(one.true, dtype=object) for one in (a, b)]
    assert (found.won, found.lost) == (int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum()))
    assert len(found.disagreements) == int((a.predicted != b.predicted).sum())
    outcomes = [row["outcome"] for row in found.disagreements]
    assert outcomes == sorted(outcomes, key=["won", "lost", "both wrong"].index)
    assert sum(number for *_, number in found.confusions) == len(found.disagreements)
    its = found.metrics["macro_f1"]
    assert its.interval is not None
    assert found.decided
    assert found.verdict == (
        f"B is better by {points(its.value)} points of macro-F1 ({points(its.interval.low)} to {points(its.interval.high)}); "
        f"{found.won:,} sentences won, {found.lost} lost"
    )
    json.dumps(found.as_dict(), allow_nan=False)


def test_the_order_turns_the_signs_and_not_the_verdict() -> None:
    a, b = predicted("A", 1.0), predicted("B", 2.5, seed=2)
    (forth,), (back,) = compare([a, b], number=2000), compare([b, a], number=2000)
    assert back.metrics["macro_f1"].value == -forth.metrics["macro_f1"].value
    assert (back.won, back.lost) == (forth.lost, forth.won)
    assert back.verdict == forth.verdict


def test_a_small_difference_cannot_be_told_and_needs_more_sentences() -> None:
    (found,) = compare([predicted("A", 1.5), predicted("B", 1.55, seed=2)], number=2000)
    assert not found.decided
    assert found.verdict.startswith("cannot tell: ")
    assert "more sentences would be needed to see a difference of this size" in found.verdict or "20 times" in found.verdict
    assert found.rows_needed is not None
    assert found.rows_needed > 2 * found.rows, "an interval with 0 in it needs twice the rows at least"


def test_equal_predictions_are_no_difference() -> None:
    a = predicted("A", 1.5)
    (found,) = compare([a, make_predictions(rows_of(a), name="B")], number=200)
    assert found.verdict == "no difference: A and B predict the same label for each of the 600 sentences"
    assert found.metrics["macro_f1"].p == 1


def test_one_article_tells_nothing() -> None:
    (found,) = compare([predicted("A", 1.0, articles=1), predicted("B", 2.5, articles=1, seed=2)])
    assert found.metrics["macro_f1"].interval is None
    assert found.metrics["macro_f1"].p is None
    assert found.note == "all rows are of one article, so there are no intervals over articles"
    assert found.verdict.startswith("cannot tell: all 600 sentences are of one article, which says nothing of others (B is ")


def test_too_few_articles_are_told() -> None:
    (found,) = compare([predicted("A", 1.0, articles=5), predicted("B", 2.5, articles=5, seed=2)])
    assert found.note == "there are 5 articles only, too few for a permutation test to show any difference"
    assert found.verdict.startswith("cannot tell: 5 articles are too few for any difference to show (B is ")


def test_several_are_corrected_and_summed_up() -> None:
    a, b, c = predicted("A", 1.0), predicted("B", 2.5, seed=2), predicted("C", 2.5, seed=3)
    pairs = compare([a, b, c], number=2000)
    assert [(pair.a, pair.b) for pair in pairs] == [("A", "B"), ("A", "C"), ("B", "C")]
    its = [pair.metrics["macro_f1"] for pair in pairs]
    assert [one.p_corrected for one in its] == pytest.approx(holm([one.p or 0 for one in its]))
    best = max(("B", "C"), key=lambda name: {"B": its[0].b, "C": its[1].b}[name])
    overall = word_overall(pairs)
    assert overall.startswith(f"{best} has the highest macro-F1, ")
    assert "it is better than A (by " in overall
    assert f"and it cannot be told from {'C' if best == 'B' else 'B'} (by " in overall


def test_equal_folds_are_tested_too() -> None:
    a, b = predicted("A", 1.0, fold=5), predicted("B", 2.5, seed=2, fold=5)
    (found,) = compare([a, b], number=500)
    assert found.folds is not None
    assert found.folds.folds == 5
    scores = []
    for fold in dict.fromkeys(a.folds):
        rows = np.flatnonzero(np.array(a.folds, dtype=object) == fold)
        of_fold = [evaluate(p.true, p.probabilities, p.labels).macro_f1 for p in (a.take(rows), b.take(rows))]
        scores.append(of_fold[1] - of_fold[0])
    assert found.folds.p == pytest.approx(corrected_t_test(scores, 1 / 4).p)
    (apart,) = compare([a, predicted("B", 2.5, seed=2, fold=4)], number=500)
    assert apart.folds is None
    (lone,) = compare([predicted("A", 1, fold=40), predicted("B", 2, fold=40, seed=2)], number=500)
    assert lone.folds is None, "a fold that is one article adds nothing"


def test_rows_and_labels_are_put_in_one_order() -> None:
    a, b = predicted("A", 1.0), predicted("B", 2.5, seed=2)
    shuffled = b.take(np.random.default_rng(0).permutation(len(b)))
    wider = make_predictions(
        [{**row, "probabilities": {**row["probabilities"], "another": 0.0}} for row in rows_of(shuffled)], name="B"
    )
    assert [one.labels for one in align([a, wider])] == [["another", *NAMES]] * 2
    (plain,), (moved,) = compare([a, b], number=500), compare([a, wider], number=500)
    for name, its in plain.metrics.items():
        assert (moved.metrics[name].value, moved.metrics[name].p) == pytest.approx((its.value, its.p))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows[1:],
            "A and B were measured on different rows: 1 only in A (such as 'row 0'), 0 only in B; compare predictions for the same rows",
        ),
        (
            lambda rows: [{**rows[0], "label": "quote" if rows[0]["label"] != "quote" else "fact"}, *rows[1:]],
            "A and B were measured on different data: 1 row with another label, such as 'row 0': ",
        ),
        (
            lambda rows: [{**row, "text": "other"} for row in rows],
            "30 rows with another text, such as 'row 0': 'text 0' and 'other'; compare predictions for the same data",
        ),
    ],
)
def test_other_data_are_refused(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], message: str) -> None:
    a = predicted("A", 1.0, rows=30)
    b = make_predictions(change(rows_of(predicted("B", 2.0, rows=30, seed=2))), name="B")
    with pytest.raises(DataError) as refused:
        compare([a, b])
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_data_of_other_identity_are_refused_where_texts_are_unknown() -> None:
    rows = [{key: value for key, value in row.items() if key != "text"} for row in rows_of(predicted("A", 1.0, rows=30))]
    a, b = (make_predictions(rows, name=name, data=name * 64) for name in "AB")
    with pytest.raises(
        DataError, match=r"A and B are of different data \(identities A{12} and B{12}\), and their predictions hold"
    ):
        align([a, b])
    align([a, make_predictions(rows, name="B", data="A" * 64)])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"label": "a", "probabilities": {"a": 1.0}}, "f, row 1: expected 'id', found columns label, probabilities"),
        ({"id": "1", "label": "a"}, "f, row 1: expected 'probabilities', a number for each label, found 'none'"),
        ({"id": "1", "probabilities": {"a": 1.0}}, "f, row 1: expected 'label', found columns id, probabilities"),
        ({"id": "1", "label": "a", "probabilities": {"a": "x"}}, "f, row 1: expected 'probabilities', a number for each label, "),
        (
            {"id": "1", "label": "a", "probabilities": {"a": 0.7, "b": 0.7}},
            "f, row 1: expected probabilities in [0, 1] that sum to 1, found a sum of 1.4",
        ),
        (
            {"id": "1", "label": "a", "probabilities": {"a": float("nan")}},
            "f, row 1: expected probabilities in [0, 1] that sum to 1, found a sum of nan",
        ),
    ],
)
def test_broken_predictions_are_refused(row: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as refused:
        make_predictions([row], name="f")
    assert message in str(refused.value)


def test_predictions_without_truth_are_recognised() -> None:
    rows = [{"id": str(i), "label": "a", "probabilities": {"a": 0.9, "b": 0.1}} for i in range(3)]
    with pytest.raises(DataError, match=r"f: every label is the most probable one, as in rows that `textcls predict` writes"):
        make_predictions(rows, name="f")
    assert len(make_predictions([{**row, "prediction": "a"} for row in rows], name="f")) == 3
    with pytest.raises(DataError, match=r"f: expected a row for each id, found 2 of '0'"):
        make_predictions([rows[0], rows[0]], name="f")
    with pytest.raises(DataError, match="f: expected predictions, found none"):
        make_predictions([], name="f")


def test_numbers_are_rounded_for_people() -> None:
    shown = [points(value) for value in (0.0213, 0.123, 0.0095, 0.00031, -0.005, 0.0, 0.009999)]
    assert shown == ["2.1", "12.3", "0.95", "0.03", "−0.50", "0", "1.0"]
    assert [probability(p) for p in (0.0001, 0.0123, 0.5)] == ["< 0.001", "0.012", "0.5"]


def test_differences_are_drawn() -> None:
    a, b, c = predicted("$A^$", 1.0), predicted("B", 2.5, seed=2), predicted("C", 2.5, seed=3)
    for several in ([a, b], [a, b, c]):
        figure = difference_figure(compare(several, number=200))
        figure.savefig(Path("difference.svg"))
        assert len(figure.axes[0].get_yticks()) == (2 + 3 if len(several) == 2 else 3)


# --- the command ----------------------------------------------------------------------------------------------------


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
