"""A comparison in one sentence, which a manager understands and a statistician accepts."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from textcls.evaluation.bootstrap import SAME, Interval
from textcls.evaluation.significance import ALPHA, least_p
from textcls.wording import counted

if TYPE_CHECKING:
    from textcls.evaluation.comparison import Comparison, Difference

_TOO_MANY = 20
"""Past this many times the rows, a number of rows that would be needed is no advice."""


def word_verdict(pair: Comparison) -> str:
    """Word what a comparison of two comes to."""
    found = pair.metrics["macro_f1"]
    better, worse = (pair.a, pair.b) if found.value < 0 else (pair.b, pair.a)
    won, lost = (pair.lost, pair.won) if found.value < 0 else (pair.won, pair.lost)
    rows = f"{counted(won, pair.row)} won, {lost:,} lost{' on average' if max(pair.seeds) > 1 else ''}{_over_seeds(pair)}"
    if not pair.disagreements:
        every = f"each of the {pair.rows:,} {pair.row}s" if pair.rows > 1 else f"the only {pair.row}"
        return f"no difference: {pair.a} and {pair.b} predict the same label for {every}{_over_seeds(pair)}"
    if pair.decided:
        return f"{better} is better by {points(abs(found.value))} points of macro-F1{_range(found)}; {rows}"
    if abs(found.value) < SAME:
        same = f"{pair.a} and {pair.b} have the same macro-F1"
        if found.interval is None:
            return f"cannot tell: {_reason(pair)} ({same}; {rows})" if found.p is None else f"cannot tell: {same} ({rows})"
        reach = points(max(-found.interval.low, found.interval.high))
        return f"cannot tell: {same}, and up to {reach} points either way are not ruled out ({rows})"
    seen = f"{better} is {points(abs(found.value))} points of macro-F1 above {worse}{_range(found)}; {rows}"
    return f"cannot tell: {_reason(pair)} ({seen})"


def word_overall(pairs: Sequence[Comparison]) -> str:
    """Word what comparisons of each with each come to; for a single pair its own verdict."""
    if len(pairs) == 1:
        return pairs[0].verdict
    scores = _scores(pairs)
    best = best_of(pairs)
    beaten: list[str] = []
    undecided: list[str] = []
    for pair in pairs:
        if best in (pair.a, pair.b):
            found = pair.metrics["macro_f1"]
            other = pair.b if pair.a == best else pair.a
            why = f"; {_reason(pair)}" if found.apart and not pair.decided else ""
            (beaten if pair.decided else undecided).append(
                f"{other} (by {points(abs(found.value))} points{_range(found, ', ', '')}{why})"
            )
    parts = []
    if beaten:
        parts.append(f"is better than {_and(beaten)}")
    if undecided:
        parts.append(f"cannot be told from {_and(undecided)}")
    return f"{best} has the highest macro-F1, {scores[best]:.3f}: it {', and it '.join(parts)}"


def word_standing(name: str, pairs: Sequence[Comparison]) -> str:
    """Word how one of those that were compared stands to each other one, for a cell of a table."""
    words = []
    for pair in pairs:
        if name in (pair.a, pair.b):
            value = pair.metrics["macro_f1"].value * (1 if name == pair.b else -1)
            other = pair.a if name == pair.b else pair.b
            by = f"by {points(abs(value))} points of macro-F1"
            if not pair.disagreements:
                words.append(f"the same as {other}")
            elif pair.decided:
                words.append(f"{'better' if value > 0 else 'worse'} than {other} {by}")
            else:
                words.append(f"cannot tell from {other}")
    return "; ".join(words)


def best_of(pairs: Sequence[Comparison], among: Collection[str] = ()) -> str:
    """Name the one of the highest macro-F1 among all that are compared, or some of them."""
    scores = {name: score for name, score in _scores(pairs).items() if not among or name in among}
    return max(scores, key=lambda name: scores[name])


def _scores(pairs: Sequence[Comparison]) -> dict[str, float]:
    return {
        name: value
        for pair in pairs
        for name, value in ((pair.a, pair.metrics["macro_f1"].a), (pair.b, pair.metrics["macro_f1"].b))
    }


def _reason(pair: Comparison) -> str:
    found = pair.metrics["macro_f1"]
    if found.p is None:
        return (
            f"all {pair.rows:,} {pair.row}s are of one {pair.unit}, which says nothing of others"
            if pair.unit != "row" and pair.rows > 1
            else f"there is one {pair.row} only"
        )
    if least_p(pair.n_units) > ALPHA:
        return f"{pair.n_units} {pair.unit}s are too few for any difference to show"
    if found.apart and (found.p_corrected or 0) < ALPHA:
        if pair.folds is None:
            return f"the seeds of {_and(pair.seeds_unknown)} predict too few rows in common to tell what other seeds would change"
        return f"over {word_parts(pair)} the difference is not steady, {word_p(pair.folds.p)}"
    if found.apart:
        corrected = " after Holm's correction" if found.p_corrected != found.p else ""
        return f"the permutation test gives {word_p(found.p_corrected)}{corrected}"
    # The rows that are needed are those of a normal distribution; what few articles or seeds lack is more of them, not more rows.
    enough = pair.rows_needed is not None and pair.rows_needed <= pair.rows
    if (enough or pair.rows_needed is None) and pair.seed_error and pair.seed_share is not None:
        share = round(100 * pair.seed_share)
        if share >= 50:
            moves = f"by {points(pair.seed_error)} points, {share} % of its variance"
            return f"with other seeds alone the difference moves {moves}, so more seeds are needed"
        if not enough:
            return (
                f"{100 - share} % of the difference's variance comes of the {pair.unit}s and {share} % of the seeds, "
                f"so more {pair.unit}s are needed before more seeds"
            )
    if enough:
        return f"{pair.n_units} {pair.unit}s are too few to be sure of a difference of this size"
    more = None if pair.rows_needed is None else pair.rows_needed - pair.rows
    if more is None or more > _TOO_MANY * pair.rows:
        return f"more than {_TOO_MANY} times as many {pair.row}s would be needed to see a difference of this size"
    return f"about {rounded(more):,} more {pair.row}s would be needed to see a difference of this size"


def word_parts(pair: Comparison) -> str:
    """Word what the corrected resampled t test is over: `5 folds`, `3 seeds`, `10 folds of 2 seeds`."""
    number = pair.folds.folds if pair.folds else 0
    seeds = pair.seeds[0]
    return f"{number} seeds" if number == seeds else f"{number} folds" + (f" of {seeds} seeds" if seeds > 1 else "")


def word_tested(pair: Comparison) -> list[str]:
    """Say what else a comparison found than its verdict: over articles, seeds and folds, and by McNemar's test."""
    found = []
    if pair.unit != "row":
        found.append(f"{pair.b} has more right in {counted(pair.units_won, pair.unit)}, {pair.a} in {pair.units_lost:,}")
    if pair.seed_error is not None:
        by = f"a standard error of {points(pair.seed_error)} points, which is part of the interval"
        found.append(f"other seeds alone give macro-F1 {by}" if pair.seed_error > 1e-9 else "all seeds give the same macro-F1")
    if pair.folds:
        its = pair.folds
        assumed = ", all rows but a fold's taken to be those learnt from" if its.assumed else ""
        found.append(
            f"over {word_parts(pair)}: {points(its.difference)} points of macro-F1 ({points(its.interval.low)} to "
            f"{points(its.interval.high)}), {word_p(its.p)} by the corrected resampled t test{assumed}"
        )
    if pair.mcnemar_p is not None:
        found.append(
            f"McNemar's exact test gives {word_p(pair.mcnemar_p)}, which takes {pair.row}s for independent of each other"
        )
    return found


