"""A learning curve: what would more rows bring? Shares of the training rows, each a run below one parent."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textcls.config import Config, Overrides, load_config, make_config
from textcls.errors import ConfigError
from textcls.evaluation import Comparison, Predictions, compare, make_predictions
from textcls.evaluation.drawing import as_png
from textcls.evaluation.learning import LearningPoint, learning_figure
from textcls.files import check_new, new_file
from textcls.tracking import track
from textcls.training.environment import check_one_process, run_tags
from textcls.training.reading import read_data
from textcls.training.record import csv_text
from textcls.training.reporting import Reporter, told_once
from textcls.training.run import RunResult, run_config, run_name

logger = logging.getLogger(__name__)

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)


@dataclass(frozen=True)
class LearningCurve:
    """A learning curve.

    Attributes:
        name: the name of its run.
        points: one for each number of rows, the smallest first; of shares that hold the same rows, the largest.
        step: what the last step brought: the models of the last two points compared on the same rows; None where there is one point.
        run_id: the parent run's id; None if it was not tracked.
    """

    name: str
    points: list[LearningPoint]
    step: Comparison | None
    run_id: str | None


@told_once()
def learning_curve(
    config: str | Path,
    *,
    shares: Sequence[float] = SHARES,
    overrides: Overrides = (),
    output: str | Path | None = None,
    reporter: Reporter | None = None,
) -> LearningCurve:
    """Measure the model of a config that learns from shares of its training rows, always on the same test rows.

    Shares are of whole groups, and a larger one holds all of a smaller one with the same seed, so where groups are few two may be the
    same rows, which are one point; with `splits.repeats` each share is drawn and learnt by several seeds. The parent run keeps the curve as a metric over the rows, as a figure and as a table.

    Args:
        config: a config file.
        shares: shares of the training groups, in (0, 1].
        overrides: settings on top, `section.key=value`, or as values by `section.key`.
        output: a path at which to write the figure, which is a PNG; nothing may be there yet.
        reporter: told of phases and progress.

    Raises:
        TextclsError: the config, the data or the output cannot be used, or a share holds too little to learn from; or this is one of
            several processes under `torchrun`.
    """
    check_one_process("a learning curve")
    base = load_config(config, overrides)
    chosen = sorted(set(shares))
    if not chosen or chosen[0] <= 0 or chosen[-1] > 1:
        raise ConfigError(f"expected shares above 0 and up to 1, found {', '.join(f'{share:g}' for share in shares) or 'none'}")
    if output is not None:
        check_new(output)
    data, reporter = read_data(base.data), reporter or Reporter()
    name = f"curve-{run_name(base)}"
    tags = run_tags(base, data.summary.identity, "parent") | {"textcls.curve": name}
    points: list[LearningPoint] = []
    predicted: list[Predictions] = []
    with track(base.tracking, experiment=data.summary.name, name=base.tracking.name or name, tags=tags) as run:
        run.parameters({"curve.shares": chosen, "seed": base.seed, "splits.repeats": base.splits.repeats})
        for number, share in enumerate(chosen, 1):
            reporter.phase(f"{share:.0%} of the training rows ({number} of {len(chosen)})")
            result = run_config(_of_share(base, share), data=data, within=run, reporter=reporter)
            point = LearningPoint(
                share,
                result.metrics["n_train"],
                result.evaluation.macro_f1,
                result.intervals.metrics.get("macro_f1"),
                result.metrics.get("test/macro_f1_std"),
            )
            if points and point.rows == points[-1].rows:
                words = "the shares %g and %g hold the same rows, since there are few groups, and are one point; take shares further apart"
                logger.warning(words, points[-1].share, share)
                points.pop()
            else:
                run.point("curve/macro_f1", point.macro_f1, round(point.rows))
                predicted = [*predicted[-1:], _predictions(base, result, point)]
            points.append(point)
        run.metrics({"n_children": len(chosen)})
        picture = as_png(learning_figure(points, title=name))
        run.picture(picture, "learning_curve")
        run.text(_table(points), "learning_curve.csv")
    if output is not None:
        with new_file(output) as scratch:
            scratch.write_bytes(picture)
    return LearningCurve(name, points, compare(predicted)[0] if len(predicted) > 1 else None, run.id)


def _predictions(base: Config, result: RunResult, point: LearningPoint) -> Predictions:
    name = f"the model of {point.rows:,.0f} rows"
    return make_predictions(result.predictions, name=name, n_train=point.rows, grouped_by=base.data.group or "article")


def _of_share(base: Config, share: float) -> Config:
    name = f"{share:.0%}, {base.tracking.name or run_name(base)}"
    return make_config(base.model_dump(mode="json", exclude={"sweep"}), {"splits.share": share, "tracking.name": name})


def _table(points: Sequence[LearningPoint]) -> str:
    rows = []
    for point in points:
        ends = (point.interval.low, point.interval.high) if point.interval else (None, None)
        rows.append([point.share, point.rows, point.macro_f1, *ends, point.spread])
    return csv_text(["share", "rows", "macro_f1", "low", "high", "std"], rows)
