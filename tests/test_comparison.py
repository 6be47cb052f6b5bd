"""Comparisons: tests against values by hand, what is refused, verdicts, folds and seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import predicted, rows_of
from scipy import stats

from textcls.errors import DataError
from textcls.evaluation import (
    Comparison,
    Interval,
    Predictions,
    align,
    bootstrap_intervals,
    compare,
    evaluate,
    make_predictions,
    word_overall,
)
from textcls.evaluation.caveats import remarks_of
from textcls.evaluation.comparison import needed_rows
from textcls.evaluation.comparison_figures import difference_figure, parts_figure
from textcls.evaluation.comparison_report import Measured, comparison_report
from textcls.evaluation.repeats import Spread, find_repeats
from textcls.evaluation.significance import corrected_t_test, holm, least_p, mcnemar, permutation_test
from textcls.evaluation.sums import accuracy, sum_rows
from textcls.evaluation.verdict import points, probability, word_parts, word_tested, word_verdict

NAMES = ["fact", "opinion", "quote"]


def with_seeds(name: str, skill: float, seeds: Sequence[int], *, luck: float = 0.0, **settings: Any) -> Predictions:
    """The same rows once for each seed, whose skill is another by luck, and whose folds are others."""
    draws = np.random.default_rng(len(name)).permutation(np.linspace(-luck, luck, len(seeds)))
    each = [predicted(name, skill + its, seed=seed, **settings) for seed, its in zip(seeds, draws, strict=True)]
    whole = {key: [value for one in each for value in getattr(one, key)] for key in ("ids", "true", "groups", "texts", "folds")}
    names = [str(seed) for seed, one in zip(seeds, each, strict=True) for _ in range(len(one))]
    return Predictions(
        name, probabilities=np.concatenate([one.probabilities for one in each]), labels=NAMES, seeds=names, **whole
    )


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
    # (1.959964 + 0.841621)² = 7.848880
    assert needed_rows(0.02, Spread(np.zeros(1), 0.0, 0.02, 9), 100) == int(np.ceil(100 * 7.848880))
    assert needed_rows(0.0, Spread(np.zeros(1), 0.0, 0.02, 9), 100) is None
    # Of what the seeds add, more rows take nothing away.
    assert needed_rows(0.05, Spread(np.zeros(1), 0.01, 0.02, 9), 100) == int(np.ceil(100 * 3e-4 / (25e-4 / 7.848880 - 1e-4)))
    assert needed_rows(0.02, Spread(np.zeros(1), 0.01, 0.02, 9), 100) is None


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
    assert (found.unit, found.n_units, found.rows) == ("article", 40, 600)
    assert found.notes == ["each has one seed, so what another seed would change is not in the interval"]
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
    assert found.notes == ["all rows are of one article, so there are no intervals over articles"]
    assert found.verdict.startswith("cannot tell: all 600 sentences are of one article, which says nothing of others (B is ")


def test_groups_that_are_no_articles_are_called_groups() -> None:
    (found,) = compare([replace(predicted(*its, articles=5), grouped_by="customer") for its in (("A", 1.0), ("B", 2.5))])
    assert (found.unit, found.n_units) == ("group", 5)
    words = " ".join([found.verdict, *found.notes, *word_tested(found)])
    assert "5 groups are too few for any difference to show" in words
    assert "has more right in 5 groups" in words
    assert "article" not in words


def test_too_few_articles_are_told() -> None:
    (found,) = compare([predicted("A", 1.0, articles=5), predicted("B", 2.5, articles=5, seed=2)])
    assert found.notes[0] == "there are 5 articles only, too few for a permutation test to show any difference"
    assert found.verdict.startswith("cannot tell: 5 articles are too few for any difference to show (B is ")


def test_differences_of_shares_are_one_at_most() -> None:
    (found,) = compare([predicted("A", 1.0, articles=2), predicted("B", 2.5, articles=2, seed=2)], level=0.999)
    for its in (found.metrics["macro_f1"], found.metrics["accuracy"], *found.per_label.values()):
        assert its.interval is not None
        assert -1 <= its.interval.low <= its.value <= its.interval.high <= 1


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
    assert "all rows but a fold's taken to be those learnt from" in " ".join(word_tested(found))
    (known,) = compare([replace(a, n_train=30), replace(b, n_train=40)], number=500)
    assert known.folds is not None
    assert known.folds.p == pytest.approx(corrected_t_test(scores, 120 / 30).p), "the fewer rows that one of the two learnt from"
    assert "taken to be" not in " ".join(word_tested(known))
    (apart,) = compare([a, predicted("B", 2.5, seed=2, fold=4)], number=500)
    assert apart.folds is None
    (lone,) = compare([predicted("A", 1, fold=40), predicted("B", 2, fold=40, seed=2)], number=500)
    assert lone.folds is None, "a fold that is one article adds nothing"


# --- seeds ----------------------------------------------------------------------------------------------------------


def test_seeds_on_the_same_rows_count_once_and_widen_the_interval() -> None:
    a, b = with_seeds("A", 1.0, (1, 2, 3), luck=0.3), with_seeds("B", 1.6, (4, 5, 6), luck=0.3)
    (found,) = compare([a, b], number=2000)
    assert (found.rows, found.n_units, found.seeds, found.folds) == (600, 40, (3, 3), None)
    its = found.metrics["macro_f1"]
    pooled = [evaluate(one.true, one.probabilities, one.labels).macro_f1 for one in (a, b)]
    assert (its.a, its.b) == pytest.approx(pooled)
    scores = [[evaluate(part.true, part.probabilities, NAMES).macro_f1 for part in parts_of(one)] for one in (a, b)]
    assert found.seed_error == pytest.approx(sum(np.var(of, ddof=1) / 3 for of in scores) ** 0.5)
    assert list(found.parts) == [f"seed {seed}" for seed in range(1, 7)]
    assert [value for value, _ in found.parts.values()][:3] == pytest.approx(scores[0])
    # The very same models without luck of their own: three copies of a seed are as good as one.
    (lone,) = compare([predicted("A", 1.0), predicted("B", 1.6, seed=4)], number=2000)
    (copied,) = compare([copies("A", 1.0, 1), copies("B", 1.6, 4)], number=2000)
    assert copied.seed_error == 0
    for name, one in lone.metrics.items():
        same(copied.metrics[name].interval, one.interval)
        assert (copied.metrics[name].value, copied.metrics[name].p) == pytest.approx((one.value, one.p))
    assert (copied.won, copied.lost, copied.units_won) == (lone.won, lone.lost, lone.units_won)
    assert copied.verdict == f"{lone.verdict} on average over 3 seeds"
    assert its.interval is not None
    assert lone.metrics["macro_f1"].interval is not None
    assert its.interval.high - its.interval.low > lone.metrics["macro_f1"].interval.high - lone.metrics["macro_f1"].interval.low
    json.dumps(found.as_dict(), allow_nan=False)


def same(one: Interval | None, other: Interval | None) -> None:
    assert one is not None
    assert other is not None
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def parts_of(one: Predictions) -> list[Predictions]:
    return [one.take(np.flatnonzero(np.array(one.seeds) == seed)) for seed in dict.fromkeys(one.seeds)]


def copies(name: str, skill: float, seed: int) -> Predictions:
    one = predicted(name, skill, seed=seed)
    rows = [{**row, "seed": copy} for copy in range(3) for row in rows_of(one)]
    return make_predictions(rows, name=name)


def test_lucky_seeds_are_no_better_system() -> None:
    """One seed of each is far from the other; over the seeds it is luck."""
    a, b = with_seeds("A", 1.5, (1, 2, 3), luck=0.0), with_seeds("B", 1.8, (4, 5, 6), luck=1.2)
    (found,) = compare([a, b], number=2000)
    assert not found.decided
    assert found.verdict.startswith("cannot tell: with other seeds alone the difference moves by ")
    assert "so more seeds are needed (B is " in found.verdict
    assert found.verdict.endswith(" lost on average over 3 seeds)")
    # As if the seeds were all that there ever are, their articles alone would decide.
    means = [
        make_predictions(
            [
                {**row, "prediction": NAMES[mean.argmax()], "probabilities": dict(zip(NAMES, mean, strict=True))}
                for row, mean in zip(
                    rows_of(parts_of(one)[0]), np.mean([part.probabilities for part in parts_of(one)], axis=0), strict=True
                )
            ],
            name=one.name,
        )
        for one in (a, b)
    ]
    assert compare(means, number=2000)[0].decided


def test_what_lacks_seeds_or_articles_is_not_told_to_need_one_more_sentence() -> None:
    a, b = (with_seeds(name, skill, seeds, luck=0.1) for name, skill, seeds in (("A", 1.5, (1, 2)), ("BB", 2.0, (3, 4))))
    (seeds,) = compare([a, b], number=500)
    assert seeds.rows_needed is not None
    assert seeds.rows_needed <= seeds.rows
    assert seeds.seed_share is not None
    words = f"with other seeds alone the difference moves by 3.0 points, {seeds.seed_share:.0%} of its variance, so more seeds are needed"
    assert seeds.verdict.startswith(f"cannot tell: {words.replace('%', ' %')} (")
    alike = word_verdict(replace(seeds, rows_needed=None, seed_share=1 / 7))
    words = "86 % of the difference's variance comes of the articles and 14 % of the seeds, so more articles are needed before more seeds"
    assert alike.startswith(f"cannot tell: {words} (")
    (articles,) = compare([predicted("A", 1.5, articles=6), predicted("B", 1.55, seed=2, articles=6)], number=500)
    words = "6 articles are too few to be sure of a difference of this size"
    assert word_verdict(replace(articles, rows_needed=articles.rows)).startswith(f"cannot tell: {words} (")


def test_other_numbers_of_seeds_are_compared_and_a_single_one_is_noted() -> None:
    a, b = with_seeds("A", 1.0, (1, 2, 3), luck=0.1), predicted("B", 2.5, seed=4)
    (found,) = compare([a, b], number=500)
    assert found.seeds == (3, 1)
    assert found.notes == ["B has one seed only, which is taken to matter as much as those of A do"]
    assert found.verdict.endswith(" lost on average over 3 seeds of A and 1 of B")
    scores = [evaluate(part.true, part.probabilities, NAMES).macro_f1 for part in parts_of(a)]
    assert found.seed_error == pytest.approx((np.var(scores, ddof=1) * (1 / 3 + 1)) ** 0.5)
    (two,) = compare([with_seeds("A", 1.0, (1, 2), luck=0.1), with_seeds("B", 2.5, (4, 5, 6), luck=0.1)], number=500)
    assert (two.seeds, two.notes) == ((2, 3), [])


def test_rows_of_several_seeds_are_listed_once_with_their_neighbours() -> None:
    rows = [
        {"id": str(i), "article": "x" if i < 3 else "y", "text": f"text {i}", "label": "a", "seed": seed, "prediction": "a"}
        for seed in (1, 2)
        for i in range(5)
    ]
    sure = [{**row, "probabilities": {"a": 0.9, "b": 0.1}} for row in rows]
    # Row 1 is wrong with one seed of two, row 2 with both.
    wrong = {("1", 1), ("2", 1), ("2", 2)}
    unsure = [
        {**row, "prediction": "b", "probabilities": {"a": 0.2, "b": 0.8}} if (row["id"], row["seed"]) in wrong else row
        for row in sure
    ]
    (found,) = compare([make_predictions(unsure, name="A"), make_predictions(sure, name="B")], number=100)
    assert (found.rows, found.won, found.lost, found.units_won) == (5, 2, 0, 1), "one row, and another with one seed of two: 1.5"
    shown = {row["id"]: row for row in found.disagreements}
    assert (shown["2"]["a"], shown["2"]["b"], shown["2"]["right_a"], shown["2"]["right_b"]) == ("b", "a", 0, 1)
    assert (shown["1"]["right_a"], shown["1"]["outcome"]) == (0.5, "won")
    assert (shown["1"]["before"], shown["1"]["after"]) == ("text 0", "text 2")
    assert (shown["2"]["before"], shown["2"]["after"]) == ("text 1", None), "text 3 is another article's"
    assert sum(number for *_, number in found.confusions) <= 2


def test_repeated_cross_validation_is_tested_over_folds_and_seeds() -> None:
    a, b = with_seeds("A", 1.0, (1, 2), fold=5), with_seeds("B", 2.5, (1, 2), fold=5)
    (found,) = compare([a, b], number=500)
    assert found.folds is not None
    assert found.folds.folds == 10
    assert list(found.parts)[:2] == ["seed 1, fold 0", "seed 1, fold 1"]
    assert len(found.parts) == 10
    differences = [of_b - of_a for of_a, of_b in found.parts.values() if of_a is not None and of_b is not None]
    assert found.folds.p == pytest.approx(corrected_t_test(differences, 1 / 4).p)
    assert word_parts(found) == "10 folds of 2 seeds"
    (apart,) = compare([a, with_seeds("B", 2.5, (3, 4), fold=5)], number=500)
    assert apart.folds is None, "other seeds part the rows otherwise"
    assert apart.seed_error is not None


def test_hash_splits_of_several_seeds_are_tested_as_random_subsamples() -> None:
    """A third of the articles is held out by each seed, and a row may be by several."""
    rng = np.random.default_rng(0)
    held = [set(rng.permutation(40)[:14].tolist()) for _ in range(6)]

    def some(one: Predictions) -> Predictions:
        kept = [
            row
            for row, (group, seed) in enumerate(zip(one.groups, one.seeds, strict=True))
            if int(str(group).split()[1]) in held[int(str(seed))]
        ]
        return replace(one.take(np.array(kept)), n_train=700)

    a, b = (some(with_seeds(name, skill, range(6))) for name, skill in (("A", 1.0), ("B", 2.5)))
    (found,) = compare([a, b], number=500)
    assert found.seed_error is not None, "seeds are told apart by the rows that they share"
    assert found.folds is not None
    assert not found.folds.assumed
    assert word_parts(found) == "6 seeds"
    differences = [of_b - of_a for of_a, of_b in found.parts.values() if of_a is not None and of_b is not None]
    assert found.folds.p == pytest.approx(corrected_t_test(differences, len(a) / 6 / 700).p)
    (unknown,) = compare([replace(one, n_train=None) for one in (a, b)], number=500)
    assert unknown.folds is None, "rows that no seed tested are rows, too, and nobody knows how many"
    assert unknown.metrics == found.metrics


def test_rows_without_articles_are_units_whatever_the_seeds() -> None:
    once = [predicted("A", 1.0, articles_known=False), predicted("B", 2.5, seed=2, articles_known=False)]
    thrice = [
        make_predictions([{**row, "seed": copy} for copy in range(3) for row in rows_of(one)], name=one.name) for one in once
    ]
    (a, b) = (compare(both, number=500)[0] for both in (once, thrice))
    assert (b.unit, b.n_units) == ("row", 600)
    same(b.metrics["macro_f1"].interval, a.metrics["macro_f1"].interval)
    of_once, of_thrice = (
        bootstrap_intervals(one.true, one.probabilities, one.labels, one.groups, one.ids, areas=False, number=500)
        for one in (once[0], thrice[0])
    )
    assert (of_thrice.unit, of_thrice.n_units) == ("row", 600)
    for name, its in of_once.metrics.items():
        same(of_thrice.metrics[name], its)


def reported(several: Sequence[Predictions], pairs: Sequence[Comparison]) -> str:
    measured = [
        Measured(
            its.name,
            None,
            evaluate(its.true, its.probabilities, its.labels),
            bootstrap_intervals(its.true, its.probabilities, its.labels, number=100, areas=False),
        )
        for its in several
    ]
    return unescape(comparison_report(measured, pairs, {}))


def said(
    name: str, true: str, predicted: Sequence[str], *, seeds: Sequence[Sequence[int]] | None = None, article: int = 5
) -> Predictions:
    """What is predicted for each row, of an article for every so many, by each of the seeds that predict it."""
    return make_predictions(
        [
            {"id": f"{i:04}", "label": label, "article": i // article, "seed": seed, "prediction": its}
            for i, (label, its) in enumerate(zip(true, predicted, strict=True))
            for seed in (seeds[i] if seeds else [1])
        ],
        name=name,
    )


def test_rows_that_more_seeds_predict_do_not_count_more() -> None:
    """The same predictions but for two rows, and the first half with three seeds: only the weight of the rows would differ."""
    true = "xy" * 30
    guessed = [label if i < 30 else "yx"["xy".index(label)] for i, label in enumerate(true)]
    other = ["yx"["xy".index(label)] if i in (0, 31) else label for i, label in enumerate(guessed)]
    uneven = said("A", true, guessed, seeds=[[1, 2, 3] if i < 30 else [1] for i in range(60)], article=3)
    even, b = said("A", true, guessed, article=3), said("B", true, other, article=3)
    (found,) = compare([uneven, b], number=1000)
    assert not found.decided
    assert (found.metrics["accuracy"].a, found.metrics["accuracy"].b) == (0.5, 0.5)
    assert (found.won, found.lost, found.mcnemar_p) == (1, 1, None)
    figures = [evaluate(one.true, one.probabilities, one.labels, one.ids).as_dict() for one in (uneven, even)]
    for name in ("accuracy", "macro_f1", "matthews", "brier", "ece", "roc_area", "pr_area"):
        assert figures[0][name] == pytest.approx(figures[1][name])
    assert figures[0]["per_label"]["x"] == pytest.approx(figures[1]["per_label"]["x"])
    assert (figures[0]["rows"], figures[0]["predictions"]) == (60, 120)
    of_both = [
        bootstrap_intervals(one.true, one.probabilities, one.labels, one.groups, one.ids, number=500) for one in (uneven, even)
    ]
    for name, its in of_both[1].metrics.items():
        same(of_both[0].metrics[name], its)


def test_rows_that_all_seeds_have_right_do_not_differ_whatever_their_number() -> None:
    true = "xy" * 10
    a, b = (said(name, true, [*true[:-1], "x"], seeds=[range(times)] * 20) for name, times in (("A", 6), ("B", 7)))
    (found,) = compare([a, b], number=100)
    assert found.disagreements == []
    assert found.verdict.startswith("no difference: A and B predict the same label for each of the 20 sentences")


def test_the_luck_of_seeds_on_other_rows_is_that_of_the_rows_they_share() -> None:
    """Three rows are shared, of which the second seed has one wrong; each has one row of its own."""
    rows = [
        ("1", 1, "a"),
        ("2", 1, "a"),
        ("3", 1, "a"),
        ("4", 1, "a"),
        ("2", 2, "b"),
        ("3", 2, "a"),
        ("4", 2, "a"),
        ("5", 2, "a"),
    ]
    seeds = find_repeats(
        make_predictions([{"id": id, "label": "a", "seed": seed, "prediction": its} for id, seed, its in sorted(rows)], name="A")
    ).seeds
    assert seeds is not None
    assert seeds.luck(accuracy).var(ddof=1) == pytest.approx(np.var([1, 2 / 3], ddof=1))
    assert (seeds.share, seeds.freedom) == (pytest.approx(0.5), pytest.approx(1))


def test_seeds_that_share_no_rows_decide_nothing_alone() -> None:
    true = "xy" * 60
    a = said("A", true, ["x"] * 120, seeds=[[i // 5 % 2] for i in range(120)])
    b = said("B", true, [*true[:110], *"x" * 10], seeds=[[2 + i // 5 % 2] for i in range(120)])
    (found,) = compare([a, b], number=500)
    assert found.metrics["macro_f1"].apart
    assert found.metrics["macro_f1"].p is not None
    assert found.metrics["macro_f1"].p < 0.05
    assert (found.seeds_unknown, found.seed_error, found.decided) == (["A", "B"], None, False)
    words = "too few rows in common to tell what other seeds would change"
    assert found.verdict.startswith(f"cannot tell: the seeds of A and B predict {words} (B is ")
    assert [f"the seeds of {name} predict {words}, so that is not in the interval" for name in "BA"] == found.notes
    assert "Sellam" not in reported([a, b], [found])


def test_a_label_that_no_row_carries_does_not_outweigh_what_is_right() -> None:
    """B is better on both labels, but says now and then what no row is."""
    true = "xy" * 100
    a = said("A", true, [label if i % 5 else "yx"["xy".index(label)] for i, label in enumerate(true)])
    b = said("B", true, ["z" if i % 20 == 3 else label for i, label in enumerate(true)])
    (found,) = compare([a, b], number=1000)
    its = found.metrics["macro_f1"]
    assert its.a == pytest.approx(0.8)
    assert its.b == pytest.approx((1 + 2 * 90 / 190) / 2), "y is not found ten times, x always"
    assert found.verdict.startswith("B is better by ")
    assert evaluate(b.true, b.probabilities, b.labels).macro_f1 < 0.7, "a run's own figure is that of scikit-learn"
    assert found.caveats[0] == (
        "B predicts a label that no row carries, 'z' 10 times, of 200 predictions: these are wrong, and macro-F1 here is over the labels "
        "that rows carry"
    )


def test_equal_systems_win_and_lose_as_much_whatever_their_seeds() -> None:
    rng = np.random.default_rng(0)
    sure = rng.beta(4, 0.8, 400)
    names = [f"{i:03}" for i in range(400)]

    def drawn(name: str, seeds: int) -> Predictions:
        rows = [
            {"id": names[i], "label": "a", "article": i // 10, "seed": seed, "prediction": "ab"[int(rng.random() > sure[i])]}
            for seed in range(seeds)
            for i in range(400)
        ]
        return make_predictions(rows, name=name)

    (found,) = compare([drawn("A", 1), drawn("B", 5)], number=200)
    assert found.mcnemar_p is None
    assert not any("McNemar" in line for line in word_tested(found))
    assert abs(found.won - found.lost) < 0.4 * (found.won + found.lost)
    wins = found.won - found.lost
    assert wins == pytest.approx(400 * found.metrics["accuracy"].value, abs=1), "they differ by what the accuracies do"


def test_a_tie_is_no_tiny_difference() -> None:
    true = "xy" * 40
    flipped = [["yx"["xy".index(label)] if i % 8 == turn else label for i, label in enumerate(true)] for turn in (1, 5)]
    (found,) = compare([said("A", true, flipped[0]), said("B", true, flipped[1])], number=500)
    its = found.metrics["macro_f1"]
    assert its.interval is not None
    reach = points(max(-its.interval.low, its.interval.high))
    assert found.verdict == (
        f"cannot tell: A and B have the same macro-F1, and up to {reach} points either way are not ruled out (10 sentences won, 10 lost)"
    )
    assert found.rows_needed is None


def test_what_is_the_same_in_every_article_has_no_interval() -> None:
    """A has three of five right in each article, B all."""
    for articles, decided in ((3, False), (8, True)):
        true = "xxxyy" * articles
        (found,) = compare([said("A", true, [*"xxyyx" * articles]), said("B", true, [*true])], number=500)
        its = found.metrics["accuracy"]
        assert (its.value, its.interval) == (pytest.approx(0.4), None)
        assert found.metrics["macro_f1"].interval is None
        assert (
            "no interval of the difference in macro-F1: the same whichever articles are drawn, which says nothing of others"
            in (found.notes)
        )
        assert found.decided == decided, "by the permutation test alone"
        word_overall([found])
        json.dumps(found.as_dict(), allow_nan=False)


def test_what_is_to_be_known_of_any_pair_is_said_of_several() -> None:
    a, b, c = with_seeds("A", 1.0, (1, 2, 3), luck=0.1), predicted("B", 1.5, seed=2), predicted("C", 1.75, seed=3)
    pairs = compare([a, b, c], number=500)
    remarks = remarks_of(pairs)
    for name in "BC":
        assert f"{name} has one seed only, which is taken to matter as much as those of A do" in remarks
    assert "B and C have one seed each, so what another seed would change is not in the interval" in remarks
    page = reported([a, b, c], pairs)
    assert all(remark in page for remark in remarks)
    assert remarks_of(compare([b, c, predicted("D", 1.0)], number=200)) == [
        "each has one seed, so what another seed would change is not in the interval"
    ]
    # An interval without 0 that is no difference says why.
    pairs = [
        replace(pair, metrics={**pair.metrics, "macro_f1": replace(pair.metrics["macro_f1"], p_corrected=0.07)}) for pair in pairs
    ]
    apart = [pair for pair in pairs if pair.metrics["macro_f1"].apart and "C" in (pair.a, pair.b)]
    assert apart
    assert word_overall(pairs).count("; the permutation test gives p = 0.07 after Holm's correction)") == len(apart)


# --- what is refused ------------------------------------------------------------------------------------------------


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
            "A and B were measured on different rows: 1 only in A (such as 'row 0'); compare predictions for the same rows, or name rows ",
        ),
        (
            lambda rows: [{**rows[0], "label": "quote" if rows[0]["label"] != "quote" else "fact"}, *rows[1:]],
            "A and B were measured on different data: 1 row with another label, such as 'row 0': ",
        ),
        (
            lambda rows: [{**row, "text": "other"} for row in rows],
            "30 rows with another text, such as 'row 0': 'text 0' and 'other'; train the one again with the data of the other",
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


def test_other_rows_are_refused_also_where_only_the_second_has_groups() -> None:
    a = make_predictions([{**row, "article": None} for row in rows_of(predicted("A", 1.0, rows=30))[1:]], name="A")
    with pytest.raises(DataError, match="were measured on different rows: 1 only in B"):
        compare([a, predicted("B", 2.0, rows=30)])


def test_data_of_other_identity_are_refused_where_texts_are_unknown() -> None:
    rows = [{key: value for key, value in row.items() if key != "text"} for row in rows_of(predicted("A", 1.0, rows=30))]
    a, b = (make_predictions(rows, name=name, data=name * 64) for name in "AB")
    with pytest.raises(
        DataError, match=r"A and B are of different data \(identities A{12} and B{12}\), and their predictions hold"
    ):
        align([a, b])
    align([a, make_predictions(rows, name="B", data="A" * 64)])


NEEDED = "f, row 1: expected 'id', 'label' (the true one) and 'probabilities', or a column 'probability_LABEL' for each label, or only 'prediction';"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"label": "a", "probabilities": {"a": 1.0}}, f"{NEEDED} found the columns label, probabilities"),
        ({"id": "1", "label": "a", "predicted": "a"}, f"{NEEDED} found the columns id, label, predicted"),
        ({"id": "1", "probabilities": {"a": 1.0}}, f"{NEEDED} found the columns id, probabilities"),
        ({"id": "1", "label": "a", "prediction": ""}, "f, row 1: expected a prediction, found none; leave the row out of "),
        ({"id": "1", "label": " ", "probabilities": {"a": 1.0}}, 'f, row 1: expected a label, found " "'),
        ({"id": "1", "label": float("nan"), "prediction": "a"}, "f, row 1: expected a label, found NaN"),
        (
            {"id": "1", "label": 1, "prediction": 1.0},
            "f, row 1: expected prediction to be a string or a whole number, found 1.0; write it as one of them",
        ),
        (
            {"id": "1", "label": "a", "probabilities": {}},
            "f, row 1: expected 'probabilities', a number for each label, found '{}'",
        ),
        ({"id": "1", "label": "a", "probabilities": {"a": "x"}}, "f, row 1: expected 'probabilities', a number for each label, "),
        (
            {"id": "1", "label": "a", "probabilities": {"a": 0.7, "b": 0.7}},
            "f, row 1: expected probabilities in [0, 1] that sum to 1, found a sum of 1.4",
        ),
        (
            {"id": "1", "label": "a", "probabilities": {"a": float("nan")}},
            "f, row 1: expected probabilities in [0, 1] that sum to 1, found nan for 'a'",
        ),
        (
            {"id": "1", "label": "a", "probabilities": {"a": 1.0, "b": 0.2, "c": -0.2}},
            "f, row 1: expected probabilities in [0, 1] that sum to 1, found -0.2 for 'c'",
        ),
        (
            {"id": "1", "label": "a", "prediction": "b", "probabilities": {"a": 0.6, "b": 0.4}},
            "f, row 1: expected the most probable label in 'prediction', found 'b' (0.4) beside 'a' (0.6); leave the probabilities ",
        ),
        (
            {"id": "1", "label": "a", "prediction": "z", "probabilities": {"a": 0.6, "b": 0.4}},
            "f, row 1: expected the most probable label in 'prediction', found 'z' (no probability) beside 'a' (0.6); ",
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
    seeded = {**rows[0], "seed": 42}
    with pytest.raises(DataError, match=r"f: expected a row for each id and seed, found 2 of '0' and 42"):
        make_predictions([seeded, seeded], name="f")
    with pytest.raises(DataError, match=r"f: expected one label for each id, found 'a' and 'b' for '0'"):
        make_predictions([seeded, {**seeded, "seed": 43, "label": "b"}], name="f")
    with pytest.raises(DataError, match="f: expected predictions, found none"):
        make_predictions([], name="f")


def test_labels_that_never_meet_the_truth_are_no_predictions() -> None:
    """As pandas writes numbers where some are missing, and CSV keeps them."""
    rows = [{"id": str(i), "label": str(i % 2), "prediction": f"{i % 2}.0"} for i in range(4)]
    with pytest.raises(DataError) as refused:
        make_predictions(rows, name="f")
    assert str(refused.value) == (
        "f: no row has a label that was predicted: labels such as '0', predictions such as '0.0'; write both alike"
    )


def test_values_are_read_as_those_of_data() -> None:
    rows = [
        {"id": i, "label": f" {i % 2}", "prediction": f"{i % 2} ", "article": blank, "seed": 7}
        for i, blank in enumerate([None, float("nan"), "", " ", "x", "x"])
    ]
    found = make_predictions(rows, name="f")
    assert (found.ids[0], found.true[:2], found.predicted[:2].tolist()) == ("0", ["0", "1"], ["0", "1"])
    assert (found.groups, found.seeds[0]) == ([None] * 4 + ["x"] * 2, "7")


def test_rows_that_name_no_article_are_told_where_others_do() -> None:
    some, others = (
        replace(one, groups=[group if row % 2 else None for row, group in enumerate(one.groups)])
        for one in (predicted("A", 1.0, rows=60), predicted("B", 2.0, rows=60, seed=2))
    )
    (found,) = compare([some, others], number=200)
    assert found.notes[0] == f"30 of the {found.n_units} articles are rows that name none and are taken as independent"


def test_the_prediction_says_which_of_two_equal_labels_it_is() -> None:
    """0.4999996 and 0.5000004 in six digits: the first label would be another one than was predicted and measured."""
    rows = [
        {"id": "1", "label": "b", "prediction": "b", "probabilities": {"a": 0.5, "b": 0.5}},
        {"id": "2", "label": "a", "prediction": "a", "probabilities": {"a": 0.5, "b": 0.5}},
    ]
    assert make_predictions(rows, name="f").predicted.tolist() == ["b", "a"]


def test_rows_without_a_prediction_are_measured_by_their_best_label_and_told(caplog: pytest.LogCaptureFixture) -> None:
    rows = rows_of(predicted("A", 1.0, rows=30))
    for number, nothing in enumerate((None, "", float("nan"))):
        rows[number]["prediction"] = nothing
    found = make_predictions(rows, name="f")
    assert found.predicted.tolist() == predicted("A", 1.0, rows=30).predicted.tolist()
    assert caplog.messages == ["f: 3 of 30 rows without a prediction, measured by the most probable label"]


def test_numbers_are_rounded_for_people() -> None:
    shown = [points(value) for value in (0.0213, 0.123, 0.0095, 0.00031, -0.005, 0.0, 0.009999, -1e-17)]
    assert shown == ["2.1", "12.3", "0.95", "0.03", "−0.50", "0", "1.0", "0"]
    assert [probability(p) for p in (0.0001, 0.0123, 0.5)] == ["< 0.001", "0.012", "0.5"]


def test_differences_are_drawn() -> None:
    a, b, c = predicted("$A^$", 1.0), predicted("B", 2.5, seed=2), predicted("C", 2.5, seed=3)
    with_parts = [with_seeds("A", 1.0, (1, 2), fold=5), with_seeds("B", 2.5, (1, 3), fold=5)]
    figure = parts_figure(compare(with_parts, number=200)[0])
    figure.savefig(Path("parts.svg"))
    assert len(figure.axes[0].get_yticks()) == 15
    left_out = replace(b, folds=["z"] * len(b))  # by the folds of A, of which there are more than are shown
    figure = parts_figure(compare([replace(a, folds=a.groups), left_out], number=200)[0])
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [40, 0]
    for several in ([a, b], [a, b, c]):
        figure = difference_figure(compare(several, number=200))
        figure.savefig(Path("difference.svg"))
        assert len(figure.axes[0].get_yticks()) == (2 + 3 if len(several) == 2 else 3)
    (pair,) = compare([a, b], number=200)
    many = {f"label {i:02}": replace(pair.per_label["fact"], value=i / 100) for i in range(50)}
    axes = difference_figure([replace(pair, per_label=many)]).axes[0]
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == ["macro-F1", "accuracy", *(f"F1 of label {i}" for i in range(10, 50))]
    assert axes.get_title() == "B less $A^$\nthe 40 labels that differ most, of 50"
