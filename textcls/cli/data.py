"""`textcls data`: datasets from articles and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Build datasets.", no_args_is_help=True)


@app.callback()
def data() -> None:
    """Build datasets."""


@app.command()
def build(
    articles: Annotated[Path, typer.Argument(help="The folder of the articles.", show_default=False)],
    labels: Annotated[Path, typer.Argument(help="The file of their adjudicated annotations.", show_default=False)],
    output: Annotated[Path | None, typer.Option(help="JSONL, CSV or Parquet file to write; else JSONL is printed.")] = None,
) -> None:
    """Make a dataset of articles and the labels of their sentences."""
    from textcls.annotation import build_rows, read_annotations
    from textcls.articles import find_articles, read_article
    from textcls.cli.output import deliver

    rows = build_rows([read_article(path) for path in find_articles(articles)], read_annotations(labels))
    deliver(rows, output, what="rows")
