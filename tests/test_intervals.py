"""Intervals, slices and abstention, against values by hand and in cases where the answer is known."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from textcls.evaluation import Predictions, bootstrap_intervals, evaluate
from textcls.evaluation.abstention import answered, risk_coverage
from textcls.evaluation.annotators import judgements, measure_annotators
from textcls.evaluation.bootstrap import interval
from textcls.evaluation.figures import confusion_figure, per_label_figure, slices_figure
from textcls.evaluation.probability_figures import pr_figure, reliability_figure, risk_coverage_figure
from textcls.evaluation.slices import built_in_columns, parts_rows, slice_figures, worst_slices
from textcls.evaluation.units import swaps

NAMES = ["a", "b", "c"]


def drawn(rows: int, *, articles: int = 0, seed: int = 0, skill: float = 1.5) -> tuple[list[str], np.ndarray, list[str | None]]:
    """True labels, probabilities that mostly find them, and articles of which some are harder."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 3, rows)
    article = rng.integers(0, max(articles, 1), rows)
    logits = rng.normal(0, 1, (rows, 3))
    logits[np.arange(rows), true] += (skill + rng.normal(0, 1, max(articles, 1)))[article]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return [NAMES[i] for i in true], probabilities, [f"article {i}" if articles else None for i in article]


def predictions(rows: int, *, articles: int = 0, texts: list[str | None] | None = None, **columns: list[Any]) -> Predictions:
    true, probabilities, groups = drawn(rows, articles=articles)
    ids = [str(number) for number in range(rows)]
    return Predictions("m", ids, true, probabilities, NAMES, groups, texts or [None] * rows, [None] * rows, columns)


# --- intervals ------------------------------------------------------------------------------------------------------


def test_every_figure_has_an_interval_around_it() -> None:
    true, probabilities, groups = drawn(600, articles=40)
    found = bootstrap_intervals(true, probabilities, NAMES, groups, number=2000)
    figures = evaluate(true, probabilities, NAMES)
    assert (found.unit, found.n_units, found.level, found.note) == ("article", 40, 0.95, None)
    names = {"macro_f1", "accuracy", "micro_f1", "weighted_f1", "matthews", "log_loss", "brier", "ece", "roc_area", "pr_area"}
    assert found.metrics.keys() == names
    for name, its in found.metrics.items():
        assert its.low <= getattr(figures, name) <= its.high, name
        assert its.low < its.high
    for label, of_label in found.per_label.items():
        assert of_label.keys() == {"precision", "recall", "f1", "roc_area", "pr_area"}
        for name, its in of_label.items():
            assert 0 <= its.low < getattr(figures.per_label[label], name) < its.high <= 1
    json.dumps(found.as_dict(), allow_nan=False)


def test_articles_make_intervals_wider_than_rows_do() -> None:
    true, probabilities, groups = drawn(2000, articles=30)
    by_article = bootstrap_intervals(true, probabilities, NAMES, groups, areas=False).metrics["accuracy"]
    by_row = bootstrap_intervals(true, probabilities, NAMES, areas=False).metrics["accuracy"]
    assert by_article.high - by_article.low > 1.5 * (by_row.high - by_row.low)


def test_the_interval_over_rows_is_that_of_a_share() -> None:
    true, probabilities, _ = drawn(4000)
    found = bootstrap_intervals(true, probabilities, NAMES, areas=False)
    share = evaluate(true, probabilities, NAMES).accuracy
    half = 1.96 * (share * (1 - share) / 4000) ** 0.5
    its = found.metrics["accuracy"]
    assert (its.low, its.high) == pytest.approx((share - half, share + half), abs=0.1 * half)
    assert found.unit == "row"
    assert found.note == "the rows name no articles or groups, so rows were resampled, as if they were independent of each other"


def test_many_rows_give_the_same_interval_in_groups() -> None:
    true, probabilities, _ = drawn(20_000)
    share = evaluate(true, probabilities, NAMES).accuracy
    its = bootstrap_intervals(true, probabilities, NAMES, number=1000, areas=False).metrics["accuracy"]
    half = 1.96 * (share * (1 - share) / 20_000) ** 0.5
    assert its.high - its.low == pytest.approx(2 * half, rel=0.1)


