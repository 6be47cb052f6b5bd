"""The exceptions that textcls raises for what a caller can mend.

    TextclsError                one clear line: what was expected, what was found, what to do
    ├── ConfigError             a config file or a setting; may carry several lines, one an error
    ├── DataError               an article, a label store or a dataset that cannot be used as it is
    ├── ModelError              a model folder or an encoder that is missing, damaged or foreign
    ├── TrackingError           the MLflow store, or a run that is not in it
    └── OutputError             a place that cannot be written to, or that holds something already

The command line prints the message and leaves with exit code 1. Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations


class TextclsError(Exception):
    """Base of every error that the caller can mend."""


class ConfigError(TextclsError):
    """A config that cannot be used. `str(error)` holds a line for every problem found."""


class DataError(TextclsError):
    """An article, a label store or a dataset that cannot be used as it is."""


class ModelError(TextclsError):
    """A model that is missing, damaged, or of a kind or version that this textcls does not know."""


class TrackingError(TextclsError):
    """An MLflow store that cannot be opened, or a run that it does not hold."""


class OutputError(TextclsError):
    """An output that exists already or a place that cannot be written to."""
