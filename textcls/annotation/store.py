"""Append-only files of labels, one JSON object a line, in which the newest line of an annotator for a span counts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from textcls.articles import Article
from textcls.errors import DataError, OutputError
from textcls.segmentation import BlockKind
from textcls.wording import counted, did_you_mean, quoted, refused


class Span(NamedTuple):
    """A stretch of an article, in Unicode code points."""

    article: str
    start: int
    end: int


class Annotation(BaseModel):
    """One annotator's label for one span, with what is needed to check and repeat it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    article: str = Field(min_length=1)
    start: int = Field(ge=0)
    end: int
    text: str
    label: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    annotator: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    time: datetime
    guidelines: str
    """Version of the guidelines that the annotator followed."""
    segmentation: str
    """`segmentation.segmentation_version()` of the sentences that the annotator saw."""
    block: BlockKind | None = None
    """Where the sentence stands: a line may be a row of `textcls sentences` with what the annotator adds to it."""
    reason: str | None = None
    """Why, in a line: for labels that settle a difference."""
    suggestion: str | None = None
    """The label that a classifier suggested to who decided on a suspected error."""

    @model_validator(mode="after")
    def _fits(self) -> Annotation:
        if self.end - self.start != len(self.text):
            raise ValueError(f"end - start is {self.end - self.start}, but the text has {len(self.text)} characters")
        return self

    @property
    def span(self) -> Span:
        """What the label is for."""
        return Span(self.article, self.start, self.end)


def read_annotations(path: str | Path, *, may_be_empty: bool = False) -> list[Annotation]:
    """Read a store, every line of it, the oldest first.

    Raises:
        DataError: the file is missing, or empty where it may not be, or a line is not an annotation.
    """
    annotations = []
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")  # not splitlines: a text may hold a line separator
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected annotations, one JSON object a line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as annotations: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            annotations.append(Annotation.model_validate_json(line))
        except ValidationError as error:
            raise DataError(f"{path}, line {number}: {_explain(error, line)}") from error
    if not annotations and not may_be_empty:
        raise DataError(f"{path}: expected annotations, found none")
    return annotations


def _explain(error: ValidationError, line: str) -> str:
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    match problem["type"]:
        case "json_invalid":
            return f"expected an annotation as a JSON object, found {quoted(line)}; data/README.md shows a store"
        case "missing":
            others = json.loads(line).keys() - Annotation.model_fields.keys()
            hint = did_you_mean(place, others) if others else "add it"
            return f"no {place!r}; {hint}"
        case "extra_forbidden":
            return f"unknown key {place!r}; {did_you_mean(place, Annotation.model_fields)}"
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            return f"{place}: {refused(problem)}" if place else refused(problem)


def append_annotations(path: str | Path, annotations: Iterable[Annotation]) -> None:
    """Append to a store, which is made if need be, and its folder too.

    Raises:
        OutputError: the file cannot be written to.
    """
    lines = "".join(annotation.model_dump_json(exclude_none=True) + "\n" for annotation in annotations)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("ab+") as store:
            if store.tell():
                store.seek(-1, os.SEEK_END)
                if store.read() != b"\n":  # an editor left the last line unfinished
                    store.write(b"\n")
            store.write(lines.encode())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def current(annotations: Iterable[Annotation]) -> dict[str, dict[Span, Annotation]]:
    """What each annotator holds now: for every annotator the newest annotation of every span."""
    latest: dict[str, dict[Span, Annotation]] = {}
    for annotation in annotations:  # a later line is newer, whatever a clock said
        latest.setdefault(annotation.annotator, {})[annotation.span] = annotation
    return latest


def read_stores(paths: Iterable[str | Path]) -> dict[str, dict[Span, Annotation]]:
    """Read what each annotator holds now, as `current` does of one store; an annotator may have several, as of several articles.

    Raises:
        DataError: a store cannot be read, or one annotator has different labels for a span in two of them: the stores may be those of
            two people, of whom one took a copy of the other's sheet.
    """
    held: dict[str, dict[Span, Annotation]] = {}
    found_in: dict[tuple[str, Span], str | Path] = {}
    for path in paths:
        for name, labelled in current(read_annotations(path)).items():
            others = held.setdefault(name, {})
            differing = sorted(span for span, a in labelled.items() if span in others and others[span].label != a.label)
            if differing:
                span = differing[0]
                raise DataError(
                    f"{path}: annotator {name!r} labels {counted(len(differing), 'sentence')} otherwise than in {found_in[name, span]}, the "
                    f"first, {span.article} {span.start}–{span.end}, as {labelled[span].label!r} and there as {others[span].label!r}; give two "
                    "people two names, or put what one person has corrected into one file"
                )
            others |= labelled
            found_in |= dict.fromkeys(((name, span) for span in labelled), path)
    return held


def verify(annotations: Iterable[Annotation], articles: Mapping[str, Article]) -> None:
    """Check that every annotation's text stands in its article at its offsets.

    Raises:
        DataError: an article is missing, or it says something else at a span.
    """
    for annotation in annotations:
        if annotation.article not in articles:
            raise DataError(
                f"article {annotation.article!r} is annotated, but not there; {did_you_mean(annotation.article, articles)}"
            )
        found = articles[annotation.article].text[annotation.start : annotation.end]
        if found != annotation.text:
            raise DataError(
                f"article {annotation.article!r} reads {json.dumps(found, ensure_ascii=False)} at "
                f"{annotation.start}–{annotation.end}, but {json.dumps(annotation.text, ensure_ascii=False)} was annotated there"
            )
