"""Turn articles and their adjudicated labels into rows of a dataset."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from textcls.annotation.store import Annotation, Span, current, verify
from textcls.articles import Article
from textcls.dataset import ANNOTATORS, SKIP
from textcls.errors import DataError
from textcls.segmentation import segmentation_version
from textcls.wording import counted, did_you_mean, quoted

logger = logging.getLogger(__name__)

_OWN = {"id", "text", "label", "article", "before", "after", ANNOTATORS}
"""Columns that every row has, or may have, of its sentence."""


def build_rows(
    articles: Sequence[Article],
    annotations: Sequence[Annotation],
    *,
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    annotators: Mapping[str, Mapping[Span, Annotation]] | None = None,
) -> list[dict[str, Any]]:
    """Make a row of every labelled sentence, in the order of the articles.

    Args:
        articles: every annotated article.
        annotations: one annotator's store, most often the adjudicated one. `skip` makes no row.
        columns: more columns for the rows of each article, by its id.
        annotators: what each annotator holds, as `store.current` gives it, to be kept beside the label.

    Returns:
        rows with `id`, `text`, `label`, `article`, `before` and `after` (the neighbouring sentences, or None); if annotators are given,
        with `annotator_labels` too: a label of each annotator of the sentence, in the order of their names.

    Raises:
        DataError: several annotators, an annotation that does not fit its article, a sentence without one that is no title or heading,
            or one without a sentence; an annotator's own label that does not fit its article; or further columns that an article lacks,
            that are for no article, or that have a name that a row's own have.
    """
    if columns is not None:
        _check_columns(columns, articles)
    labelled = _labels_of_one(annotations, articles)
    _check_complete(labelled, articles)
    _check_annotators(annotators or {}, articles)
    rows = []
    for article in articles:
        texts = [sentence.text for sentence in article.sentences]
        for number, sentence in enumerate(article.sentences):
            annotation = labelled.get(Span(article.id, sentence.start, sentence.end))
            if annotation is None or annotation.label == SKIP:
                continue
            rows.append(
                {
                    "id": f"{article.id}:{sentence.start}",
                    "text": sentence.text,
                    "label": annotation.label,
                    "article": article.id,
                    "before": texts[number - 1] if number else None,
                    "after": texts[number + 1] if number + 1 < len(texts) else None,
                    **(columns[article.id] if columns is not None else {}),
                    **({} if annotators is None else {ANNOTATORS: _said(annotation.span, annotators)}),
                }
            )
    if annotators is not None and (alone := sum(not row[ANNOTATORS] for row in rows)):
        logger.warning("%s of %s have no annotator's label; are all stores given?", f"{alone:,}", counted(len(rows), "row"))
    return rows


def _check_columns(columns: Mapping[str, Mapping[str, Any]], articles: Sequence[Article]) -> None:
    """Check that every article, and nothing else, has further columns, none of which is a row's own."""
    ids = {article.id for article in articles}
    for article_id, more in columns.items():
        if article_id not in ids:
            raise DataError(f"columns are given for article {article_id!r}, which is not there; {did_you_mean(article_id, ids)}")
        if taken := sorted(_OWN & more.keys()):
            raise DataError(
                f"the columns of article {article_id!r} hold {quoted(taken[0])}, which its sentences have themselves; rename it"
            )
    if without := sorted(ids - columns.keys()):
        raise DataError(
            f"no columns are given for {len(without):,} of {len(ids):,} articles, the first {without[0]!r}; add a row for each"
        )


def _labels_of_one(annotations: Sequence[Annotation], articles: Sequence[Article]) -> Mapping[Span, Annotation]:
    """What the only annotator holds, after checking that it fits the articles and their sentences."""
    labels = current(annotations)
    if len(labels) != 1:
        raise DataError(
            f"expected the labels of one annotator, found those of {', '.join(sorted(labels)) or 'none'}; adjudicate them first"
        )
    (labelled,) = labels.values()
    verify(labelled.values(), {article.id: article for article in articles})
    sentences = {Span(article.id, s.start, s.end) for article in articles for s in article.sentences}
    strangers = sorted(labelled.keys() - sentences)
    if strangers:
        raise DataError(
            f"{len(strangers)} labels are for no sentence of {segmentation_version()}, the first, made with "
            f"{labelled[strangers[0]].segmentation}, for {strangers[0].article} {strangers[0].start}–{strangers[0].end}; annotate these anew"
        )
    return labelled


def _check_complete(labelled: Mapping[Span, Annotation], articles: Sequence[Article]) -> None:
    """Check that every sentence has a label but those of titles and headings, which all annotators may leave out."""
    missing = [
        (article, sentence)
        for article in articles
        for sentence in article.sentences
        if sentence.block not in ("title", "heading") and Span(article.id, sentence.start, sentence.end) not in labelled
    ]
    if missing:
        article, first = missing[0]
        have = "1 sentence has" if len(missing) == 1 else f"{len(missing):,} sentences have"
        which = "it is" if len(missing) == 1 else "the first is"
        raise DataError(
            f"{have} no label; {which} {quoted(first.text)} of a {first.block} at {article.id} {first.start}–{first.end}; label "
            f"{'it' if len(missing) == 1 else 'them'}, with {SKIP!r} what makes no row"
        )


def _check_annotators(annotators: Mapping[str, Mapping[Span, Annotation]], articles: Sequence[Article]) -> None:
    """Check that what each annotator holds fits the articles."""
    by_id = {article.id: article for article in articles}
    for name, labelled in annotators.items():
        try:
            verify(labelled.values(), by_id)
        except DataError as error:
            raise DataError(f"labels of annotator {name!r}: {error}") from error


def _said(span: Span, annotators: Mapping[str, Mapping[Span, Annotation]]) -> list[str]:
    return [annotators[name][span].label for name in sorted(annotators) if span in annotators[name]]
