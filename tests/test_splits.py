"""Splits: no group on two sides whatever the protocol, other seeds, rows that stay put, and what stops a run."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest

from textcls.config import SplitsConfig
from textcls.dataset import conflicts, near_duplicates
from textcls.errors import DataError
from textcls.splits import Split, check_duplicates, final_split, make_splits

KINDS = ("k-fold", "leave-one-group-out", "hash")


class Data:
    """Rows, drawn or given."""

    def __init__(self, groups: Sequence[str | None], labels: Sequence[str] | None = None, given: Sequence[str] | None = None):
        self.groups = list(groups)
        self.labels = list(labels or ["xy"[number % 2] for number in range(len(groups))])
        self.given = list(given or ["train"] * len(groups))
        self.ids = [f"id {number}" for number in range(len(groups))]

    def split(self, *, seed: int = 1, validate: bool = False, **settings: Any) -> list[Split]:
        return make_splits(
            SplitsConfig(**settings),
            seed=seed,
            labels=self.labels,
            groups=self.groups,
            ids=self.ids,
            given=self.given,
            validate=validate,
        )

    def problem(self, **settings: Any) -> str:
        with pytest.raises(DataError) as caught:
            self.split(**settings)
        return str(caught.value)


def draw(seed: int, *, rows: int = 60, groups: int = 12, ungrouped: float = 0.0) -> Data:
    """Rows in groups of very different sizes."""
    chance = random.Random(seed)
    weights = [1 / (number + 1) for number in range(groups)]
    names = chance.choices([f"g{number}" for number in range(groups)], weights, k=rows)
    return Data([None if chance.random() < ungrouped else name for name in names], chance.choices("xxxy", k=rows))


def sides(split: Split) -> dict[str, list[int]]:
    return {name: getattr(split, name).tolist() for name in ("train", "validation", "test")}


def assert_apart(split: Split, groups: Sequence[str | None]) -> None:
    for (_, first), (_, second) in combinations(sides(split).items(), 2):
        assert not set(first) & set(second)
        assert not ({groups[row] for row in first} & {groups[row] for row in second}) - {None}


# --- protocols ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("ungrouped", [0.0, 0.3])
def test_no_group_is_ever_on_two_sides(kind: str, seed: int, validate: bool, ungrouped: float) -> None:
    data = draw(seed, ungrouped=ungrouped)
    splits = data.split(kind=kind, seed=seed, folds=4, validate=validate, validation=0.2)
    for split in splits:
        assert_apart(split, data.groups)
        assert len(split.train)
        assert len(split.test)
        assert bool(len(split.validation)) == validate
        # No row is lost, and they come in order.
        assert sorted(chain(*sides(split).values())) == list(range(len(data.groups)))
        assert all(rows == sorted(rows) for rows in sides(split).values())
    if kind != "hash":  # every row is measured once
        assert sorted(row for split in splits for row in split.test) == list(range(len(data.groups)))
    assert len({split.name for split in splits}) == len(splits)


def test_given_files_are_taken_as_they_are() -> None:
    data = Data(["a", "b", "c", "d"], given=["train", "test", "validation", "train"])
    (split,) = data.split(kind="given", validate=True)
    assert sides(split) == {"train": [0, 3], "validation": [2], "test": [1]}
    assert split.name == "given"


def test_given_without_validation_holds_out_whole_groups_of_training() -> None:
    data = Data(["a", "a", "b", "b", "c", "c", "d", "d"], given=["train"] * 6 + ["test"] * 2)
    (split,) = data.split(kind="given", validate=True, validation=0.3)
    assert len(split.validation) == 2
    assert split.test.tolist() == [6, 7]
    assert_apart(split, data.groups)
    assert not len(data.split(kind="given", validate=False)[0].validation)


def test_given_without_a_test_measures_on_validation(caplog: pytest.LogCaptureFixture) -> None:
    data = Data(["a", "b", "c", "d"], given=["train", "train", "train", "validation"])
    (split,) = data.split(kind="given", validate=False)
    assert sides(split) == {"train": [0, 1, 2], "validation": [], "test": [3]}
    assert not caplog.messages
    (split,) = data.split(kind="given", validate=True)
    assert sides(split) == {"train": [0, 1, 2], "validation": [3], "test": [3]}
    assert caplog.messages == ["data.test is not given: the figures are those of data.validation, by which the model is chosen"]


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_k_fold_makes_as_many_folds_and_keeps_the_labels_even(folds: int) -> None:
    data = Data([None] * 60, ["x"] * 30 + ["y"] * 30)
    splits = data.split(kind="k-fold", folds=folds)
    assert [split.name for split in splits] == [f"fold {number}" for number in range(1, folds + 1)]
    for split in splits:
        assert [data.labels[row] for row in split.test].count("y") == 30 // folds


def test_k_fold_by_group_keeps_the_labels_even_too() -> None:
    groups = [f"g{number // 4}" for number in range(80)]
    data = Data(groups, ["x", "x", "x", "y"] * 20)
    for split in data.split(kind="k-fold", folds=5):
        assert [data.labels[row] for row in split.test].count("y") == 4


def test_leave_one_group_out_names_the_group() -> None:
    data = Data(["b", "a", "b", "c"])
    splits = data.split(kind="leave-one-group-out")
    assert {split.name: split.test.tolist() for split in splits} == {"without a": [1], "without b": [0, 2], "without c": [3]}


def test_a_group_that_is_called_as_a_row_would_be_is_not_that_row() -> None:
    data = Data(["row id 1", None, "row id 1", None])
    assert [split.test.tolist() for split in data.split(kind="leave-one-group-out")] == [[1], [0, 2], [3]]


def test_a_validation_file_is_the_validation_of_every_fold() -> None:
    data = Data(["a", "b", "c", "v"], given=["train", "train", "train", "validation"])
    for split in data.split(kind="leave-one-group-out", validate=True):
        assert split.validation.tolist() == [3]
        assert_apart(split, data.groups)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_the_share_of_hash_is_about_what_is_asked(share: float) -> None:
    (split,) = Data([f"g{number}" for number in range(1000)]).split(kind="hash", test=share)
    assert len(split.test) / 1000 == pytest.approx(share, abs=0.05)


# --- seeds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["k-fold", "hash"])
@pytest.mark.parametrize("grouped", [True, False])
def test_another_seed_is_another_split_and_the_same_seed_the_same(kind: str, grouped: bool) -> None:
    data = Data([f"g{number // 2}" if grouped else None for number in range(40)])
    first, again, other = (data.split(kind=kind, seed=seed) for seed in (1, 1, 2))
    assert [sides(split) for split in first] == [sides(split) for split in again]
    assert [set(split.test) for split in first] != [set(split.test) for split in other]


@pytest.mark.parametrize("kind", [*KINDS, "given"])
def test_another_seed_holds_out_other_validation_rows(kind: str) -> None:
    given = ["train"] * 40 + ["test"] * 2 if kind == "given" else None
    data = Data([f"g{number // 2}" for number in range(42 if given else 40)], given=given)
    first, again, other = (data.split(kind=kind, seed=seed, validate=True)[0].validation.tolist() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_row_of_the_hash_split_stays_put_when_data_grow(grouped: bool, seed: int) -> None:
    small = Data([f"g{number}" if grouped else None for number in range(30)])
    (before,) = small.split(kind="hash", seed=seed, test=0.3)
    # New rows come first, in groups old and new; the old rows keep their ids.
    large = Data([f"g{number}" if grouped else None for number in (*range(25, 60), *range(30))])
    large.ids = [f"new {number}" for number in range(35)] + small.ids
    (after,) = large.split(kind="hash", seed=seed, test=0.3)
    assert [row - 35 for row in after.test if row >= 35] == before.test.tolist()
    if grouped:
        assert_apart(after, large.groups)


# --- holding out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("validation", [0.01, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("groups", [2, 3, 8])
def test_whatever_the_share_there_are_rows_to_learn_from_and_to_stop_on(validation: float, groups: int) -> None:
    data = Data([f"g{number % groups}" for number in range(24)] + ["t"], given=["train"] * 24 + ["test"])
    (split,) = data.split(kind="given", validate=True, validation=validation)
    assert len(split.train)
    assert len(split.validation)
    assert_apart(split, data.groups)


def test_the_share_of_validation_is_a_share_of_the_groups() -> None:
    data = Data([f"g{number // 2}" for number in range(40)] + ["t"], given=["train"] * 40 + ["test"])
    (split,) = data.split(kind="given", validate=True, validation=0.25)
    assert len(split.validation) == 10


def test_no_share_is_no_validation() -> None:
    (split, *_) = draw(1).split(kind="k-fold", folds=3, validate=True, validation=0)
    assert not len(split.validation)


def test_one_group_cannot_be_held_out_of(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Data(["a", "a", "b", "b"]).split(kind="leave-one-group-out", validate=True)
    assert not len(first.validation)
    assert first.train.tolist() == second.test.tolist() == [2, 3]
    assert caplog.messages[0] == ("without a: the training rows are all of one group, so none can be held out to validate on")


def test_the_final_split_is_all_rows() -> None:
    data = draw(3)
    settings: dict[str, Any] = {"groups": data.groups, "given": data.given}
    split = final_split(SplitsConfig(), seed=1, validate=False, **settings)
    assert split.train.tolist() == list(range(60))
    split = final_split(SplitsConfig(), seed=1, validate=True, **settings)
    assert len(split.train) + len(split.validation) == 60
    assert len(split.validation)
    assert not len(split.test)
    assert_apart(split, data.groups)
    other = final_split(SplitsConfig(), seed=2, validate=True, **settings)
    assert split.validation.tolist() != other.validation.tolist()


# --- errors ---------------------------------------------------------------------------------------------------------


def test_fewer_rows_of_a_label_than_folds() -> None:
    assert Data([None] * 9, ["x"] * 6 + ["rare"] * 3).problem(kind="k-fold", folds=4) == (
        "splits.folds is 4, but the label 'rare' has only 3 rows; lower it or annotate more"
    )


def test_a_label_of_one_row_has_no_folds() -> None:
    assert Data([None] * 7, ["x"] * 6 + ["rare"]).problem(kind="k-fold", folds=2) == (
        "splits.kind 'k-fold' needs two rows or more of each label, but 'rare' has only 1; annotate more of it, "
        "take it out of the data, or set splits.kind to 'hash'"
    )


def test_fewer_groups_than_folds() -> None:
    assert Data(["a", "b", "c"] * 4).problem(kind="k-fold", folds=5) == (
        "splits.folds is 5, but there are only 3 groups; lower it to that or less"
    )


def test_leaving_out_groups_where_there_are_none() -> None:
    assert Data([None] * 4).problem(kind="leave-one-group-out") == (
        "splits.kind 'leave-one-group-out' needs a group for each row; name its column in data.group, or set splits.kind=k-fold"
    )
    assert Data(["a"] * 4).problem(kind="leave-one-group-out") == (
        "splits.kind 'leave-one-group-out' needs two groups or more, found only 'a'"
    )


def test_a_hash_split_without_rows_on_one_side() -> None:
    message = Data(["a"] * 4).problem(kind="hash", test=0.5)
    assert message in {
        f"splits.kind 'hash' put {number} of 4 rows into the test; give more groups or another share" for number in (0, 4)
    }


@pytest.mark.parametrize(
    ("given", "first", "second"),
    [
        (["train", "train", "test"], "training", "test"),
        (["train", "train", "validation", "test"], "training", "validation"),
        (["train", "validation", "validation", "test"], "validation", "test"),
    ],
)
def test_a_group_in_two_given_files(given: list[str], first: str, second: str) -> None:
    data = Data([f"g{number}" for number in range(len(given))], given=given)
    position = {"training": "train"}.get(first, first)
    data.groups[given.index(second)] = data.groups[given.index(position)] = "storm"
    for validate in (True, False):
        assert data.problem(kind="given", validate=validate) == (
            f"1 groups stand both in the {first} and in the {second} rows, such as 'storm'; rows of one article must be in one file"
        )


def test_a_group_in_the_validation_file_and_in_the_test_that_hash_makes() -> None:
    for seed in range(10):
        data = Data([f"g{number}" for number in range(10)] + ["g3"], given=["train"] * 10 + ["validation"])
        assert "'g3'; rows of one article must be in one file" in data.problem(kind="hash", test=0.5, seed=seed, validate=True)


def test_rows_without_a_group_are_no_group() -> None:
    data = Data([None] * 4, given=["train", "train", "validation", "test"])
    assert len(data.split(kind="given", validate=True)) == 1


# --- duplicates -----------------------------------------------------------------------------------------------------

TEXTS = [
    "The council voted on Monday to close the harbour bridge until the end of May, officials said.",
    "It rained.",
    "The ferry was empty when it sank.",
    "The council voted on Monday to close the harbour bridge until the end of May, an official said.",
    "It snowed.",
    "The market was hot.",
]
SPLIT = Split("given", *(np.array(rows, dtype=int) for rows in ([0, 1, 2], [], [3, 4, 5])))


def check(
    splits: Sequence[Split], duplicates: str, *, texts: Sequence[str] = TEXTS, labels: Sequence[str] | None = None
) -> list[Split]:
    return check_duplicates(
        splits,
        SplitsConfig(duplicates=duplicates),  # type: ignore[arg-type]
        clusters=near_duplicates(texts),
        texts=texts,
        conflicting=list(conflicts(texts, labels or ["x"] * len(texts))),
    )


def test_duplicates_across_a_split_stop_the_run() -> None:
    with pytest.raises(DataError) as caught:
        check([SPLIT], "stop")
    assert str(caught.value) == (
        "1 training text nearly the same as one of the rows held out, such as "
        "'The council voted on Monday to close the harbour bridge unt…'. "
        "Mend the data, or set splits.duplicates to 'drop' (out of training) or 'warn'"
    )


def test_duplicates_are_dropped_from_training() -> None:
    (split,) = check([SPLIT], "drop")
    assert sides(split) == {"train": [1, 2], "validation": [], "test": [3, 4, 5]}


@pytest.mark.parametrize("duplicates", ["warn", "drop"])
def test_duplicates_are_reported(duplicates: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    splits = check([SPLIT], duplicates)
    assert [message.partition(", such as")[0] for message in caplog.messages] == [
        "1 training text nearly the same as one of the rows held out"
    ]
    if duplicates == "warn":
        assert sides(splits[0]) == sides(SPLIT)


@pytest.mark.parametrize("duplicates", ["stop", "warn", "drop"])
def test_without_duplicates_nothing_happens(duplicates: str, caplog: pytest.LogCaptureFixture) -> None:
    texts = ["It hailed.", *TEXTS[1:]]
    (split,) = check([SPLIT], duplicates, texts=texts)
    assert sides(split) == sides(SPLIT)
    assert not caplog.messages


def test_duplicates_within_training_are_no_leak() -> None:
    texts = [TEXTS[1], TEXTS[1], *TEXTS[2:]]
    (split,) = check([SPLIT], "stop", texts=texts)
    assert sides(split) == sides(SPLIT)


def test_duplicates_of_training_and_validation_are_a_leak() -> None:
    split = Split("given", np.array([0, 1]), np.array([3]), np.array([2, 4, 5]))
    assert sides(check([split], "drop")[0]) == {"train": [1], "validation": [3], "test": [2, 4, 5]}
    with pytest.raises(DataError, match="1 training text nearly the same as one of the rows held out"):
        check([split], "stop")


def test_duplicates_of_validation_and_test_are_a_leak() -> None:
    split = Split("given", np.array([1, 2]), np.array([0, 4]), np.array([3, 5]))
    assert sides(check([split], "drop")[0]) == {"train": [1, 2], "validation": [4], "test": [3, 5]}
    with pytest.raises(DataError, match="1 validation text nearly the same as one of the test rows, such as 'The council"):
        check([split], "stop")


def test_measuring_on_validation_is_no_leak() -> None:
    split = Split("given", np.array([1, 2]), np.array([3, 4]), np.array([3, 4]))
    assert sides(check([split], "drop")[0]) == sides(split)
    check([split], "stop")


def test_duplicates_of_calibration_and_test_are_a_leak() -> None:
    split = Split("given", np.array([1, 2]), np.array([], int), np.array([3, 5]), calibration=np.array([0, 4]))
    dropped = check([split], "drop")[0]
    assert (sides(dropped), dropped.calibration.tolist()) == ({"train": [1, 2], "validation": [], "test": [3, 5]}, [4])
    with pytest.raises(DataError, match="1 calibration text nearly the same as one of the test rows, such as 'The council"):
        check([split], "stop")


def test_a_row_that_leaks_in_several_folds_counts_once() -> None:
    folds = [Split("a", np.array([0, 1, 2]), np.array([], int), np.array([3, 4])), SPLIT]
    with pytest.raises(DataError, match=r"^1 training text nearly"):
        check(folds, "stop")
    assert [split.train.tolist() for split in check(folds, "drop")] == [[1, 2], [1, 2]]


def test_texts_with_two_labels() -> None:
    texts = ["It rained.", "IT RAINED", "It was wet.", "It snowed.", "It hailed.", "The sun came out."]
    labels = ["fact", "opinion", "fact", "fact", "fact", "fact"]
    with pytest.raises(DataError) as caught:
        check([SPLIT], "stop", texts=texts, labels=labels)
    assert str(caught.value) == (
        "2 texts with more than one label, such as 'It rained.'. "
        "Mend the data, or set splits.duplicates to 'drop' (out of training) or 'warn'"
    )
    assert check([SPLIT], "warn", texts=texts, labels=labels)[0].train.tolist() == [0, 1, 2]
    assert sides(check([SPLIT], "drop", texts=texts, labels=labels)[0]) == {"train": [2], "validation": [], "test": [3, 4, 5]}


def test_every_problem_is_named() -> None:
    texts = [TEXTS[0], "It rained.", "It rained!", *TEXTS[3:]]
    with pytest.raises(DataError, match=r"^1 training text .*; 2 texts with more than one label"):
        check([SPLIT], "stop", texts=texts, labels=["a", "a", "b", "a", "a", "a"])


def test_dropping_everything_is_an_error() -> None:
    split = Split("fold 1", np.array([0]), np.array([], int), np.array([3]))
    with pytest.raises(DataError) as caught:
        check([split], "drop")
    assert str(caught.value) == "split fold 1: no training row is left after dropping duplicates"


# --- learning from a share ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["k-fold", "hash"])
@pytest.mark.parametrize("groups", [0, 12])
def test_a_larger_share_holds_all_of_a_smaller_one_and_other_sides_stay(kind: str, groups: int) -> None:
    data = draw(3, groups=groups) if groups else draw(3, ungrouped=1.0)
    whole, large, small = (data.split(kind=kind, folds=3, share=share, seed=3, validate=True) for share in (1.0, 0.7, 0.3))
    for few, more, all_rows in zip(small, large, whole, strict=True):
        assert set(few.train) < set(more.train) < set(all_rows.train)
        for split in (few, more):
            assert np.array_equal(split.test, all_rows.test)
            assert np.array_equal(split.validation, all_rows.validation)
            here, left = (
                {data.groups[row] for row in rows} - {None} for rows in (split.train, np.setdiff1d(all_rows.train, split.train))
            )
            assert not here & left, "a group falls apart"
    (other,) = data.split(kind="hash", share=0.3, seed=4)
    assert not np.array_equal(other.train, small[0].train)
