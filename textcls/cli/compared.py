"""How a comparison is shown: the verdict first, then figures, labels and sentences; and its report in JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textcls.evaluation.verdict import count, points, probability, word_overall

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from textcls.evaluation import Comparison, Difference, Evaluation, Interval, Intervals, Predictions

    Measured = Sequence[tuple[Predictions, Evaluation, Intervals]]

_WORDS = {"macro_f1": "macro-F1", "accuracy": "accuracy", "log_loss": "log loss", "ece": "calibration error"}
_MOST_LABELS = 30
_MOST_SENTENCES = 3
_MOST_WAYS = 5


def print_comparison(out: Console, measured: Measured, pairs: Sequence[Comparison]) -> None:
    """Print a comparison of two or more."""
    first = pairs[0]
    out.print(word_overall(pairs), soft_wrap=True)
    if first.note:
        out.print(f"({first.note})", soft_wrap=True)
    out.print()
    articles = f" of {count(first.n_units, 'article')}" if first.unit == "article" else ""
    out.print(_figures(f"{count(first.rows, 'sentence')}{articles}, with 95 % intervals", measured))
    out.print(_differences(pairs))
    if len(pairs) == 1:
        _print_pair(out, first)


def report(measured: Measured, pairs: Sequence[Comparison]) -> str:
    """Everything as JSON."""
    content = {
        "verdict": word_overall(pairs),
        "systems": [
            {"name": one.name, "data": one.data, "evaluation": evaluation.as_dict(), "intervals": intervals.as_dict()}
            for one, evaluation, intervals in measured
        ],
        "comparisons": [
            pair.as_dict() | {"decided": pair.decided, "confusions": [list(way) for way in pair.confusions]} for pair in pairs
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _figures(title: str, measured: Measured) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("", overflow="fold")
    for word in _WORDS.values():
        table.add_column(word, justify="right")
    for one, evaluation, intervals in measured:
        cells = (_with_interval(evaluation.metrics[name], intervals.metrics.get(name)) for name in _WORDS)
        table.add_row(one.name, *cells)
    return table


def _differences(pairs: Sequence[Comparison]) -> Table:
    from rich.table import Table

    table = Table(title="differences in points (hundredths), with 95 % intervals", title_justify="left")
    table.add_column("", overflow="fold")
    table.add_column("macro-F1", justify="right")
    table.add_column("p" if len(pairs) == 1 else "p (Holm)", justify="right")
    table.add_column("accuracy", justify="right")
    table.add_column("p" if len(pairs) == 1 else "p (Holm)", justify="right")
    table.add_column("won", justify="right")
    table.add_column("lost", justify="right")
    for pair in pairs:
        cells = []
        for name in ("macro_f1", "accuracy"):
            found = pair.metrics[name]
            cells += [_points(found), probability(found.p_corrected)]
        table.add_row(f"{pair.b} less {pair.a}", *cells, f"{pair.won:,}", f"{pair.lost:,}")
    return table


def _print_pair(out: Console, pair: Comparison) -> None:
    from rich.table import Table

    if len(pair.per_label) <= _MOST_LABELS:
        table = Table(title="F1 of each label", title_justify="left")
        table.add_column("label", overflow="fold")
        for name in (pair.a, pair.b):
            table.add_column(name, justify="right", overflow="fold")
        table.add_column("difference in points", justify="right")
        for label, found in pair.per_label.items():
            table.add_row(label, f"{found.a:.3f}", f"{found.b:.3f}", _points(found))
        out.print(table)
    if pair.unit == "article":
        out.print(
            f"{pair.b} has more right in {count(pair.units_won, 'article')}, {pair.a} in {pair.units_lost:,}", soft_wrap=True
        )
    out.print(
        f"McNemar's exact test gives p = {probability(pair.mcnemar_p)}, which takes sentences for independent of each other",
        soft_wrap=True,
    )
    if pair.folds:
        its = pair.folds
        out.print(
            f"over {its.folds} folds: {points(its.difference)} points of macro-F1 ({points(its.interval.low)} to "
            f"{points(its.interval.high)}), p = {probability(its.p)} by the corrected resampled t test",
            soft_wrap=True,
        )
    if pair.confusions:
        ways = (f"{number:,} × {label}: {a} → {b}" for label, a, b, number in pair.confusions[:_MOST_WAYS])
        out.print(f"most often they differ so (true label: {pair.a}'s → {pair.b}'s): {'; '.join(ways)}", soft_wrap=True)
    for outcome in ("won", "lost"):
        rows = [row for row in pair.disagreements if row["outcome"] == outcome and row["text"]]
        for row in rows[:_MOST_SENTENCES]:
            out.print(f"{outcome}: {row['label']} ({row['a']} → {row['b']}): {_line(row['text'])}", soft_wrap=True)


def draw_comparison(folder: Path, predictions: Sequence[Predictions], pairs: Sequence[Comparison]) -> None:
    """Write the figures of a comparison."""
    from textcls.evaluation.curves import difference_figure

    difference_figure(pairs).savefig(folder / "difference.png", dpi=150)


def _with_interval(value: float, its: Interval | None) -> str:
    return f"{value:.3f}" + (f" ({its.low:.3f} to {its.high:.3f})" if its else "")


def _points(found: Difference) -> str:
    its = found.interval
    return points(found.value) + (f" ({points(its.low)} to {points(its.high)})" if its else "")


def _line(text: Any) -> str:
    """A text in one line, without what would steer a terminal."""
    whole = "".join(sign if sign.isprintable() else "�" for sign in " ".join(str(text).split()))
    return whole if len(whole) <= 160 else f"{whole[:159]}…"
