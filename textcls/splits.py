"""Decide which rows a model learns from, stops early on and is measured on; rows of one group never fall apart.

Texts are not looked at here, save for which of them are the same: `dataset.near_duplicates` says that. A dataset is parted once and for
all in `dataset.parting`.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, LeaveOneGroupOut, StratifiedGroupKFold, StratifiedKFold

from textcls.config import SplitsConfig
from textcls.errors import DataError
from textcls.wording import counted, quoted

logger = logging.getLogger(__name__)

Rows = np.ndarray
"""Shape (n,), integers: numbers of rows of the dataset, ascending."""


@dataclass(frozen=True)
class Split:
    """One way to part the rows: the parts hold numbers of rows and share none."""

    name: str
    train: Rows
    validation: Rows
    test: Rows
    calibration: Rows = field(default_factory=lambda: np.array([], dtype=int))
    """Rows to learn the decision policy on."""


def make_splits(
    config: SplitsConfig,
    *,
    seed: int,
    labels: Sequence[str],
    groups: Sequence[str | None],
    ids: Sequence[str],
    given: Sequence[str],
    validate: bool,
    calibrate: float | None = None,
) -> list[Split]:
    """Part the rows as the config says: one split, or one for each fold.

    Args:
        config: the protocol.
        seed: other seeds give other folds, other validation rows and another hash split.
        labels, groups, ids, given: one value for each row; `given` is the split of the file that the row came from. Rows
            without a group are on their own.
        validate: whether there are to be validation rows, as for a model that stops early on them.
        calibrate: share of the training groups to learn a decision policy on; None if there is none to learn.

    Raises:
        DataError: fewer groups or rows of a label than folds, or a split that would be without rows.
    """
    if config.kind == "given":
        rows = {name: np.flatnonzero(np.array(given) == name) for name in ("train", "validation", "test")}
        if not len(rows["test"]):  # what is not stopped early on can be measured on, and is by convention
            rows["test"] = rows["validation"]
            if validate:
                logger.warning("data.test is not given: the figures are those of data.validation, by which the model is chosen")
            rows["validation"] = rows["validation"] if validate else rows["validation"][:0]
        splits = [Split("given", **rows)]
    else:
        pool = np.flatnonzero(np.array(given) == "train")
        fixed = np.flatnonzero(np.array(given) == "validation")
        splits = [
            Split(name, np.setdiff1d(pool, test), fixed, test) for name, test in _tests(config, seed, pool, labels, groups, ids)
        ]
    for split in splits:
        _check_groups(split, groups)
    splits = [_with_held_out(split, config, seed, groups, validate=validate, calibrate=calibrate) for split in splits]
    return [_thinned(split, config.share, seed, groups) for split in splits]


def final_split(
    config: SplitsConfig,
    *,
    seed: int,
    groups: Sequence[str | None],
    given: Sequence[str],
    validate: bool,
    calibrate: float | None = None,
) -> Split:
    """All rows to learn from, but for those to validate and calibrate on where the model does, and none to measure on."""
    rows = np.array(given)
    split = Split("final", np.flatnonzero(rows == "train"), np.flatnonzero(rows == "validation"), np.array([], dtype=int))
    return _thinned(
        _with_held_out(split, config, seed, groups, validate=validate, calibrate=calibrate), config.share, seed, groups
    )


def _with_held_out(
    split: Split, config: SplitsConfig, seed: int, groups: Sequence[str | None], *, validate: bool, calibrate: float | None
) -> Split:
    """Take validation and calibration rows from the training rows, where they are needed and not given."""
    if calibrate is not None:
        train, calibration = _hold_out(split, calibrate, seed, groups)
        if not len(calibration):
            raise DataError(
                f"split {split.name}: the training rows are all of one group, so none can be held out to learn a decision on; "
                "give more groups or no decision"
            )
        split = replace(split, train=train, calibration=calibration)
    if validate and config.validation and not len(split.validation):
        train, validation = _hold_out(split, config.validation, seed, groups)
        if not len(validation):
            logger.warning("%s: the training rows are all of one group, so none can be held out to validate on", split.name)
        split = replace(split, train=train, validation=validation)
    return split


def check_duplicates(
    splits: Sequence[Split], config: SplitsConfig, *, clusters: np.ndarray, texts: Sequence[str], conflicting: Sequence[str]
) -> list[Split]:
    """Report texts that stand on both sides of a split, and texts that contradict each other, and act as the config says.

    Args:
        splits: what to check.
        config: `duplicates` says whether to stop, to drop the rows from training, or to warn.
        clusters: shape (n_rows,), equal where two rows' texts are near-duplicates.
        texts: the rows' texts, for the message.
        conflicting: texts that the data give different labels, as they stand in `texts`.

    Returns:
        the splits; where the config says `drop`, without the training rows that are duplicated or contradicted, and without
        the rows to validate and to learn a decision on that stand in the test.

    Raises:
        DataError: the config says `stop`, and there are any.
    """
    contradicted = set(conflicting)
    # Of numbers of rows, so that one counts once for all folds.
    shared: dict[str, set[int]] = {side: set() for side in ("training", "validation", "calibration")}
    checked = []
    for split in splits:
        held_out = np.concatenate([split.validation, split.test, split.calibration])
        leaking = split.train[np.isin(clusters[split.train], clusters[held_out])]
        tuned_on = split.validation[np.isin(clusters[split.validation], clusters[split.test])]
        if np.array_equal(split.validation, split.test):  # no test file is given, as `make_splits` warns
            tuned_on = tuned_on[:0]
        decided_on = split.calibration[np.isin(clusters[split.calibration], clusters[split.test])]
        for side, found in zip(shared.values(), (leaking, tuned_on, decided_on), strict=True):
            side.update(found.tolist())
        if config.duplicates == "drop":
            contradicting = [row for row in split.train if texts[row] in contradicted]
            train = np.setdiff1d(split.train, [*leaking, *contradicting])
            validation, calibration = np.setdiff1d(split.validation, tuned_on), np.setdiff1d(split.calibration, decided_on)
            split = replace(split, train=train, validation=validation, calibration=calibration)
        checked.append(split)
    problems = [
        f"{counted(len(rows), f'{side} text')} nearly the same as one of the {'rows held out' if side == 'training' else 'test rows'}, "
        f"such as {quoted(texts[min(rows)])}"
        for side, rows in shared.items()
        if rows
    ]
    if conflicting:
        problems.append(f"{counted(len(conflicting), 'text')} with more than one label, such as {quoted(conflicting[0])}")
    if problems and config.duplicates == "stop":
        raise DataError(f"{'; '.join(problems)}. Mend the data, or set splits.duplicates to 'drop' (out of training) or 'warn'")
    for problem in problems:
        logger.warning(problem)
    for split in checked:
        if not len(split.train):
            raise DataError(f"split {split.name}: no training row is left after dropping duplicates")
    return checked


def _tests(
    config: SplitsConfig, seed: int, pool: Rows, labels: Sequence[str], groups: Sequence[str | None], ids: Sequence[str]
) -> list[tuple[str, Rows]]:
    """Name the splits of a protocol that makes its own test rows, and number these rows."""
    pooled_labels = [labels[row] for row in pool]
    names, units = _units([groups[row] for row in pool], [ids[row] for row in pool])
    if config.kind == "hash":
        test = pool[[_hash(name, seed) < config.test for name in names]]
        if not 0 < len(test) < len(pool):
            raise DataError(
                f"splits.kind 'hash' put {len(test)} of {len(pool)} rows into the test; give more groups or another share"
            )
        return [("hash", test)]
    if config.kind == "leave-one-group-out":
        if all(groups[row] is None for row in pool):
            raise DataError(
                "splits.kind 'leave-one-group-out' needs a group for each row; name its column in data.group, or set splits.kind=k-fold"
            )
        if len(set(units)) < 2:
            raise DataError(f"splits.kind 'leave-one-group-out' needs two groups or more, found only {names[0]!r}")
        folds = LeaveOneGroupOut().split(pool, groups=units)
        return [(f"without {names[test[0]]}", pool[test]) for _, test in folds]
    return _k_fold(config.folds, seed, pool, pooled_labels, names, units)


def _k_fold(
    folds: int, seed: int, pool: Rows, labels: Sequence[str], names: Sequence[str], units: np.ndarray
) -> list[tuple[str, Rows]]:
    rarest, count = min(Counter(labels).items(), key=lambda item: item[1])
    if count == 1:  # of which no folds can be made
        raise DataError(
            f"splits.kind 'k-fold' needs two rows or more of each label, but {rarest!r} has only 1; annotate more of it, "
            "take it out of the data, or set splits.kind to 'hash'"
        )
    if count < folds:
        raise DataError(f"splits.folds is {folds}, but the label {rarest!r} has only {count} rows; lower it or annotate more")
    number = len(set(units))
    if number == 1:
        raise DataError(f"splits.kind 'k-fold' needs two groups or more, found only {names[0]!r}")
    if number < folds:
        raise DataError(f"splits.folds is {folds}, but there are only {number} groups; lower it to that or less")
    grouped = number < len(units)
    kind = StratifiedGroupKFold if grouped else StratifiedKFold
    parts = kind(n_splits=folds, shuffle=True, random_state=seed).split(pool, labels, units if grouped else None)
    return [(f"fold {number}", pool[test]) for number, (_, test) in enumerate(parts, 1)]


def _hold_out(split: Split, share: float, seed: int, groups: Sequence[str | None]) -> tuple[Rows, Rows]:
    """Part the training rows, by group, into those that stay and a share held out; none where all are of one group."""
    _, units = _units([groups[row] for row in split.train], [str(row) for row in split.train])
    number = len(set(units))
    if number < 2:
        return split.train, split.train[:0]
    held_out = min(math.ceil(share * number), number - 1)  # one group at least stays to learn from
    parting = GroupShuffleSplit(n_splits=1, test_size=held_out, random_state=seed)
    stay, out = next(parting.split(split.train, groups=units))
    return split.train[stay], split.train[out]


def _thinned(split: Split, share: float, seed: int, groups: Sequence[str | None]) -> Split:
    """Leave a share of the training rows, by group; with one seed a larger share holds all of a smaller one."""
    if share == 1:
        return split
    _, units = _units([groups[row] for row in split.train], [str(row) for row in split.train])
    order = np.random.default_rng(seed).permutation(len(set(units)))
    stay = order[: math.ceil(share * len(order))]
    return replace(split, train=split.train[np.isin(units, stay)])


def _check_groups(split: Split, groups: Sequence[str | None]) -> None:
    sides = {"training": split.train, "validation": split.validation, "test": split.test}
    if np.array_equal(split.validation, split.test):  # no test file is given, as `make_splits` warns
        del sides["validation"]
    for (first, first_rows), (second, second_rows) in combinations(sides.items(), 2):
        common = ({groups[row] for row in first_rows} & {groups[row] for row in second_rows}) - {None}
        if common:
            raise DataError(
                f"{len(common)} groups stand both in the {first} and in the {second} rows, such as {sorted(map(str, common))[0]!r}; "
                "rows of one article must be in one file"
            )


def _units(groups: Sequence[str | None], ids: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Name and number, for each row, what stays together: the group, and a row without one alone."""
    # A group may itself be called "row 1".
    units = [(group, True) if group is not None else (f"row {id}", False) for group, id in zip(groups, ids, strict=True)]
    number_of = {unit: number for number, unit in enumerate(sorted(set(units)))}
    return [name for name, _ in units], np.array([number_of[unit] for unit in units])


def _hash(unit: str, seed: int) -> float:
    """A number in [0, 1) that depends on the unit and the seed only, so that rows stay put when the data grow."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{unit}".encode()).digest()[:8], "big") / 2**64
