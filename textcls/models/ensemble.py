"""The mean of finished models' probabilities.

Which models they are, and where they lie, is the caller's to resolve: it hands loaded classifiers to `join`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from textcls.config import EnsembleConfig
from textcls.errors import DataError, ModelError
from textcls.models.base import TextClassifier
from textcls.models.configured import ConfiguredClassifier, Lesson
from textcls.models.decision import Decision
from textcls.models.inputs import Labels, Texts, check_texts

_MEMBERS = "members.json"


class EnsembleClassifier(ConfiguredClassifier[EnsembleConfig]):
    """Averages the probabilities of other classifiers. The parameters are those of `config.EnsembleConfig`.

    A member's decision weighs and calibrates what is averaged; when to abstain is up to the ensemble's own.

    Attributes:
        members_: the classifiers that were joined.
    """

    kind: ClassVar[str] = "ensemble"

    members: Sequence[str]
    weights: Sequence[float] | None

    def join(self, classifiers: Sequence[TextClassifier]) -> Self:
        """Take over fitted classifiers, in the order of `members`.

        Raises:
            ModelError: another number than `members`, or they differ in their labels or in the context they read.
        """
        if len(classifiers) != len(self.members):
            raise ModelError(f"expected the {len(self.members)} members of the ensemble, found {len(classifiers)}")
        labels = [str(label) for label in classifiers[0].classes_]
        for name, classifier in zip(self.members, classifiers, strict=True):
            found = [str(label) for label in classifier.classes_]
            if found != labels:
                raise ModelError(
                    f"member {name}: expected the labels of member {self.members[0]} ({', '.join(labels)}), "
                    f"found {', '.join(found)}; an ensemble's members must have the same labels"
                )
            if classifier.context is not None and _counts(classifier.context) != _counts(self.context):
                raise ModelError(
                    f"member {name} reads the context {_counts(classifier.context)}, but model.context is "
                    f"{_counts(self.context)}; set it to what the members read"
                )
        self.members_ = list(classifiers)
        known = [member.learnt_ for member in classifiers if member.learnt_ is not None]
        self.learnt_ = np.unique(np.concatenate(known)) if len(known) == len(classifiers) else None
        self.classes_ = np.array(labels)
        return self

    def fit(self, texts: Texts, labels: Labels, **options: Any) -> Self:
        """Check that the members know the labels; there is nothing to learn. See `TextClassifier.fit`.

        Raises:
            DataError: as `TextClassifier.fit`, or a label that the members do not know.
            ModelError: no members were joined.
        """
        return super().fit(texts, labels, **options).join(self.members_)  # whose labels and texts it has, not these

    def write(self, folder: Path) -> None:
        """Write each member into a folder of its own, and `members.json`, their kinds, settings and decisions."""
        described = []
        for number, member in enumerate(self.members_, 1):
            place = folder / f"member-{number}"
            place.mkdir()
            member.write(place)
            decision = None if member.decision_ is None else member.decision_.model_dump()
            entry = {"folder": place.name, "kind": member.kind, "settings": member.plain_params(), "decision": decision}
            described.append(entry)
        (folder / _MEMBERS).write_text(json.dumps(described, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    def read(self, folder: Path, labels: Sequence[str]) -> Self:
        """Take over what `write` left; see `TextClassifier.read`."""
        described = json.loads((folder / _MEMBERS).read_text(encoding="utf-8"))
        return self.join([_read_member(folder, entry, labels) for entry in described])

    def _learn(self, lesson: Lesson) -> None:
        if not hasattr(self, "members_"):
            raise ModelError("an ensemble learns nothing itself; join its fitted members first")
        for label in lesson.classes.tolist():
            if label not in self.classes_:
                raise DataError(f"label {label!r} is none of the members' labels ({', '.join(map(str, self.classes_))})")

    def _probabilities(self, texts: Texts) -> np.ndarray:
        check_texts(texts)
        weights = np.ones(len(self.members_)) if self.weights is None else np.array(self.weights, dtype=float)
        parts = [member.predict_proba(texts) for member in self.members_]
        mean: np.ndarray = sum(weight * part for weight, part in zip(weights / weights.sum(), parts, strict=True))
        return mean


def _read_member(folder: Path, entry: Mapping[str, Any], labels: Sequence[str]) -> TextClassifier:
    from textcls.models import classifier_class  # which knows of this module

    try:
        classifier = classifier_class(entry["kind"])(**entry["settings"])
    except (KeyError, TypeError) as error:
        raise ModelError(f"{folder}: {_MEMBERS} has settings that this textcls does not know: {error}") from error
    classifier.read(folder / Path(entry["folder"]).name, labels)
    if entry.get("decision") is not None:
        classifier.decision_ = Decision.model_validate(entry["decision"])
    return classifier


def _counts(context: Mapping[str, int] | None) -> dict[str, int] | None:
    return None if context is None else {"before": context.get("before", 0), "after": context.get("after", 0)}
