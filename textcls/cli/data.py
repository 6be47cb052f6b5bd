"""`textcls data`: build, describe, split and check datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textcls.cli.options import SetOption
from textcls.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

_MOST_FAULTS = 10
"""Faulty rows that are named."""

app = typer.Typer(help="Build, describe, split and check datasets.", no_args_is_help=True)


@app.command()
def build(
    articles: Annotated[str, typer.Argument(metavar="ARTICLES", help="The folder of the articles.", show_default=False)],
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="The file of their adjudicated annotations.", show_default=False)
    ],
    stores: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[STORE]...",
            help="Files of the annotators' own labels, to be kept beside the adjudicated ones.",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        Path | None,
        typer.Option(help="File with a row an article, whose columns are given to its sentences.", show_default=False),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="JSONL, CSV or Parquet file to write; else JSONL is printed.")] = None,
) -> None:
    """Make a dataset of articles and the labels of their sentences."""
    from textcls.annotation import build_rows, read_annotations, read_stores
    from textcls.articles import check_articles, find_articles, read_article
    from textcls.cli.output import check_delivery, deliver
    from textcls.dataset import read_columns

    check_delivery(output)
    more = read_columns(columns, key="article") if columns is not None else None
    annotators = read_stores(stores) if stores else None
    files = find_articles(articles)
    check_articles(files)
    texts = [read_article(path) for path in files]
    rows = build_rows(texts, read_annotations(labels), columns=more, annotators=annotators)
    deliver(rows, output, what="rows")


@app.command()
def stats(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Files of labelled rows; each is a column.", show_default=False)
    ],
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    label: Annotated[str, typer.Option(help="Column of the label.")] = "label",
    group: Annotated[
        str | None,
        typer.Option(help="Column of what the rows belong to; by default article, if they have it.", show_default=False),
    ] = None,
) -> None:
    """Describe datasets side by side, as a Markdown table: labels, lengths, quotation marks, modal verbs."""
    from textcls.cli.output import console
    from textcls.dataset import describe_rows, read_rows
    from textcls.errors import DataError
    from textcls.wording import did_you_mean

    described, known = [], set()
    for file in files:
        rows = read_rows(file, text=text, label=label)
        known |= {column for row in rows for column in row}
        described.append(describe_rows(rows, group=group or "article"))
    if group is not None and group not in known:
        raise DataError(f"{', '.join(map(str, files))}: no column {group!r}; {did_you_mean(group, known)}")
    console().print(_side_by_side([str(file) for file in files], described))


@app.command()
def split(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A file of labelled rows.", show_default=False)],
    output: Annotated[
        Path, typer.Option(help="Folder to write train.jsonl, validation.jsonl and test.jsonl to.", show_default=False)
    ],
    validation: Annotated[float, typer.Option(min=0.01, max=0.49, help="Share of the groups for validation.")] = 0.15,
    test: Annotated[float, typer.Option(min=0.01, max=0.49, help="Share of the groups for the test.")] = 0.15,
    group: Annotated[str, typer.Option(help="Column whose equal values stay together.")] = "article",
    balance: Annotated[list[str] | None, typer.Option(help="Column to balance, besides the label; repeatable.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed parts otherwise.")] = 42,
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    label: Annotated[str, typer.Option(help="Column of the label.")] = "label",
) -> None:
    """Part a dataset once and for all, by article, with labels and other columns balanced."""
    from textcls.cli.output import console
    from textcls.dataset import split_file

    parts = split_file(
        data, output, validation=validation, test=test, group=group, balance=balance or (), seed=seed, text=text, label=label
    )
    rows = [[part.name, f"{part.rows:,}", f"{part.groups:,}"] for part in parts]
    console().print(_markdown(["split", "rows", group], rows))


@app.command()
def check(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A config, whose data, model and splits are used.", show_default=False)
    ],
    set_: SetOption = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="File of texts that the data must not repeat; repeatable.", show_default=False)
    ] = None,
    suspects: Annotated[
        Path | None, typer.Option(help="File to write suspected label errors to; fits the model of the config five times.")
    ] = None,
) -> None:
    """Check the data of a config: counts, duplicates, conflicts, leaks, label errors. Exit code 1 if something must be mended."""
    from textcls.cli.output import check_delivery, console, deliver
    from textcls.cli.progress import ProgressBar
    from textcls.config import load_config
    from textcls.dataset import Finding, check_dataset, describe_rows, load_dataset, near_duplicates
    from textcls.errors import DataError
    from textcls.training import plan, suspected_errors

    settings = load_config(config, set_ or [])
    check_delivery(suspects)
    faults: list[str] = []
    dataset = load_dataset(settings.data, faults=faults)
    out = console()
    splits = [name for name in ("train", "validation", "test") if name in dataset.unique("split")]
    group = "article" if settings.data.group in (None, "article") else "group"
    rows = [{**row, group: row["group"]} for row in dataset.to_list()]
    described = [describe_rows([row for row in rows if row["split"] == name], group=group) for name in splits]
    out.print(_side_by_side(splits, described))

    listed = "".join(f"; {fault}" for fault in faults[:_MOST_FAULTS]) + ("; …" if len(faults) > _MOST_FAULTS else "")
    findings = [Finding(bool(faults), f"{counted(len(faults), 'row')} that cannot be used{listed}")]
    clusters = near_duplicates(dataset["text"][:])
    findings += check_dataset(
        dataset, duplicates=settings.splits.duplicates, against=against or [], text=settings.data.text, clusters=clusters
    )
    if settings.splits.kind != "given":  # which the checks above are about
        try:
            plan(settings, dataset, clusters=clusters)
            findings.append(Finding(False, f"splits of kind {settings.splits.kind}"))
        except DataError as error:
            findings.append(Finding(True, f"splits of kind {settings.splits.kind}: {error}"))
    for finding in findings:
        out.print(f"{'PROBLEM' if finding.problem else 'ok':8}{finding.message}", soft_wrap=True)
    if suspects is not None:
        with ProgressBar() as bar:
            bar.phase("looking for label errors, by folds")
            suspected = suspected_errors(settings, dataset, listener=bar)
        deliver(suspected, suspects, what="suspected label errors")
    problems = sum(finding.problem for finding in findings)
    if problems:
        raise DataError(f"{problems} of {len(findings)} checks found something to mend")


def _side_by_side(datasets: list[str], described: list[dict[str, str]]) -> Table:
    """A row for each figure, a column for each dataset."""
    names = dict.fromkeys(name for figures in described for name in figures)
    return _markdown(["", *datasets], [[name, *(figures.get(name, "") for figures in described)] for name in names])


def _markdown(columns: list[str], rows: list[list[str]]) -> Table:
    """A Markdown table, in which labels and names of files and columns stay cells whatever they hold."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.MARKDOWN)
    for number, column in enumerate(columns):
        table.add_column(column.replace("|", r"\|"), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell.replace("|", r"\|") for cell in row))
    return table
