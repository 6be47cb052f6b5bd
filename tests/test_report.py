"""The report of a run: whole in itself, and safe against what the data hold."""

from __future__ import annotations

import re

import numpy as np

from textcls.evaluation import bootstrap_intervals, evaluate, wrong_predictions
from textcls.evaluation.report import run_report

HOSTILE = "<script>alert('x')</script> & $\\frac{1}{2}$"


def report() -> str:
    labels = ["fact", "<b>odd</b>"]
    true = ["fact", "<b>odd</b>", "fact", "fact"]
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.8, 0.2]])
    groups = ["a", "a", "b", "c"]
    names = sorted(labels)
    order = [labels.index(name) for name in names]
    evaluation = evaluate(true, probabilities[:, order], names)
    predictions = [
        {"text": HOSTILE, "label": label, "prediction": labels[int(row.argmax())], "score": float(row.max()), "article": group}
        for label, row, group in zip(true, probabilities, groups, strict=True)
    ]
    return run_report(
        title=HOSTILE,
        about={"measured": HOSTILE},
        evaluation=evaluation,
        intervals=bootstrap_intervals(true, probabilities[:, order], names, groups, number=200),
        slices=[],
        wrong=wrong_predictions(predictions),
        pictures={"confusion matrix": b"\x89PNG"},
    )


def test_text_of_the_data_stays_text() -> None:
    page = report()
    assert "<script" not in page
    assert "<b>odd</b>" not in page
    assert "&lt;script&gt;" in page


def test_a_report_needs_nothing_from_elsewhere() -> None:
    page = report()
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert "http" not in page
    assert "data:image/png;base64," in page


def test_a_report_says_what_is_taken_for_what() -> None:
    page = report()
    assert "1 of 3 rows of <b>fact</b> (33%) are called <b>&lt;b&gt;odd&lt;/b&gt;</b>" in page
    assert "1 of 1 wrong predictions." in page
    assert "interval over 3 articles" in page
