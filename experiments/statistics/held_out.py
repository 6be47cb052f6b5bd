"""How often two systems of equal skill are said to differ whose seeds each hold out other articles, as `splits.kind: hash` has it.

    python experiments/statistics/held_out.py

40 articles of 20 rows, of which each seed of either system measures a share, the same for both; a seed has a luck of its own, on all rows and
on each article. Writes results-held-out.json: shares of the draws in which the verdict's interval and p both find a difference.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from textcls.evaluation import Predictions, compare

DRAWS, RESAMPLES = 200, 300
ARTICLES, ROWS = 40, 20
CELLS = [(share, seeds) for share in (1.0, 0.6, 0.2) for seeds in (3, 5)]


def draw_system(
    name: str, rng: np.random.Generator, true: np.ndarray, skill: np.ndarray, held_out: list[np.ndarray], luck: float
) -> Predictions:
    """Predict what each seed holds out, right as often as skill and luck have it."""
    article = np.repeat(np.arange(ARTICLES), ROWS)
    rows, probabilities, seeds = [], [], []
    for seed, chosen in enumerate(held_out):
        chance = np.clip(skill[article] + rng.normal(0, luck) + rng.normal(0, luck, ARTICLES)[article], 0.02, 0.98)
        said = np.where(rng.random(len(true)) < chance, true, 1 - true)
        its = np.flatnonzero(np.isin(article, chosen))
        rows += its.tolist()
        probabilities.append(np.where(np.arange(2) == said[its, None], 0.8, 0.2))
        seeds += [str(seed)] * len(its)
    unknown: list[str | None] = [None] * len(rows)
    return Predictions(
        name,
        [f"{row:03}" for row in rows],
        ["ab"[true[row]] for row in rows],
        np.concatenate(probabilities),
        ["a", "b"],
        [f"article {article[row]}" for row in rows],
        unknown,
        unknown,
        seeds=seeds,
    )


def false_alarms(share: float, seeds: int, luck: float) -> dict[str, float]:
    rng = np.random.default_rng(0)
    found = undecided = 0
    for _ in range(DRAWS):
        true = rng.integers(0, 2, ARTICLES * ROWS)
        skill = np.clip(0.75 + rng.normal(0, 0.08, ARTICLES), 0.1, 0.95)
        held_out = [rng.choice(ARTICLES, round(share * ARTICLES), replace=False) for _ in range(seeds)]
        systems = [draw_system(name, rng, true, skill, held_out, luck) for name in "AB"]
        (pair,) = compare(systems, number=RESAMPLES)
        found += pair.verdict.startswith(("A is better", "B is better"))
        undecided += pair.seed_error is None
    return {"said to differ": found / DRAWS, "seeds not known": undecided / DRAWS}


def main() -> None:
    results = {}
    for luck in (0.0, 0.05):
        for share, seeds in CELLS:
            cell = f"luck {luck:g}, {seeds} seeds of {share:.0%} of the articles each"
            results[cell] = false_alarms(share, seeds, luck)
            print(cell, results[cell], flush=True)
    about = {"draws": DRAWS, "resamples": RESAMPLES, "cases": results}
    Path(__file__).with_name("results-held-out.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
