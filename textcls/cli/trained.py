"""How a run that was trained is printed: its labels, its figures with intervals, and where the model is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from textcls.cli.output import table
from textcls.evaluation.metrics import worst_labels
from textcls.stores import store_hint
from textcls.wording import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from textcls.training import RunResult

_FIGURES = (("macro_f1", "macro-F1"), ("accuracy", "accuracy"))
_MOST_LABELS = 30


def print_trained(out: Console, result: RunResult) -> None:
    """Print what a run came to."""
    out.print(_labels(result))
    number = len(result.evaluation.per_label)
    if number > _MOST_LABELS:
        rest = "" if result.run_id is None else ": per_label.csv among the run's artifacts has all"
        out.print(f"the {_MOST_LABELS} labels of the lowest F1, of {number:,}{rest}", soft_wrap=True)
    out.print()
    for name, word in _FIGURES:
        out.print(_figure(result, name, word), soft_wrap=True)
    if "test/coverage" in result.metrics:
        out.print(_answers(result), soft_wrap=True)
    for note in (result.evaluation.note, result.intervals.note):
        if note is not None:
            out.print(note, soft_wrap=True)
    if result.model_folder is not None:
        out.print(f"model: {result.model_folder}", soft_wrap=True)
    if result.run_id is not None:
        config = result.config
        store = store_hint(config.tracking.uri or config.tracking.folder)
        texts = "ARTICLE" if config.data.text == "text" else "FILE"
        pages = config.tracking.uri or f"textcls ui{store}"  # a server shows its runs itself
        out.print(
            f"run: {result.run_id}   (textcls predict {result.run_id}{store} {texts} · textcls compare{store} · {pages})",
            soft_wrap=True,
        )


def _labels(result: RunResult) -> Table:
    columns = ("precision", "recall", "F1", "rows")
    shown = table("label", *columns, right=columns, title=result.name)
    rows = Counter({row["id"]: row["label"] for row in result.predictions}.values())  # once, also with several seeds
    for label in worst_labels(result.evaluation, _MOST_LABELS):
        scores = result.evaluation.per_label[label]
        figures = (scores.precision, scores.recall, scores.f1)
        shown.add_row(label, *(f"{figure:.3f}" if scores.support else "–" for figure in figures), f"{rows[label]:,}")
    return shown


def _figure(result: RunResult, name: str, word: str) -> str:
    """A metric over all rows held out; if they are of several fits, also the mean over these."""
    line = f"{word} {getattr(result.evaluation, name):.3f}"
    interval = result.intervals.metrics.get(name)
    if interval is not None:
        unit = f"{result.intervals.n_units:,} {result.intervals.unit}s"
        line += f" (95 % interval {interval.low:.3f} to {interval.high:.3f}, over {unit})"
    line += f" on {_held_out(result)}"
    spread = result.metrics.get(f"test/{name}_std")
    if spread is not None:
        line += f"; mean of {_fits(result)} {result.metrics[f'test/{name}']:.3f}, standard deviation {spread:.3f}"
    return line


def _held_out(result: RunResult) -> str:
    """Word the number of rows that were measured, of which several seeds may have measured each."""
    rows = len({row["id"] for row in result.predictions})
    line = f"{counted(rows, 'row')} held out"
    return line if rows == len(result.predictions) else f"{len(result.predictions):,} predictions of {line}"


def _answers(result: RunResult) -> str:
    """How many rows a model that may abstain answers, and how well."""
    line = f"answers {100 * result.metrics['test/coverage']:.1f} % of them"
    if "test/risk" in result.metrics:
        line += f", and {100 * result.metrics['test/risk']:.1f} % of its answers are wrong"
    if result.metrics.get("n_children", 1) > 1:
        line += f" (means of {_fits(result)})"
    return f"{line}; the figures above are of all rows, answered or not"


def _fits(result: RunResult) -> str:
    """Word the number of fits: so many folds, or seeds; several seeds of several folds are neither."""
    several = [f"{key}s" for key in ("fold", "seed") if len({row[key] for row in result.predictions}) > 1]
    return f"{int(result.metrics['n_children'])} {several[0] if len(several) == 1 else 'fits'}"
