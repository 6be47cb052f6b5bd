"""`textcls agreement`: how far annotators agree."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from textcls.annotation import Agreement

_UNBOUNDED = 1_000_000


def agreement(
    stores: Annotated[
        list[Path], typer.Argument(metavar="STORE", help="Files of annotations, of two annotators or more.", show_default=False)
    ],
    differences: Annotated[bool, typer.Option("--differences", help="List what they label differently as well.")] = False,
) -> None:
    """Print Cohen's kappa, Krippendorff's alpha and the confusion between annotators."""
    from rich.measure import Measurement

    from textcls.annotation import labelled_once, measure_agreement, read_stores
    from textcls.cli.output import console, table
    from textcls.wording import counted

    held = read_stores(stores)
    found = measure_agreement(held)
    out = console()
    out.print(f"{found.spans:,} sentences labelled by two annotators or more of {', '.join(found.annotators)}", soft_wrap=True)
    if alone := len(labelled_once(held)):
        out.print(f"left out: {counted(alone, 'sentence')} labelled by one alone")
    out.print(f"same label: {found.raw:.1%}   Krippendorff's alpha: {_figure(found.alpha)}")
    for (first, second), kappa in found.kappa.items():
        out.print(f"Cohen's kappa, {first} and {second}: {_figure(kappa)}")
    if any(map(math.isnan, (found.alpha, *found.kappa.values()))):
        out.print("–: undefined where only one label is in use, since chance alone would make all agree", soft_wrap=True)

    columns = (*found.labels, "kappa")
    confusion = table("", *columns, right=columns)
    for label, row in zip(found.labels, found.confusion.tolist(), strict=True):
        confusion.add_row(label, *map(str, row), _figure(found.per_label[label]))
    fits = Measurement.get(out, out.options.update(max_width=_UNBOUNDED), confusion).maximum <= out.width
    if fits:
        out.print("confusion: rows are the first of a pair of annotators, columns the second", soft_wrap=True)
    out.print(confusion if fits else _confused(found))
    if differences:
        for span in found.differences:
            said = {name: held[name][span] for name in found.annotators if span in held[name]}
            text = " ".join(next(iter(said.values())).text.split())
            out.print(
                f"{span.article} {span.start}–{span.end}: {', '.join(f'{name} {a.label}' for name, a in said.items())}: {text}",
                soft_wrap=True,
            )


def _figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _confused(found: Agreement) -> Table:
    """A line a label, for labels whose confusion is too wide to be read: those with the lowest kappa first."""
    from textcls.cli.output import table

    shown = table("label", "kappa", "most often confused with", "times", right=("kappa", "times"))
    either = (found.confusion + found.confusion.T).tolist()
    for label, row in sorted(zip(found.labels, either, strict=True), key=lambda its: found.per_label[its[0]]):
        others = [(number, name) for number, name in zip(row, found.labels, strict=True) if name != label]
        times, other = max(others, key=lambda its: its[0], default=(0, ""))
        shown.add_row(label, _figure(found.per_label[label]), *((other, f"{times:,}") if times else ("", "")))
    return shown
