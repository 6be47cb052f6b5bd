"""The decision layer: label weights, calibration, abstention."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Done, toy_rows, write_jsonl
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, cross_val_predict

from textcls.artifacts import load_model, save_model
from textcls.config import DecisionConfig
from textcls.errors import DataError
from textcls.evaluation.abstention import NONE_ANSWERED
from textcls.models import Decision, abstaining, learn_decision
from textcls.models.tfidf import TfidfClassifier
from textcls.training import train

LABELS = ["a", "b", "c"]


def sampled(rows: int, *, sharpen: float = 1.0, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Labels drawn by known probabilities, and these probabilities made `sharpen` times too sure."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, 3)) * 1.5 + [1.0, 0.0, -1.0]
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [LABELS[random.choice(3, p=p)] for p in true]
    sharp = np.exp(logits * sharpen)
    return labels, sharp / sharp.sum(axis=1, keepdims=True)


def gap(labels: list[str], probabilities: np.ndarray) -> float:
    """How far the mean confidence is from the share of right answers."""
    right = np.array(LABELS)[probabilities.argmax(axis=1)] == np.array(labels)
    return float(abs(probabilities.max(axis=1).mean() - right.mean()))


def test_temperature_undoes_overconfidence() -> None:
    labels, probabilities = sampled(4000, sharpen=2.5)
    decision = learn_decision(DecisionConfig(calibration="temperature"), labels, probabilities, LABELS)
    assert decision.temperature == pytest.approx(2.5, rel=0.1)
    fresh_labels, fresh = sampled(4000, sharpen=2.5, seed=1)
    assert gap(fresh_labels, decision.apply(fresh)) < 0.02 < gap(fresh_labels, fresh)
    np.testing.assert_array_equal(decision.apply(fresh).argmax(axis=1), fresh.argmax(axis=1))


def test_columns_may_come_in_any_order() -> None:
    labels, probabilities = sampled(400, sharpen=2.5)
    config = DecisionConfig(calibration="temperature")
    turned = learn_decision(config, labels, probabilities[:, ::-1], LABELS[::-1])
    assert turned.temperature == pytest.approx(learn_decision(config, labels, probabilities, LABELS).temperature)


def test_isotonic_curves_undo_overconfidence() -> None:
    labels, probabilities = sampled(4000, sharpen=2.5)
    decision = learn_decision(DecisionConfig(calibration="isotonic"), labels, probabilities, LABELS)
    fresh_labels, fresh = sampled(4000, sharpen=2.5, seed=1)
    calibrated = decision.apply(fresh)
    np.testing.assert_allclose(calibrated.sum(axis=1), 1)
    assert gap(fresh_labels, calibrated) < 0.03 < gap(fresh_labels, fresh)


def test_label_weights_raise_macro_f1_of_a_neglected_label() -> None:
    labels, probabilities = sampled(4000)
    probabilities = probabilities * [1.0, 1.0, 0.2]
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    decision = learn_decision(DecisionConfig(label_weights=True), labels, probabilities, LABELS)

    def macro_f1(weighed: np.ndarray) -> float:
        return float(f1_score(labels, np.array(LABELS)[weighed.argmax(axis=1)], average="macro"))

    assert macro_f1(decision.apply(probabilities)) > macro_f1(probabilities) + 0.03


def test_a_wanted_risk_is_kept_on_other_rows() -> None:
    labels, probabilities = sampled(3000)
    decision = learn_decision(DecisionConfig(risk=0.1), labels, probabilities, LABELS)
    fresh_labels, fresh = sampled(3000, seed=1)
    answered = fresh.max(axis=1) >= (decision.abstain_below or 0)
    wrong = np.array(LABELS)[fresh.argmax(axis=1)] != np.array(fresh_labels)
    assert 0.2 < answered.mean() < 1
    assert wrong[answered].mean() <= 0.1 < wrong.mean()


def test_a_wanted_risk_is_promised_with_the_confidence_that_is_said() -> None:
    random = np.random.default_rng(0)
    broken = 0
    for _ in range(100):  # whatever the threshold, a little more than the wanted share is wrong
        confidence = random.uniform(0.5, 1, 1000)
        labels = np.where(random.random(1000) < 0.205, "b", "a").tolist()
        try:
            learn_decision(DecisionConfig(risk=0.2), labels, np.stack([confidence, 1 - confidence], axis=1), ["a", "b"])
        except DataError:
            continue
        broken += 1
    assert broken <= 10  # of 100, at 5 %, all but never more


def test_rows_of_groups_that_are_wrong_together_promise_less() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(15), 60).astype(str).tolist()
    broken = {"on their own": 0, "in groups": 0}
    for _ in range(60):  # as above, but some groups are easy, and others hard
        confidence = random.uniform(0.5, 1, len(groups))
        wrong = random.random(len(groups)) < np.repeat(random.beta(0.6, 2.4, 15), 60)
        labels, probabilities = np.where(wrong, "b", "a").tolist(), np.stack([confidence, 1 - confidence], axis=1)
        for how, given in (("on their own", None), ("in groups", groups)):
            try:
                learn_decision(DecisionConfig(risk=0.19), labels, probabilities, ["a", "b"], given)
            except DataError:
                continue
            broken[how] += 1
    assert broken["in groups"] <= 4 < broken["on their own"]


@pytest.mark.parametrize("order", [1, -1])
def test_rows_of_one_confidence_are_answered_or_none_is(order: int) -> None:
    probabilities = np.tile([0.9, 0.1], (400, 1))
    labels = [*["a"] * 340, *["b"] * 60][::order]
    with pytest.raises(DataError, match=r"decision.risk is 0.1, but no threshold keeps it"):
        learn_decision(DecisionConfig(risk=0.1), labels, probabilities, ["a", "b"])
    assert learn_decision(DecisionConfig(risk=0.3), labels, probabilities, ["a", "b"]).abstain_below == pytest.approx(0.9)


def test_a_risk_that_cannot_be_kept() -> None:
    labels, probabilities = sampled(100)
    with pytest.raises(DataError, match=r"decision.risk is 0.001, but no threshold keeps it with 95 % confidence on 100 rows"):
        learn_decision(DecisionConfig(risk=0.001), labels, probabilities, LABELS)


@pytest.mark.parametrize(
    ("calibration", "rows", "message"),
    [
        (
            "temperature",
            49,
            "decision: expected 50 rows or more to learn it on, found 49; raise decision.share or give more data",
        ),
        (
            "isotonic",
            999,
            (
                "decision: expected 1000 rows or more to learn it on, found 999; take calibration 'temperature', "
                "raise decision.share or give more data"
            ),
        ),
    ],
)
def test_too_few_rows(calibration: Any, rows: int, message: str) -> None:
    labels, probabilities = sampled(rows)
    with pytest.raises(DataError) as caught:
        learn_decision(DecisionConfig(calibration=calibration), labels, probabilities, LABELS)
    assert str(caught.value) == message


def test_too_few_rows_are_told_before_anything_is_fitted(toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*_: object, **__: object) -> None:
        raise AssertionError("which may take hours")

    monkeypatch.setattr(TfidfClassifier, "fit", fit)
    settings = {
        "data": {"train": str(toy_file)},
        "splits": {"kind": "k-fold", "folds": 2},
        "model": {"kind": "tfidf"},
        "decision": {"calibration": "temperature"},
        "tracking": {"enabled": False},
    }
    with pytest.raises(DataError, match=r"decision: expected 50 rows or more to learn it on, found 6; raise decision\.share"):
        train(settings, output=tmp_path / "model")


def test_a_policy_is_stored_with_the_model(tmp_path: Path) -> None:
    rows = toy_rows()
    plain = TfidfClassifier(min_df=1).fit(rows, [row["label"] for row in rows])
    decided = copy(plain)
    decided.decision_ = Decision(temperature=2.0, bias=[0.0, 1.0, 0.0], abstain_below=0.5)
    save_model(decided, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.abstain_below == 0.5
    np.testing.assert_allclose(loaded.predict_proba(rows), decided.predict_proba(rows), rtol=1e-6)
    assert not np.allclose(loaded.predict_proba(rows), plain.predict_proba(rows))
    assert "gets no label" in (tmp_path / "model" / "README.md").read_text()


@pytest.mark.parametrize("decision", ["{calibration: temperature, share: 0.4}", "{abstain_below: 0.9999}"])
def test_a_run_learns_its_decision_on_rows_of_its_own_and_predict_abstains(
    decision: str, textcls: Callable[..., Done], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", toy_rows("abcdefgh", per_article=6))
    test = write_jsonl(tmp_path / "test.jsonl", toy_rows("i"))
    (tmp_path / "config.yaml").write_text(
        f"data: {{train: {train}, test: {test}}}\nsplits: {{duplicates: warn}}\nmodel: {{kind: tfidf, min_df: 1}}\n"
        f"decision: {decision}\ntracking: {{enabled: false}}\n"
    )
    done = textcls("train", tmp_path / "config.yaml", "--output", tmp_path / "model")
    assert done.code == 0, done.err
    model = load_model(tmp_path / "model")
    assert model.decision_ is not None
    assert (model.decision_.temperature is not None) == ("temperature" in decision)
    of_none = "answers 0.0 % of them; the figures above are of all rows, answered or not"
    assert (of_none in done.out) == (caplog.messages == [NONE_ANSWERED]) == ("abstain" in decision)
    done = textcls("predict", tmp_path / "model", test)
    assert done.out.count('"label": null') == (6 if "abstain" in decision else 0)


def test_two_ways_to_abstain_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="abstain_below and risk both say when to abstain"):
        DecisionConfig(abstain_below=0.5, risk=0.1)


def fitted(decision: Decision) -> TfidfClassifier:
    rows = toy_rows()
    classifier = TfidfClassifier(min_df=1).fit(rows, [row["label"] for row in rows])
    classifier.decision_ = decision
    return classifier


def test_a_policy_belongs_to_the_fit_that_it_was_learnt_for() -> None:
    rows = toy_rows()
    labels = [row["label"] for row in rows]
    decided = fitted(Decision(bias=[0.0, 3.0, 0.0], abstain_below=0.9))
    assert clone(decided).decision_ is None
    of_plain = cross_val_predict(TfidfClassifier(min_df=1), rows, labels, cv=2, method="predict_proba")
    np.testing.assert_array_equal(cross_val_predict(decided, rows, labels, cv=2, method="predict_proba"), of_plain)
    np.testing.assert_array_equal(
        decided.fit(rows, labels).predict_proba(rows), clone(decided).fit(rows, labels).predict_proba(rows)
    )
    assert (decided.decision_, decided.abstain_below) == (None, None)
    decided.fit(rows, ["two" if label == "quote" else "one" for label in labels])  # other labels than the policy's
    assert decided.predict_proba(rows).shape == (len(rows), 2)


def test_parameters_are_called_the_same_with_a_policy_and_without() -> None:
    rows = toy_rows()
    decided, plain = fitted(Decision(temperature=2.0)), TfidfClassifier(min_df=1)
    assert decided.get_params() == plain.get_params()
    search = GridSearchCV(decided, {"C": [1.0, 10.0]}, cv=2, error_score="raise").fit(rows, [row["label"] for row in rows])
    assert search.best_estimator_.decision_ is None


def test_to_abstain_elsewhere_changes_neither_the_classifier_nor_its_probabilities() -> None:
    rows, decided = toy_rows(), fitted(Decision(temperature=2.0, abstain_below=0.5))
    bold = abstaining(decided, 0)
    assert (bold.abstain_below, decided.abstain_below) == (0, 0.5)
    np.testing.assert_array_equal(bold.predict_proba(rows), decided.predict_proba(rows))