def test_one_article_has_no_interval_and_says_so() -> None:
    true, probabilities, _ = drawn(30)
    found = bootstrap_intervals(true, probabilities, NAMES, ["only"] * 30)
    assert (found.metrics, found.n_units) == ({}, 1)
    assert found.note == "all rows are of one article, so there are no intervals over articles"
    assert (
        bootstrap_intervals(["a"], np.array([[1.0, 0.0]]), ["a", "b"]).note == "there is one row only, so there are no intervals"
    )


def test_what_all_articles_agree_in_has_no_interval_and_says_so() -> None:
    """Three of five rows are right in every article, by chance."""
    of_a = np.tile([0.9, 0.9, 0.1, 0.1, 0.9], 3)
    groups = [f"article {i // 5}" for i in range(15)]
    found = bootstrap_intervals([*"aaabb"] * 3, np.column_stack([of_a, 1 - of_a]), ["a", "b"], groups, number=500)
    assert not {"accuracy", "macro_f1", "ece"} & found.metrics.keys()
    assert found.note is not None
    assert found.note.startswith("there are 3 articles only, so the intervals are rough; no interval of macro-F1, accuracy, ")
    assert found.note.endswith(": the same whichever articles are drawn, which says nothing of others")


def test_few_articles_are_told() -> None:
    true, probabilities, groups = drawn(60, articles=4)
    found = bootstrap_intervals(true, probabilities, NAMES, groups, number=500)
    assert found.note == "there are 4 articles only, so the intervals are rough"
    found = bootstrap_intervals(true, probabilities, NAMES, groups, grouped_by="customer", number=500)
    assert (found.unit, found.note) == ("group", "there are 4 groups only, so the intervals are rough")


def test_rows_without_article_stand_for_themselves() -> None:
    true, probabilities, _ = drawn(5)
    found = bootstrap_intervals(true, probabilities, NAMES, ["x", "x", None, None, "y"], number=100)
    assert (found.unit, found.n_units) == ("article", 4)


def test_intervals_repeat_under_their_seed() -> None:
    true, probabilities, groups = drawn(100, articles=12)
    first, again, other = (
        bootstrap_intervals(true, probabilities, NAMES, groups, number=300, seed=seed).metrics for seed in (1, 1, 2)
    )
    assert first == again != other


def test_an_interval_is_never_narrower_than_students_t() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.1, 100_000)
    # t(0.975, 4) = 2.776445; √(5/4) for the variance of five
    its = interval(values, 0.5, 5)
    assert its is not None
    assert its.high - its.low == pytest.approx(2 * 2.776445 * 1.25**0.5 * 0.1, rel=0.03)
    its = interval(values, 0.5, 100_000)
    assert its is not None
    assert its.high - its.low == pytest.approx(2 * 1.96 * 0.1, rel=0.02)
    assert interval(np.array([np.nan]), 0.5, 5) is None


def test_labels_that_a_resample_lacks_give_no_warning_and_no_nan() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1]] * 6 + [[0.1, 0.8, 0.1]])
    found = bootstrap_intervals([*"aaaaaab"], probabilities, NAMES, [*"1234567"], number=500)
    assert found.per_label["c"] == {}
    json.dumps(found.as_dict(), allow_nan=False)


def test_ten_thousand_resamples_of_five_thousand_rows_are_quick() -> None:
    true, probabilities, groups = drawn(5000, articles=250)
    started = time.process_time()
    bootstrap_intervals(true, probabilities, NAMES, groups, areas=False)
    assert time.process_time() - started < 2


def test_few_units_are_swapped_in_every_way() -> None:
    (every,) = swaps(3, 10_000, np.random.default_rng(0))
    assert len({tuple(way) for way in every}) == 8


# --- slices ---------------------------------------------------------------------------------------------------------


def test_a_slice_that_is_worse_is_found_and_named() -> None:
    true, probabilities, groups = drawn(1000, articles=50, skill=3)
    rng = np.random.default_rng(1)
    bad = rng.random(1000) < 0.2
    probabilities[bad] = rng.dirichlet(np.ones(3), bad.sum())
    held = Predictions("m", [*map(str, range(1000))], true, probabilities, NAMES, groups, [None] * 1000, [None] * 1000)
    column = ["satire" if its else "news" for its in bad]
    found = slice_figures(held, {"form": column, "chance": rng.choice([*"xyz"], 1000).tolist(), "id": held.ids}, number=2000)
    assert [its.column for its in found].count("id") == 0, "a value a row is no slice"
    (worst,) = worst_slices(found)
    assert (worst.column, worst.value, worst.rows) == ("form", "satire", bad.sum())
    right = held.predicted == np.array(true, dtype=object)
    assert worst.accuracy == pytest.approx(right[bad].mean())
    assert worst.rest_accuracy == pytest.approx(right[~bad].mean())
    assert worst.accuracy_interval is not None
    assert worst.accuracy_interval.low < worst.accuracy < worst.accuracy_interval.high


