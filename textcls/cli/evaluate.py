"""`textcls evaluate`: measure a model on labelled rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textcls.cli.options import LabelOption, ModelArgument, ModelStoreOption, TextOption
from textcls.stores import DEFAULT_STORE


def evaluate(
    model: ModelArgument,
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A JSONL, CSV or Parquet file with texts and labels.", show_default=False)
    ],
    output: Annotated[Path | None, typer.Option(help="JSON file to write the figures to as well.")] = None,
    wrong: Annotated[Path | None, typer.Option(help="JSONL, CSV or Parquet file to write the wrong predictions to.")] = None,
    text: TextOption = None,
    label: LabelOption = None,
    store: ModelStoreOption = DEFAULT_STORE,
) -> None:
    """Measure a model, and annotators if the data say what they said, on labelled rows and print the figures as JSON."""
    import json
    from dataclasses import asdict

    from textcls.cli.output import check_delivery, deliver
    from textcls.files import check_new, new_file
    from textcls.prediction import evaluate_file, load

    if output is not None:
        check_new(output)
        if output == wrong:
            raise typer.BadParameter(f"expected another file than that of --output, found {wrong}", param_hint="--wrong")
    check_delivery(wrong)
    measured = evaluate_file(load(model, store=store), data, text=text, label=label)
    found = measured.evaluation.as_dict() | {"intervals": measured.intervals.as_dict()}
    if measured.answered is not None:
        found["answered"] = asdict(measured.answered)
    if measured.ceiling is not None:
        found["annotators"] = measured.ceiling.as_dict()
    figures = json.dumps(found, indent=2, ensure_ascii=False)
    if output is not None:
        with new_file(output) as scratch:
            scratch.write_text(figures + "\n", encoding="utf-8")
    print(figures)
    if wrong is not None:
        deliver(measured.wrong, wrong, what="wrong predictions")
