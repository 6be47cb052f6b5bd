"""A run's report: one HTML page with everything in it, for light and dark screens, and for paper."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from textcls.evaluation.bootstrap import Interval
from textcls.evaluation.intervals import Intervals
from textcls.evaluation.metrics import Evaluation
from textcls.evaluation.slices import Slice, worst_slices

_MOST_WRONG = 30
_MOST_CONFUSIONS = 6
_FIGURES = {
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "micro_f1": "micro-F1",
    "weighted_f1": "weighted F1",
    "matthews": "Matthews' coefficient",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
}
_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .6rem 0; } .wide { overflow-x: auto; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
.about { color: color-mix(in srgb, currentColor 70%, transparent); } .text { overflow-wrap: anywhere; }
@media print { body { max-width: none; margin: 0; font-size: 11pt; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""


def run_report(
    *,
    title: str,
    about: Mapping[str, str],
    evaluation: Evaluation,
    intervals: Intervals,
    slices: Sequence[Slice],
    wrong: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, bytes],
) -> str:
    """Write the report of a run. Text of the data stays text, whatever it holds.

    Args:
        title: the run's name.
        about: what to say first: protocol, data, model.
        evaluation: the run's figures.
        intervals: their intervals.
        slices: figures of parts of the rows.
        wrong: the wrong predictions, as `wrong_predictions` gives them.
        pictures: PNG pictures by what they show.
    """
    body = [
        f"<h1>{escape(title)}</h1>",
        '<p class="about">' + "<br>".join(f"{escape(name)}: {escape(value)}" for name, value in about.items()) + "</p>",
        "<h2>Figures</h2>",
        *_figures(evaluation, intervals),
        "<h2>Labels</h2>",
        *_labels(evaluation, intervals),
        "<h2>What is taken for what</h2>",
        *_confusions(evaluation),
        "<h2>Where it does worse</h2>",
        *_slices(slices),
        "<h2>Pictures</h2>",
        *(
            f'<figure><img alt="{escape(name)}" src="data:image/png;base64,{b64encode(picture).decode()}"></figure>'
            for name, picture in pictures.items()
        ),
        "<h2>Wrong with the most confidence</h2>",
        *_wrong(wrong),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _figures(evaluation: Evaluation, intervals: Intervals) -> Iterator[str]:
    unit = f"{intervals.n_units:,} {intervals.unit}s"
    yield f'<div class="wide"><table><tr><th></th><th class="n">value</th><th class="n">95 % interval over {unit}</th></tr>'
    values = evaluation.as_dict()
    for name, word in _FIGURES.items():
        if values.get(name) is not None:
            yield _row(word, f"{values[name]:.3f}", _range(intervals.metrics.get(name)))
    note = f"; {escape(intervals.note)}" if intervals.note else ""
    yield f"</table></div><p>{evaluation.rows:,} rows{note}.</p>"


def _labels(evaluation: Evaluation, intervals: Intervals) -> Iterator[str]:
    heads = "".join(f'<th class="n">{head}</th>' for head in ("precision", "recall", "F1", "95 % interval", "rows"))
    yield f'<div class="wide"><table><tr><th>label</th>{heads}</tr>'
    for label, scores in evaluation.per_label.items():
        f1 = intervals.per_label.get(label, {}).get("f1")
        cells = (f"{scores.precision:.3f}", f"{scores.recall:.3f}", f"{scores.f1:.3f}", _range(f1), f"{scores.support:,}")
        yield _row(label, *cells)
    yield "</table></div>"


def _confusions(evaluation: Evaluation) -> Iterator[str]:
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
        yield "<p>Nothing: every row is right.</p>"
        return
    yield "<ul>"
    for (true, predicted), count in counts.most_common(_MOST_CONFUSIONS):
        of = evaluation.per_label[true].support
        yield f"<li>{count:,} of {of:,} rows of <b>{escape(true)}</b> ({count / of:.0%}) are called <b>{escape(predicted)}</b></li>"
    yield "</ul>"


def _slices(slices: Sequence[Slice]) -> Iterator[str]:
    worst = worst_slices(slices)
    if not worst:
        yield "<p>No part of the rows does worse than the others by more than chance.</p>"
        return
    yield '<div class="wide"><table><tr><th>part</th><th class="n">rows</th><th class="n">accuracy</th><th class="n">95 % interval</th>'
    yield '<th class="n">all others</th></tr>'
    for its in worst:
        others = "" if its.rest_accuracy is None else f"{its.rest_accuracy:.3f}"
        yield _row(f"{its.column}: {its.value}", f"{its.rows:,}", f"{its.accuracy:.3f}", _range(its.accuracy_interval), others)
    yield "</table></div>"


def _wrong(wrong: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not wrong:
        yield "<p>None.</p>"
        return
    yield '<div class="wide"><table><tr><th>text</th><th>label</th><th>prediction</th><th class="n">score</th><th>article</th></tr>'
    for row in wrong[:_MOST_WRONG]:
        cells = "".join(f"<td>{escape(str(row[name]))}</td>" for name in ("label", "prediction"))
        article = escape(str(row.get("article") or ""))
        yield (
            f'<tr><td class="text">{escape(str(row["text"]))}</td>{cells}<td class="n">{row["score"]:.2f}</td><td>{article}</td></tr>'
        )
    yield f"</table></div><p>{min(len(wrong), _MOST_WRONG)} of {len(wrong):,} wrong predictions.</p>"


def _row(name: str, *cells: str) -> str:
    return f"<tr><td>{escape(name)}</td>" + "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells) + "</tr>"


def _range(found: Interval | None) -> str:
    return f"{found.low:.3f} – {found.high:.3f}" if found else ""