def _right_or_wrong(right: np.ndarray, groups: list[str | None]) -> Predictions:
    rows, nothing = len(right), [None] * len(right)
    probabilities = np.eye(2)[(~right).astype(int)]
    return Predictions("m", [*map(str, range(rows))], ["a"] * rows, probabilities, ["a", "b"], groups, nothing, nothing)


def test_articles_that_share_an_accuracy_by_chance_are_no_worst_slice() -> None:
    """54 rows of two articles, both right in 18 of 27 rows; and 50 of five, all right in 6 of 10; all others in 72 of 100."""
    right = np.array(([True] * 18 + [False] * 9) * 2 + ([True] * 6 + [False] * 4) * 5 + ([True] * 72 + [False] * 28) * 40)
    rows = len(right)
    groups: list[str | None] = [
        f"pair {i // 27}" if i < 54 else f"five {(i - 54) // 10}" if i < 104 else f"{i // 50}" for i in range(rows)
    ]
    held = _right_or_wrong(right, groups)
    column = ["two" if i < 54 else "five" if i < 104 else "many" for i in range(rows)]
    found = {its.value: its for its in slice_figures(held, {"form": column}, number=500)}
    assert worst_slices([*found.values()]) == []
    assert found["two"].units == 2
    assert found["two"].accuracy_interval is found["two"].macro_f1_interval is None
    its = found["five"].accuracy_interval
    assert its is not None
    assert (its.low, its.high) == pytest.approx((0.4518, 0.7359), abs=1e-3), "as of 50 independent rows (Clopper and Pearson)"


