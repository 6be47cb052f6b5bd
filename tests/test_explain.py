"""What weighed: for every family that can say so the weights sum to the log odds, and they name what was read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
import pytest
from conftest import toy_rows

from textcls.errors import DataError, ModelError
from textcls.models import Decision, TextClassifier, Weighed, classifier_class
from textcls.models.attributions import weigh_words

ROWS = [{**row, "before": "the council opened", "after": "a plan"} for row in toy_rows()]
LABELS = [row["label"] for row in ROWS]
TEXTS = [ROWS[0]["text"], ROWS[2]["text"], "“the worst bridge,” the mayor opened on Monday"]
ODDS = (["fact", "opinion", "quote"], ["quote", "fact", "fact"])
LINEAR, ENCODERS = ("tfidf", "static"), ("transformer", "embedding", "setfit")


@pytest.fixture(scope="module")
def fit(model_settings: Callable[[str], dict[str, Any]]) -> Callable[..., TextClassifier]:
    kept: dict[str, TextClassifier] = {}

    def fitted(kind: str, **settings: Any) -> TextClassifier:
        chosen = {**model_settings(kind), "seed": 1, **settings}
        key = repr(sorted(chosen.items()))
        if key not in kept:
            kept[key] = classifier_class(chosen.pop("kind"))(**chosen).fit(ROWS, LABELS)
        return kept[key]

    return fitted


def log_odds(classifier: TextClassifier, texts: Any, labels: list[str], others: list[str]) -> np.ndarray:
    logs, names = np.log(classifier.predict_proba(texts)), classifier.classes_.tolist()
    rows = np.arange(len(labels))
    odds: np.ndarray = logs[rows, [names.index(i) for i in labels]] - logs[rows, [names.index(i) for i in others]]
    return odds


def explain(
    classifier: TextClassifier, texts: Any, labels: list[str] = ODDS[0], others: list[str] = ODDS[1]
) -> list[list[Weighed]]:
    found = classifier.explain(texts, labels, others)
    assert found is not None
    assert len(found) == len(texts)
    return found


@pytest.mark.parametrize("kind", LINEAR)
@pytest.mark.parametrize("context", [None, {"before": 1, "after": 1}])
def test_weights_of_linear_families_sum_to_the_log_odds(
    kind: str, context: dict[str, int] | None, fit: Callable[..., TextClassifier]
) -> None:
    classifier = fit(kind, context=context)
    rows = [{"text": text, "before": "the council opened", "after": "on friday, surely"} for text in TEXTS]
    sums = np.array([sum(piece.weight for piece in its) for its in explain(classifier, rows)])
    differences = log_odds(classifier, rows, *ODDS) - sums
    # What is left is the difference of the intercepts, the same for the same two labels whatever the text.
    others = [{"text": "the mayor surely has a plan", "before": "", "after": "it said"}] * 3
    again = np.array([sum(piece.weight for piece in its) for its in explain(classifier, others)])
    np.testing.assert_allclose(log_odds(classifier, others, *ODDS) - again, differences, atol=1e-4)


@pytest.mark.parametrize("kind", ENCODERS)
def test_weights_of_encoders_sum_to_what_sets_a_text_apart_from_none(kind: str, fit: Callable[..., TextClassifier]) -> None:
    classifier = fit(kind)
    sums = np.array([sum(piece.weight for piece in its) for its in explain(classifier, TEXTS, ["fact"] * 3, ["quote"] * 3)])
    padding = classifier.tokenizer_.pad_token  # type: ignore[attr-defined]
    counts = [len(classifier.tokenizer_(text)["input_ids"]) - 2 for text in TEXTS]  # type: ignore[attr-defined]
    nothing = log_odds(classifier, [" ".join([padding] * count) for count in counts], ["fact"] * 3, ["quote"] * 3)
    odds = log_odds(classifier, TEXTS, ["fact"] * 3, ["quote"] * 3)
    np.testing.assert_allclose(sums, odds - nothing, atol=0.05 * np.abs(odds - nothing).max())


@pytest.mark.parametrize("kind", [*LINEAR, *ENCODERS])
def test_what_weighed_is_what_was_read(kind: str, fit: Callable[..., TextClassifier]) -> None:
    classifier = fit(kind, context={"before": 1, "after": 1})
    row = {"text": "the mayor said “no”", "before": "the council opened", "after": "a plan"}
    (found,) = explain(classifier, [row], ["quote"], ["fact"])
    assert [abs(piece.weight) for piece in found] == sorted((abs(piece.weight) for piece in found), reverse=True)
    assert len({(piece.piece, piece.part) for piece in found}) == len(found)
    words = {part: {p.piece for p in found if p.part == part} for part in ("before.words", "words", "after.words")}
    if kind in ENCODERS:
        assert words == {
            "before.words": {"the", "council", "opened"},
            "words": {"the", "mayor", "said", "“", "no", "”"},
            "after.words": {"a", "plan"},
        }
    else:
        assert "mayor" in words["words"]
        assert "opened" not in words["words"]


@pytest.mark.parametrize("kind", [*LINEAR, *ENCODERS])
def test_the_other_way_round_weights_change_their_sign(kind: str, fit: Callable[..., TextClassifier]) -> None:
    classifier = fit(kind)
    (one,), (other,) = (explain(classifier, TEXTS[:1], [a], [b]) for a, b in (("fact", "quote"), ("quote", "fact")))
    assert {piece[::2]: pytest.approx(-piece.weight, abs=1e-5) for piece in other} == {p[::2]: p.weight for p in one}


def test_tfidf_names_the_n_grams_that_speak_for_a_label(fit: Callable[..., TextClassifier]) -> None:
    (found,) = explain(fit("tfidf", char_ngrams=None, pattern_ngrams=None), [ROWS[2]["text"]], ["opinion"], ["fact"])
    strongest = [piece.piece for piece in found[:12]]
    assert {"surely", "worst", "worst plan"} & set(strongest)
    assert found[0].weight > 0


def test_windows_of_a_long_text_are_put_together(fit: Callable[..., TextClassifier]) -> None:
    classifier = fit("transformer", long_texts="windows", max_length=16)
    text = "the council opened a bridge " * 8 + "zebra"
    (found,) = explain(classifier, [text], ["fact"], ["quote"])
    assert {piece.piece for piece in found} == {"the", "council", "opened", "a", "bridge", "zebra"}


def test_words_are_put_together_of_tokens() -> None:
    tokens = [((0, 0), 9.0), ((0, 2), 1.0), ((2, 4), 0.5), ((4, 5), -1.0), ((5, 9), 2.0), ((20, 24), 9.0)]
    assert weigh_words("Rain, he", tokens) == [("Rain", 1.5, "words"), (",", -1.0, "words"), ("he", 2.0, "words")]


def test_a_decision_policy_is_left_out(fit: Callable[..., TextClassifier]) -> None:
    plain = fit("tfidf")
    decided = copy(plain)
    decided.decision_ = Decision(temperature=2.0)
    assert explain(decided, TEXTS) == explain(plain, TEXTS)


def test_an_ensemble_cannot_say_what_weighed(fit: Callable[..., TextClassifier]) -> None:
    ensemble = classifier_class("ensemble")(members=["a", "b"]).join([fit("tfidf"), fit("static")])  # type: ignore[attr-defined]
    assert ensemble.explain(TEXTS, *ODDS) is None


def test_a_label_that_is_none_of_the_classifiers(fit: Callable[..., TextClassifier]) -> None:
    with pytest.raises(DataError, match=r"^label 'fakt' is none of the classifier's; did you mean 'fact'\?$"):
        fit("tfidf").explain(TEXTS[:1], ["fakt"], ["quote"])


@pytest.mark.parametrize("kind", [*LINEAR, *ENCODERS])
def test_another_number_of_labels_is_refused(kind: str, fit: Callable[..., TextClassifier]) -> None:
    for labels, others, found in ((["fact"] * 2, ["quote"], "2 labels and 1 others"), (["fact"], [], "1 labels and 0 others")):
        with pytest.raises(DataError) as caught:
            fit(kind).explain(TEXTS[:1], labels, others)
        assert str(caught.value) == f"expected a label and another for each text, found 1 texts, {found}"


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_tokenizer_that_does_not_know_places(
    kind: str, fit: Callable[..., TextClassifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = fit(kind)
    monkeypatch.setattr(type(classifier.tokenizer_), "is_fast", False)  # type: ignore[attr-defined]
    assert classifier.explain(TEXTS, *ODDS) is None


def test_without_captum(fit: Callable[..., TextClassifier], monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = fit("transformer")
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ModelError) as caught:
        classifier.explain(TEXTS[:1], ["fact"], ["quote"])
    assert str(caught.value) == "what weighed is told by captum; install it with: pip install 'textcls[transformer]'"
