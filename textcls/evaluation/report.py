"""A run's report: one HTML page with everything in it, for light and dark screens, and for paper."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from textcls.evaluation.annotators import Ceiling
from textcls.evaluation.bootstrap import Interval
from textcls.evaluation.intervals import Intervals
from textcls.evaluation.metrics import Evaluation
from textcls.evaluation.slices import Slice, worst_slices
from textcls.evaluation.weighed import strongest

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
.about { color: color-mix(in srgb, currentColor 70%, transparent); } .text { overflow-wrap: anywhere; min-width: 16rem; }
.weighed { font-size: .85rem; } code { background: var(--soft); border-radius: 3px; padding: 0 .2em; display: inline-block; max-width: 100%; white-space: pre-wrap; }
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
    ceiling: Ceiling | None = None,
) -> str:
    """Write the report of a run. Text of the data stays text, whatever it holds.

    Args:
        title: the run's name.
        about: what to say first: protocol, data, model.
        evaluation: the run's figures.
        intervals: their intervals.
        slices: figures of parts of the rows.
        wrong: the wrong predictions, as `wrong_predictions` gives them; where they have `before` and `after`, and what `weighed`, it is
            shown.
        pictures: PNG pictures by what they show.
        ceiling: what annotators reach, if it is known.
    """
    body = [
        f"<h1>{escape(title)}</h1>",
        '<p class="about">' + "<br>".join(f"{escape(name)}: {escape(value)}" for name, value in about.items()) + "</p>",
        "<h2>Figures</h2>",
        *_figures(evaluation, intervals, ceiling),
        "<h2>Labels</h2>",
        *_labels(evaluation, intervals, ceiling),
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


def _figures(evaluation: Evaluation, intervals: Intervals, ceiling: Ceiling | None) -> Iterator[str]:
    unit = f"{intervals.n_units:,} {intervals.unit}s"
    theirs = '<th class="n">annotators</th><th class="n">95 % interval</th>' if ceiling else ""
    yield f'<div class="wide"><table><tr><th></th><th class="n">value</th><th class="n">95 % interval over {unit}</th>{theirs}</tr>'
    values = evaluation.as_dict()
    reached = {} if ceiling is None else {name: getattr(ceiling, name, None) for name in _FIGURES}
    for name, word in _FIGURES.items():
        if values.get(name) is not None:
            found = reached.get(name)
            more = (
                ("" if found is None else f"{found:.3f}", _range(getattr(ceiling, f"{name}_interval", None))) if ceiling else ()
            )
            yield _row(word, f"{values[name]:.3f}", _range(intervals.metrics.get(name)), *more)
    note = f"; {escape(intervals.note)}" if intervals.note else ""
    yield f"</table></div><p>{evaluation.rows:,} rows{note}.</p>"
    if ceiling:
        alike = "" if ceiling.agreement is None else f"; two of them agree on {ceiling.agreement:.1%}"
        yield f"<p>Annotators are measured by {ceiling.judgements:,} labels that they gave {ceiling.rows:,} of the rows{alike}. The labels that"
        yield "count were settled from theirs, so no model can be shown to do better.</p>"


def _labels(evaluation: Evaluation, intervals: Intervals, ceiling: Ceiling | None) -> Iterator[str]:
    names = ["precision", "recall", "F1", "95 % interval", *(["annotators' F1"] if ceiling else []), "rows"]
    heads = "".join(f'<th class="n">{name}</th>' for name in names)
    yield f'<div class="wide"><table><tr><th>label</th>{heads}</tr>'
    for label, scores in evaluation.per_label.items():
        f1 = intervals.per_label.get(label, {}).get("f1")
        theirs = [f"{ceiling.per_label[label]:.3f}" if label in ceiling.per_label else ""] if ceiling else []
        cells = (
            f"{scores.precision:.3f}",
            f"{scores.recall:.3f}",
            f"{scores.f1:.3f}",
            _range(f1),
            *theirs,
            f"{scores.support:,}",
        )
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
    if any(row.get("weighed") for row in wrong):
        yield '<p class="about">Below a sentence stands what weighed most, by what it adds to the log odds of the prediction over the label.'
        yield "‹…› are characters, […] are patterns of words.</p>"
    yield '<div class="wide"><table><tr><th>text</th><th>label</th><th>prediction</th><th class="n">score</th><th>article</th></tr>'
    for row in wrong[:_MOST_WRONG]:
        cells = "".join(f"<td>{escape(str(row[name]))}</td>" for name in ("label", "prediction"))
        article = escape(str(row.get("article") or ""))
        yield f'<tr><td class="text">{_in_context(row)}</td>{cells}<td class="n">{row["score"]:.2f}</td><td>{article}</td></tr>'
    yield f"</table></div><p>{min(len(wrong), _MOST_WRONG)} of {len(wrong):,} wrong predictions.</p>"


def _in_context(row: Mapping[str, Any]) -> str:
    """A text between its neighbours, and what weighed."""
    around = [f'<span class="about">{escape(str(row[side]))}</span>' if row.get(side) else "" for side in ("before", "after")]
    lines = [" ".join(filter(None, (around[0], escape(str(row["text"])), around[1])))]
    sides = zip((row["prediction"], row["label"]), strongest(row.get("weighed") or ()), strict=True)
    for label, pieces in sides:
        if pieces:
            named = " ".join(f"<code>{escape(name)}</code>&nbsp;{abs(weight):.2f}" for name, weight in pieces)
            lines.append(f'<span class="weighed">for {escape(str(label))}: {named}</span>')
    return "<br>".join(lines)


def _row(name: str, *cells: str) -> str:
    return f"<tr><td>{escape(name)}</td>" + "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells) + "</tr>"


def _range(found: Interval | None) -> str:
    return f"{found.low:.3f} – {found.high:.3f}" if found else ""