def test_a_few_articles_that_are_better_by_chance_make_no_worst_slice_of_all_others() -> None:
    """Six of 120 articles at 90 %, four of them by luck: what all others are below is not known well."""
    rng = np.random.default_rng(0)
    shares = np.append([1, 1, 1, 1, 0.7, 0.3], np.full(114, 0.72))
    right = (rng.random((120, 20)) < shares[:, None]).ravel()
    rows = len(right)
    groups: list[str | None] = [str(i // 20) for i in range(rows)]
    held = _right_or_wrong(right, groups)
    for few in (4, 6):
        column = ["few" if i < 20 * few else "others" for i in range(rows)]
        assert worst_slices(slice_figures(held, {"form": column}, number=500)) == []


def test_small_slices_and_missing_values_are_left_out() -> None:
    held = predictions(100)
    column = ["big"] * 60 + ["small"] * 10 + [None] * 30
    assert [(its.value, its.rows) for its in slice_figures(held, {"x": column}, number=100)] == [("big", 60)]


def test_built_in_slices_by_hand() -> None:
    texts: list[str | None] = ["one two", "word " * 15, "“So,” he said.", None, "x", "y"]
    held = predictions(6, texts=texts)
    held.groups[:] = ["p", "p", "p", "q", None, "q"]
    columns = built_in_columns(held)
    assert columns["length"] == ["1 to 10 words", "11 to 20 words", "1 to 10 words", None, "1 to 10 words", "1 to 10 words"]
    assert columns["quotation marks"] == ["without", "without", "with", None, "without", "without"]
    assert columns["position"] == ["first third", "second third", "last third", "first third", None, "second third"]


def test_groups_that_are_no_articles_are_slices_of_their_own_name_without_places_in_them() -> None:
    held = replace(predictions(120, articles=3), grouped_by="customer")
    found = {its.column for its in slice_figures(held, number=100)}
    assert "customer" in found
    assert not found & {"article", "position"}


@pytest.mark.parametrize("name", ["label", "length", "position"])
def test_groups_and_columns_that_are_called_as_a_built_in_slice_do_not_replace_it(name: str) -> None:
    texts: list[str | None] = ["one two" if i % 2 else "word " * 15 for i in range(180)]
    built_in = {(its.column, its.value) for its in slice_figures(predictions(180, articles=3, texts=texts), number=100)}
    held = replace(predictions(180, articles=3, texts=texts), grouped_by=name)
    found = {(its.column, its.value) for its in slice_figures(held, number=100)}
    groups = {(f"{name} (column)", f"article {i}") for i in range(3)}
    assert found == {its for its in built_in if its[0] not in ("article", "position")} | groups
    held = predictions(180, articles=3, texts=texts, **{name: ["x", "y", "z"] * 60})
    found = {(its.column, its.value) for its in slice_figures(held, number=100)}
    own = {("label (column)" if name == "label" else f"{name} (column)", value) for value in "xyz"}
    assert found == built_in | (set() if name == "label" else own)


def test_columns_of_the_data_are_slices_if_their_values_are_few() -> None:
    kinds = {
        "desk": ["war", "sport"] * 50,
        "url": [f"u{i}" for i in range(100)],
        "annotator_labels": [["a", "a"], ["a", "b"]] * 50,
    }
    found = slice_figures(predictions(100, articles=20, **kinds), number=100)
    assert {(its.column, its.value) for its in found if its.column not in ("label", "position")} == {
        ("desk", "war"),
        ("desk", "sport"),
        ("annotators", "agree"),
        ("annotators", "differ"),
    }


def test_what_parts_rows() -> None:
    assert parts_rows(["x", None, "y", "x", ""])
    assert parts_rows([1, 2, 1, 2])
    assert not parts_rows(["x", "x", None, None])  # one value
    assert not parts_rows(["x", "y", "z", "x"])  # nearly as many as rows
    assert not parts_rows([["x"], ["y"], ["x"], ["y"]])
    assert not parts_rows([float("nan"), 1.0, 2.0, 1.0, 1.0, 2.0])


def test_large_slices_have_the_intervals_of_small_ones() -> None:
    """Articles past 250 are put into groups, which must not change how sure the figures are."""
    rng = np.random.default_rng(3)
    held = predictions(40_000, articles=1000)
    slices = slice_figures(held, {"x": rng.choice([*"ab"], 40_000).tolist()}, number=2000)
    whole = bootstrap_intervals(held.true, held.probabilities, NAMES, held.groups, number=2000, areas=False).metrics["accuracy"]
    for its in slices:
        assert its.units == 1000
        assert its.accuracy_interval is not None
        width = its.accuracy_interval.high - its.accuracy_interval.low
        assert 0.85 < width / (whole.high - whole.low) < 1.35


# --- the annotators' ceiling ----------------------------------------------------------------------------------------


def test_annotators_by_hand() -> None:
    true = ["a", "a", "b", "c"]
    judged = [["a", "a"], ["a", "b"], ["b", "skip"], []]
    found = measure_annotators(true, judged, NAMES, ["p", "p", "q", "r"], number=500)
    assert found is not None
    assert (found.rows, found.judgements, found.agreement) == (3, 6, pytest.approx(1 / 3))
    assert found.accuracy == pytest.approx(4 / 6)
    # a: 3 of 4 found, none wrong; b: 1 of 2 found, 1 wrong; c is in none of the rows that were labelled.
    assert found.per_label == {"a": pytest.approx(6 / 7), "b": pytest.approx(2 / 4)}
    assert found.macro_f1 == pytest.approx((6 / 7 + 2 / 4) / 2)
    assert found.macro_f1_interval is not None
    assert found.macro_f1_interval.low < found.macro_f1 < found.macro_f1_interval.high
    json.dumps(found.as_dict(), allow_nan=False)


def test_annotators_who_are_not_known_or_alone() -> None:
    assert measure_annotators(["a", "b"], [[], []], NAMES) is None
    alone = measure_annotators(["a", "b"], [["a"], ["a"]], NAMES, ["p", "p"])
    assert alone is not None
    assert (alone.agreement, alone.accuracy, alone.accuracy_interval) == (None, 0.5, None)


def test_labels_of_annotators_are_read_from_lists_and_from_csv() -> None:
    assert judgements([["a", "b"], '["a", "b"]', None, "a", "[a", 3]) == [["a", "b"], ["a", "b"], [], [], [], []]


# --- abstention -----------------------------------------------------------------------------------------------------


def test_risk_and_coverage_by_hand() -> None:
    confidence = np.array([0.9, 0.8, 0.8, 0.6])
    found = risk_coverage(["a", "a", "b", "b"], np.column_stack([confidence, 1 - confidence]), ["a", "b"])
    assert found.coverage.tolist() == [0.25, 0.75, 1.0]
    assert found.risk.tolist() == pytest.approx([0, 1 / 3, 1 / 2])
    assert found.threshold.tolist() == [0.9, 0.8, 0.6]
    assert found.area == pytest.approx(0.5 * 1 / 3 + 0.25 * 1 / 2)
    some = answered(["a", "a", "b", "b"], np.column_stack([confidence, 1 - confidence]), ["a", "b"], 0.8)
    assert (some.coverage, some.risk) == (0.75, pytest.approx(1 / 3))


# --- figures --------------------------------------------------------------------------------------------------------


def bars(figure: Any) -> np.ndarray:
    """The lower and upper ends of the error bars of a reliability diagram, shape (n_bins, 2)."""
    (lines,) = figure.axes[0].containers[0].lines[2]
    return np.array([segment[:, 1] for segment in lines.get_segments()])


def test_bars_of_reliability_are_over_articles_and_take_seeds_for_one() -> None:
    rng = np.random.default_rng(0)
    article = np.repeat(np.arange(40), 25)
    right = rng.random(1000) < np.where(article % 2, 0.95, 0.45)  # half of the articles are hard
    true, groups, ids = ["a"] * 1000, [str(i) for i in article], [*map(str, range(1000))]
    probabilities = np.column_stack([np.where(right, 0.75, 0.25), np.where(right, 0.25, 0.75)])
    once = reliability_figure(true, probabilities, ["a", "b"], groups, ids, title="")
    ((low, high),) = bars(once)
    shares = right.reshape(40, 25).mean(axis=1)
    assert high - low == pytest.approx(2 * 2.02 * shares.std(ddof=1) / 40**0.5, rel=0.1)
    (legend,) = pr_figure(true * 5, np.tile(probabilities, (5, 1)), ["a", "b"], ids * 5, title="").legends
    assert legend.get_texts()[0].get_text().endswith("(1,000)")
    assert once.legends
    assert once.axes[0].get_legend() is None, "points may lie anywhere within"
    rows_alone = reliability_figure(true, probabilities, ["a", "b"], title="")
    assert high - low > 2 * np.ptp(bars(rows_alone))
    seeds = reliability_figure(true * 5, np.tile(probabilities, (5, 1)), ["a", "b"], groups * 5, ids * 5, title="")
    np.testing.assert_allclose(bars(seeds), bars(once), atol=0.002)
    assert sum(bar.get_height() for bar in seeds.axes[1].patches) == pytest.approx(1000)


def test_of_many_slices_the_worst_are_drawn() -> None:
    slices = slice_figures(predictions(600, articles=20), {"x": [str(i % 15) for i in range(600)]}, number=100)
    axes = slices_figure(slices * 3, title="a run").axes[0]
    assert axes.get_title() == "a run\nthe 40 parts of the lowest accuracy, of 45"
    assert len(axes.get_yticks()) == 40


def test_hostile_text_in_figures_stays_text() -> None:
    names = ["$\\frac{1}$", "two\nlines\x1b[31m", "l" * 500]
    true, probabilities, groups = drawn(300, articles=20)
    labels = [names[NAMES.index(label)] for label in true]
    found = evaluate(labels, probabilities, names)
    held = Predictions("$m$", [*map(str, range(300))], labels, probabilities, names, groups, [None] * 300, [None] * 300)
    slices = slice_figures(held, {"$c$": labels}, number=200)
    drawings = [
        confusion_figure(found, title="$x^$"),
        per_label_figure(found, title="$x^$"),
        pr_figure(labels, probabilities, names, title="$x^$"),
        reliability_figure(labels, probabilities, names, title="$x^$"),
        risk_coverage_figure({"$m^$": risk_coverage(labels, probabilities, names)}, title="$x^$"),
        slices_figure(slices, title="$x^$"),
    ]
    for figure in drawings:
        picture = io.BytesIO()
        figure.savefig(picture, format="svg")  # a formula that cannot be read would raise
        assert figure.axes[0].get_title() == "$x^$"
    shown = [tick.get_text() for tick in drawings[0].axes[0].get_yticklabels()]
    assert shown[0] == "$\\frac{1}$"
    assert "\n" not in shown[1]
    assert "\x1b" not in shown[1]
    assert len(shown[2]) < 50
