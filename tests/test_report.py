"""The reports of a run and of a comparison: whole in themselves, and safe against what the data hold."""

from __future__ import annotations

import re
from html import escape

import numpy as np
import pytest

from textcls.evaluation import bootstrap_intervals, compare, evaluate, make_predictions, wrong_predictions
from textcls.evaluation.annotators import measure_annotators
from textcls.evaluation.comparison_report import Measured, comparison_report
from textcls.evaluation.report import run_report
from textcls.evaluation.slices import Slice
from textcls.models import Weighed

HOSTILE = "<script>alert('x')</script> & $\\frac{1}{2}$"


def report(ids: list[str] | None = None, text: str = HOSTILE, **about: str) -> str:
    labels = ["fact", "<b>odd</b>"]
    true = ["fact", "<b>odd</b>", "fact", "fact"]
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.8, 0.2]])
    groups = ["a", "a", "b", "c"]
    names = sorted(labels)
    order = [labels.index(name) for name in names]
    evaluation = evaluate(true, probabilities[:, order], names, ids)
    predictions = [
        {
            "text": text,
            "label": label,
            "prediction": labels[int(row.argmax())],
            "score": float(row.max()),
            "article": group,
            "before": f"before {text}",
            "after": f"after {text}",
            "weighed": [Weighed(HOSTILE, 1.25, "words"), Weighed(HOSTILE, -0.5, "patterns"), Weighed(" <i>", 0.1, "characters")],
        }
        for label, row, group in zip(true, probabilities, groups, strict=True)
    ]
    return run_report(
        title=HOSTILE,
        about={"measured": HOSTILE, **about},
        evaluation=evaluation,
        intervals=bootstrap_intervals(true, probabilities[:, order], names, groups, number=200),
        slices=[Slice("form", "review", 54, 2, 0.667, 0.6, None, None, 0.718, False)],
        wrong=wrong_predictions(predictions),
        pictures={"confusion matrix": b"\x89PNG"},
        ceiling=measure_annotators(true, [["fact", "fact"], [], [HOSTILE], ["fact"]], names, groups, number=200),
    )


def comparison(several: int) -> str:
    """The report of a comparison in which everything that can be a string is hostile."""
    rng = np.random.default_rng(0)
    predictions = []
    for number in range(several):
        sure = rng.dirichlet([1, 1], 40)
        rows = [
            {
                "id": f"{HOSTILE} {row}",
                "article": f"{HOSTILE} {row // 4}",
                "text": f"{HOSTILE} {row}",
                "label": "fact" if row % 3 else HOSTILE,
                "fold": f"{HOSTILE} {row // 8}",
                "seed": seed,
                "prediction": ("fact", HOSTILE)[sure[row].argmax()],
                "probabilities": dict(zip(("fact", HOSTILE), sure[row], strict=True)),
            }
            for seed in (f"{HOSTILE} 1", "2")
            for row in range(40)
        ]
        predictions.append(make_predictions(rows, name=f"{HOSTILE} {number}"))
    measured = [
        Measured(
            its.name,
            HOSTILE,
            evaluate(its.true, its.probabilities, its.labels),
            bootstrap_intervals(its.true, its.probabilities, its.labels, its.groups, its.ids, number=200),
        )
        for its in predictions
    ]
    return comparison_report(measured, compare(predictions, number=200), {HOSTILE: b"\x89PNG"})


PAGES = {"run": report, "two": lambda: comparison(2), "three": lambda: comparison(3)}


@pytest.mark.parametrize("name", PAGES)
def test_text_of_the_data_stays_text(name: str) -> None:
    page = PAGES[name]()
    assert "<script" not in page
    assert "<b>odd</b>" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;" in page
    assert "alert(&#x27;x&#x27;)" in page
    # Whatever opens is one of ours, and it closes.
    opened = re.findall(r"<(\w+)", page)
    ours = "html head meta title style body h1 h2 h3 p table tr th td div ul li b br span figure img code"
    assert set(opened) <= set(ours.split())
    for tag in set(opened) - {"meta", "br", "img"}:
        assert opened.count(tag) == page.count(f"</{tag}>"), tag


