"""Suspected label errors, as a run or `textcls data check` has written them: a queue for people to decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from textcls.annotation.store import Annotation, Span
from textcls.dataset import read_table
from textcls.errors import DataError
from textcls.wording import quoted


class Suspect(BaseModel):
    """A label that is doubted, and what a classifier suggests in its place."""

    id: str
    article: str
    text: str
    label: str
    suggestion: str
    score: float
    """The probability of the given label."""
    time: datetime
    """When it was suspected; what was decided later is an answer to it."""


def read_suspects(path: str | Path, held: Mapping[str, Mapping[Span, Annotation]]) -> dict[Span, Suspect]:
    """Read a file that `textcls data check --suspects` or a run has written, as what annotators have labelled.

    Args:
        path: the file.
        held: what each annotator holds, as `store.current` gives it.

    Raises:
        DataError: the file cannot be read, or a suspect is no sentence that annotators labelled.
    """
    spans: dict[tuple[str, str], set[Span]] = {}
    for by_span in held.values():
        for span, annotation in by_span.items():
            spans.setdefault((span.article, annotation.text), set()).add(span)
    found = {}
    for number, row in enumerate(read_table(path), 1):
        try:
            suspect = Suspect.model_validate(row)
        except ValidationError as error:
            problem = error.errors()[0]
            raise DataError(
                f"{path}, row {number}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}; expected suspects as "
                "`textcls data check --suspects` writes them"
            ) from error
        same = spans.get((suspect.article, suspect.text), set())
        # A text may stand twice in an article; `data build` puts the place into the id.
        its = same if len(same) == 1 else {span for span in same if suspect.id == f"{span.article}:{span.start}"}
        if same and not its:
            raise DataError(
                f"{path}, row {number}: {quoted(suspect.text)} stands {len(same)} times in article {suspect.article!r}, and its id "
                f"{suspect.id!r} does not say where; expected rows with the ids that `textcls data build` gives them"
            )
        if not its:
            raise DataError(
                f"{path}, row {number}: no annotator labelled {quoted(suspect.text)} of article {suspect.article!r}; the stores and the "
                "suspects do not belong together"
            )
        found[next(iter(its))] = suspect
    return found


def undecided_suspects(suspects: Mapping[Span, Suspect], decisions: Iterable[Annotation]) -> dict[Span, Suspect]:
    """Leave out the suspects that are answered: decided after they were suspected, or ever with the same label suggested.

    Without the latter, a label that somebody kept would be asked about again whenever errors are looked for anew.

    Raises:
        DataError: the last such decision of a suspect has no reason.
    """
    answers = {}
    for decision in decisions:
        suspect = suspects.get(decision.span)
        if suspect is not None and (decision.suggestion == suspect.suggestion or _aware(decision.time) >= _aware(suspect.time)):
            answers[decision.span] = decision
    for decision in answers.values():
        if not (decision.reason or "").strip():
            raise DataError(
                f"{decision.article} {decision.start}–{decision.end}: the suspected label error was decided without a reason; give one"
            )
    return {span: suspect for span, suspect in suspects.items() if span not in answers}


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
