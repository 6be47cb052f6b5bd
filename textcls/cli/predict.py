"""`textcls predict`: label articles, files of texts, or standard input."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textcls.cli.options import ModelArgument, ModelStoreOption, TextOption
from textcls.stores import DEFAULT_STORE


def predict(
    model: ModelArgument,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="A .txt article, a folder of them, a JSONL, CSV or Parquet file, or - for standard input, which is JSONL or one article.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            help="JSONL, CSV or Parquet file to write; else JSONL is printed. For many rows take JSONL: the others hold all in memory first."
        ),
    ] = None,
    text: TextOption = None,
    id_: Annotated[str, typer.Option("--id", help="Column that rows are known by, which predictions keep.")] = "id",
    abstain_below: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Give no label to what is less probable; by default the model's own.", show_default=False
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Add the words or n-grams that counted most for each prediction, where the model can tell."
        ),
    ] = False,
    store: ModelStoreOption = DEFAULT_STORE,
) -> None:
    """Label the sentences of articles, titles among them but no headings, or the rows of files."""
    from itertools import chain

    from textcls.cli.output import check_delivery, deliver
    from textcls.errors import DataError
    from textcls.models import abstaining
    from textcls.prediction import load, predict_inputs

    check_delivery(output)
    classifier = load(model, store=store)
    if abstain_below is not None:
        classifier = abstaining(classifier, abstain_below)
    rows = predict_inputs(classifier, inputs, text=text, id=id_, explain=explain)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{', '.join(inputs)}: expected sentences, found none")

    deliver(chain([first], rows), output, what="predictions")
