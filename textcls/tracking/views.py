"""What MLflow's pages show of an experiment: the columns of its run table, and the page to open on."""

from __future__ import annotations

import json

from textcls.tracking.summaries import CHILDREN, COMPARED

SHOWN_COLUMNS = (
    "metrics.`test/macro_f1`",
    "metrics.`test/accuracy`",
    "metrics.`test/log_loss`",
    "metrics.`time/fit_s`",
    "metrics.`size/model_mb`",
    "params.`model.kind`",
    "tags.`textcls.data_sha`",
    f"tags.`{COMPARED}`",
)
"""Columns of the run table that `textcls ui` opens.

Figures of runs on other data are no rivals, hence the identity of the data. The ends of macro-F1's interval are left out: those of one fit
are by a bootstrap over articles and those of a mean by Student's t over the fits, and in one column they would be taken for the same.
"""

VIEW_TAG = "mlflow.sharedViewState.textcls"
"""The experiment's tag that holds its view `textcls`; MLflow does not document it."""


def run_table() -> str:
    """The view of an experiment: its runs, without children, the best first."""
    return json.dumps(
        {
            "selectedColumns": SHOWN_COLUMNS,
            "orderByKey": SHOWN_COLUMNS[0],
            "orderByAsc": False,
            "searchFilter": " AND ".join(f"tags.`textcls.kind` != '{kind}'" for kind in CHILDREN),
        }
    )


def page_of(experiment_id: str | None) -> str:
    """The path and query of an experiment's run table in that view; the list of experiments if there is none."""
    if experiment_id is None:
        return "/#/experiments"
    return f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey=textcls"