@pytest.mark.parametrize("name", PAGES)
def test_a_report_needs_nothing_from_elsewhere(name: str) -> None:
    page = PAGES[name]()
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert not re.search(r"http|@import|url\(", page)
    assert "data:image/png;base64," in page
    assert "color-scheme: light dark" in page
    assert "@media print" in page


def test_a_comparison_says_the_verdict_first_and_then_why() -> None:
    page = comparison(2)
    places = [
        page.index(part)
        for part in ('<p class="verdict">', "Figures", "Differences", "F1 of each label", "Folds and seeds", "How it")
    ]
    assert places == sorted(places)
    assert "Measured on the same 40 sentences of 10 articles" in page
    assert re.search(r"\d+ sentences? that .* 1 has right more often than .* 0</h3>", page)
    neighbours = re.search(r'<span class="near">[^<]* 4</span> <b>[^<]* 5</b> <span class="near">[^<]* 6</span>', page)
    assert neighbours, "a sentence stands between those around it"
    assert "p (Holm)" not in page
    several = comparison(3)
    assert "p (Holm)" in several
    assert "p is corrected for 3 comparisons (Holm 1979)" in several


def test_a_report_says_what_is_taken_for_what() -> None:
    page = report()
    assert "1 of 3 rows of <b>fact</b> (33%) are called <b>&lt;b&gt;odd&lt;/b&gt;</b>" in page
    assert "1 of 1 wrong predictions." in page
    assert "interval over 3 articles" in page
    assert "Parts of fewer than 5 articles are not judged" in page
    assert "No part of the rows does worse than the others by more than chance." in page


def test_a_report_counts_rows_of_several_seeds_once() -> None:
    page = report(["1", "2", "3", "3"])
    assert "<p>3 rows with 4 predictions of several seeds" in page
    assert "1 of 3 predictions for rows of <b>fact</b> (33%) are called <b>&lt;b&gt;odd&lt;/b&gt;</b>" in page


def test_a_wrong_prediction_stands_between_its_neighbours_with_what_weighed() -> None:
    page = report()
    text = escape(HOSTILE)
    assert f'<span class="near">before {text}</span> <b>{text}</b> <span class="near">after {text}</span><br>' in page
    assert f"for &lt;b&gt;odd&lt;/b&gt;: <code>{text}</code>&nbsp;0.75 <code>‹ &lt;i&gt;›</code>&nbsp;0.10</span>" in page


def test_long_texts_are_cut_and_said_to_be() -> None:
    page = report(text="é" * 100_000)
    assert "é" * 601 not in page
    assert (
        f'<span class="near">…{"é" * 200}</span> <b>{"é" * 600}</b><span class="near">… (100,000 characters in all)</span>'
        in page
    )
    assert f'<span class="near">after {"é" * 194}…</span>' in page
    assert len(page) < 20_000


def test_a_report_says_by_what_its_run_is_found_again() -> None:
    page = report(run="0123abc", started="2026-11-23", settings="model:\n  kind: <b>tfidf</b>\n")
    assert "<br>run: 0123abc<br>started: 2026-11-23\n</p>" in page
    assert page.endswith("<h2>settings</h2>\n<code>model:\n  kind: &lt;b&gt;tfidf&lt;/b&gt;\n</code>\n</body></html>\n")


def test_a_report_shows_every_figure_that_has_an_interval() -> None:
    page = report()
    for name in ("macro-F1", "Matthews&#x27; coefficient"):
        assert re.search(rf'<td>{name}</td><td class="n">-?[01]\.\d+</td><td class="n">-?[01]\.\d+ – [01]\.\d+</td>', page), name
    assert re.search(r'<td>ROC area, mean of the labels</td><td class="n">1\.000</td><td class="n"></td>', page)
    said = "no interval of ROC area, mean of the labels, average precision, mean of the labels: the same whichever articles are drawn"
    assert said in page


def test_a_report_says_what_annotators_reach() -> None:
    page = report()
    assert "Annotators are measured by 4 labels that they gave 3 of the rows; two of them agree on 100.0%." in page
    assert "F1 of annotators" in page
