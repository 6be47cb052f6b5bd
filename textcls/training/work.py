"""What a run has to do, and its fits: one, or several with a child run each, of which an earlier process may have made some."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from textcls.config import Config
from textcls.models import TextClassifier
from textcls.tracking import NullRun
from textcls.training.environment import arithmetic_tags, run_tags
from textcls.training.fitting import Outcome, fit_classifier, measure_classifier
from textcls.training.planning import Fit
from textcls.training.reading import RunData
from textcls.training.reporting import Relay, Reporter
from textcls.training.workspace import Workspace

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Job:
    """What a run is to do.

    Attributes:
        config, data: its config, and its rows.
        in_context: the rows with their neighbours, if the model reads any.
        fits, final: each fit that is measured, and the fit of the final model, if there are several.
        ensemble: the model, if it is one that needs no fit.
        name: the run's name.
    """

    config: Config
    data: RunData
    in_context: Dataset
    fits: list[Fit]
    final: Fit | None
    ensemble: TextClassifier | None
    name: str

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tags of its run."""
        return run_tags(self.config, self.data.summary.identity, "parent" if len(self.fits) > 1 else "single")


@dataclass(frozen=True)
class Work:
    """A job while it is done."""

    job: Job
    run: NullRun
    workspace: Workspace
    reporter: Reporter


def make_fits(work: Work, *, final: bool) -> tuple[list[Outcome], TextClassifier]:
    """Make all fits, and if it is asked for the final one; give what they came to, and the last classifier."""
    job, run, reporter = work.job, work.run, work.reporter
    outcomes = _children(work) if len(job.fits) > 1 else [_only(work)]
    classifier = outcomes[-1].classifier
    if job.final is not None and final:
        reporter.phase("fitting the final model")
        checkpoints = work.workspace.checkpoints("final")
        classifier = fit_classifier(job.config, job.in_context, job.final, Relay(run, reporter), checkpoints)
        run.tags(arithmetic_tags(classifier))
    if classifier is None:
        raise RuntimeError("a run of one fit, and a trial, are fitted in this process")
    return outcomes, classifier


def _only(work: Work) -> Outcome:
    """Make the only fit of a run, or measure the model that needs none."""
    work.reporter.phase("fitting")
    return _fit_and_measure(work, work.job.fits[0], work.run, "only", work.job.ensemble)


def _children(work: Work) -> list[Outcome]:
    """Make each fit in a run of its own."""
    outcomes = []
    for number, fit in enumerate(work.job.fits, 1):
        work.reporter.phase(f"{fit.name} ({number} of {len(work.job.fits)})")
        outcomes.append(_child(work, fit, f"fit-{number}"))
    return outcomes


def _child(work: Work, fit: Fit, key: str) -> Outcome:
    """Fit and measure in a run of its own, or take what an earlier process noted of it."""
    noted = work.workspace.measurement(key)
    if noted is not None:
        return Outcome(fit, noted, classifier=None)
    kind = "seed" if work.job.config.splits.kind in ("given", "hash") else "fold"
    with work.run.child(f"{fit.name}, {work.job.name}", kind, resume=work.workspace.child(key)) as child:
        work.workspace.note_child(key, child.id)
        outcome = _fit_and_measure(work, fit, child, key)
        child.metrics(outcome.measured.metrics)
    # Only now that the child has ended: what is noted is never opened again, and a run that is given up here is not the child's.
    work.workspace.note_measurement(key, outcome.measured)
    work.reporter.measured(outcome.measured.metrics)
    return outcome


def _fit_and_measure(work: Work, fit: Fit, run: NullRun, key: str, model: TextClassifier | None = None) -> Outcome:
    job = work.job
    # As if the fit had begun so much earlier as those processes took whose work it goes on with.
    started = time.monotonic() - work.workspace.seconds(key)
    listener = Relay(run, work.reporter, lambda: work.workspace.note_seconds(key, time.monotonic() - started))
    classifier = fit_classifier(job.config, job.in_context, fit, listener, work.workspace.checkpoints(key), model=model)
    run.tags(arithmetic_tags(classifier))
    return Outcome(fit, measure_classifier(job.in_context, fit, classifier, time.monotonic() - started), classifier)
