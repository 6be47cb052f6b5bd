"""Self-distillation across folds: what a text is to be learnt as is softened by what models that have not seen it say.

A model that learns in part what an earlier one of its own kind says generalises better (Furlanello et al. 2018, Born-Again Neural
Networks). The earlier ones learn from other folds than the texts that they are asked about, for of its own texts a model repeats the
labels (Dao et al. 2021, Knowledge Distillation as Semiparametric Inference).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from textcls.config import DistillationConfig
from textcls.errors import ModelError
from textcls.files import new_file
from textcls.models.base import Listener
from textcls.models.configured import Lesson
from textcls.models.inputs import Texts
from textcls.torchrun import world_size
from textcls.wording import counted, did_you_mean, quoted


def soften(
    lesson: Lesson,
    settings: DistillationConfig,
    teach: Callable[[Lesson, Texts, float, Path], np.ndarray],
    *,
    seed: int,
    epochs: float,
    folder: Path,
) -> Lesson:
    """Mix into what is to be learnt what teachers say, one a fold.

    Args:
        lesson: what a classifier is to learn.
        settings: how many folds, and how much their teachers count.
        teach: learn a lesson in so many epochs, with checkpoints in a folder, and estimate each label's probability for other texts,
            shape (n_texts, n_labels).
        seed: of the folds.
        epochs: of the pupil.
        folder: what teachers said is kept here until the caller removes it, so that a fit that was killed does not ask them again.

    Returns:
        the lesson with softer shares, whose listener is told of progress from where the teachers left it.

    Raises:
        ModelError: a text has no value in the column of groups, there are fewer groups than folds, or a label is in one fold only.
    """
    groups = _groups(lesson.texts, settings.group)
    if len(set(groups)) < settings.folds:
        raise ModelError(
            f"model.distillation.folds is {settings.folds}, but the training rows are of {counted(len(set(groups)), 'group')}; "
            "lower it, give more groups, or set model.distillation to null"
        )
    stratified = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of labels with few rows, which are told below
        folds = list(stratified.split(groups, lesson.shares.argmax(axis=1), groups))
    for others, _ in folds:  # before the first teacher is paid for
        absent = lesson.classes[lesson.shares[others].sum(axis=0) == 0]
        if len(absent):
            raise ModelError(
                f"model.distillation: all training rows labelled {absent[0]} are in one of {settings.folds} folds; "
                "give more of them, or set model.distillation to null"
            )
    # A teacher has all folds but its own to learn from, the pupil all.
    epochs_of_teacher = settings.epochs or epochs
    work = np.cumsum([0, *[(settings.folds - 1) * epochs_of_teacher] * settings.folds, settings.folds * epochs])
    *parts, last = pairwise(work / work[-1])
    resumable = world_size() == 1  # of several processes none knows what the others have kept
    said = np.zeros_like(lesson.shares)
    for number, ((others, own), part) in enumerate(zip(folds, parts, strict=True), 1):
        kept = folder / f"fold-{number}.npy"
        known = _read(kept, said[own].shape) if resumable else None
        if known is not None:
            said[own] = known
            continue
        of_teacher = replace(
            lesson,
            texts=[lesson.texts[row] for row in others],
            shares=lesson.shares[others],
            held_out=None,
            listener=_Part(lesson.listener, *part),
        )
        said[own] = teach(of_teacher, [lesson.texts[row] for row in own], epochs_of_teacher, folder / f"fold-{number}")
        if resumable:
            with new_file(kept) as file, file.open("wb") as out:
                np.save(out, said[own])
            lesson.listener.saved()
    shares = (1 - settings.weight) * lesson.shares + settings.weight * said
    return replace(lesson, shares=shares, listener=_Pupil(lesson.listener, *last))


class _Part(Listener):
    """A part of a fit, whose progress is told in thousandths of the whole, and whose curves are not."""

    def __init__(self, listener: Listener, start: float, end: float) -> None:
        self.listener, self.start, self.end = listener, start, end

    def progress(self, done: int, total: int) -> None:
        self.listener.progress(round(1000 * (self.start + (self.end - self.start) * done / total)), 1000)

    def saved(self) -> None:
        self.listener.saved()


class _Pupil(_Part):
    """The last part, with its curves."""

    def metric(self, name: str, value: float, step: int) -> None:
        self.listener.metric(name, value, step)


def _read(kept: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """What a teacher said before the fit was killed; None if it had not, or if that is damaged."""
    try:
        said: np.ndarray = np.load(kept, allow_pickle=False)
        if said.shape == shape:
            return said
    except (OSError, ValueError, EOFError, BadZipFile):
        pass
    kept.unlink(missing_ok=True)
    return None


def _groups(texts: Texts, column: str | None) -> list[int]:
    """A number for the group of each text: what its column says, else its row's group, its article, or all texts that read like it."""
    rows = [item if isinstance(item, Mapping) else {"text": item} for item in texts]
    if column is None:
        names = [row.get("group") or row.get("article") or row["text"] for row in rows]
    else:
        names = [row.get(column) for row in rows]
        if None in names:
            row = rows[names.index(None)]
            hint = "give each of them one" if column in row else did_you_mean(column, row)
            raise ModelError(
                f"model.distillation.group is {column!r}, but {names.count(None)} of {len(names)} training rows have no value there, "
                f"such as {quoted(row['text'])}; {hint}"
            )
    known: dict[str, int] = {}
    return [known.setdefault(str(name), len(known)) for name in names]