def word_difference(found: Difference) -> str:
    """A difference in points with its interval: `2.1 (0.4 to 3.9)`."""
    its = found.interval
    return points(found.value) + (f" ({points(its.low)} to {points(its.high)})" if its else "")


def points(value: float) -> str:
    """A share in hundredths, to two or three significant digits: 0.0213 is 2.1 points."""
    if abs(value) < SAME:
        return "0"
    value *= 100
    digits = 1 if round(abs(value), 2) >= 1 else min(2, 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}".replace("-", "−")


def probability(p: float | None) -> str:
    """A p to two significant digits, and never 0."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def word_p(p: float | None) -> str:
    """A p as an equation: `p = 0.02`, or `p < 0.001`."""
    return f"p {probability(p)}" if p is not None and p < 0.001 else f"p = {probability(p)}"


def rounded(number: float) -> int:
    """A count to two significant digits."""
    return int(float(f"{number:.2g}"))


def _range(found: Difference, before: str = " (", after: str = ")") -> str:
    """The interval as it is for the better of the two."""
    if found.interval is None:
        return ""
    its = found.interval if found.value >= 0 else Interval(-found.interval.high, -found.interval.low)
    return f"{before}{points(its.low)} to {points(its.high)}{after}"


def _over_seeds(pair: Comparison) -> str:
    a, b = pair.seeds
    if a == b:
        return f" over {a} seeds" if a > 1 else ""
    return f" over {counted(a, 'seed')} of {pair.a} and {b:,} of {pair.b}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
