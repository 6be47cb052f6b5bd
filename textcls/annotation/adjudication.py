"""Settle what annotators label differently, and put one set of labels together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from textcls.annotation.store import Annotation, Span, current
from textcls.errors import DataError


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


def adjudicate(
    held: Mapping[str, Mapping[Span, Annotation]],
    decisions: Iterable[Annotation],
    *,
    annotator: str,
    keep_single: bool = False,
    reopened: Collection[Span] = (),
) -> list[Annotation]:
    """Put one set of labels together: what annotators agree on, and what was decided where they do not.

    Args:
        held: what each annotator holds, as `store.current` gives it.
        decisions: labels that settle differences; they count as well against a label that all annotators share.
        annotator: whom the result is written under.
        keep_single: whether the label of a span that one annotator alone has labelled counts; else it must be decided.
        reopened: spans that were decided anew, of whose decisions the last counts, whoever made it.

    Returns:
        an annotation for every span, in the order of the articles, with the time and the reason that it had from who decided, or else
        from the last by name who labelled it: the same stores and decisions always make the same labels.

    Raises:
        DataError: a difference or a single label is undecided, a decision is on a span that nobody labelled, or two deciders differ.
    """
    decisions = list(decisions)
    decided: dict[Span, Annotation] = {}
    for by_span in current(decision for decision in decisions if decision.span not in reopened).values():
        for span, decision in by_span.items():
            if span in decided and decided[span].label != decision.label:
                raise DataError(f"{_name(span)} was decided as {decided[span].label!r} and as {decision.label!r}; keep one")
            decided[span] = decision
    decided |= {decision.span: decision for decision in decisions if decision.span in reopened}
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
    spans = {span: annotation for name in sorted(held) for span, annotation in held[name].items()}
    for span in decided:
        if span not in spans:
            raise DataError(
                f"{_name(span)} was decided, but no annotator labelled it; the stores and the decisions do not belong together"
            )
    settled = [decided.get(span, spans[span]) for span in sorted(spans)]
    return [annotation.model_copy(update={"annotator": annotator}) for annotation in settled]


def _by_span(held: Mapping[str, Mapping[Span, Annotation]]) -> dict[Span, dict[str, Annotation]]:
    """What each annotator says of each span, in the order of the articles."""
    by_span: dict[Span, dict[str, Annotation]] = {}
    for name in sorted(held):
        for span, annotation in held[name].items():
            by_span.setdefault(span, {})[name] = annotation
    return dict(sorted(by_span.items()))


def _name(span: Span) -> str:
    return f"{span.article} {span.start}–{span.end}"
