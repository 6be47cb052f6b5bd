"""A comparison from names to runs: what is named is read as predictions, and what comes of it is written back to the runs."""

from __future__ import annotations

from textcls.comparing.reading import System, read_systems
from textcls.comparing.writing import comparison_json, comparison_page, comparison_pictures, measure, write_back

__all__ = [
    "System",
    "comparison_json",
    "comparison_page",
    "comparison_pictures",
    "measure",
    "read_systems",
    "write_back",
]
