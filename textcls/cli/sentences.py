"""`textcls sentences`: cut articles into sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sentences(
    articles: Annotated[
        list[str], typer.Argument(metavar="ARTICLE", help="Plain-text articles, or folders of them.", show_default=False)
    ],
    output: Annotated[Path | None, typer.Option(help="JSONL, CSV or Parquet file to write; else JSONL is printed.")] = None,
) -> None:
    """Cut articles into sentences with exact offsets."""
    from textcls.articles import check_articles, find_articles, read_article
    from textcls.cli.output import check_delivery, deliver
    from textcls.segmentation import segmentation_version
    from textcls.wording import counted

    check_delivery(output)
    segmentation = segmentation_version()
    files = find_articles(*articles)
    check_articles(files)
    rows = (
        {"article": article.id, "start": s.start, "end": s.end, "block": s.block, "text": s.text, "segmentation": segmentation}
        for article in map(read_article, files)
        for s in article.sentences
    )
    deliver(rows, output, what=f"sentences of {counted(len(files), 'article')}")
