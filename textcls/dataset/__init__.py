"""Labelled rows: read from files or the hub, checked, known again by their content, described, and written."""

from __future__ import annotations

from textcls.dataset.annotations import ANNOTATORS, SKIP, label_list
from textcls.dataset.checks import Finding, check_dataset
from textcls.dataset.context import add_context, only_sentences
from textcls.dataset.duplicates import conflicts, near_duplicates, normalize_text, similar_pairs
from textcls.dataset.identity import dataset_identity, dataset_name, row_identities
from textcls.dataset.load import (
    COLUMNS,
    load_dataset,
    parse_rows,
    read_columns,
    read_rows,
    read_table,
    stream_rows,
)
from textcls.dataset.parting import Part, split_file
from textcls.dataset.sources import SUFFIXES, Row, holds_rows
from textcls.dataset.statistics import describe_rows
from textcls.dataset.values import Names, group_column, group_of, is_blank, label_of, optional_text, required_text
from textcls.dataset.write import check_new_rows, json_line, write_rows

__all__ = [
    "ANNOTATORS",
    "COLUMNS",
    "SKIP",
    "SUFFIXES",
    "Finding",
    "Names",
    "Part",
    "Row",
    "add_context",
    "check_dataset",
    "check_new_rows",
    "conflicts",
    "dataset_identity",
    "dataset_name",
    "describe_rows",
    "group_column",
    "group_of",
    "holds_rows",
    "is_blank",
    "json_line",
    "label_list",
    "label_of",
    "load_dataset",
    "near_duplicates",
    "normalize_text",
    "only_sentences",
    "optional_text",
    "parse_rows",
    "read_columns",
    "read_rows",
    "read_table",
    "required_text",
    "row_identities",
    "similar_pairs",
    "split_file",
    "stream_rows",
    "write_rows",
]
