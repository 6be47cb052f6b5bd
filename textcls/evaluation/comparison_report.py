"""A comparison's report: one HTML page, the verdict first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from textcls.evaluation.caveats import remarks_of
from textcls.evaluation.comparison import Comparison
from textcls.evaluation.intervals import Intervals
from textcls.evaluation.metrics import FIGURES, OF_PROBABILITIES, Evaluation
from textcls.evaluation.page import listed, marked_text, page, picture, row, table
from textcls.evaluation.verdict import best_of, probability, word_difference, word_overall, word_tested
from textcls.wording import counted

WORDS = {name: FIGURES[name] for name in ("macro_f1", "accuracy", "log_loss", "ece")}
"""The figures that a comparison shows, as people call them."""

_MOST_SENTENCES = 20
_MOST_WAYS = 6
_MOST_PARTS = 40
_MOST_PAIRS = 4


@dataclass(frozen=True)
class Measured:
    """The figures of one of those that are compared, with their intervals; of labels only those that need no probabilities count."""

    name: str
    data: str | None
    evaluation: Evaluation
    intervals: Intervals
    labels_only: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        evaluation, intervals = self.evaluation.as_dict(), self.intervals.as_dict()
        if self.labels_only:
            several = [evaluation, intervals["metrics"], *evaluation["per_label"].values(), *intervals["per_label"].values()]
            for figures in several:
                for name in OF_PROBABILITIES:
                    figures.pop(name, None)
        return {"name": self.name, "data": self.data, "evaluation": evaluation, "intervals": intervals}


def comparison_report(measured: Sequence[Measured], pairs: Sequence[Comparison], pictures: Mapping[str, bytes]) -> str:
    """Write the report of a comparison. Text of the data stays text, whatever it holds.

    Args:
        measured: those that are compared.
        pairs: each compared with each.
        pictures: PNG pictures by what they show.
    """
    first = pairs[0]
    shown = _shown(pairs)
    return page(
        f"{', '.join(one.name for one in measured[:-1])} and {measured[-1].name}",
        [
            f'<p class="verdict">{escape(word_overall(pairs))}</p>',
            f'<p class="about">{escape(_about(first))}</p>',
            *([listed(map(escape, remarks))] if (remarks := remarks_of(pairs)) else []),
            "<h2>Figures</h2>",
            *_figures(measured, first),
            "<h2>Differences</h2>",
            *_differences(pairs),
            *(picture(name, png) for name, png in pictures.items()),
            "<h2>F1 of each label</h2>",
            *_labels(pairs),
            *(part for pair in shown for part in _parts(pair)),
            *(part for pair in shown for part in _sentences(pair)),
            "<h2>How it was tested</h2>",
            *_tested(pairs),
        ],
    )


def word_interval(its: Measured, name: str) -> str:
    """A figure with its interval: `0.684 (0.652 to 0.715)`."""
    if its.labels_only and name in OF_PROBABILITIES:
        return "–"
    found = its.intervals.metrics.get(name)
    return f"{its.evaluation.metrics[name]:.3f}" + (f" ({found.low:.3f} to {found.high:.3f})" if found else "")


def _about(pair: Comparison) -> str:
    groups = f" of {counted(pair.n_units, pair.unit)}" if pair.unit != "row" else ""
    return f"Measured on the same {counted(pair.rows, pair.row)}{groups}."


def _figures(measured: Sequence[Measured], pair: Comparison) -> Iterator[str]:
    yield from table(["", *WORDS.values()], (row(its.name, *(word_interval(its, name) for name in WORDS)) for its in measured))
    if pair.metrics["macro_f1"].interval:
        yield f"<p>With 95 % intervals over {pair.unit}s.</p>"


def _differences(pairs: Sequence[Comparison]) -> Iterator[str]:
    p = "p" if len(pairs) == 1 else "p (Holm)"

    def of_pair(pair: Comparison) -> str:
        macro_f1, accuracy = pair.metrics["macro_f1"], pair.metrics["accuracy"]
        cells = [word_difference(macro_f1), probability(macro_f1.p_corrected)]
        cells += [word_difference(accuracy), probability(accuracy.p_corrected)]
        return row(f"{pair.b} less {pair.a}", *cells, f"{pair.won:,}", f"{pair.lost:,}")

    yield from table(["", "macro-F1", p, "accuracy", p, "won", "lost"], map(of_pair, pairs))
    its = ", with 95 % intervals" if pairs[0].metrics["macro_f1"].interval else ""
    mean = ", of any seed of the two on average" if max(max(pair.seeds) for pair in pairs) > 1 else ""
    yield f"<p>In points (hundredths){its}; {pairs[0].row}s won are those that only the first named has right{mean}.</p>"


def _labels(pairs: Sequence[Comparison]) -> Iterator[str]:
    labels = list(dict.fromkeys(label for pair in pairs for label in pair.per_label))
    if len(pairs) == 1:
        (pair,) = pairs
        yield from table(
            ["label", pair.a, pair.b, "difference in points"],
            (row(label, f"{its.a:.3f}", f"{its.b:.3f}", word_difference(its)) for label, its in pair.per_label.items()),
        )
        return
    names = list(dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b)))
    f1 = {
        (name, label): value
        for pair in pairs
        for label, its in pair.per_label.items()
        for name, value in ((pair.a, its.a), (pair.b, its.b))
    }
    yield from table(
        ["label", *names],
        (row(label, *(f"{f1[name, label]:.3f}" if (name, label) in f1 else "" for name in names)) for label in labels),
    )


def _parts(pair: Comparison) -> Iterator[str]:
    if not pair.parts:
        return
    yield f"<h2>Folds and seeds: {escape(pair.a)} and {escape(pair.b)}</h2>"
    yield from table(
        ["macro-F1", pair.a, pair.b],
        (
            row(name, *("" if value is None else f"{value:.3f}" for value in both))
            for name, both in list(pair.parts.items())[:_MOST_PARTS]
        ),
    )
    if len(pair.parts) > _MOST_PARTS:
        yield f"<p>{_MOST_PARTS} of {len(pair.parts):,}.</p>"


def _sentences(pair: Comparison) -> Iterator[str]:
    """Where the two disagree: in which way, and the sentences that are won and lost, with what stands around them."""
    yield f"<h2>Where {escape(pair.b)} and {escape(pair.a)} differ</h2>"
    if pair.confusions:
        yield f"<p>Most often so (true label: {escape(pair.a)}’s → {escape(pair.b)}’s):</p>"
        yield listed(
            f"{number:,} × <b>{escape(label)}</b>: {escape(a)} → {escape(b)}"
            for label, a, b, number in pair.confusions[:_MOST_WAYS]
        )
    more = "more often than" if max(pair.seeds) > 1 else "and not"
    for outcome, right, other in (("won", pair.b, pair.a), ("lost", pair.a, pair.b)):
        rows = [its for its in pair.disagreements if its["outcome"] == outcome]
        yield f"<h3>{counted(len(rows), pair.row)} that {escape(right)} has right {more} {escape(other)}</h3>"
        chosen = [its for its in rows if its["text"]][:_MOST_SENTENCES]
        if chosen:
            yield from table(
                [pair.row, "label", pair.a, pair.b, "group" if pair.unit == "group" else "article"],
                map(_sentence, chosen),
                words=5,
            )
        if 0 < len(chosen) < len(rows):
            yield f"<p>The {len(chosen)} that the two are surest of.</p>"


def _sentence(its: Mapping[str, Any]) -> str:
    said = (
        f"{its[name]}"
        + ("" if its[f"score_{name}"] is None else f" ({its[f'score_{name}']:.2f})")
        + (f", right {its[f'right_{name}']:.0%}" if f"right_{name}" in its else "")
        for name in ("a", "b")
    )
    return row(str(its["label"]), *said, str(its["article"] or ""), words=4, text=marked_text(its))


def _tested(pairs: Sequence[Comparison]) -> Iterator[str]:
    first = pairs[0]
    units = f"{first.unit}s"
    methods = [
        f"Intervals of differences are those of a paired bootstrap over {units}, the wider of Hesterberg’s (2015) and Student’s t",
        f"p is that of a permutation test in which the two change places in whole {units}",
        "A difference is told only where its interval, p and, if there are folds, their t test all say so",
    ]
    if any(pair.seed_error is not None for pair in pairs):
        methods.append(
            "Figures are those of all seeds together, and intervals and p take seeds, too, for draws (Sellam et al. 2022)"
            + (
                ", but for those of which it is said above that they cannot be told apart"
                if any(p.seeds_unknown for p in pairs)
                else ""
            )
        )
    if any(pair.folds for pair in pairs):
        methods.append("Folds share rows to learn from, for which the t test over them is corrected (Nadeau and Bengio 2003)")
    if len(pairs) > 1:
        methods.append(f"p is corrected for {len(pairs)} comparisons (Holm 1979)")
    yield listed(escape(f"{method}.") for method in methods)
    for pair in pairs if len(pairs) <= _MOST_PAIRS else _shown(pairs):
        if len(pairs) > 1:
            yield f"<h3>{escape(pair.b)} and {escape(pair.a)}</h3>"
            yield f"<p>{escape(pair.verdict)}</p>"
        yield listed(map(escape, word_tested(pair)))


def _shown(pairs: Iterable[Comparison]) -> list[Comparison]:
    """Those that are shown in full: of the best with each other, up to a few."""
    several = list(pairs)
    best = best_of(several)
    return [pair for pair in several if best in (pair.a, pair.b)][:_MOST_PAIRS]
