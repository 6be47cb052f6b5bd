"""What a run is to fit: the rows of every fit, checked for duplicates, with their neighbours where the model reads them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.config import Config, ContextConfig
from textcls.dataset import add_context, conflicts, near_duplicates
from textcls.errors import DataError
from textcls.models import check_enough, classifier_class
from textcls.splits import Split, check_duplicates, final_split, make_splits

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """One fit of a run: a split, and the seed it was made with. Its name is unique within the run."""

    name: str
    seed: int
    split: Split


def with_neighbours(dataset: Dataset, context: ContextConfig | None) -> Dataset:
    """Give each row the sentences around it, if a model reads any.

    Raises:
        DataError: the data have no articles.
    """
    if context is None:
        return dataset
    if not any(any(dataset.unique(column)) for column in ("group", "before", "after")):
        raise DataError(
            "model.context asks for neighbouring sentences, but the data have no articles: name their column in data.group, "
            "give the rows `before` and `after`, or set model.context to null"
        )
    rows = add_context(dataset.to_list(), before=context.before, after=context.after)
    for side in ("before", "after"):
        dataset = dataset.remove_columns(side).add_column(side, [row[side] for row in rows])
    return dataset


def plan(
    config: Config, dataset: Dataset, *, validate: bool = False, clusters: np.ndarray | None = None
) -> tuple[list[Fit], Fit | None]:
    """Part the rows for every seed, check them for duplicates, and choose the rows of the final model if there are several fits.

    Args:
        config: the config.
        dataset: all its rows.
        validate: whether there are to be validation rows, where `splits.validation` allows, also for a model that makes no use of them.
        clusters: what `near_duplicates` says of the texts, if that is known already.

    Raises:
        DataError: the rows cannot be parted so, or a fit would have too few of them to learn from.
    """
    _warn_of_no_effect(config, validate=validate)
    texts, labels, groups, given = (dataset[column][:] for column in ("text", "label", "group", "split"))
    shared: dict[str, Any] = {
        "groups": groups,
        "given": given,
        "validate": (validate or classifier_class(config.model.kind).uses_validation) and config.splits.validation > 0,
        "calibrate": config.decision.share if config.decision.learns else None,
    }
    fits = []
    for seed in range(config.seed, config.seed + config.splits.repeats):
        for split in make_splits(config.splits, seed=seed, labels=labels, ids=dataset["id"][:], **shared):
            name = split.name if config.splits.repeats == 1 else f"seed {seed}, {split.name}"
            fits.append(Fit(name, seed, split))
    if len(fits) > 1:
        fits.append(Fit("final", config.seed, final_split(config.splits, seed=config.seed, **shared)))
    checked = check_duplicates(
        [fit.split for fit in fits],
        config.splits,
        clusters=near_duplicates(texts) if clusters is None else clusters,
        texts=texts,
        conflicting=list(conflicts(texts, labels)),
    )
    fits = [Fit(fit.name, fit.seed, split) for fit, split in zip(fits, checked, strict=True)]
    _check_rows(config, dataset, fits)
    return (fits, None) if len(fits) == 1 else (fits[:-1], fits[-1])


def _warn_of_no_effect(config: Config, *, validate: bool) -> None:
    """Warn of settings that change nothing."""
    splits, model = config.splits, classifier_class(config.model.kind)
    parted_by_seed = splits.kind in ("k-fold", "hash") or splits.share < 1 or validate or config.decision.learns
    if splits.repeats > 1 and not (parted_by_seed or model.uses_seed):
        logger.warning(
            "splits.repeats has no effect: with splits.kind %r a model of kind %r is the same with every seed",
            splits.kind,
            config.model.kind,
        )
    for setting, only in (("folds", "k-fold"), ("test", "hash")):
        if splits.kind != only and getattr(splits, setting) != type(splits).model_fields[setting].default:
            logger.warning("splits.%s is of splits.kind %r alone; with %r it has no effect", setting, only, splits.kind)
    if not config.decision.learns and config.decision.share != type(config.decision).model_fields["share"].default:
        logger.warning("decision.share has no effect, since decision asks for nothing that is learnt")


def _check_rows(config: Config, dataset: Dataset, fits: Sequence[Fit]) -> None:
    """Check that there are rows enough for every fit, before the first one is paid for."""
    labels = dataset["label"][:]
    learnt = [[label] for label in labels] if config.data.annotations is None else dataset["annotations"][:]
    for fit in fits:
        known = {label for row in fit.split.train for label in learnt[row]}
        if len(known) < 2:
            raise DataError(
                f"split {fit.name}: expected two labels or more to learn from, found {f'only {known.pop()!r}' if known else 'no rows'}; "
                "give more rows of other labels, or part the rows otherwise"
            )
        if config.decision.learns:
            # Of a label that is not learnt, no probability can be put right.
            check_enough(config.decision, sum(labels[row] in known for row in fit.split.calibration))


def protocol(config: Config, fits: Sequence[Fit]) -> str:
    """Word how a run is measured."""
    folds = len(fits) // config.splits.repeats
    held_out = sum(len(fit.split.test) for fit in fits[:folds])
    words = {
        "given": f"on {held_out:,} given test rows",
        "hash": f"on {held_out:,} rows held out by hash",
        "k-fold": f"by {folds}-fold cross-validation over {held_out:,} rows",
        "leave-one-group-out": f"by leaving out each of {folds} groups once, over {held_out:,} rows",
    }
    seeds = f", with {config.splits.repeats} seeds" if config.splits.repeats > 1 else ""
    return words[config.splits.kind or "given"] + seeds
