"""The report of a run: whole in itself, and safe against what the data hold."""

from __future__ import annotations

import re
from html import escape

import numpy as np

from textcls.evaluation import bootstrap_intervals, evaluate, wrong_predictions
from textcls.evaluation.annotators import measure_annotators
from textcls.evaluation.report import run_report
from textcls.models import Weighed

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
        {
            "text": HOSTILE,
            "label": label,
            "prediction": labels[int(row.argmax())],
            "score": float(row.max()),
            "article": group,
            "before": f"before {HOSTILE}",
            "after": f"after {HOSTILE}",
            "weighed": [Weighed(HOSTILE, 1.25, "words"), Weighed(HOSTILE, -0.5, "patterns"), Weighed(" <i>", 0.1, "characters")],
        }
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
        ceiling=measure_annotators(true, [["fact", "fact"], [], [HOSTILE], ["fact"]], names, groups, number=200),
    )


def test_text_of_the_data_stays_text() -> None:
    page = report()
    assert "<script" not in page
    assert "<b>odd</b>" not in page
    assert "<i>" not in page
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


def test_a_wrong_prediction_stands_between_its_neighbours_with_what_weighed() -> None:
    page = report()
    text = escape(HOSTILE)
    assert f'<span class="about">before {text}</span> {text} <span class="about">after {text}</span><br>' in page
    assert f"for &lt;b&gt;odd&lt;/b&gt;: <code>{text}</code>&nbsp;0.75 <code>‹ &lt;i&gt;›</code>&nbsp;0.10</span>" in page


def test_a_report_says_what_annotators_reach() -> None:
    page = report()
    assert "Annotators are measured by 4 labels that they gave 3 of the rows; two of them agree on 100.0%." in page
    assert "annotators' F1" in page
