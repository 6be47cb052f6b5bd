"""A run's report: one HTML page with everything in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from textcls.evaluation.annotators import Ceiling
from textcls.evaluation.intervals import Intervals
from textcls.evaluation.metrics import FIGURES, Evaluation
from textcls.evaluation.page import listed, marked_text, page, picture, row, table, word_range
from textcls.evaluation.slices import FEWEST_UNITS, Slice, worst_slices
from textcls.evaluation.weighed import strongest
from textcls.wording import counted, shortened

_MOST_WRONG = 30
_MOST_CONFUSIONS = 6
_LONGEST_PIECE = 80


def run_report(
    *,
    title: str,
    about: Mapping[str, str],
    evaluation: Evaluation,
    intervals: Intervals,
    slices: Sequence[Slice],
    wrong: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, bytes],
    ceiling: Ceiling | None = None,
) -> str:
    """Write the report of a run. Text of the data stays text, whatever it holds.

    Args:
        title: the run's name.
        about: what to say first: protocol, data, model, and by what the run is found again. What has several lines, such as settings,
            stands at the end.
        evaluation: the run's figures.
        intervals: their intervals.
        slices: figures of parts of the rows.
        wrong: the wrong predictions, as `wrong_predictions` gives them; where they have `before` and `after`, and what `weighed`, it is
            shown.
        pictures: PNG pictures by what they show.
        ceiling: what annotators reach, if it is known.
    """
    return page(
        title,
        [
            '<p class="about">'
            + "<br>".join(f"{escape(name)}: {escape(value)}" for name, value in about.items() if "\n" not in value),
            "</p>",
            "<h2>Figures</h2>",
            *_figures(evaluation, intervals, ceiling),
            "<h2>Labels</h2>",
            *_labels(evaluation, intervals, ceiling),
            "<h2>What is taken for what</h2>",
            _confusions(evaluation),
            "<h2>Where it does worse</h2>",
            *_slices(slices, intervals.unit),
            "<h2>Pictures</h2>",
            *(picture(name, png) for name, png in pictures.items()),
            "<h2>Wrong with the most confidence</h2>",
            *_wrong(wrong, "group" if intervals.unit == "group" else "article"),
            *(f"<h2>{escape(name)}</h2>\n<code>{escape(value)}</code>" for name, value in about.items() if "\n" in value),
        ],
    )


def _figures(evaluation: Evaluation, intervals: Intervals, ceiling: Ceiling | None) -> Iterator[str]:
    values = evaluation.as_dict()

    def of_annotators(name: str) -> tuple[str, ...]:
        if ceiling is None:
            return ()
        reached = getattr(ceiling, name, None)
        return ("" if reached is None else f"{reached:.3f}", word_range(getattr(ceiling, f"{name}_interval", None)))

    yield from table(
        [
            "",
            "value",
            f"95 % interval over {counted(intervals.n_units, intervals.unit)}",
            *(["annotators", "95 % interval"] if ceiling else []),
        ],
        (
            row(word, f"{values[name]:.3f}", word_range(intervals.metrics.get(name)), *of_annotators(name))
            for name, word in FIGURES.items()
            if values.get(name) is not None
        ),
    )
    notes = "".join(f"; {escape(note)}" for note in (evaluation.note, intervals.note) if note)
    times = "" if evaluation.predictions == evaluation.rows else f" with {evaluation.predictions:,} predictions of several seeds"
    yield f"<p>{evaluation.rows:,} rows{times}{notes}.</p>"
    if ceiling:
        alike = "" if ceiling.agreement is None else f"; two of them agree on {ceiling.agreement:.1%}"
        yield f"<p>Annotators are measured by {ceiling.judgements:,} labels that they gave {ceiling.rows:,} of the rows{alike}. The labels that"
        yield "count were settled from theirs, so no model can be shown to do better.</p>"


def _labels(evaluation: Evaluation, intervals: Intervals, ceiling: Ceiling | None) -> Iterator[str]:
    def of_label(label: str) -> str:
        scores, f1 = evaluation.per_label[label], intervals.per_label.get(label, {}).get("f1")
        figures = [f"{figure:.3f}" if scores.support else "–" for figure in (scores.precision, scores.recall, scores.f1)]
        theirs = [f"{ceiling.per_label[label]:.3f}" if label in ceiling.per_label else ""] if ceiling else []
        return row(label, *figures, word_range(f1), *theirs, f"{scores.support:,}")

    heads = ["label", "precision", "recall", "F1", "95 % interval", *(["F1 of annotators"] if ceiling else []), "rows"]
    yield from table(heads, map(of_label, evaluation.per_label))


def _confusions(evaluation: Evaluation) -> str:
    """The commonest confusions, in words."""
    counts = Counter(
        {
            (true, predicted): evaluation.confusion[i][j]
            for i, true in enumerate(evaluation.labels)
            for j, predicted in enumerate(evaluation.labels)
            if i != j and evaluation.confusion[i][j]
        }
    )
    if not counts:
        return "<p>Nothing: every row is right.</p>"
    of_label = {true: sum(row) for true, row in zip(evaluation.labels, evaluation.confusion, strict=True)}
    what = "rows of" if evaluation.predictions == evaluation.rows else "predictions for rows of"
    return listed(
        f"{count:,} of {of_label[true]:,} {what} <b>{escape(true)}</b> ({count / of_label[true]:.0%}) are called <b>{escape(predicted)}</b>"
        for (true, predicted), count in counts.most_common(_MOST_CONFUSIONS)
    )


def _slices(slices: Sequence[Slice], unit: str) -> Iterator[str]:
    if any(its.units < FEWEST_UNITS for its in slices):
        yield f"<p>Parts of fewer than {FEWEST_UNITS} {unit}s are not judged: of so few, chance cannot be told.</p>"
    worst = worst_slices(slices)
    if not worst:
        yield "<p>No part of the rows does worse than the others by more than chance.</p>"
        return
    yield from table(
        ["part", "rows", "accuracy", "95 % interval", "all others"],
        (
            row(
                f"{its.column}: {its.value}",
                f"{its.rows:,}",
                f"{its.accuracy:.3f}",
                word_range(its.accuracy_interval),
                "" if its.rest_accuracy is None else f"{its.rest_accuracy:.3f}",
            )
            for its in worst
        ),
    )


def _wrong(wrong: Sequence[Mapping[str, Any]], group: str) -> Iterator[str]:
    if not wrong:
        yield "<p>None.</p>"
        return
    if any(its.get("weighed") for its in wrong):
        yield '<p class="about">Below a sentence stands what weighed most, by what it adds to the log odds of the prediction over the label.'
        yield "‹…› are characters, […] are patterns of words.</p>"
    yield from table(
        ["text", "label", "prediction", group, "score"],
        (
            row(
                *(str(its.get(name) or "") for name in ("label", "prediction", "article")),
                f"{its['score']:.2f}",
                words=3,
                text=_weighed(its),
            )
            for its in wrong[:_MOST_WRONG]
        ),
        words=4,
    )
    yield f"<p>{min(len(wrong), _MOST_WRONG)} of {len(wrong):,} wrong predictions.</p>"


def _weighed(its: Mapping[str, Any]) -> str:
    """A text between its neighbours, and what weighed."""
    lines = [marked_text(its)]
    for label, pieces in zip((its["prediction"], its["label"]), strongest(its.get("weighed") or ()), strict=True):
        if pieces:
            named = " ".join(
                f"<code>{escape(shortened(name, _LONGEST_PIECE))}</code>&nbsp;{abs(weight):.2f}" for name, weight in pieces
            )
            lines.append(f'<span class="weighed">for {escape(str(label))}: {named}</span>')
    return "<br>".join(lines)
