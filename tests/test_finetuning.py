"""What can be set of fine-tuning: adapters, frozen layers, windows, accumulation, and losses that are no numbers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import toy_rows
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from textcls.artifacts import load_model, save_model
from textcls.errors import ModelError
from textcls.models import Listener
from textcls.models.processors import read_first_token_alone
from textcls.models.transformer import TransformerClassifier

ROWS = toy_rows()
LABELS = [row["label"] for row in ROWS]

Fit = Callable[..., TransformerClassifier]


@pytest.fixture
def fit(model_settings: Callable[[str], dict[str, Any]]) -> Fit:
    def fitted(**settings: Any) -> TransformerClassifier:
        base = {key: value for key, value in model_settings("transformer").items() if key != "kind"}
        return TransformerClassifier(**(base | {"seed": 1} | settings)).fit(ROWS, LABELS)

    return fitted


def test_adapters_are_merged_into_a_model_like_any_other(fit: Fit, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    classifier = fit(lora={"rank": 4, "alpha": 16, "dropout": 0.0}, epochs=20)
    assert (classifier.predict(ROWS) == LABELS).mean() > 0.5
    save_model(classifier, tmp_path / "model")
    np.testing.assert_allclose(load_model(tmp_path / "model").predict_proba(ROWS), classifier.predict_proba(ROWS), atol=1e-5)


@pytest.mark.parametrize(("frozen", "embeddings", "layer"), [(None, False, False), (0, True, False), (1, True, True)])
def test_frozen_layers_stay_as_the_encoder_has_them(fit: Fit, frozen: int | None, embeddings: bool, layer: bool) -> None:
    state = fit(frozen_layers=frozen, epochs=1).model_.state_dict()
    other = fit(frozen_layers=frozen, epochs=1, seed=2).model_.state_dict()
    same = {name: bool((state[name] == other[name]).all()) for name in state}
    assert same["bert.embeddings.word_embeddings.weight"] == embeddings
    assert same["bert.encoder.layer.0.attention.self.query.weight"] == layer
    assert not same["classifier.weight"]


def test_a_long_text_is_read_in_windows_or_cut(fit: Fit) -> None:
    long = "the bridge " * 60 + "the council surely has the worst plan"
    cut, read = fit(), fit(long_texts="windows")
    np.testing.assert_allclose(cut.predict_proba([long]), cut.predict_proba(["the bridge " * 60]), atol=1e-6)
    assert not np.allclose(read.predict_proba([long]), read.predict_proba(["the bridge " * 60]), atol=1e-6)
    short = ROWS[:3]
    assert read.predict_proba(short).shape == (3, 3)


@pytest.mark.parametrize("long_texts", ["windows", "truncate"])
def test_long_neighbours_leave_room_for_the_text(fit: Fit, long_texts: str) -> None:
    classifier = fit(context={"before": 1, "after": 1}, long_texts=long_texts)
    texts = [ROWS[0]["text"], ROWS[1]["text"], "the bridge " * 60]
    for length in (1, 40, 200):
        around = {"before": "the council " * length, "after": "the bridge " * length}
        probabilities = classifier.predict_proba([{"text": text, **around} for text in texts])
        assert len(np.unique(probabilities.round(6), axis=0)) == len(texts)


def test_accumulated_batches_learn_as_one_large_batch_does(fit: Fit) -> None:
    settings = {"epochs": 3, "dropout": 0.0, "batch_size": len(ROWS), "warmup": 0.0}
    large = fit(**settings).predict_proba(ROWS)
    accumulated = fit(**settings | {"batch_size": len(ROWS) // 4, "gradient_accumulation": 4}).predict_proba(ROWS)
    np.testing.assert_allclose(accumulated, large, atol=1e-3)
    small = fit(**settings | {"batch_size": len(ROWS) // 4}).predict_proba(ROWS)
    assert np.abs(small - large).max() > 0.01


def test_more_frozen_layers_than_there_are(fit: Fit) -> None:
    with pytest.raises(ModelError, match=r"^model.frozen_layers is 100, but encoder .* has \d layers$"):
        fit(frozen_layers=100)


def test_adapters_leave_out_a_head_of_several_layers(tmp_path: Path, tiny_encoder: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    sizes = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64, "pad_token_id": 0}
    config = AutoConfig.for_model("distilbert", vocab_size=len(tokenizer), **sizes)
    AutoModel.from_config(config).save_pretrained(tmp_path / "distilbert")
    tokenizer.save_pretrained(tmp_path / "distilbert")
    settings = {"encoder": str(tmp_path / "distilbert"), "max_length": 48, "epochs": 1, "seed": 1}
    adapted = TransformerClassifier(lora={"rank": 2}, **settings).fit(ROWS, LABELS)
    assert np.isfinite(adapted.predict_proba(ROWS)).all()


def test_a_loss_that_becomes_no_number_is_told(fit: Fit) -> None:
    with pytest.raises(ModelError, match=r"the training loss became NaN or infinite; lower model.learning_rate"):
        fit(learning_rate=1e30, warmup=0.0)


def test_any_dropout_that_a_config_may_ask_for_can_be_trained_with(fit: Fit) -> None:
    assert np.isfinite(fit(epochs=1, dropout=0.999).predict_proba(ROWS)).all()


def test_label_smoothing_and_layer_decay_change_what_is_learnt(fit: Fit) -> None:
    plain = fit().predict_proba(ROWS)
    assert not np.allclose(plain, fit(label_smoothing=0.3).predict_proba(ROWS), atol=1e-3)
    assert not np.allclose(plain, fit(layer_decay=0.5).predict_proba(ROWS), atol=1e-3)


class _StopAt(Listener):
    """Stops a fit at a step, or when a share of it is done."""

    def __init__(self, at: float) -> None:
        self.at = at

    def progress(self, done: int, total: int) -> None:
        if self.at and done >= (self.at if self.at >= 1 else self.at * total):
            raise KeyboardInterrupt


FitIn = Callable[..., dict[str, torch.Tensor]]


@pytest.fixture
def fit_in(model_settings: Callable[[str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> FitIn:
    """Fits in a folder, with a checkpoint at every step, until it is stopped, and gives the weights."""
    monkeypatch.setattr("textcls.models.callbacks._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    base = model_settings("transformer") | {"seed": 1, "epochs": 4}
    base.pop("kind")

    def fitted(folder: Path, stop: float = 0, **settings: Any) -> dict[str, torch.Tensor]:
        classifier = TransformerClassifier(**base | settings)
        validation = ROWS[::2], LABELS[::2]
        weights: dict[str, torch.Tensor] = classifier.fit(
            ROWS, LABELS, validation=validation, listener=_StopAt(stop), checkpoints=folder
        ).model_.state_dict()
        return weights

    return fitted


@pytest.mark.parametrize("step", [4, 7, 13])  # of six an epoch: in the midst of one, and twice just after its end
def test_a_fit_goes_on_from_any_step_to_the_same_weights(
    step: int, fit_in: FitIn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = fit_in(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit_in(tmp_path / "stopped", step)
    kept = list((tmp_path / "stopped").rglob("checkpoint-*"))
    assert len(kept) == 1
    resumed = fit_in(tmp_path / "stopped")
    assert all(torch.equal(weight, resumed[name]) for name, weight in whole.items())
    assert "damaged" not in caplog.text


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: os.truncate(file, 10)])
def test_a_fit_whose_checkpoint_is_damaged_begins_anew_and_comes_to_the_same_weights(
    damage: Callable[[Path], None], fit_in: FitIn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = fit_in(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit_in(tmp_path / "stopped", 9)
    (checkpoint,) = (tmp_path / "stopped").rglob("checkpoint-*")
    needed = ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"]
    for name in (*needed, "../best.safetensors", "complete"):
        if name == "complete" and damage is Path.unlink:
            continue  # one that was not written to its end is no damage
        caplog.clear()
        folder = tmp_path / f"without {Path(name).stem}"
        shutil.copytree(tmp_path / "stopped", folder)
        place = folder / checkpoint.relative_to(tmp_path / "stopped")
        damage(place / name)
        resumed = fit_in(folder)
        assert all(torch.equal(weight, resumed[name]) for name, weight in whole.items())
        assert caplog.messages == [f"{place}: gone or damaged: {name}; the fit goes on from an earlier checkpoint or begins anew"]


# --- distillation ---------------------------------------------------------------------------------------------------


def test_a_distilled_model_has_learnt_in_part_what_others_say(fit: Fit) -> None:
    plain, distilled = fit().predict_proba(ROWS), fit(distillation={"folds": 2}).predict_proba(ROWS)
    assert (
        distilled.max(axis=1).mean() < plain.max(axis=1).mean() - 0.01
    )  # of what labels say they are sure, of others they are not
    np.testing.assert_array_equal(fit(distillation={"folds": 2}).predict_proba(ROWS), distilled)
    np.testing.assert_allclose(fit(distillation={"weight": 1e-9, "epochs": 0.5}).predict_proba(ROWS), plain, atol=1e-3)
    briefly = fit(distillation={"folds": 2, "epochs": 1}).predict_proba(ROWS)  # taught by models that know little
    assert not np.allclose(briefly, distilled, atol=1e-2)
    assert briefly.max(axis=1).mean() < distilled.max(axis=1).mean()


class _Curve(Listener):
    def __init__(self) -> None:
        self.steps: list[int] = []
        self.done: list[float] = []

    def metric(self, name: str, value: float, step: int) -> None:
        if name == "train/loss":
            self.steps.append(step)

    def progress(self, done: int, total: int) -> None:
        self.done.append(done / total)


def test_a_distilled_fit_tells_the_curve_of_its_pupil_and_the_progress_of_all(
    model_settings: Callable[[str], dict[str, Any]],
) -> None:
    settings = {key: value for key, value in model_settings("transformer").items() if key != "kind"} | {"epochs": 2}
    plain, distilled = _Curve(), _Curve()
    TransformerClassifier(**settings, seed=1).fit(ROWS, LABELS, listener=plain)
    TransformerClassifier(**settings, seed=1, distillation={"folds": 2, "epochs": 1}).fit(ROWS, LABELS, listener=distilled)
    assert distilled.steps == plain.steps
    assert distilled.done == sorted(distilled.done)
    assert distilled.done[-1] == 1
    teachers = [done for done in distilled.done if done < 1 / 3]  # half of the rows and of the epochs each
    assert len(distilled.done) - len(teachers) == pytest.approx(len(plain.done), abs=1)


def test_other_seeds_part_the_articles_otherwise(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    parted = []
    train = TransformerClassifier._train
    monkeypatch.setattr(
        TransformerClassifier,
        "_train",
        lambda self, lesson, folder: (parted.append({row["article"] for row in lesson.texts}), train(self, lesson, folder)),
    )
    for seed in range(1, 6):
        fit(seed=seed, epochs=1, distillation={"folds": 2})
    assert len({frozenset(articles) for articles in parted[::3]}) > 1


def test_teachers_do_not_see_the_articles_that_they_are_asked_about(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    lessons: list[set[str]] = []
    asked: list[set[str]] = []
    train, predict = TransformerClassifier._train, TransformerClassifier._probabilities
    monkeypatch.setattr(
        TransformerClassifier,
        "_train",
        lambda self, lesson, folder: (lessons.append({row["article"] for row in lesson.texts}), train(self, lesson, folder)),
    )
    monkeypatch.setattr(
        TransformerClassifier,
        "_probabilities",
        lambda self, texts: (asked.append({row["article"] for row in texts}), predict(self, texts))[1],
    )
    fit(distillation={"folds": 3}, epochs=1)
    everything = {row["article"] for row in ROWS}
    *of_teachers, of_pupil = lessons
    assert of_pupil == everything
    assert [own | others for own, others in zip(asked, of_teachers, strict=True)] == [everything] * 3
    assert all(not own & others for own, others in zip(asked, of_teachers, strict=True))
    assert set.union(*asked) == everything


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])  # with either teacher and with the pupil
def test_a_distilled_fit_goes_on_from_where_it_was(
    share: float, fit_in: FitIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"distillation": {"folds": 2}}
    whole = fit_in(tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        fit_in(tmp_path / "stopped", share, **settings)
    told = sorted(path.name for path in (tmp_path / "stopped").rglob("*.npy"))
    assert told == [name for name, at in (("fold-1.npy", 0.25), ("fold-2.npy", 0.5)) if share > at]
    for name in told[1:]:
        os.truncate(next((tmp_path / "stopped").rglob(name)), 10)  # asked again
    fits = []
    train = TransformerClassifier._train
    monkeypatch.setattr(
        TransformerClassifier,
        "_train",
        lambda self, lesson, folder: (fits.append(len(lesson.texts)), train(self, lesson, folder)),
    )
    resumed = fit_in(tmp_path / "stopped", **settings)
    assert all(torch.equal(weight, resumed[name]) for name, weight in whole.items())
    assert len(fits) == 3 - len(told[:1])  # the first teacher is not asked again
    assert not list((tmp_path / "stopped").rglob("*.*"))


def test_folds_of_a_column(model_settings: Callable[[str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {key: value for key, value in model_settings("transformer").items() if key != "kind"} | {"epochs": 1}
    articles = sorted({row["article"] for row in ROWS})
    rows = [row | {"source": articles.index(row["article"]) % 3} for row in ROWS]
    sources: list[set[int]] = []
    train = TransformerClassifier._train
    monkeypatch.setattr(
        TransformerClassifier,
        "_train",
        lambda self, lesson, folder: (sources.append({row["source"] for row in lesson.texts}), train(self, lesson, folder)),
    )
    by_source = TransformerClassifier(**settings, seed=1, distillation={"folds": 3, "group": "source"})
    by_source.fit(rows, LABELS)
    assert sorted(map(sorted, sources)) == [[0, 1], [0, 1, 2], [0, 2], [1, 2]]
    rows[4] = rows[4] | {"source": None}
    with pytest.raises(
        ModelError,
        match=rf"^model.distillation.group is 'source', but 1 of {len(rows)} training rows have no value there, such as '.*'; give each of them one$",
    ):
        by_source.fit(rows, LABELS)
    with pytest.raises(ModelError, match=r"^model.distillation.group is 'artcle', .*; did you mean 'article'\?$"):
        TransformerClassifier(**settings, seed=1, distillation={"group": "artcle"}).fit(ROWS, LABELS)
    with pytest.raises(ModelError, match=r"; known: text$"):
        by_source.fit([row["text"] for row in ROWS], LABELS)


def test_more_folds_than_articles(fit: Fit) -> None:
    with pytest.raises(
        ModelError,
        match=r"^model.distillation.folds is 100, but the training rows are of \d+ groups; lower it, give more groups, or",
    ):
        fit(distillation={"folds": 100})


def test_a_label_of_one_article_cannot_be_taught(model_settings: Callable[[str], dict[str, Any]]) -> None:
    settings = {key: value for key, value in model_settings("transformer").items() if key != "kind"}
    labels = ["rare" if row["article"] == ROWS[0]["article"] else label for row, label in zip(ROWS, LABELS, strict=True)]
    with pytest.raises(
        ModelError, match=r"^model.distillation: all training rows labelled rare are in one of 2 folds; give more of them, or"
    ):
        TransformerClassifier(**settings, seed=1, distillation={"folds": 2}).fit(ROWS, labels)


# --- encoders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bert", "camembert", "electra", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_last_layer_of_the_first_token_alone_changes_nothing(kind: str, attention: str) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "embedding_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = AutoConfig.for_model(kind, **sizes, vocab_size=60, num_labels=3, pad_token_id=1)
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention).eval()
    ids, mask = torch.randint(5, 60, (4, 9)), torch.ones(4, 9, dtype=torch.int64)
    ids[1, 4:], mask[1, 4:] = 1, 0

    def learnt() -> tuple[torch.Tensor, list[torch.Tensor]]:
        model.zero_grad()
        logits = model(input_ids=ids, attention_mask=mask).logits
        logits.square().sum().backward()
        return logits.detach(), [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]

    plain = learnt()
    read: list[int] = []
    last = [layer for layer in model.modules() if isinstance(layer, torch.nn.LayerNorm)][-1]
    last.register_forward_hook(lambda module, given, states: read.append(states.shape[1]))
    read_first_token_alone(model)
    torch.testing.assert_close(learnt(), plain, rtol=0, atol=1e-6)
    assert read == [1]
