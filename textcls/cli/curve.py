"""`textcls curve`: what would more rows bring?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textcls.cli.options import SetOption


def curve(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A config file.", show_default=False)],
    set_: SetOption = None,
    share: Annotated[
        list[float] | None,
        typer.Option(help="Share of the training groups; repeatable; by default 0.1, 0.2, 0.4, 0.7 and 1.", show_default=False),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="PNG to write the figure to.")] = None,
) -> None:
    """Measure a model that learns from shares of its training rows: whether more rows would make it better."""
    from textcls.cli.output import console, table
    from textcls.cli.progress import ProgressBar
    from textcls.training.curve import SHARES, learning_curve

    with ProgressBar() as bar:
        result = learning_curve(config, shares=share or SHARES, overrides=set_ or [], output=output, reporter=bar)
    columns = ("rows learnt from", "share", "macro-F1", "95 % interval", "± over fits")
    shown = table(*columns, right=columns, title=result.name)
    for point in result.points:
        its = point.interval
        shown.add_row(
            f"{point.rows:,.0f}",
            f"{point.share:.0%}",
            f"{point.macro_f1:.3f}",
            f"{its.low:.3f} to {its.high:.3f}" if its else "",
            "" if point.spread is None else f"{point.spread:.3f}",
        )
    out = console()
    out.print(shown)
    if result.step is not None:
        out.print(f"\nthe last step: {result.step.verdict}", soft_wrap=True)
        for note in result.step.notes:
            out.print(f"({note})", soft_wrap=True)
    if output is not None:
        out.print(f"figure: {output}", soft_wrap=True)
    if result.run_id is not None:
        out.print(f"run: {result.run_id}", soft_wrap=True)
