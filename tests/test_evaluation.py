"""Figures against scikit-learn and against values by hand."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    log_loss,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

from textcls.evaluation import LabelScores, evaluate, less_is_better, predicted_rows, summarize, wrong_predictions
from textcls.evaluation.figures import confusion_figure, per_label_figure


def random_case(seed: int, *, rows: int = 60, labels: int = 4) -> tuple[list[str], np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    names = [f"label {number:02}" for number in range(labels)]
    return rng.choice(names, rows).tolist(), rng.dirichlet(np.ones(labels), rows), names


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    true, probabilities, names = random_case(seed)
    predicted = [names[best] for best in probabilities.argmax(axis=1)]
    found = evaluate(true, probabilities, names)
    assert found.rows == 60
    assert found.accuracy == accuracy_score(true, predicted)
    for average in ("macro", "micro", "weighted"):
        assert getattr(found, f"{average}_f1") == pytest.approx(f1_score(true, predicted, average=average))
    assert found.matthews == pytest.approx(matthews_corrcoef(true, predicted))
    carries = np.array([[label == name for name in names] for label in true])
    assert found.brier == pytest.approx(((probabilities - carries) ** 2).sum(axis=1).mean())
    assert found.log_loss == pytest.approx(log_loss(true, probabilities, labels=names))
    scores = zip(*precision_recall_fscore_support(true, predicted, labels=names), strict=True)
    for column, (name, s) in enumerate(zip(names, scores, strict=True)):
        its = found.per_label[name]
        assert (its.precision, its.recall, its.f1, its.support) == pytest.approx(s)
        assert its.roc_area == pytest.approx(roc_auc_score(carries[:, column], probabilities[:, column]))
        assert its.pr_area == pytest.approx(average_precision_score(carries[:, column], probabilities[:, column]))
    assert found.roc_area == pytest.approx(roc_auc_score(carries, probabilities))
    assert found.pr_area == pytest.approx(average_precision_score(carries, probabilities))


def test_figures_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    found = evaluate(["a", "a", "b", "b"], probabilities, ["a", "b"])
    assert found.confusion == [[2, 0], [1, 1]]
    assert found.labels == ["a", "b"]
    assert found.accuracy == 0.75
    assert found.per_label["a"] == LabelScores(pytest.approx(2 / 3), 1.0, pytest.approx(0.8), 2, 0.75, pytest.approx(5 / 6))
    assert found.per_label["b"] == LabelScores(1.0, 0.5, pytest.approx(2 / 3), 2, 0.75, pytest.approx(5 / 6))
    assert found.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    assert found.log_loss == pytest.approx(-(math.log(0.9) + math.log(0.6) + math.log(0.3) + math.log(0.8)) / 4)


def test_labels_that_do_not_occur_do_not_lower_macro_f1() -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    found = evaluate(["a", "b"], probabilities, ["a", "b", "never"])
    assert found.macro_f1 == 1.0
    assert found.per_label["never"] == LabelScores(0.0, 0.0, 0.0, 0, None, None)
    assert found.roc_area == found.pr_area == 1.0, "means of the labels that have one"
    assert found.confusion[2] == [0, 0, 0]


def test_rows_of_several_seeds_are_counted_once() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    found = evaluate(["a", "b", "a", "b"], probabilities, ["a", "b"], ["1", "2", "1", "2"])
    assert (found.rows, found.predictions) == (2, 4)
    assert [scores.support for scores in found.per_label.values()] == [1, 1]
    assert found.accuracy == 0.75
    assert found.confusion == [[1, 1], [0, 2]]
    assert confusion_figure(found, title="a run").axes[0].get_title() == (
        "a run\nnumbers are predictions: 4 for 2 rows, of several seeds"
    )


def test_says_of_which_labels_no_row_was_measured() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    found = evaluate(["a", "b"], probabilities, ["a", "b", "c"])
    assert found.note == "no row here is c, so the figures do not say how well the model finds that"
    assert evaluate(["a", "b"], probabilities[:, :2], ["a", "b"]).note is None


def test_a_label_that_is_only_predicted_lowers_macro_f1() -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.1, 0.7]])
    assert evaluate(["a", "a"], probabilities, ["a", "b", "c"]).macro_f1 == pytest.approx((2 / 3 + 0) / 2)


def test_columns_may_come_in_any_order() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    found = evaluate(["b", "a", "a"], probabilities, ["b", "a"])
    mirrored = evaluate(["b", "a", "a"], probabilities[:, ::-1], ["a", "b"])
    assert found.metrics == pytest.approx(mirrored.metrics)
    assert found.confusion == [[1, 0], [1, 1]]


def test_certainty_of_a_wrong_label_costs_much_but_not_infinitely() -> None:
    found = evaluate(["a", "b"], np.array([[0.0, 1.0], [0.0, 1.0]]), ["a", "b"])
    assert found.log_loss == pytest.approx(-math.log(1e-15) / 2)


def test_calibration_error_by_hand() -> None:
    # Bins of width 0.1: [0.5, 0.6) holds two rows, one right; [0.9, 1] three, two of them right, one at 1.0.
    confidence = np.array([0.55, 0.59, 0.9, 0.95, 1.0])
    true = ["a", "b", "a", "a", "b"]
    found = evaluate(true, np.column_stack([confidence, 1 - confidence]), ["a", "b"])
    low = abs(1 / 2 - (0.55 + 0.59) / 2) * 2 / 5
    high = abs(2 / 3 - (0.9 + 0.95 + 1.0) / 3) * 3 / 5
    assert found.ece == pytest.approx(low + high)


def test_calibration_error_is_zero_for_the_certain_and_right() -> None:
    assert evaluate(["a", "b"], np.eye(2), ["a", "b"]).ece == 0


def test_figures_can_be_written_as_json() -> None:
    true, probabilities, names = random_case(1)
    found = evaluate(true, probabilities, names)
    content = json.loads(json.dumps(found.as_dict()))
    assert content.keys() >= {"rows", "accuracy", "macro_f1", "matthews", "brier", "roc_area", "per_label", "labels", "confusion"}
    assert content["per_label"][names[0]].keys() == {"precision", "recall", "f1", "support", "roc_area", "pr_area"}
    assert list(found.metrics) == ["macro_f1", "accuracy", "log_loss", "ece"]


@pytest.mark.parametrize(
    ("values", "summary"),
    [
        ([0.5], {"": 0.5}),
        ([0.4, 0.6], {"": 0.5, "_std": math.sqrt(0.02)}),
        # t(0.975, 2) = 4.302653; the half width is t · s · √(1/3 + 1/2)
        ([0.4, 0.5, 0.6], {"": 0.5, "_std": 0.1, "_low": 0.5 - 0.3927767, "_high": 0.5 + 0.3927767}),
        # never below 0 nor above the highest
        ([0.0, 0.5, 1.0], {"": 0.5, "_std": 0.5, "_low": 0.0, "_high": 1.0}),
        ([0.5, 0.5, 0.5], {"": 0.5, "_std": 0.0, "_low": 0.5, "_high": 0.5}),
    ],
)
def test_summary_by_hand(values: list[float], summary: dict[str, float]) -> None:
    assert not {"_low", "_high"} & summarize(values).keys(), "fits on the same test rows do not tell how it would be on others"
    found = summarize(values, ratio=0.5)
    assert list(found) == list(summary)
    assert found == pytest.approx(summary)


def test_summary_of_what_has_no_highest() -> None:
    assert summarize([1.0, 2.0, 3.0], ratio=0.0, highest=math.inf)["_high"] == pytest.approx(2 + 2.484138)


def test_wrong_predictions_come_with_the_most_confident_first() -> None:
    rows = [
        {"id": "1", "text": "one", "label": "a", "group": "g"},
        {"id": "2", "text": "two", "label": "b"},
        {"text": "three", "label": "b"},
        {"text": "four", "label": "b", "group": None, "article": "h"},
    ]
    probabilities = np.array([[0.33333, 0.66667], [0.1, 0.9], [0.8, 0.2], [0.6, 0.4]])
    assert wrong_predictions(predicted_rows(rows, probabilities, ["a", "b"])) == [
        {"text": "three", "prediction": "a", "label": "b", "score": 0.8, "id": None, "article": None},
        {"text": "one", "prediction": "b", "label": "a", "score": 0.6667, "id": "1", "article": "g"},
        {"text": "four", "prediction": "a", "label": "b", "score": 0.6, "id": None, "article": "h"},
    ]


def test_less_is_better_of_errors_spreads_times_and_sizes() -> None:
    errors = [f"{rows}/{figure}" for rows in ("test", "validation", "pooled") for figure in ("log_loss", "brier", "ece", "risk")]
    others = ["test/ece_low", "test/log_loss_high", "test/macro_f1_std", "time/fit_s", "latency/p50_ms", "size/model_mb"]
    assert all(map(less_is_better, (*errors, *others)))
    more = ["test/macro_f1", "validation/accuracy", "test/coverage", "test/macro_f1_low", "time/texts_per_s", "n_children"]
    assert not any(map(less_is_better, (*more, "test.per_label/f1/ece", "test.per_label/f1/test/risk_std")))


@pytest.mark.parametrize("labels", [2, 40, 77])
def test_figures_are_drawn_for_few_and_many_labels(labels: int) -> None:
    true, probabilities, names = random_case(0, rows=4 * labels, labels=labels)
    found = evaluate(true, probabilities, names)
    counts = np.array(found.confusion)
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diagonal(counts)
    chosen = sorted(np.argsort(-errors, kind="stable")[:40])

    confusion = confusion_figure(found, title="a run")
    axes = confusion.axes[0]
    assert axes.get_title() == ("a run" if labels <= 40 else "a run\nthe 40 labels that are confused most, of 77")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted label", "true label")
    for axis in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [tick.get_text() for tick in axis] == [names[i] for i in chosen]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(axes.images[0].get_array(), shares[np.ix_(chosen, chosen)])
    cells = [text.get_text().split("\n")[0] for text in axes.texts]
    assert cells == [str(count) for count in counts[np.ix_(chosen, chosen)].ravel()]

    per_label = per_label_figure(found, title="a run")
    shown = [tick.get_text().rpartition(" ")[0] for tick in per_label.axes[0].get_yticklabels()]
    worst = sorted(found.per_label.values(), key=lambda scores: (scores.support == 0, scores.f1))[:40]
    assert [found.per_label[name].f1 for name in shown] == sorted(scores.f1 for scores in worst)
    assert per_label.axes[0].get_title() == ("a run" if labels <= 40 else "a run\nthe 40 labels of the lowest F1, of 77")
    for figure in (confusion, per_label):
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
        assert picture.getvalue().startswith(b"\x89PNG")


def test_a_label_without_rows_is_drawn_as_nothing() -> None:
    found = evaluate(["a", "b"], np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]), ["a", "b", "never"])
    figure = confusion_figure(found, title="")
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array()[2], [0, 0, 0])


def test_a_label_is_drawn_by_any_font_that_has_its_signs() -> None:
    from matplotlib.font_manager import fontManager

    # U+20DD stands in a font that matplotlib brings, but not in its usual one; U+10380 is Ugaritic.
    labels = ["a\u20dd", "b\U00010380"]
    assert "STIXGeneral" in fontManager.get_font_names()
    figure = confusion_figure(evaluate(labels, np.eye(2), labels), title="run b\U00010380")
    figure.savefig(io.BytesIO(), format="png")  # warnings are errors
    first, second = figure.axes[0].get_yticklabels()
    assert first.get_text() == "a\u20dd"
    assert "STIXGeneral" in first.get_fontfamily()
    assert second.get_text() in ("b\U00010380", "b�")
    assert figure.axes[0].get_title() == f"run {second.get_text()}"


def test_drawing_opens_no_window_and_leaves_pyplot_alone() -> None:
    import sys

    before = "matplotlib.pyplot" in sys.modules
    confusion_figure(evaluate(["a", "b"], np.eye(2), ["a", "b"]), title="")
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_areas_where_there_is_only_one_label() -> None:
    found = evaluate(["a", "a"], np.array([[0.9, 0.1], [0.4, 0.6]]), ["a", "b"])
    assert (found.per_label["a"].roc_area, found.per_label["a"].pr_area) == (None, 1.0)
    assert (found.roc_area, found.pr_area, found.matthews) == (None, 1.0, 0.0)


def test_ties_of_probability_share_a_threshold() -> None:
    found = evaluate(["a", "b"], np.array([[0.5, 0.5], [0.5, 0.5]]), ["a", "b"])
    assert found.per_label["a"].roc_area == found.per_label["a"].pr_area == 0.5
