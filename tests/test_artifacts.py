"""Model folders: what is in them, and what is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import toy_rows
from packaging.requirements import Requirement
from safetensors.numpy import load_file
from sklearn.model_selection import GridSearchCV

from textcls.artifacts import (
    DataSummary,
    describe_model,
    library_versions,
    load_model,
    pip_requirements,
    save_model,
)
from textcls.config import make_config
from textcls.errors import ConfigError, ModelError, OutputError
from textcls.models import FAMILIES, TextClassifier, classifier_class, make_classifier

TEXTS = [row["text"] for row in toy_rows()]
LABELS = [row["label"] for row in toy_rows()]
FILES = {
    "tfidf": {"vocabulary.json", "weights.safetensors"},
    "transformer": {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"},
    "embedding": {"config.json", "head.safetensors", "model.safetensors", "tokenizer.json", "tokenizer_config.json"},
    "setfit": {"config.json", "head.safetensors", "model.safetensors", "tokenizer.json", "tokenizer_config.json"},
    "static": {"model.safetensors", "tokenizer.json"},
    "ensemble": {
        "members.json",
        "member-1/vocabulary.json",
        "member-1/weights.safetensors",
        "member-2/model.safetensors",
        "member-2/tokenizer.json",
    },
}


@pytest.fixture(scope="session")
def fitted(tiny_encoder: str) -> dict[str, TextClassifier]:
    """A classifier of each family that has learnt next to nothing."""
    small = {"encoder": tiny_encoder, "max_length": 48, "seed": 1}
    fitted = {
        "tfidf": classifier_class("tfidf")(min_df=1, seed=1).fit(TEXTS, LABELS),
        "transformer": classifier_class("transformer")(encoder=tiny_encoder, epochs=1, max_length=48, seed=1).fit(TEXTS, LABELS),
        "embedding": classifier_class("embedding")(**small).fit(TEXTS, LABELS),
        "setfit": classifier_class("setfit")(pairs=1, **small).fit(TEXTS, LABELS),
        "static": classifier_class("static")(epochs=1, dimensions=8, **small).fit(TEXTS, LABELS),
    }
    ensemble: Any = classifier_class("ensemble")(members=("a", "b"), seed=1)
    return {**fitted, "ensemble": ensemble.join([fitted["tfidf"], fitted["static"]])}


@pytest.fixture(params=sorted(FAMILIES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(fitted: dict[str, TextClassifier], kind: str, tmp_path: Path) -> Path:
    save_model(fitted[kind], tmp_path / "model")
    return tmp_path / "model"


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit(folder: Path, **changes: Any) -> None:
    file = folder / "textcls.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def weights(folder: Path) -> Path:
    return max(folder.rglob("*.safetensors"), key=lambda file: file.stat().st_size)


# --- writing --------------------------------------------------------------------------------------------------------


def test_a_folder_holds_the_description_the_card_and_the_familys_files(folder: Path, kind: str) -> None:
    found = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert found == {"textcls.json", "README.md", "learnt.safetensors"} | FILES[kind]
    description = json.loads((folder / "textcls.json").read_text())
    assert description["format"] == 1
    assert description["kind"] == kind
    assert description["labels"] == ["fact", "opinion", "quote"]
    assert description["settings"]["seed"] == 1
    assert set(description["files"]) == {"learnt.safetensors"} | FILES[kind]
    assert description["versions"]["textcls"] == library_versions()["textcls"]
    assert [file.name for file in folder.parent.iterdir() if file.name.startswith(".")] == []


def test_there_is_no_pickle_in_a_folder(folder: Path) -> None:
    for file in (path for path in folder.rglob("*") if path.is_file()):
        if file.suffix == ".json":
            json.loads(file.read_text(encoding="utf-8"))
        elif file.suffix == ".safetensors":
            load_file(file)
        else:
            assert file.name == "README.md"


def test_what_is_known_of_its_making_is_kept_and_told_in_the_card(fitted: dict[str, TextClassifier], tmp_path: Path) -> None:
    data = DataSummary("tickets", "f" * 64, 1234)
    config, metrics = make_config({"data": {"train": "x"}, "model": {"kind": "tfidf"}}), {"test/macro_f1": 0.98765}
    save_model(fitted["tfidf"], tmp_path / "model", config=config, data=data, metrics=metrics, protocol="on 10 given test rows")
    description = describe_model(tmp_path / "model")
    assert (description.config, description.data, description.metrics) == (config.model_dump(mode="json"), data, metrics)
    _, front, body = (tmp_path / "model" / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(front)["pipeline_tag"] == "text-classification"
    for fragment in (
        "# tfidf classifier, tickets",
        "**fact**, **opinion**, **quote**",
        "Measured on 10 given test rows.",
        "| test/macro_f1 | 0.9877 |",
        f"tickets: 1,234 rows, identity `{'f' * 64}`.",
        "Made to label texts like those of tickets, ",
    ):
        assert fragment in body
    for word in ("news", "article", "minister"):
        assert word not in body.lower(), "not all data are news"


def test_the_card_gives_intervals_and_reads_as_the_hub_reads_cards(fitted: dict[str, TextClassifier], tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    metrics = {"test/macro_f1": 0.7, "test/macro_f1_std": 0.04, "test/macro_f1_low": 0.61, "test/macro_f1_high": 0.79}
    metrics |= {"test/ece": 0.05, "pooled/macro_f1": 0.71, "pooled/macro_f1_low": 0.66, "pooled/macro_f1_high": 0.75}
    columns = {"train": "data/train.jsonl", "test": None, "text": "sentence", "label": "class"}
    config = {"data": columns, "model": {"kind": "tfidf"}}
    data = DataSummary("news: “odd” name", "f" * 64, 9)
    save_model(
        fitted["tfidf"], tmp_path / "model", data=data, metrics=metrics, config=config, protocol="by 3-fold cross-validation"
    )
    card = ModelCard.load(tmp_path / "model" / "README.md")
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_name) == ("f1", 0.7, "news: “odd” name")
    for fragment in (
        "| test/macro_f1 | 0.7000 | ± 0.0400 |",
        "| test/ece | 0.0500 |  |",
        "| pooled/macro_f1 | 0.7100 | 0.6600 to 0.7500 |",
        "Files: train `data/train.jsonl`; text in the column `sentence`, label in `class`.",
        "## Limits",
        "textcls.load(",
    ):
        assert fragment in card.text
    assert "macro_f1_std" not in card.text
    assert "0.6100" not in card.text, "an interval over fits is not taken for the one over articles"


def test_the_card_may_be_edited(folder: Path) -> None:
    labels = load_model(folder).classes_.tolist()
    (folder / "README.md").write_text("my own words")
    assert load_model(folder).classes_.tolist() == labels
    (folder / "README.md").unlink()
    assert load_model(folder).classes_.tolist() == labels


def test_an_existing_output_is_refused_and_left_as_it_was(fitted: dict[str, TextClassifier], tmp_path: Path) -> None:
    for place in (tmp_path / "folder", tmp_path / "file", tmp_path / "link"):
        if place.name == "folder":
            place.mkdir()
            (place / "precious").write_text("data")
        elif place.name == "file":
            place.write_text("data")
        else:
            place.symlink_to(tmp_path / "nowhere")
        with pytest.raises(OutputError) as caught:
            save_model(fitted["tfidf"], place)
        assert str(caught.value) == f"{place}: exists already; remove it or name another output"
    assert (tmp_path / "folder" / "precious").read_text() == (tmp_path / "file").read_text() == "data"
    assert not (tmp_path / "nowhere").exists()


def test_refuses_to_write_labels_that_are_numbers(tmp_path: Path) -> None:
    numbered = classifier_class("tfidf")(min_df=1).fit(["one text", "another one"], [0, 1])
    with pytest.raises(ModelError, match=r"expected a classifier whose labels are strings, found the numbers 0, 1; fit it on"):
        save_model(numbered, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError(28, "No space left on device")])
def test_an_interrupted_write_leaves_nothing(
    error: Any, fitted: dict[str, TextClassifier], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: TextClassifier, folder: Path) -> None:
        (folder / "half").write_text("a half-written file")
        raise error

    monkeypatch.setattr(type(fitted["tfidf"]), "write", interrupted)
    place = tmp_path / "models" / "mine"
    place.parent.mkdir()
    with pytest.raises((KeyboardInterrupt, RuntimeError, OutputError)) as caught:
        save_model(fitted["tfidf"], place)
    assert list(place.parent.iterdir()) == []
    if isinstance(error, OSError):
        assert str(caught.value) == f"{place}: cannot be written: No space left on device"


def test_a_place_below_a_file_is_told(fitted: dict[str, TextClassifier], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/model: cannot be written: "):
        save_model(fitted["tfidf"], tmp_path / "file" / "model")


def test_weights_that_do_not_fit_on_the_disk_are_told(folder: Path, kind: str, fitted: dict[str, TextClassifier]) -> None:
    # Weights are written by Rust code, whose errors are no OSError. A limit on files' sizes stands in for a full disk.
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (weights(folder).stat().st_size - 1, before[1]))
    try:
        with pytest.raises(OutputError) as caught:
            save_model(fitted[kind], folder.parent / "second")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value).startswith(f"{folder.parent / 'second'}: cannot be written: ")
    assert "File too large" in str(caught.value)
    assert not list(folder.parent.glob("*second*"))


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_missing_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "nothing") == f"{tmp_path / 'nothing'}: no such model folder"


def test_a_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert refused(tmp_path) == f"{tmp_path}: not a model folder of textcls: it has no textcls.json"


@pytest.mark.parametrize("content", [b"", b'{"format": 1', b"\xff\xfe"])
def test_a_description_that_is_no_json(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "textcls.json").write_bytes(content)
    assert refused(tmp_path) == f"{tmp_path}: damaged: textcls.json is not valid JSON"


@pytest.mark.parametrize(("content", "found"), [({"format": 2}, "2"), ({}, "None"), ([1], "None"), ({"format": "1"}, "'1'")])
def test_a_newer_or_unknown_format(content: Any, found: str, tmp_path: Path) -> None:
    (tmp_path / "textcls.json").write_text(json.dumps(content))
    assert refused(tmp_path) == (f"{tmp_path}: expected a model of format 1, found {found}; another version of textcls wrote it")


def test_a_description_without_labels(folder: Path) -> None:
    description = json.loads((folder / "textcls.json").read_text())
    del description["labels"]
    (folder / "textcls.json").write_text(json.dumps(description))
    assert refused(folder) == f"{folder}: damaged: textcls.json: labels: Field required"


def test_a_decision_policy_that_is_not_known(folder: Path) -> None:
    edit(folder, decision={"threshold": 0.3})
    assert refused(folder).startswith(f"{folder}: damaged: textcls.json: decision.threshold: ")


def test_a_kind_that_is_not_known(folder: Path) -> None:
    edit(folder, kind="forest")
    assert refused(folder) == "unknown kind 'forest'; known: embedding, ensemble, setfit, static, tfidf, transformer"


def test_settings_that_are_not_known(folder: Path) -> None:
    edit(folder, settings={"depth": 3})
    assert refused(folder).startswith(f"{folder}: settings that this textcls does not know: ")
    assert "'depth'" in refused(folder)


def test_a_missing_file(folder: Path) -> None:
    file = weights(folder)
    file.unlink()
    assert refused(folder) == f"{folder}: damaged: {file.relative_to(folder).as_posix()} is missing"


@pytest.mark.parametrize("change", ["one bit", "cut", "empty"])
def test_a_damaged_file(folder: Path, change: str) -> None:
    file = weights(folder)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes({"one bit": content, "cut": content[: len(content) // 2], "empty": b""}[change])
    assert (
        refused(folder)
        == f"{folder}: damaged: {file.relative_to(folder).as_posix()} is not the file that was written (SHA-256 differs)"
    )


def test_a_file_that_does_not_belong(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert refused(folder) == f"{folder}: pytorch_model.bin does not belong to the model; remove it"


def test_a_file_outside_of_the_folder(folder: Path) -> None:
    secret = folder.parent / "secret"
    secret.write_text("x")
    edit(folder, files={**describe_model(folder).files, "../secret": "0" * 64})
    assert refused(folder) == f"{folder}: damaged: ../secret is missing"


def test_hidden_files_of_the_system_do_not_matter(folder: Path) -> None:
    labels = load_model(folder).classes_.tolist()
    (folder / ".DS_Store").write_bytes(b"")
    assert load_model(folder).classes_.tolist() == labels


@pytest.mark.parametrize("labels", [["fact", "quote"], ["fact", "opinion", "quote", "rumour"]])
def test_labels_that_do_not_fit_the_weights(folder: Path, labels: list[str], kind: str) -> None:
    edit(folder, labels=labels)
    place = folder / "member-1" if kind == "ensemble" else folder
    assert refused(folder).startswith(f"{place}: expected weights ")


def test_a_vocabulary_that_does_not_fit_the_weights(fitted: dict[str, TextClassifier], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_model(fitted["tfidf"], folder)
    vocabulary = json.loads((folder / "vocabulary.json").read_text())
    vocabulary["words"].pop()
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary))
    digest = hashlib.sha256((folder / "vocabulary.json").read_bytes()).hexdigest()
    edit(folder, files={**describe_model(folder).files, "vocabulary.json": digest})
    assert refused(folder).startswith(f"{folder}: the vocabulary and the weights do not fit together: ")


def test_loading_needs_neither_the_encoder_nor_the_working_directory(
    folder: Path, kind: str, fitted: dict[str, TextClassifier], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = folder.rename(tmp_path / "moved")
    edit(moved, settings={**describe_model(moved).settings} | ({"encoder": "/gone"} if kind not in ("tfidf", "ensemble") else {}))
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(load_model(moved).predict_proba(TEXTS), fitted[kind].predict_proba(TEXTS))


# --- what it needs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, "textcls==7.0"),
        ('{"url": "file:///home/me/textcls", "dir_info": {"editable": true}}', "textcls @ file:///home/me/textcls"),
        (
            '{"url": "https://host/textcls", "vcs_info": {"vcs": "git", "commit_id": "abc"}}',
            "textcls @ git+https://host/textcls@abc",
        ),
    ],
)
def test_requirements_name_what_is_on_no_index_by_where_it_came_from(
    origin: str | None, requirement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "textcls-7.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: textcls\nVersion: 7.0\n")
    if origin is not None:
        (folder / "direct_url.json").write_text(origin)
    monkeypatch.syspath_prepend(tmp_path)
    found = pip_requirements()
    assert found[0] == requirement
    assert f"numpy=={np.__version__}" in found
    assert not [line for line in found if line.startswith("python")]
    assert all(Requirement(line) for line in found)


def test_what_a_grid_search_chose_is_kept(tmp_path: Path) -> None:
    search = GridSearchCV(classifier_class("tfidf")(), {"C": np.array([1.0, 10.0]), "min_df": np.array([1, 2])}, cv=2)
    best = search.fit(TEXTS, LABELS).best_estimator_
    save_model(best, tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").predict_proba(TEXTS), best.predict_proba(TEXTS))


def test_what_is_no_fitted_classifier_is_not_written(fitted: dict[str, TextClassifier], tmp_path: Path) -> None:
    best = "of a search, save its best_estimator_"
    for given, found in (
        (GridSearchCV(fitted["tfidf"], {}), "GridSearchCV"),
        (make_classifier("tfidf"), "TfidfClassifier, which has learnt nothing"),
    ):
        with pytest.raises(ModelError) as caught:
            save_model(given, tmp_path / "model")
        assert str(caught.value) == f"expected a fitted classifier of textcls, found {found}; {best}"
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("about", "error", "message"),
    [
        ({"metric": {}}, TypeError, "unexpected keyword argument 'metric'"),
        ({"metrics": {"test/macro_f1": "good"}}, ModelError, "^the model is not written: metrics.test/macro_f1: Input should be"),
        ({"data": "tickets.csv"}, ModelError, "^the model is not written: data: Input should be"),
        (
            {"config": {"data": {"train": "x"}, "modl": {}}},
            ConfigError,
            "^config: model: missing; it has no default\nconfig: modl: ",
        ),
    ],
)
def test_nothing_is_written_where_what_is_said_of_a_model_is_wrong(
    about: dict[str, Any], error: type[Exception], message: str, fitted: dict[str, TextClassifier], tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        save_model(fitted["tfidf"], tmp_path / "model", **about)
    assert not [*tmp_path.glob("*model*")]


def test_an_encoder_may_be_named_by_a_path(tiny_encoder: str, tmp_path: Path) -> None:
    classifier = classifier_class("embedding")(encoder=Path(tiny_encoder), max_length=48, cache=False).fit(TEXTS, LABELS)
    save_model(classifier, tmp_path / "model")
    assert describe_model(tmp_path / "model").settings["encoder"] == tiny_encoder


def test_a_figure_that_is_no_number_is_left_out(fitted: dict[str, TextClassifier], tmp_path: Path) -> None:
    save_model(fitted["tfidf"], tmp_path / "model", metrics={"test/macro_f1": 0.5, "test/pr_auc": float("nan")})
    assert describe_model(tmp_path / "model").metrics == {"test/macro_f1": 0.5}


def test_to_predict_no_library_is_needed_that_only_fits(fitted: dict[str, TextClassifier], tmp_path: Path) -> None:
    save_model(fitted["setfit"], tmp_path / "model")
    code = """
import sys
for name in ("setfit", "sentence_transformers", "peft", "optuna", "captum", "accelerate"):
    sys.modules[name] = None
from textcls.artifacts import load_model
print(load_model(sys.argv[1]).predict(["It may rain."])[0])
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() in LABELS, done.stderr
