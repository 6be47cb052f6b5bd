"""The model card of a model folder, in the form of the Hugging Face hub: YAML front matter, then Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from textcls.evaluation.metrics import main_metrics

if TYPE_CHECKING:
    from textcls.artifacts import ModelDescription
    from textcls.models import Decision

_HUB_TYPES = {"test/macro_f1": "f1", "test/accuracy": "accuracy"}
"""What the hub calls metrics."""
_USE = (
    "Made to label texts like those of {data}, with the sentences around them where the settings name a context. "
    "Meant for sorting and counting many texts, with people looking at what matters; not for deciding on anything or anyone alone, "
    "and not for telling whether what a text says is true."
)
_LOADING = """```python
import textcls

classifier = textcls.load("PATH OF THIS FOLDER")
classifier.predict(["A text to label."])
```

On the command line: `textcls predict PATH_OF_THIS_FOLDER INPUT`. As a service, where textcls is installed and the run is tracked:
`MLFLOW_TRACKING_URI=sqlite:///experiments/mlflow.db mlflow models serve --env-manager local --model-uri models:/NAME@ALIAS`."""
_DIGESTS = (
    "`learnt.safetensors` holds a digest of each text that the model has learnt from, and no text: "
    "by it `textcls evaluate` and `compare` know rows that are not new to the model."
)
_LIMITS = (
    "The figures hold for texts like those of the data above. Text from elsewhere, in another language or of another kind, "
    "can be labelled worse. Look at wrong predictions before relying on it."
)


def model_card(description: ModelDescription) -> str:
    """Word what a model folder is, from its description: figures with intervals, data, use, limits, and how to load it."""
    data = description.data
    name = f"{description.kind} classifier, {data.name if data else 'own data'}"
    labels = ", ".join(f"**{label}**" for label in description.labels)
    parts = [
        f"---\n{yaml.safe_dump(_front(description, name), sort_keys=False, allow_unicode=True)}---",
        f"# {name}",
        f"Classifies texts as {labels}. Made with textcls on {description.created[:10]}.",
    ]
    if description.metrics:
        parts += ["## Figures", f"Measured {description.protocol or 'by its maker'}.", "\n".join(_figures(description.metrics))]
    if data:
        parts += ["## Data", f"{data.name}: {data.rows:,} rows, identity `{data.identity}`.", *_files(description.config)]
    if "learnt.safetensors" in description.files:
        parts.append(_DIGESTS)
    parts += [
        "## Use",
        _USE.format(data=data.name if data else "the data that it has learnt from"),
        _LOADING,
        "## Limits",
        _LIMITS,
        _deciding(description.decision),
    ]
    if description.versions:
        made_with = ", ".join(f"{library} {number}" for library, number in description.versions.items())
        parts += ["## Made with", f"{made_with}. `textcls.json` has every setting and the SHA-256 of every file."]
    return "\n\n".join(parts) + "\n"


def _front(description: ModelDescription, name: str) -> dict[str, Any]:
    front: dict[str, Any] = {
        "library_name": "textcls",
        "pipeline_tag": "text-classification",
        "tags": ["textcls", description.kind, "text-classification"],
    }
    measured = [
        {"type": type_, "name": metric, "value": round(description.metrics[metric], 4)}
        for metric, type_ in _HUB_TYPES.items()
        if metric in description.metrics
    ]
    if measured and description.data:
        task = {"type": "text-classification", "name": "Text classification"}
        dataset = {"type": description.data.name, "name": description.data.name, "revision": description.data.identity}
        # A figure of cross-validation is of no split of the data, so the protocol stands where the split would.
        dataset |= {"split": description.protocol} if description.protocol else {}
        front["model-index"] = [{"name": name, "results": [{"task": task, "dataset": dataset, "metrics": measured}]}]
    return front


def _figures(metrics: Mapping[str, float]) -> Iterator[str]:
    """A table with a row a metric, and in it what is known of how far to trust it."""

    def cell(name: str) -> str:
        if f"{name}_std" in metrics:  # a mean over fits, whose interval by Student's t is not the one over articles
            return f"± {metrics[f'{name}_std']:.4f}"
        known = f"{name}_low" in metrics and f"{name}_high" in metrics
        return f"{metrics[f'{name}_low']:.4f} to {metrics[f'{name}_high']:.4f}" if known else ""

    shown = main_metrics(metrics)
    known = any(cell(name) for name in shown)
    yield "| metric | value | 95 % interval, or standard deviation |" if known else "| metric | value |"
    yield "|---|---|---|" if known else "|---|---|"
    for name in shown:
        yield f"| {name} | {metrics[name]:.4f} |" + (f" {cell(name)} |" if known else "")


def _files(config: Mapping[str, Any] | None) -> Iterator[str]:
    """Where the rows came from, as far as a run's config says."""
    data = (config or {}).get("data") or {}
    named = [f"{split} `{data[split]}`" for split in ("train", "validation", "test") if data.get(split)]
    if named:
        yield f"Files: {', '.join(named)}; text in the column `{data.get('text', 'text')}`, label in `{data.get('label', 'label')}`."


def _deciding(decision: Decision | None) -> str:
    if decision is None:
        return "Probabilities are not calibrated, and every text gets a label."
    calibrated = decision.temperature is not None or decision.isotonic is not None
    how = "isotonic regression" if decision.isotonic is not None else f"the temperature {decision.temperature or 1:.3f}"
    parts = [f"Probabilities are calibrated by {how}." if calibrated else "Probabilities are not calibrated."]
    if decision.bias is not None:
        parts.append("Labels are weighed for macro-F1.")
    if decision.abstain_below is not None:
        parts.append(f"A text whose best label has a probability below {decision.abstain_below:.3f} gets no label.")
    return " ".join(parts)
