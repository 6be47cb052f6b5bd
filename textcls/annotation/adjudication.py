"""Settle what annotators label differently, and put one set of labels together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from itertools import groupby

from textcls.annotation.store import Annotation, Span
from textcls.dataset import SKIP
from textcls.errors import DataError
from textcls.wording import counted

logger = logging.getLogger(__name__)


def differences(held: Mapping[str, Mapping[Span, Annotation]]) -> dict[Span, dict[str, Annotation]]:
    """Find the spans that are not labelled alike: what each annotator says of each, in the order of the articles.

    Args:
        held: what each annotator holds, as `store.current` gives it.
    """
    return {span: said for span, said in _by_span(held).items() if len({a.label for a in said.values()}) > 1}


def labelled_once(held: Mapping[str, Mapping[Span, Annotation]]) -> dict[Span, dict[str, Annotation]]:
    """Find the spans that one annotator alone has labelled, so that nobody agreed: what that one says, in the order of the articles.

    Args:
        held: what each annotator holds, as `store.current` gives it.
    """
    return {span: said for span, said in _by_span(held).items() if len(said) == 1}


def neighbours(held: Mapping[str, Mapping[Span, Annotation]]) -> dict[Span, tuple[str | None, str | None]]:
    """Find the texts before and after each span in its article, among those that somebody labelled; None where there is none.

    Args:
        held: what each annotator holds, as `store.current` gives it.
    """
    texts = {span: annotation.text for by_span in held.values() for span, annotation in by_span.items()}
    found: dict[Span, tuple[str | None, str | None]] = {}
    for _, group in groupby(sorted(texts), key=lambda span: span.article):
        spans = list(group)
        around = [None, *(texts[span] for span in spans), None]
        found |= {span: (around[number], around[number + 2]) for number, span in enumerate(spans)}
    return found


def last_decisions(held: Mapping[str, Mapping[Span, Annotation]], decisions: Iterable[Annotation]) -> dict[Span, Annotation]:
    """Find the decision that counts for each decided span: the last in order, whoever made it and whatever its time says.

    Args:
        held: what each annotator holds, as `store.current` gives it.
        decisions: every decision, in the order of the file.

    Raises:
        DataError: a decision is on a span that nobody labelled.
    """
    decided = {decision.span: decision for decision in decisions}
    for span in decided:
        if not any(span in by_span for by_span in held.values()):
            raise DataError(
                f"{_name(span)} was decided, but no annotator labelled it; the stores and the decisions do not belong together"
            )
    return decided


def adjudicate(
    held: Mapping[str, Mapping[Span, Annotation]],
    decisions: Iterable[Annotation],
    *,
    annotator: str,
    keep_single: bool = False,
) -> list[Annotation]:
    """Put one set of labels together: what annotators agree on, and what was decided where they do not.

    Args:
        held: what each annotator holds, as `store.current` gives it.
        decisions: labels that settle differences, the oldest first, as of a span the last one counts; they count as well against a
            label that all annotators share.
        annotator: whom the result is written under.
        keep_single: whether the label of a span that one annotator alone has labelled counts; else it must be decided.

    Returns:
        an annotation for every span, in the order of the articles, with the time and the reason that it had from who decided, or else
        from the last by name who labelled it: the same stores and decisions always make the same labels.

    Raises:
        DataError: a difference or a single label is undecided, or a decision is on a span that nobody labelled.
    """
    decided = last_decisions(held, decisions)
    undecided = [span for span in differences(held) if span not in decided]
    if undecided:
        count = "1 difference is" if len(undecided) == 1 else f"{len(undecided):,} differences are"
        raise DataError(
            f"{count} undecided, the first at {_name(undecided[0])}; decide on a terminal, or add a line for each to the file of decisions"
        )
    single = [span for span in labelled_once(held) if span not in decided]
    if single and not keep_single:
        raise DataError(
            f"{len(single)} spans are labelled by one annotator only, the first at {_name(single[0])}; decide them, or keep these "
            "labels with --keep-single"
        )
    _warn_of_new_labels(held, decided)
    if unexplained := sum(not (decision.reason or "").strip() for decision in decided.values()):
        logger.warning(
            "%s of %s have no reason, which readers will look for", f"{unexplained:,}", counted(len(decided), "decision")
        )
    spans = {span: annotation for name in sorted(held) for span, annotation in held[name].items()}
    settled = [decided.get(span, spans[span]) for span in sorted(spans)]
    return [annotation.model_copy(update={"annotator": annotator}) for annotation in settled]


def _warn_of_new_labels(held: Mapping[str, Mapping[Span, Annotation]], decided: Mapping[Span, Annotation]) -> None:
    """Warn of what may be misspelt; who decides may well mean a label that no annotator thought of."""
    used = {SKIP} | {annotation.label for by_span in held.values() for annotation in by_span.values()}
    new: dict[str, list[Span]] = {}
    for span in sorted(decided):
        if decided[span].label not in used:
            new.setdefault(decided[span].label, []).append(span)
    if new:
        listed = ", ".join(
            f"{label!r} ({len(spans):,}, {'the first ' if len(spans) > 1 else ''}at {_name(spans[0])})"
            for label, spans in sorted(new.items())
        )
        logger.warning("no annotator used the label of %s: %s", counted(sum(map(len, new.values())), "decision"), listed)


def _by_span(held: Mapping[str, Mapping[Span, Annotation]]) -> dict[Span, dict[str, Annotation]]:
    """What each annotator says of each span, in the order of the articles."""
    by_span: dict[Span, dict[str, Annotation]] = {}
    for name in sorted(held):
        for span, annotation in held[name].items():
            by_span.setdefault(span, {})[name] = annotation
    return dict(sorted(by_span.items()))


def _name(span: Span) -> str:
    return f"{span.article} {span.start}–{span.end}"
