"""Write a comparison back to the runs that were compared, such that MLflow's own views show it; doing so again replaces it.

Each run gets, as seen from it: metrics `compare/WITH/…`, a tag `textcls.compared` with the newest verdict, which the run table has
a column for, a tag `textcls.compared.ID` with that on each other run, the figure `comparison`, which the grid of images shows across
runs, and the report and all figures as artifacts below `compare/WITH/`.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textcls.comparing.reading import System
from textcls.evaluation import Comparison, Interval, bootstrap_intervals, evaluate, word_overall
from textcls.evaluation.comparison_report import Measured, comparison_report
from textcls.evaluation.verdict import word_standing
from textcls.tracking import RunSummary, Store, added_to

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST_NAME = 40
_LONGEST_TAG = 5000


def measure(systems: Sequence[System]) -> list[Measured]:
    """Measure each of those that are compared."""
    return [
        Measured(
            one.name,
            one.data,
            evaluate(one.true, one.probabilities, one.labels),
            bootstrap_intervals(one.true, one.probabilities, one.labels, one.groups, one.ids),
        )
        for one in (system.predictions for system in systems)
    ]


def comparison_figures(pairs: Sequence[Comparison]) -> dict[str, Figure]:
    """Draw a comparison: the differences, and of a single pair the folds and seeds."""
    from textcls.evaluation.comparison_figures import difference_figure, parts_figure

    parts = {"folds_and_seeds": parts_figure(pairs[0])} if len(pairs) == 1 and pairs[0].parts else {}
    return {"difference": difference_figure(pairs)} | parts


def comparison_page(measured: Sequence[Measured], pairs: Sequence[Comparison], figures: dict[str, Figure]) -> str:
    """Write the report of a comparison as one HTML page."""
    return comparison_report(measured, pairs, {name.replace("_", " "): as_png(figure) for name, figure in figures.items()})


def comparison_json(measured: Sequence[Measured], pairs: Sequence[Comparison]) -> str:
    """Write everything that a comparison found as JSON."""
    content = {
        "verdict": word_overall(pairs),
        "systems": [
            {"name": its.name, "data": its.data, "evaluation": its.evaluation.as_dict(), "intervals": its.intervals.as_dict()}
            for its in measured
        ],
        "comparisons": [
            pair.as_dict() | {"decided": pair.decided, "confusions": [list(way) for way in pair.confusions]} for pair in pairs
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def as_png(figure: Figure) -> bytes:
    """A figure as a picture."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    return picture.getvalue()


def write_back(
    store: Store, runs: Sequence[RunSummary], measured: Sequence[Measured], pairs: Sequence[Comparison], page: str, figure: Figure
) -> None:
    """Write a comparison to the runs that were compared.

    Args:
        store: where the runs are.
        runs: the runs, in the order of `measured`.
        measured: what was compared.
        pairs: each compared with each, as `compare` orders them.
        page, figure: the report and the picture.

    Raises:
        TrackingError: the store cannot be written to.
    """
    names = [its.name for its in measured]
    content = comparison_json(measured, pairs)
    for run, name in zip(runs, names, strict=True):
        others = [other for other in runs if other.id != run.id]
        folder = f"compare/{'+'.join(other.id[:8] for other in others) if len(others) > 1 else _called(others[0])}"
        metrics: dict[str, float] = {}
        tags = {"textcls.compared": word_standing(name, pairs)[:_LONGEST_TAG]}
        for other, other_name in zip(runs, names, strict=True):
            pair = next((pair for pair in pairs if {pair.a, pair.b} == {name, other_name}), None)
            if pair is not None:
                metrics |= {f"compare/{_called(other)}/{key}": value for key, value in _figures(pair, turned=pair.a == name)}
                tags[f"textcls.compared.{other.id[:8]}"] = f"with {other_name}: {pair.verdict}"[:_LONGEST_TAG]
        # A metric is a curve to MLflow, of which the same value again would be another point.
        changed = {key: value for key, value in metrics.items() if run.metrics.get(key) != round(value, 4)}
        with added_to(store, run) as open_run:
            if changed:
                open_run.metrics(changed)
            open_run.text(page, f"{folder}/report.html")
            open_run.text(content, f"{folder}/comparison.json")
            open_run.figure(figure, "comparison")
            open_run.tags(tags)


def _figures(pair: Comparison, *, turned: bool) -> Iterator[tuple[str, float]]:
    """A run's figures less the other's: those of B less A, or turned round."""
    sign = -1 if turned else 1
    for name in ("macro_f1", "accuracy"):
        its = pair.metrics[name]
        yield f"{name}_difference", sign * its.value
        if its.interval is not None:
            ends = Interval(-its.interval.high, -its.interval.low) if turned else its.interval
            yield f"{name}_difference_low", ends.low
            yield f"{name}_difference_high", ends.high
        if its.p_corrected is not None:
            yield f"{name}_p", its.p_corrected
    yield "won", pair.lost if turned else pair.won
    yield "lost", pair.won if turned else pair.lost


def _called(run: RunSummary) -> str:
    """What a run is called in names of metrics and folders: its name, as far as these take it, and its id."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', run.name)[:_LONGEST_NAME]}-{run.id[:8]}"
