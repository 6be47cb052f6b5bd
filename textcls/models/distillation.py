"""Self-distillation across folds: what a text is to be learnt as is softened by what models that have not seen it say.

A model that learns in part what an earlier one of its own kind says generalises better (Furlanello et al. 2018, Born-Again Neural
Networks). The earlier ones learn from other folds than the texts that they are asked about, for of its own texts a model repeats the
labels (Dao et al. 2021, Knowledge Distillation as Semiparametric Inference).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from sklearn.model_selection import GroupKFold

from textcls.config import DistillationConfig
from textcls.errors import ModelError
from textcls.files import new_file
from textcls.models.base import Listener
from textcls.models.configured import Lesson
from textcls.models.inputs import Texts
from textcls.torchrun import world_size


def soften(
    lesson: Lesson,
    settings: DistillationConfig,
    teach: Callable[[Lesson, Texts, Path], np.ndarray],
    *,
    seed: int,
    epochs: float,
    folder: Path,
) -> Lesson:
    """Mix into what is to be learnt what teachers say, one a fold.

    Args:
        lesson: what a classifier is to learn.
        settings: how many folds, and how much their teachers count.
        teach: learn a lesson, with checkpoints in a folder, and estimate each label's probability for other texts, shape
            (n_texts, n_labels).
        seed: of the folds.
        epochs: of the pupil.
        folder: what teachers said is kept here until the caller empties it, so that a fit that was killed does not ask them again.

    Returns:
        the lesson with softer shares, whose listener is told of progress from where the teachers left it.

    Raises:
        ModelError: there are fewer groups than folds, or a label is in one fold only.
    """
    groups = _groups(lesson.texts)
    if len(set(groups)) < settings.folds:
        raise ModelError(
            f"model.distillation.folds is {settings.folds}, but the training rows are of {len(set(groups))} groups; "
            "lower it, give more groups, or set model.distillation to null"
        )
    said = np.zeros_like(lesson.shares)
    folds = list(GroupKFold(settings.folds, shuffle=True, random_state=seed).split(groups, groups=groups))
    for others, _ in folds:  # before the first teacher is paid for
        absent = lesson.classes[lesson.shares[others].sum(axis=0) == 0]
        if len(absent):
            raise ModelError(
                f"model.distillation: all training rows labelled {absent[0]} are in one of {settings.folds} folds; "
                "give more of them, or set model.distillation to null"
            )
    # A teacher has all folds but its own to learn from, for so many epochs of the pupil's; the pupil has all.
    of_teacher = (settings.folds - 1) * (settings.epochs or epochs) / epochs
    work = np.cumsum([0, *[of_teacher] * settings.folds, settings.folds])
    *teachers, pupil = (_Part(lesson.listener, start, end) for start, end in pairwise(work / work[-1]))
    for number, (others, own) in enumerate(folds, 1):
        kept = folder / f"fold-{number}.npy"
        if (
            world_size() == 1 and (told := _read(kept, said[own].shape)) is not None
        ):  # of several processes each would have to know
            said[own] = told
            continue
        others_lesson = replace(
            lesson,
            texts=[lesson.texts[row] for row in others],
            shares=lesson.shares[others],
            held_out=None,
            listener=teachers[number - 1],
        )
        said[own] = teach(others_lesson, [lesson.texts[row] for row in own], folder / f"fold-{number}")
        if world_size() == 1:
            with new_file(kept) as file, file.open("wb") as out:
                np.save(out, said[own])
            lesson.listener.saved()
    return replace(lesson, shares=(1 - settings.weight) * lesson.shares + settings.weight * said, listener=pupil)


class _Part(Listener):
    """A part of a fit, told as part of the whole: progress in thousandths of that, and curves of the last, the pupil's, alone."""

    def __init__(self, listener: Listener, start: float, end: float) -> None:
        self.listener, self.start, self.end = listener, start, end

    def metric(self, name: str, value: float, step: int) -> None:
        if self.end == 1:
            self.listener.metric(name, value, step)

    def progress(self, done: int, total: int) -> None:
        self.listener.progress(round(1000 * (self.start + (self.end - self.start) * done / total)), 1000)

    def saved(self) -> None:
        self.listener.saved()


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


def _groups(texts: Texts) -> list[int]:
    """A number for the group of each text, which is that of its row, or its article; a text without one is a group of its own."""
    names = [item.get("group") or item.get("article") if isinstance(item, Mapping) else None for item in texts]
    known: dict[object, int] = {}
    return [known.setdefault(number if name is None else str(name), len(known)) for number, name in enumerate(names)]
