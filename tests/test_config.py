"""Configs: what ships loads, errors come in one report with their place and a hint, and what is written reads back the same."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from textcls.config import Config, ContextConfig, json_schema, load_config, make_config, model_kinds, starting_config
from textcls.errors import ConfigError

SHIPPED = sorted((ROOT / "configs").glob("**/*.yaml"))
MINIMAL = "data: {train: rows.jsonl}\nmodel: {kind: tfidf}\n"
TRANSFORMER = "data: {train: rows.jsonl}\nmodel: {kind: transformer}\n"


def load(text: str, *overrides: str) -> Config:
    path = Path("c.yaml")  # every test has a folder of its own
    path.write_text(text, encoding="utf-8")
    return load_config(path, overrides)


def problem(text: str, *overrides: str) -> list[str]:
    """The lines of the error that a config gives."""
    with pytest.raises(ConfigError) as caught:
        load(text, *overrides)
    return str(caught.value).splitlines()


# --- what ships -----------------------------------------------------------------------------------------------------


def test_there_are_configs() -> None:
    assert {path.name for path in SHIPPED} >= {"tfidf.yaml", "minilm.yaml"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_config_loads_and_its_data_are_there(path: Path) -> None:
    config = load_config(path)
    assert config.model.kind in model_kinds()
    if "--set data.train=" not in path.read_text(encoding="utf-8"):  # unless the caller is to bring them
        for source in (config.data.train, config.data.validation, config.data.test):
            assert source is None or (ROOT / source).exists()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_config_opens_with_its_own_command(path: Path) -> None:
    comments = path.read_text(encoding="utf-8").split("\nseed:")[0].split("\ndata:")[0]
    assert f"textcls train {path.relative_to(ROOT)}" in comments


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_schema_accepts_a_shipped_config(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    text = re.sub(
        r"(?<![.\d])(\d+)e-", r"\1.0e-", path.read_text(encoding="utf-8")
    )  # PyYAML is no editor: it takes 2e-4 for a string
    validator = jsonschema.Draft202012Validator(json_schema())
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []
    assert [error.message for error in validator.iter_errors(yaml.safe_load(load_config(path).as_yaml()))] == []


@pytest.mark.parametrize("kind", ["tfidf", "transformer"])
def test_the_schema_refuses_what_the_config_refuses(kind: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    good: dict[str, Any] = {"data": {"train": "x"}, "model": {"kind": kind}}
    jsonschema.validate(good, json_schema())
    for bad in ({**good, "sede": 1}, {**good, "seed": -1}, {"model": good["model"]}, {**good, "model": {"kind": "x"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, json_schema())


def test_the_schema_is_json_and_describes_every_setting() -> None:
    schema = json_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "textcls config"
    assert schema["additionalProperties"] is False
    sections = [section for name, section in schema["$defs"].items() if name.endswith("Config")]
    # data, splits, decision, gates, sweep and its spans, tracking, context, adapters, distillation
    assert len(sections) == 10 + len(model_kinds())
    for section in sections:
        assert all(setting.get("description") or "$ref" in setting for setting in section["properties"].values())


# --- defaults, kinds ------------------------------------------------------------------------------------------------


def test_a_minimal_config() -> None:
    config = load(MINIMAL)
    assert config.seed == 42
    assert config.splits.kind == "k-fold"
    assert config.splits.duplicates == "stop"
    assert config.tracking.enabled
    assert (config.data.text, config.data.label, config.data.group) == ("text", "label", None)
    assert set(model_kinds()) == {"tfidf", "transformer", "embedding", "setfit", "static", "ensemble"}


@pytest.mark.parametrize("given", ["test", "validation"])
def test_given_files_are_the_splits(given: str) -> None:
    assert load(MINIMAL, f"data.{given}=other.csv").splits.kind == "given"


def test_one_seed_reaches_the_model() -> None:
    assert load(MINIMAL, "seed=7").model_seed == 7
    assert load(MINIMAL, "seed=7", "model.seed=8").model_seed == 8


def test_a_config_does_not_change() -> None:
    config = load(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("3e-5", 3e-5),
        ("3E-5", 3e-5),
        ("1e-4", 1e-4),
        (".5e-3", 5e-4),
        ("2.e-5", 2e-5),
        ("1e+0", 1.0),
        ("0.001", 1e-3),
        ("1", 1.0),
    ],
)
def test_numbers_as_people_write_them(written: str, number: float) -> None:
    for config in (
        load(TRANSFORMER.replace("former", f"former, learning_rate: {written}")),
        load(TRANSFORMER, f"model.learning_rate={written}"),
    ):
        assert config.model.kind == "transformer"
        assert config.model.learning_rate == number


@pytest.mark.parametrize("name", ["e5", "1e", "3e-5x", "v1e5", "2024-01-01", "10:30", "1:30.5", "yes", "No", "on", "OFF"])
def test_what_is_no_number_stays_a_string(name: str) -> None:
    assert load(MINIMAL, f"data.name={name}").data.name == name


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL + "sede: 1", "sede: unknown key; did you mean 'seed'?"),
        (MINIMAL + "xyz: 1", "xyz: unknown key; known: data, decision, gates, model, seed, splits, sweep, tracking"),
        (MINIMAL + "1: 1", "1: unknown key; known: data, decision, gates, model, seed, splits, sweep, tracking"),
        (
            MINIMAL + "2024-01-01: 1",
            "2024-01-01: unknown key; known: data, decision, gates, model, seed, splits, sweep, tracking",
        ),
        (MINIMAL + "splits: {fold: 3}", "splits.fold: unknown key; did you mean 'folds'?"),
        (MINIMAL + "tracking: {enabeld: false}", "tracking.enabeld: unknown key; did you mean 'enabled'?"),
        (MINIMAL.replace("}", ", lables: [a]}", 1), "data.lables: unknown key; did you mean 'labels'?"),
        (MINIMAL.replace("tfidf", "tfidf, lowercas: true"), "model.lowercas: unknown key; did you mean 'lowercase'?"),
        (
            TRANSFORMER.replace("former", "former, learning_rte: 1"),
            "model.learning_rte: unknown key; did you mean 'learning_rate'?",
        ),
        (MINIMAL.replace("tfidf", "tfdif"), "model.kind: unknown kind 'tfdif'; did you mean 'tfidf'?"),
        (
            MINIMAL.replace("tfidf", "svm"),
            "model.kind: unknown kind 'svm'; known: embedding, ensemble, setfit, static, tfidf, transformer",
        ),
        (
            MINIMAL.replace("kind: tfidf", "C: 1"),
            "model.kind: missing; known: embedding, ensemble, setfit, static, tfidf, transformer",
        ),
        ("data: {text: t}\nmodel: {kind: tfidf}", "data.train: missing; it has no default"),
        ("model: {kind: tfidf}", "data: missing; it has no default"),
        ("data: {train: x}", "model: missing; it has no default"),
        ("data: x\nmodel: {kind: tfidf}", 'data: input should be an object, found "x"'),
        ("data:\nmodel: {kind: tfidf}", "data: input should be an object, found null"),
        ("data: {train: x}\nmodel: tfidf", 'model: input should be an object, found "tfidf"'),
        (MINIMAL + "seed: one", 'seed: input should be a valid integer, found "one"'),
        (MINIMAL + "seed: '1'", 'seed: input should be a valid integer, found "1"'),
        (MINIMAL + "seed: 1.5", "seed: input should be a valid integer, found 1.5"),
        (MINIMAL + "seed: true", "seed: input should be a valid integer, found true"),
        (MINIMAL + "seed: -1", "seed: input should be greater than or equal to 0, found -1"),
        (MINIMAL + "seed: 4294967296", "seed: input should be less than 4294967296, found 4294967296"),
        (
            MINIMAL.replace("tfidf", "tfidf, seed: 5000000000"),
            "model.seed: input should be less than 4294967296, found 5000000000",
        ),
        (
            MINIMAL + "seed: 4294967295\nsplits: {repeats: 2}",
            "splits.repeats counts seeds up to 4294967296, but they must be less than 4294967296; lower it or the seed",
        ),
        (
            MINIMAL.replace("tfidf", "tfidf, seed: 4294967290") + "splits: {repeats: 7}",
            "splits.repeats counts seeds up to 4294967296, but they must be less than 4294967296; lower it or the seed",
        ),
        (
            MINIMAL.replace("tfidf", "tfidf, context: {before: 1}, word_ngrams: null, pattern_ngrams: null"),
            "model: context reads words and patterns of neighbours, but word_ngrams and pattern_ngrams are null; give one of them, or set context to null",
        ),
        (MINIMAL + "splits: {folds: 1}", "splits.folds: input should be greater than or equal to 2, found 1"),
        (MINIMAL + "splits: {test: 1}", "splits.test: input should be less than 1, found 1"),
        (
            MINIMAL + "splits: {kind: kfold}",
            "splits.kind: input should be 'given', 'k-fold', 'leave-one-group-out' or 'hash', found \"kfold\"",
        ),
        (MINIMAL.replace("}", ", labels: [false]}", 1), "data.labels.0: input should be a valid string, found false"),
        (
            TRANSFORMER.replace("former", "former, learning_rate: '3e-5'"),
            'model.learning_rate: input should be a valid number, found "3e-5"',
        ),
        (TRANSFORMER.replace("former", "former, epochs: .inf"), "model.epochs: input should be a finite number, found Infinity"),
        (
            MINIMAL.replace("tfidf", "tfidf, word_ngrams: [2, 1]"),
            "model: word_ngrams must be [shortest, longest] with 1 <= shortest <= longest, found [2, 1]",
        ),
        (
            MINIMAL.replace("tfidf", "tfidf, word_ngrams: null, char_ngrams: null, pattern_ngrams: null"),
            "model: word_ngrams, char_ngrams and pattern_ngrams are all null; give at least one of them",
        ),
        (
            MINIMAL + "splits: {kind: given}",
            "splits.kind is 'given', but data names no test or validation file; name one or use 'k-fold'",
        ),
        (
            MINIMAL.replace("}", ", test: x}", 1) + "splits: {kind: hash}",
            "splits.kind is 'hash', which makes its own test rows, but data.test names a file; set splits.kind=given",
        ),
        (
            MINIMAL + "sweep: {space: {model: {C: [0.1, 1]}}}",
            (
                "sweep.space.model: expected values, or low and high, of a setting that is written with its dots, such as "
                'model.C: [0.1, 1], found {"C": [0.1, 1]}'
            ),
        ),
        (
            MINIMAL + "sweep: {space: {model.C: 5}}",
            (
                "sweep.space.model.C: expected values, or low and high, of a setting that is written with its dots, such as "
                "model.C: [0.1, 1], found 5"
            ),
        ),
        (MINIMAL + "sweep: {space: {model.C: {low: 1}}}", "sweep.space.model.C.high: missing; it has no default"),
        (
            MINIMAL + "sweep: {space: {model.C: {low: 1, high: 2, stop: 1}}}",
            "sweep.space.model.C.stop: unknown key; did you mean 'step'?",
        ),
        (
            MINIMAL + "sweep: {space: {model.C: {low: 2, high: 1}}}",
            "sweep.space.model.C: low must be less than high, found 2 and 1",
        ),
        (MINIMAL + "sweep: {trails: 4, space: {model.C: [1]}}", "sweep.trails: unknown key; did you mean 'trials'?"),
        (MINIMAL + "sweep: {trials: 4}", "sweep.space: missing; it has no default"),
    ],
)
def test_a_wrong_setting(text: str, message: str) -> None:
    assert problem(text) == [f"c.yaml: {message}"]


def test_all_errors_come_in_one_report() -> None:
    lines = problem(
        "seed: -1\n"
        "data: {train: x.jsonl, lables: [a]}\n"
        "splits: {folds: 1, kind: hsah}\n"
        "model: {kind: transformer, learning_rate: fast, epoch: 3, batch_size: 0}\n"
        "tracking: {folder: ''}\n"
        "output: x\n"
    )
    assert sorted(line.removeprefix("c.yaml: ").partition(": ")[0] for line in lines) == [
        "data.lables",
        "model.batch_size",
        "model.epoch",
        "model.learning_rate",
        "output",
        "seed",
        "splits.folds",
        "splits.kind",
        "tracking.folder",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: [", "c.yaml, line 1, column 8: not valid YAML: expected the node content, but found '<stream end>'"),
        (
            "seed: 1\ndata:\n\ttrain: x",
            "c.yaml, line 3, column 1: not valid YAML: found character '\\t' that cannot start any token",
        ),
        ("data: {train: *x}", "c.yaml, line 1, column 15: not valid YAML: found undefined alias 'x'"),
        ("seed: 1\nseed: 2", "c.yaml, line 2, column 1: not valid YAML: the key 'seed' is given twice"),
        ("data:\n  train: x\n  text: t\n  train: y", "c.yaml, line 4, column 3: not valid YAML: the key 'train' is given twice"),
        ("[a]: 1", "c.yaml, line 1, column 1: not valid YAML: found unhashable key"),
        ("", "c.yaml: expected sections such as data and model, found nothing"),
        ("# only a comment", "c.yaml: expected sections such as data and model, found nothing"),
        ("- a", "c.yaml: expected sections such as data and model, found a list"),
        ("data", "c.yaml: expected sections such as data and model, found a str"),
    ],
)
def test_a_file_that_is_no_config(text: str, message: str) -> None:
    assert problem(text) == [message]


def test_yaml_makes_no_python_objects() -> None:
    (line,) = problem("data: !!python/object/apply:os.getcwd []")
    assert line.startswith("c.yaml, line 1, column 7: not valid YAML: could not determine a constructor for the tag")


def test_a_control_character() -> None:
    (line,) = problem("data: \x01")
    assert line.startswith("c.yaml: not valid YAML: ")


def test_a_file_that_cannot_be_read() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("no.yaml")
    assert str(caught.value) == "no.yaml: no such config file; make one with: textcls config --init tfidf > no.yaml"
    Path("latin.yaml").write_bytes("name: café".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"^latin\.yaml: cannot be read as a config file: 'utf-8' codec can't decode byte 0xe9"):
        load_config("latin.yaml")
    with pytest.raises(ConfigError, match=r"cannot be read as a config file: .*Is a directory"):
        load_config(".")


def test_settings_that_are_given_as_mappings() -> None:
    settings = {"data": {"train": "x"}, "model": {"kind": "tfidf", "word_ngrams": (1, 3)}}
    config = make_config(settings, ["seed=3"])
    assert (config.seed, config.model.kind) == (3, "tfidf")
    assert config.model_dump()["model"]["word_ngrams"] == (1, 3)
    assert settings == {"data": {"train": "x"}, "model": {"kind": "tfidf", "word_ngrams": (1, 3)}}  # what was given is left alone
    with pytest.raises(ConfigError) as caught:
        make_config({"data": {"train": 3}, "model": {"kind": "tfidf"}}, name="mine")
    assert str(caught.value) == "mine: data.train: input should be a valid string, found 3"


# --- overrides ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("seed=7", "seed", 7),
        (" seed = 7", "seed", 7),
        ("model.C=1e1", "model.C", 10.0),
        ("model.lowercase=false", "model.lowercase", False),
        ("model.char_ngrams=null", "model.char_ngrams", None),
        ("model.word_ngrams=[1, 3]", "model.word_ngrams", (1, 3)),
        ("sweep.space.model.C=[1, 3]", "sweep.space", {"model.C": [1, 3]}),
        ("data.labels=[fact, quote]", "data.labels", ("fact", "quote")),
        ("data.group=", "data.group", None),
        ("data.train=a=b.csv", "data.train", "a=b.csv"),
        ("data.name=2024-01-01", "data.name", "2024-01-01"),
        ("tracking.folder='7'", "tracking.folder", "7"),  # a section that the file does not have
        ("splits={kind: hash, test: 0.5}", "splits.test", 0.5),
    ],
)
def test_an_override_beats_the_file(override: str, path: str, value: Any) -> None:
    found: Any = load(MINIMAL.replace("tfidf", "tfidf, C: 3, lowercase: true") + "seed: 1\n", override)
    for step in path.split("."):
        found = getattr(found, step)
    assert found == value
    assert type(found) is type(value)


def test_an_override_sets_a_part_of_a_section_that_is_null() -> None:
    assert load(starting_config("transformer"), "model.context.after=2").model.context == ContextConfig(before=1, after=2)
    (line,) = problem(starting_config("transformer"), "model.lora.rnk=4")
    assert line == "c.yaml: model.lora.rnk: unknown key; did you mean 'rank'?"


def test_overrides_that_are_one_string_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^overrides: expected a list of key=value, found the string 'seed=1'; pass \['seed=1'\]$"
    ):
        make_config({"data": {"train": "x"}, "model": {"kind": "tfidf"}}, "seed=1")


def test_the_last_override_counts() -> None:
    assert load(MINIMAL, "seed=1", "seed=2").seed == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set seed: expected key=value, such as model.learning_rate=3e-5"),
        ("=3", "--set =3: expected key=value, such as model.learning_rate=3e-5"),
        ("data..x=3", "--set data..x=3: expected key=value, such as model.learning_rate=3e-5"),
        ("seed=[", "--set seed=[: the value is not valid YAML"),
        ("data.train.x=3", "--set data.train.x=3: train is a value, not a section"),
        ("model.c=3", "c.yaml: model.c: unknown key; known: "),
        ("mdoel.C=3", "c.yaml: mdoel: unknown key; did you mean 'model'?"),
        ("seed=x", 'c.yaml: seed: input should be a valid integer, found "x"'),
        ("model.kind=transfomer", "c.yaml: model.kind: unknown kind 'transfomer'; did you mean 'transformer'?"),
    ],
)
def test_a_wrong_override(override: str, message: str) -> None:
    (line,) = problem(MINIMAL, override)
    assert line.startswith(message)


# --- writing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_config_round_trips(path: Path) -> None:
    config = load_config(path)
    assert load(config.as_yaml()) == config


@pytest.mark.parametrize("text", [MINIMAL, TRANSFORMER])
@pytest.mark.parametrize(
    "name",
    ["1e5", "3e-5", "1.", "true", "no", "null", "~", "2024-01-01", "0x1f", "12:30", "- a", "a: b", "“é” 🎉", " x ", "a\nb", "#"],
)
def test_a_resolved_config_round_trips(text: str, name: str) -> None:
    config = load(text, f"data.name={json.dumps(name)}", f"data.labels=[{json.dumps(name)}, b]", "seed=9", "splits.kind=hash")
    assert config.data.name == name
    assert load(config.as_yaml()) == config


def test_a_resolved_learning_rate_round_trips() -> None:
    for rate in ("3e-5", "1e-10", "0.1", "1", "2.5e-7"):
        config = load(TRANSFORMER, f"model.learning_rate={rate}")
        assert load(config.as_yaml()) == config


@pytest.mark.parametrize("kind", sorted(model_kinds()))
def test_a_starting_config_is_the_defaults_and_says_what_they_mean(kind: str) -> None:
    text = starting_config(kind)
    config = load(text)
    splits = {"kind": "leave-one-group-out", "validation": 0.0}  # what the two shipped articles allow
    splits |= {"kind": "hash", "test": 0.5} if kind == "ensemble" else {}  # whose members must not know the test rows
    model = {"kind": kind, **({"members": ("models/first", "models/second")} if kind == "ensemble" else {})}
    assert config == make_config({"data": {"train": "data/seeds/sentences.jsonl"}, "splits": splits, "model": model})
    settings = yaml.safe_load(text)
    assert set(settings) == set(Config.model_fields)
    assert set(settings["model"]) == set(model_kinds()[kind].model_fields)
    # Every key has a comment above it.
    lines = text.splitlines()
    for above, line in pairwise(lines):
        if line.strip() and not line.strip().startswith("#"):
            assert above.strip().startswith("#"), line
    assert "One of: stop, drop, warn." in text
    (sweep,) = re.findall(r"Such as (.*)\.\nsweep: null", text)
    searched = load(text, f"sweep={sweep}").sweep
    assert searched is not None
    ((key, values),) = searched.space.items()
    assert key.startswith("model.")
    for value in values:
        load(text, f"{key}={value}")


def test_no_starting_config_for_an_unknown_kind() -> None:
    with pytest.raises(ConfigError) as caught:
        starting_config("tfdif")
    assert str(caught.value) == "unknown kind 'tfdif'; did you mean 'tfidf'?"
