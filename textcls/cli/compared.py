"""How a comparison is printed: the verdict first, then figures, labels and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textcls.cli.output import table
from textcls.evaluation.caveats import remarks_of
from textcls.evaluation.comparison_report import WORDS, word_interval
from textcls.evaluation.verdict import probability, word_difference, word_overall, word_tested
from textcls.wording import counted, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from textcls.evaluation import Comparison
    from textcls.evaluation.comparison_report import Measured

_LONGEST_TEXT = 160
_LONGEST_LABEL = 40
_MOST_REMARKS = 7
_MOST_LABELS = 30
_MOST_SENTENCES = 3
_MOST_WAYS = 5


def print_comparison(out: Console, measured: Sequence[Measured], pairs: Sequence[Comparison]) -> None:
    """Print a comparison of two or more."""
    first = pairs[0]
    out.print(word_overall(pairs), soft_wrap=True)
    remarks = remarks_of(pairs)
    for remark in remarks[:_MOST_REMARKS]:
        out.print(f"({remark})", soft_wrap=True)
    if len(remarks) > _MOST_REMARKS:
        out.print(f"(and {len(remarks) - _MOST_REMARKS:,} more of the kind: --report FILE has all)", soft_wrap=True)
    out.print()
    groups = f" of {counted(first.n_units, first.unit)}" if first.unit != "row" else ""
    its = ", with 95 % intervals" if first.metrics["macro_f1"].interval else ""
    out.print(_figures(f"{counted(first.rows, first.row)}{groups}{its}", measured))
    out.print()
    out.print(_differences(pairs, f"differences in points (hundredths){its}"))
    out.print()
    if len(pairs) == 1:
        _print_pair(out, first)


def _figures(title: str, measured: Sequence[Measured]) -> Table:
    words = list(WORDS.values())
    shown = table("", *words, right=words, title=title)
    for its in measured:
        shown.add_row(its.name, *(word_interval(its, name) for name in WORDS))
    return shown


def _differences(pairs: Sequence[Comparison], title: str) -> Table:
    p = "p" if len(pairs) == 1 else "p (Holm)"
    columns = ("macro-F1", p, "accuracy", p, "won", "lost")
    shown = table("", *columns, right=columns, title=title)
    for pair in pairs:
        cells = []
        for name in ("macro_f1", "accuracy"):
            found = pair.metrics[name]
            cells += [word_difference(found), probability(found.p_corrected)]
        shown.add_row(f"{pair.b} less {pair.a}", *cells, f"{pair.won:,}", f"{pair.lost:,}")
    return shown


def _print_pair(out: Console, pair: Comparison) -> None:
    if len(pair.per_label) <= _MOST_LABELS:
        columns = (pair.a, pair.b, "difference in points")
        shown = table("label", *columns, right=columns, title="F1 of each label")
        for label, found in pair.per_label.items():
            shown.add_row(_label(label), f"{found.a:.3f}", f"{found.b:.3f}", word_difference(found))
        out.print(shown)
        out.print()
    for line in word_tested(pair):
        out.print(line, soft_wrap=True)
    if pair.confusions:
        ways = (f"{number:,} × {_label(true)}: {_label(a)} → {_label(b)}" for true, a, b, number in pair.confusions[:_MOST_WAYS])
        out.print(f"most often they differ so (true label: {pair.a}'s → {pair.b}'s): {'; '.join(ways)}", soft_wrap=True)
    for outcome in ("won", "lost"):
        rows = [row for row in pair.disagreements if row["outcome"] == outcome and row["text"]]
        for row in rows[:_MOST_SENTENCES]:
            out.print(f"{outcome}: {_label(row['label'])} ({_said(row)}): {one_line(row['text'], _LONGEST_TEXT)}", soft_wrap=True)


def _said(row: dict[str, Any]) -> str:
    """What the two predict; where that is the same most often, how often it is right."""
    if row["a"] == row["b"]:
        return f"{_label(row['a'])}, right with {row['right_a']:.0%} → {row['right_b']:.0%} of the seeds"
    return f"{_label(row['a'])} → {_label(row['b'])}"


def _label(label: str) -> str:
    return one_line(label, _LONGEST_LABEL)
