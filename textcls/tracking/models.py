"""Keep a model folder as an MLflow model, by MLflow's client and its format.

MLflow's own `log_model` comes to the same, but takes the default store, which is the user's, reads the history of every metric, and
looks through every file of every installed library to check requirements that were taken from these libraries.
"""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import yaml

from textcls.files import folder_bytes

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature

    from textcls.tracking.store import Store


def keep_model(store: Store, run_id: str, folder: Path, name: str, requirements: Sequence[str]) -> None:
    """Keep a model folder as the model of a run, unless it is kept already; go on where that was cut off.

    Args:
        store: where the run is.
        run_id: the run, whose parameters and final metrics are the model's too.
        folder: the model folder.
        name: what MLflow lists it by.
        requirements: what pip must install to load it.
    """
    from mlflow.entities import LoggedModelOutput, Metric
    from mlflow.models import Model

    client = store.client
    run = client.get_run(run_id)
    safe_name = re.sub(r"[/:.%\"']", "-", name)
    held = [client.get_logged_model(output.model_id) for output in run.outputs.model_outputs] if run.outputs else []
    held = [model for model in held if model.name == safe_name]
    if any(model.status == "READY" for model in held):
        return
    if held:
        logged = held[0]
    else:
        experiment, parameters = run.info.experiment_id, dict(run.data.params)
        logged = client.create_logged_model(experiment, name=safe_name, source_run_id=run_id, params=parameters)
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    id = logged.model_id
    # The final ones, which the page of a model shows; those of curves have steps.
    final = [metric for metric in run.data._metric_objs if metric.step == 0]
    client.log_batch(run_id, metrics=[Metric(m.key, m.value, m.timestamp, m.step, model_id=id) for m in final])
    model = Model(artifact_path=logged.artifact_location, run_id=run_id, model_id=id, model_uuid=id, signature=_signature())
    with TemporaryDirectory(prefix="textcls-") as scratch:
        _write(model, folder, Path(scratch), requirements)
        client.log_model_artifacts(id, scratch)
    client.finalize_logged_model(id, "READY")


def _signature() -> ModelSignature:
    """A column of texts in, and of those around them if they are known; labels and probabilities out. See `serving`."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Map

    inputs = [
        ColSpec(DataType.string, "text"),
        ColSpec(DataType.string, "before", required=False),
        ColSpec(DataType.string, "after", required=False),
    ]
    outputs = [
        ColSpec(DataType.string, "label", required=False),  # none where the model abstains
        ColSpec(DataType.double, "score"),
        ColSpec(Map(DataType.double), "probabilities"),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs))


def _write(model: Model, folder: Path, place: Path, requirements: Sequence[str]) -> None:
    """Write the model folder, what loads it, and the environments that MLflow can make for it."""
    import mlflow.pyfunc

    shutil.copytree(folder, place / "data" / "model", copy_function=_link)
    model.model_size_bytes = folder_bytes(folder)
    environments = {"conda_env": "conda.yaml", "python_env": "python_env.yaml"}
    mlflow.pyfunc.add_to_model(model, loader_module="textcls.serving", data="data/model", **environments)
    model.save(str(place / "MLmodel"))
    (place / "requirements.txt").write_text("\n".join(requirements) + "\n", encoding="utf-8")
    python = platform.python_version()
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": list(requirements)}],
    }
    plain = {"python": python, "build_dependencies": ["pip", "setuptools", "wheel"], "dependencies": ["-r requirements.txt"]}
    for name, content in (("conda.yaml", conda), ("python_env.yaml", plain)):
        (place / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _link(source: str, target: str) -> None:
    """Copy a file that is only read, by a link where the two places can share one: models are large."""
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
