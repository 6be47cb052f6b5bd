"""`textcls reproduce`: run a run again and compare."""

from __future__ import annotations

from typing import Annotated

import typer

from textcls.cli.options import StoreOption
from textcls.stores import DEFAULT_STORE


def reproduce(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id or name of a finished run.", show_default=False)],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting on top of the run's, such as where its data lie now."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Run a run again from what it holds, untracked, and say whether the figures match to the last digit (else exit code 1)."""
    from textcls.cli.output import console, table
    from textcls.cli.progress import ProgressBar
    from textcls.tracking import Store
    from textcls.training import reproduce as run_again

    with ProgressBar() as bar:
        found = run_again(Store(store), run, overrides=set_ or [], reporter=bar)

    out = console()
    out.print(f"{found.run.name}  {found.run.id}", soft_wrap=True)
    for restored in found.restored:
        said = {True: "the same", False: "not restored", None: "not known"}[restored.same]
        out.print(f"{restored.what:11} {said}: {restored.words or 'all settings'}", soft_wrap=True)
    if found.other_figures:
        shown = table("figure", "then", "now", right=("then", "now"))
        for name, (then, now) in found.other_figures.items():
            if not isinstance(then, list):  # the confusion matrix, of which the figures of each label tell
                shown.add_row(name, str(then), str(now))
        out.print(shown)
    same = found.figures - len(found.other_figures)
    out.print(f"figures     {same:,} of {found.figures:,} match to the last digit")
    same = found.predictions - found.other_predictions
    far = f"; probabilities differ by {found.furthest:.2g} at most" if found.other_predictions else ""
    out.print(f"predictions {same:,} of {found.predictions:,} match to six digits{far}")
    if not found.same:
        missing = [restored.what for restored in found.restored if restored.same is False]
        out.print(
            f"not reproduced; not restored: {', '.join(missing) or 'nothing that is known, so the training itself is not repeatable here'}"
        )
        raise typer.Exit(1)
    out.print("reproduced")
