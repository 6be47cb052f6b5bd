"""Write a comparison back to the runs that were compared, such that MLflow's own views show it; doing so again replaces it.

Each run gets, as seen from it, of its newest comparison: metrics `compare/…`, how far it is from the best of the others; a tag
`compared` with the verdict in short, for which the run table has a column; and the figure `comparison`, which the grid of images shows
across runs. And of its newest with each other run: a tag `compared.ID` with the verdict, and below `compare/` the report and all figures.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence

from textcls.comparing.reading import System
from textcls.evaluation import Comparison, align, bootstrap_intervals, evaluate, word_overall
from textcls.evaluation.comparison_report import Measured, comparison_report
from textcls.evaluation.drawing import as_png
from textcls.evaluation.verdict import best_of, word_standing
from textcls.tracking import COMPARED, METRIC_DIGITS, RunSummary, Store, added_to

_LONGEST_NAME = 40
_LONGEST_TAG = 5000
_MOST_IN_NAME = 4


def measure(systems: Sequence[System]) -> list[Measured]:
    """Measure each of those that are compared, with intervals over the units that they are compared by."""
    return [
        Measured(
            one.name,
            one.data,
            evaluate(one.true, one.probabilities, one.labels, one.ids, carried_only=True),
            bootstrap_intervals(
                one.true, one.probabilities, one.labels, one.groups, one.ids, grouped_by=one.grouped_by, carried_only=True
            ),
            one.labels_only,
        )
        for one in align([system.predictions for system in systems])
    ]


def comparison_pictures(pairs: Sequence[Comparison]) -> dict[str, bytes]:
    """Draw a comparison as PNG: the differences, and of a single pair the folds and seeds."""
    from textcls.evaluation.comparison_figures import difference_figure, parts_figure

    parts = {"folds_and_seeds": parts_figure(pairs[0])} if len(pairs) == 1 and pairs[0].parts else {}
    return {name: as_png(figure) for name, figure in ({"difference": difference_figure(pairs)} | parts).items()}


def comparison_page(measured: Sequence[Measured], pairs: Sequence[Comparison], pictures: dict[str, bytes]) -> str:
    """Write the report of a comparison as one HTML page."""
    return comparison_report(measured, pairs, {name.replace("_", " "): picture for name, picture in pictures.items()})


def comparison_json(measured: Sequence[Measured], pairs: Sequence[Comparison]) -> str:
    """Write everything that a comparison found as JSON."""
    content = {
        "verdict": word_overall(pairs),
        "systems": [its.as_dict() for its in measured],
        "comparisons": [
            pair.as_dict() | {"decided": pair.decided, "confusions": [list(way) for way in pair.confusions]} for pair in pairs
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def write_back(
    store: Store, runs: Sequence[RunSummary], measured: Sequence[Measured], pairs: Sequence[Comparison], page: str, picture: bytes
) -> None:
    """Write a comparison to the runs that were compared.

    Args:
        store: where the runs are.
        runs: the runs, in the order of `measured`.
        measured: what was compared.
        pairs: each compared with each, as `compare` orders them.
        page, picture: the report, and the differences as PNG.

    Raises:
        TrackingError: the store cannot be written to.
    """
    content = comparison_json(measured, pairs)
    run_of = {its.name: run for its, run in zip(measured, runs, strict=True)}
    for name, run in run_of.items():
        others = {other: each for other, each in run_of.items() if other != name}
        pair_with = {other: next(pair for pair in pairs if {pair.a, pair.b} == {name, other}) for other in others}
        best = best_of(pairs, among=others)
        metrics = {f"compare/{key}": value for key, value in _figures(pair_with[best], turned=pair_with[best].a == name)}
        tags = {COMPARED: word_standing(name, pairs)}
        tags |= {f"{COMPARED}.{others[other].id[:8]}": f"with {other}: {pair.verdict}" for other, pair in pair_with.items()}
        folder = f"compare/{_folder([*others.values()])}"
        # A metric is a curve to MLflow, of which the same value again would be another point.
        changed = {key: value for key, value in metrics.items() if run.metrics.get(key) != round(value, METRIC_DIGITS)}
        with added_to(store, run) as open_run:
            open_run.text(page, f"{folder}/report.html")
            open_run.text(content, f"{folder}/comparison.json")
            open_run.picture(picture, "comparison")
            open_run.tags({key: value[:_LONGEST_TAG] for key, value in tags.items()})
            if changed:  # last, since a figure whose report is missing explains nothing
                open_run.metrics(changed)


def _figures(pair: Comparison, *, turned: bool) -> Iterator[tuple[str, float]]:
    """A run's macro-F1 less the other's: that of B less A, or turned round. MLflow draws a chart of each figure, so they are few."""
    its = pair.metrics["macro_f1"]
    yield "macro_f1_difference", -its.value if turned else its.value
    if its.interval is not None:
        ends = (-its.interval.high, -its.interval.low) if turned else (its.interval.low, its.interval.high)
        yield from zip(("macro_f1_difference_low", "macro_f1_difference_high"), ends, strict=True)
    if its.p_corrected is not None:
        yield "macro_f1_p", its.p_corrected


def _folder(others: Sequence[RunSummary]) -> str:
    """What the folder of a comparison with others is called: by the name of one, the ids of a few, or a digest of those of many."""
    if len(others) == 1:
        return _called(others[0])
    ids = sorted(other.id for other in others)
    if len(ids) <= _MOST_IN_NAME:
        return "+".join(id[:8] for id in ids)
    return f"{len(ids)}-runs-{hashlib.sha256('+'.join(ids).encode()).hexdigest()[:12]}"  # a name may have 255 bytes


def _called(run: RunSummary) -> str:
    """What a folder for a run is called: its name, as far as a path takes it, and its id."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', run.name)[:_LONGEST_NAME]}-{run.id[:8]}"
