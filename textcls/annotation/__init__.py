"""People's labels: the store they are appended to, how far annotators agree, and the dataset that comes of them."""

from __future__ import annotations

from textcls.annotation.adjudication import adjudicate, differences, labelled_once, last_decisions, neighbours
from textcls.annotation.agreement import Agreement, measure_agreement
from textcls.annotation.rows import build_rows
from textcls.annotation.store import Annotation, Span, append_annotations, current, read_annotations, read_stores
from textcls.annotation.suspects import Suspect, read_suspects, undecided_suspects

__all__ = [
    "Agreement",
    "Annotation",
    "Span",
    "Suspect",
    "adjudicate",
    "append_annotations",
    "build_rows",
    "current",
    "differences",
    "labelled_once",
    "last_decisions",
    "measure_agreement",
    "neighbours",
    "read_annotations",
    "read_stores",
    "read_suspects",
    "undecided_suspects",
]
