"""What only one of the families embedding, setfit, static and ensemble does, and the cache of embeddings."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Forked, toy_rows, write_jsonl
from sklearn.base import clone

from textcls.artifacts import DataSummary, load_model, save_model
from textcls.config import make_config, model_kinds, starting_config
from textcls.errors import ConfigError, DataError, ModelError
from textcls.models import Decision, Listener, TextClassifier, classifier_class, text_digests
from textcls.models import cache as caching
from textcls.models.cache import EmbeddingCache
from textcls.models.contrast import draw_pairs
from textcls.training import train
from textcls.training.members import make_ensemble

ROWS = toy_rows()
TEXTS = [row["text"] for row in ROWS]
LABELS = [row["label"] for row in ROWS]
ENCODING = ["embedding", "setfit", "static"]


@pytest.fixture
def make(model_settings: Callable[[str], dict[str, Any]]) -> Callable[..., TextClassifier]:
    def made(kind: str, **settings: Any) -> TextClassifier:
        chosen = {**model_settings(kind), "seed": 1, **settings}
        return classifier_class(chosen.pop("kind"))(**chosen)

    return made


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("TEXTCLS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "embeddings"


class Steps(Listener):
    def __init__(self) -> None:
        self.points: dict[str, list[float]] = {}
        self.steps: list[tuple[int, int]] = []

    def metric(self, name: str, value: float, step: int) -> None:
        self.points.setdefault(name, []).append(value)

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"kind": "tfidf"}, "tfidf-C0.5"),
        ({"kind": "transformer"}, "all-minilm-l6-v2-lr0.0001-e4"),
        ({"kind": "embedding"}, "embedding-all-minilm-l6-v2-C10"),
        ({"kind": "setfit", "encoder": "/models/small"}, "setfit-small-p6"),
        ({"kind": "static"}, "static-all-minilm-l6-v2-lr0.0005-e5"),
        ({"kind": "ensemble", "members": ("a", "b")}, "ensemble-of-2"),
    ],
)
def test_every_family_has_a_short_name(settings: dict[str, Any], name: str) -> None:
    config: Any = model_kinds()[settings["kind"]](**settings)
    assert config.short_name() == name


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"kind": "embedding", "C": 0}, "model.C: "),
        ({"kind": "setfit", "pairs": 0}, "model.pairs: "),
        ({"kind": "static", "dropout": 1.0}, "model.dropout: "),
        ({"kind": "ensemble"}, "model.members: missing"),
        ({"kind": "ensemble", "members": ["a"]}, "model.members: "),
        (
            {"kind": "ensemble", "members": ["a", "b"], "weights": [1.0, 0.0]},
            "model.weights.1: input should be greater than 0, found 0.0",
        ),
        (
            {"kind": "ensemble", "members": ["a", "b"], "weights": [1.0]},
            "model: weights must be one for each of the 2 members, found 1",
        ),
        ({"kind": "ensemble", "members": ["a", "a"]}, "model: members names a model twice; give it more weight instead"),
    ],
)
def test_settings_out_of_range_are_refused(model: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({"data": {"train": "x"}, "model": model})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# --- encoders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ENCODING)
def test_an_encoder_that_is_missing_is_told(kind: str, make: Callable[..., TextClassifier]) -> None:
    with pytest.raises(ModelError) as caught:
        make(kind, encoder="nobody/no-such-encoder").fit(TEXTS, LABELS)
    assert str(caught.value) == (
        "encoder 'nobody/no-such-encoder': no such folder, and no model of that name at hand; "
        "set model.download=true to fetch it from the hub, or use 'all-minilm-l6-v2'"
    )


@pytest.mark.parametrize("kind", ["embedding", "setfit"])
def test_a_length_that_the_encoder_cannot_read_is_refused(kind: str, make: Callable[..., TextClassifier]) -> None:
    with pytest.raises(ModelError, match=r"^model\.max_length is 65, but encoder .* reads at most 64 tokens; lower it$"):
        make(kind, max_length=65).fit(TEXTS, LABELS)


@pytest.mark.parametrize("kind", ENCODING)
def test_texts_that_are_cut_are_counted(kind: str, make: Callable[..., TextClassifier], caplog: pytest.LogCaptureFixture) -> None:
    make(kind, max_length=8).fit([*TEXTS, "a b"], [*LABELS, "fact"])
    assert "24 of 25 training texts reach model.max_length (8 tokens); what is longer is cut" in caplog.messages


@pytest.mark.parametrize("kind", ENCODING)
def test_the_neighbours_are_read(kind: str, make: Callable[..., TextClassifier], tmp_path: Path) -> None:
    rows = [{"text": f"word {'ab'[n % 2]}", "before": ["it is a fact", "the worst plan"][n // 2 % 2]} for n in range(16)]
    labels = [["fact", "opinion"][n // 2 % 2] for n in range(16)]
    context = {"before": 1, "after": 0}
    fitted = make(kind, context=context).fit(rows, labels)
    assert fitted.predict(rows).tolist() == labels
    save_model(fitted, tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").predict_proba(rows), fitted.predict_proba(rows))
    assert fitted.predict_proba(["word a"]).shape == (1, 2)  # at an article's edge there is none
    swapped = [{**row, "before": other["before"]} for row, other in zip(rows, [*rows[2:], *rows[:2]], strict=True)]
    assert fitted.predict(swapped).tolist() != labels


@pytest.mark.parametrize("kind", ["embedding", "setfit", "static"])
def test_class_weights_count(kind: str, make: Callable[..., TextClassifier]) -> None:
    texts, labels = [*TEXTS, *(row["text"] for row in toy_rows(["e"]) if row["label"] == "fact")], [*LABELS, "fact", "fact"]
    settings = {"C": 1.0} if kind != "static" else {"epochs": 1}
    balanced, plain = (
        make(kind, class_weight=weight, **settings).fit(texts, labels).predict_proba(texts) for weight in ("balanced", None)
    )
    assert np.abs(balanced - plain).max() > 1e-4


# --- the cache ------------------------------------------------------------------------------------------------------


def count(folder: Path) -> int:
    (file,) = folder.glob("*.sqlite")
    connection = sqlite3.connect(file)
    try:
        return int(connection.execute("SELECT count(*) FROM embeddings").fetchone()[0])
    finally:
        connection.close()


def test_a_text_is_embedded_once(make: Callable[..., TextClassifier], cache_folder: Path) -> None:
    heard = Steps()
    first = make("embedding").fit(TEXTS, LABELS, listener=heard)
    assert heard.steps == [(24, 24)]
    assert count(cache_folder) == 24
    heard = Steps()
    second = make("embedding", C=1.0).fit(TEXTS[:20], LABELS[:20], listener=heard)
    assert heard.steps == []
    first.predict_proba(["a text that is only predicted"])
    assert count(cache_folder) == 24
    assert second.predict_proba(TEXTS).shape == (24, 3)


def test_a_fit_that_finds_half_of_its_texts_in_the_cache_is_the_same(
    make: Callable[..., TextClassifier], cache_folder: Path
) -> None:
    whole = make("embedding").fit(TEXTS, LABELS).predict_proba(TEXTS)
    shutil.rmtree(cache_folder)
    make("embedding").fit(TEXTS[::3], LABELS[::3])
    np.testing.assert_array_equal(make("embedding").fit(TEXTS, LABELS).predict_proba(TEXTS), whole)


def test_without_a_cache_nothing_is_kept(make: Callable[..., TextClassifier], cache_folder: Path) -> None:
    cached = make("embedding").fit(TEXTS, LABELS).predict_proba(TEXTS)
    shutil.rmtree(cache_folder)
    np.testing.assert_array_equal(make("embedding", cache=False).fit(TEXTS, LABELS).predict_proba(TEXTS), cached)
    assert not cache_folder.exists()


@pytest.mark.parametrize("setting", [{"max_length": 8}, {"precision": "bf16"}])
def test_other_settings_have_a_cache_of_their_own(
    setting: dict[str, Any], make: Callable[..., TextClassifier], cache_folder: Path
) -> None:
    make("embedding").fit(TEXTS, LABELS)
    make("embedding", **setting).fit(TEXTS, LABELS)
    assert len(list(cache_folder.glob("*.sqlite"))) == 2


def test_other_weights_have_a_cache_of_their_own(
    make: Callable[..., TextClassifier], cache_folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    other = Path(shutil.copytree(tiny_encoder, tmp_path / "other"))
    make("embedding").fit(TEXTS, LABELS)
    make("embedding", encoder=str(other)).fit(TEXTS, LABELS)
    assert len(list(cache_folder.glob("*.sqlite"))) == 1  # the same by content, wherever it lies
    weights = load_file(other / "model.safetensors")
    save_file({name: tensor * 1.5 for name, tensor in weights.items()}, other / "model.safetensors", metadata={"format": "pt"})
    make("embedding", encoder=str(other)).fit(TEXTS, LABELS)
    assert len(list(cache_folder.glob("*.sqlite"))) == 2


def test_a_damaged_cache_is_told_and_done_without(
    make: Callable[..., TextClassifier], cache_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sound = make("embedding").fit(TEXTS, LABELS).predict_proba(TEXTS)
    (file,) = cache_folder.glob("*.sqlite")
    file.write_bytes(b"no database" * 1000)
    np.testing.assert_array_equal(make("embedding").fit(TEXTS, LABELS).predict_proba(TEXTS), sound)
    assert f"{file}: the cache of embeddings cannot be used, so they are computed anew: " in caplog.text


def test_the_cache_is_bounded_and_the_oldest_go(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MOST_BYTES", 10 * 4 * 2)
    cache = EmbeddingCache("f", 2)
    for start in range(0, 30, 5):
        cache.put([str(number) for number in range(start, start + 5)], np.full((5, 2), start, dtype=np.float32))
    assert sorted(map(int, cache.get([str(number) for number in range(30)]))) == list(range(20, 30))


def test_several_processes_share_a_cache(cache_folder: Path, fork: Callable[..., Forked]) -> None:
    code = (
        "import warnings, numpy as np\n"
        "from textcls.models.cache import EmbeddingCache\n"
        "warnings.simplefilter('error')\n"
        "cache = EmbeddingCache('f', 2)\n"
        "for n in range(40): cache.put([f'{n}', f'%d-{n}'], np.full((2, 2), n, dtype=np.float32))\n"
    )
    processes = [fork(exec, code % who) for who in range(4)]
    assert [process.wait() for process in processes] == [(0, "", "")] * 4
    assert count(cache_folder) == 40 + 4 * 40
    np.testing.assert_array_equal(EmbeddingCache("f", 2).get(["7"])["7"], [7, 7])


# --- setfit ---------------------------------------------------------------------------------------------------------


def test_pairs_grow_with_the_texts_and_are_of_one_label() -> None:
    label_ids = np.array([0, 1, 2, 0, 1, 0, 0])
    first, second = draw_pairs(label_ids, 6, seed=3)
    assert len(first) == len(second) == 6 * 7
    np.testing.assert_array_equal(label_ids[first], label_ids[second])
    np.testing.assert_array_equal(first == second, label_ids[first] == 2)  # whose label no other has
    assert set(second[label_ids[first] == 0]) == {0, 3, 5, 6}
    assert np.bincount(first).tolist() == [6] * 7
    again, other = draw_pairs(label_ids, 6, seed=3), draw_pairs(label_ids, 6, seed=4)
    np.testing.assert_array_equal(again[1], second)
    assert (other[1] != second).any()


def test_setfit_reads_the_text_however_long_its_neighbours_are(make: Callable[..., TextClassifier]) -> None:
    classifier = make("setfit", context={"before": 1, "after": 1}).fit(TEXTS, LABELS)
    around = {"before": "the council " * 100, "after": "the bridge " * 100}
    probabilities = classifier.predict_proba([{"text": text, **around} for text in TEXTS[:3]])
    assert len(np.unique(probabilities.round(6), axis=0)) == 3


def test_setfit_learns_in_bf16_what_it_learns_in_fp32(make: Callable[..., TextClassifier]) -> None:
    in_bf16, in_fp32 = (make("setfit", precision=its).fit(TEXTS, LABELS).predict_proba(TEXTS) for its in ("bf16", "fp32"))
    np.testing.assert_allclose(in_bf16, in_fp32, atol=1e-3)


def test_setfit_tells_curves_and_steps_and_leaves_nothing_behind(make: Callable[..., TextClassifier], tmp_path: Path) -> None:
    heard = Steps()
    make("setfit", pairs=2, batch_size=16).fit(TEXTS, LABELS, listener=heard)
    assert heard.steps == [(step, 3) for step in range(1, 4)]
    assert list(heard.points) == ["train/loss", "train/learning_rate"]
    assert list(Path.cwd().iterdir()) == []


def test_importing_setfit_changes_no_warnings_filter(fork: Callable[..., Forked]) -> None:
    code = (
        "import warnings, datasets, transformers, sentence_transformers, sklearn.linear_model, textcls.models.encoders\n"
        "before = list(warnings.filters)\n"
        "import textcls.models.contrast\n"
        "assert warnings.filters == before"
    )
    assert fork(exec, code).wait() == (0, "", "")


def test_a_contrast_that_becomes_no_number_is_told(make: Callable[..., TextClassifier]) -> None:
    with pytest.raises(
        ModelError, match=r"^the training loss became NaN or infinite; lower model.learning_rate, which is 1e\+06$"
    ):
        make("setfit", learning_rate=1e6, pairs=4).fit(TEXTS, LABELS)


# --- static ---------------------------------------------------------------------------------------------------------


def test_static_keeps_the_best_epochs_weights_and_stops(make: Callable[..., TextClassifier]) -> None:
    heard = Steps()
    truth = [{"fact": "opinion", "opinion": "quote", "quote": "fact"}[label] for label in LABELS]
    make("static", epochs=30, patience=2).fit(TEXTS, LABELS, validation=(TEXTS, truth), listener=heard)
    scores = heard.points["eval/macro_f1"]
    assert len(scores) < 30
    assert len(scores) == scores.index(max(scores)) + 1 + 2


def test_static_refuses_more_dimensions_than_the_encoder_has(make: Callable[..., TextClassifier]) -> None:
    with pytest.raises(ModelError, match=r"^model\.dimensions is 17, but encoder .* gives embeddings of 16; lower it$"):
        make("static", dimensions=17).fit(TEXTS, LABELS)


def test_static_refuses_validation_labels_it_does_not_know(make: Callable[..., TextClassifier]) -> None:
    with pytest.raises(DataError) as caught:
        make("static").fit(TEXTS, LABELS, validation=(["a"], ["rumour"]))
    assert str(caught.value) == "validation label 'rumour' is none of the training labels; known: fact, opinion, quote"


def test_static_says_when_the_loss_is_no_number(make: Callable[..., TextClassifier]) -> None:
    with pytest.raises(ModelError) as caught:
        make("static", learning_rate=1e30).fit(TEXTS, LABELS)
    assert str(caught.value) == ("the training loss became NaN or infinite; lower model.learning_rate, which is 1e+30")


# --- ensemble -------------------------------------------------------------------------------------------------------


@pytest.fixture
def members(make: Callable[..., TextClassifier]) -> list[TextClassifier]:
    return [make("tfidf").fit(TEXTS, LABELS), make("static").fit(TEXTS, LABELS)]


def join(members: list[TextClassifier], **settings: Any) -> TextClassifier:
    ensemble: Any = classifier_class("ensemble")(members=tuple("abc"[: len(members)]), **settings)
    joined: TextClassifier = ensemble.join(members)
    return joined


def test_an_ensemble_is_the_mean_of_its_members(members: list[TextClassifier]) -> None:
    first, second = (member.predict_proba(TEXTS) for member in members)
    np.testing.assert_allclose(join(members).predict_proba(TEXTS), (first + second) / 2)
    np.testing.assert_allclose(join(members, weights=(3.0, 1.0)).predict_proba(TEXTS), (3 * first + second) / 4)
    assert join(members).fit(TEXTS, LABELS).predict(TEXTS).tolist() == LABELS


def test_an_ensemble_has_learnt_what_any_member_has(members: list[TextClassifier], make: Callable[..., TextClassifier]) -> None:
    other = [f"{text} again" for text in TEXTS]
    both = join([members[0], make("tfidf").fit(other, LABELS)])
    np.testing.assert_array_equal(both.learnt_, np.unique(text_digests([*TEXTS, *other])))
    members[1].learnt_ = None
    assert join(members).learnt_ is None


def test_a_fit_leaves_an_ensemble_what_its_members_are(members: list[TextClassifier]) -> None:
    ensemble = join(members)
    expected = ensemble.predict_proba(TEXTS)
    two = [(f"{text} again", label) for text, label in zip(TEXTS, LABELS, strict=True) if label != "quote"]
    ensemble.fit(*zip(*two, strict=True))
    assert ensemble.classes_.tolist() == ["fact", "opinion", "quote"]
    np.testing.assert_array_equal(ensemble.learnt_, members[0].learnt_)
    np.testing.assert_array_equal(ensemble.predict_proba(TEXTS), expected)


def test_an_ensembles_folder_needs_nothing_else(members: list[TextClassifier], tmp_path: Path) -> None:
    ensemble = join(members, weights=(3.0, 1.0))
    save_model(ensemble, tmp_path / "model")
    loaded = load_model((tmp_path / "model").rename(tmp_path / "moved"))
    np.testing.assert_array_equal(loaded.predict_proba(ROWS), ensemble.predict_proba(TEXTS))
    save_model(loaded, tmp_path / "again")
    np.testing.assert_array_equal(load_model(tmp_path / "again").predict_proba(TEXTS), ensemble.predict_proba(TEXTS))


def test_an_ensembles_members_keep_their_decisions(members: list[TextClassifier], tmp_path: Path) -> None:
    steps = [([0.0, 0.5, 1.0], [0.0, 0.2, 1.0])] * 3
    decisions = [Decision(bias=[0.5, 0.0, 0.0], temperature=2.0, abstain_below=0.9), Decision(isotonic=steps)]
    decided = [copy(member) for member in members]
    for member, decision in zip(decided, decisions, strict=True):
        member.decision_ = decision
    ensemble = join([*decided, members[0]])
    save_model(ensemble, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), ensemble.predict_proba(TEXTS))
    assert not np.allclose(loaded.predict_proba(TEXTS), join([*members, members[0]]).predict_proba(TEXTS))
    assert loaded.abstain_below is None
    save_model(loaded, tmp_path / "again")


def test_members_of_other_labels_are_refused(members: list[TextClassifier], make: Callable[..., TextClassifier]) -> None:
    two = [(text, label) for text, label in zip(TEXTS, LABELS, strict=True) if label != "quote"]
    members[1] = make("tfidf").fit(*zip(*two, strict=True))
    with pytest.raises(ModelError) as caught:
        join(members)
    assert str(caught.value) == (
        "member b: expected the labels of member a (fact, opinion, quote), found fact, opinion; "
        "an ensemble's members must have the same labels"
    )


def test_members_that_read_another_context_are_refused(
    members: list[TextClassifier], make: Callable[..., TextClassifier]
) -> None:
    members[1] = make("static", context={"before": 1, "after": 0}).fit(TEXTS, LABELS)
    with pytest.raises(ModelError) as caught:
        join(members)
    assert str(caught.value) == (
        "member b reads the context {'before': 1, 'after': 0}, but model.context is None; set it to what the members read"
    )
    join(members, context={"before": 1, "after": 0})


def test_an_ensemble_without_members_cannot_be_fitted(members: list[TextClassifier]) -> None:
    with pytest.raises(ModelError, match=r"^an ensemble learns nothing itself; join its fitted members first$"):
        clone(join(members)).fit(TEXTS, LABELS)
    with pytest.raises(ModelError, match=r"^expected the 1 members of the ensemble, found 2$"):
        classifier_class("ensemble")(members=("a",)).join(members)  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"^label 'rumour' is none of the members' labels \(fact, opinion, quote\)$"):
        join(members).fit(["a", "b"], ["fact", "rumour"])


SPLIT = {"data": {"train": "a.jsonl", "test": "b.jsonl"}}


def trained(members: list[TextClassifier], folder: Path, *, identity: str = "f" * 64, **changes: Any) -> None:
    """Leave model folders as runs do."""
    for name, member in zip("ab", members, strict=True):
        config = make_config({**SPLIT, **changes, "model": {"kind": "tfidf"}}).model_dump(mode="json")
        save_model(member, folder / name, config=config, data=DataSummary("toy", identity, 24))


def measuring(folder: Path, **changes: Any) -> Any:
    """The config of an ensemble of the model folders a and b."""
    members = [str(folder / name) for name in "ab"]
    return make_config({**SPLIT, **changes, "model": {"kind": "ensemble", "members": members}})


def test_members_of_the_same_data_and_splits_are_measured(members: list[TextClassifier], tmp_path: Path) -> None:
    trained(members, tmp_path)
    ensemble = make_ensemble(measuring(tmp_path), "f" * 64)
    assert ensemble.predict(TEXTS).tolist() == LABELS


def test_members_of_several_seeds_on_given_files_know_no_test_row(members: list[TextClassifier], tmp_path: Path) -> None:
    trained(members, tmp_path, splits={"repeats": 2})
    ensemble = make_ensemble(measuring(tmp_path), "f" * 64)
    assert ensemble.predict(TEXTS).tolist() == LABELS


@pytest.mark.parametrize(
    ("made", "measured", "message"),
    [
        ({}, {"data": {"train": "b.jsonl", "test": "a.jsonl"}}, "member a was trained with data.train 'a.jsonl', not 'b.jsonl'"),
        (
            {"data": {"train": "a"}, "splits": {"kind": "hash"}},
            {"data": {"train": "a"}, "splits": {"kind": "hash"}, "seed": 3},
            "member a was trained with seed 42, not 3",
        ),
        ({}, {"data": {"train": "a"}, "splits": {"kind": "hash"}}, "member a was trained with splits.kind 'given', not 'hash'"),
        ({}, {"data": {"train": "a"}}, "an ensemble cannot be measured with splits.kind 'k-fold'"),
        (
            {"data": {"train": "a"}, "splits": {"kind": "hash", "repeats": 2}},
            {"data": {"train": "a"}, "splits": {"kind": "hash"}},
            "member a was trained with splits.repeats 2, after which the final model learns from all rows",
        ),
        (
            {"data": {"train": "a", "id": None}, "splits": {"kind": "hash"}},
            {"data": {"train": "a"}, "splits": {"kind": "hash"}},
            "member a was trained with data.id None, not 'id'",
        ),
        ({}, {"splits": {"repeats": 2}}, "splits.repeats is 2, but an ensemble learns nothing that a seed could change"),
        ({"identity": "e" * 64}, {}, "member a learnt from other data (toy, identity eeeeeeeeeeee…) than the config's"),
    ],
)
def test_members_that_may_know_the_test_rows_are_refused(
    made: dict[str, Any], measured: dict[str, Any], message: str, members: list[TextClassifier], tmp_path: Path
) -> None:
    trained(members, tmp_path, **made)
    with pytest.raises(ConfigError) as caught:
        make_ensemble(measuring(tmp_path, **measured), "f" * 64)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(message)
    assert "\n" not in str(caught.value)


def test_an_ensemble_is_trained_from_the_file_to_start_from(tmp_path: Path) -> None:
    def run(kind: str, output: str, *overrides: str) -> None:
        file = tmp_path / f"{kind}.yaml"
        file.write_text(starting_config(kind), encoding="utf-8")
        data = f"data.train={ROOT / 'data/seeds/sentences.jsonl'}"
        train(file, overrides=[data, "tracking.enabled=false", *overrides], output=tmp_path / output)

    for number in (1, 2):
        run("tfidf", f"member {number}", "splits.kind=hash", "splits.test=0.5", f"model.C={number}")
    run("ensemble", "ensemble", f"model.members=['{tmp_path / 'member 1'}', '{tmp_path / 'member 2'}']")
    assert load_model(tmp_path / "ensemble").kind == "ensemble"


def test_members_that_have_learnt_what_now_lies_in_the_test_are_refused(tmp_path: Path) -> None:
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
    data = {name: str(tmp_path / f"{name}.jsonl") for name in ("train", "test")}

    def run(model: dict[str, Any], output: str, at: slice) -> None:
        write_jsonl(tmp_path / "test.jsonl", rows[at])
        write_jsonl(tmp_path / "train.jsonl", [row for row in rows if row not in rows[at]])
        train({"data": data, "model": model, "tracking": {"enabled": False}}, output=tmp_path / output)

    for name, strength in (("a", 1), ("b", 2)):
        run({"kind": "tfidf", "min_df": 1, "C": strength}, name, slice(0, None, 2))
    ensemble = {"kind": "ensemble", "members": [str(tmp_path / name) for name in "ab"]}
    run(ensemble, "of the same rows", slice(0, None, 2))
    with pytest.raises(ConfigError, match=r"a has learnt 12 of the 12 texts that the run measures on; the files hold other rows"):
        run(ensemble, "of others", slice(1, None, 2))


def test_no_decision_is_learnt_on_rows_that_a_member_has_learnt(tmp_path: Path) -> None:
    data = {"train": str(write_jsonl(tmp_path / "rows.jsonl", toy_rows("abcdefgh", per_article=6)))}

    def run(model: dict[str, Any], output: str, **sections: Any) -> None:
        splits = {"kind": "hash", "test": 0.4, "duplicates": "warn"}
        train(
            {"data": data, "splits": splits, "model": model, "tracking": {"enabled": False}, **sections}, output=tmp_path / output
        )

    for name, strength in (("a", 1), ("b", 2)):
        run({"kind": "tfidf", "min_df": 1, "C": strength}, name)
    ensemble = {"kind": "ensemble", "members": [str(tmp_path / name) for name in "ab"]}
    with pytest.raises(
        ConfigError,
        match=r"^decision is to be learnt on \d+ rows, of which member .*a has learnt \d+, so that it would promise too much",
    ):
        run(ensemble, "learns", decision={"calibration": "temperature", "share": 0.6})
    run(ensemble, "does not", decision={"abstain_below": 0.6})


def test_a_member_that_does_not_say_what_it_learnt_from_is_refused(members: list[TextClassifier], tmp_path: Path) -> None:
    for name, member in zip("ab", members, strict=True):
        save_model(member, tmp_path / name)
    with pytest.raises(ModelError) as caught:
        make_ensemble(measuring(tmp_path), "f" * 64)
    assert (
        str(caught.value) == f"member {tmp_path / 'a'} does not say what it learnt from; take a model that `textcls train` made"
    )
