"""How often a report names a worst slice where no part of the rows is worse.

    python experiments/statistics/slices.py --runs 100

120 articles, drawn alike, are parted into slices of so many articles each; or so many are a slice and all others are another one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from textcls.evaluation import Predictions
from textcls.evaluation.slices import slice_figures, worst_slices

ARTICLES = 120
SIZES = (2, 3, 4, 5, 8, 20)
CASES = {  # mean accuracy, its standard deviation over articles, and the fewest and most rows of one
    "27 rows each": (0.72, 0.08, (27, 27)),
    "10 to 60 rows each": (0.72, 0.08, (10, 60)),
    "10 rows each, 93 % right": (0.93, 0.03, (10, 10)),
}


def draw(rng: np.random.Generator, mean: float, spread: float, sizes: tuple[int, int]) -> tuple[np.ndarray, Predictions]:
    """Draw the number of each row's article, and predictions."""
    accuracies = np.clip(rng.normal(mean, spread, ARTICLES), 0.02, 0.995)
    article = np.repeat(np.arange(ARTICLES), rng.integers(sizes[0], sizes[1] + 1, ARTICLES))
    true = rng.integers(0, 3, len(article))
    said = np.where(rng.random(len(article)) < accuracies[article], true, (true + 1) % 3)
    names, nothing = ["a", "b", "c"], [None] * len(article)
    ids = [str(number) for number in range(len(article))]
    groups: list[str | None] = [str(number) for number in article]
    return article, Predictions("drawn", ids, [names[i] for i in true], np.eye(3)[said], names, groups, [*nothing], [*nothing])


def main() -> None:
    """Count the runs in which a slice is named, in %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100, help="draws of each case")
    runs = parser.parse_args().runs
    found: dict[str, dict[str, list[float]]] = {}
    for case, (mean, spread, sizes) in CASES.items():
        for size in SIZES:
            named = np.zeros(2)
            for run in range(runs):
                article, held = draw(np.random.default_rng([size, run]), mean, spread, sizes)
                columns = [(article // size).astype(str).tolist(), np.where(article < size, "few", "others").tolist()]
                for way, column in enumerate(columns):
                    named[way] += bool(worst_slices(slice_figures(held, {"column": column}, number=1000)))
            found.setdefault(case, {})[str(size)] = (100 * named / runs).round(1).tolist()
            print(case, size, *found[case][str(size)], flush=True)
    path = Path(__file__).with_name("results-slices.json")
    path.write_text(json.dumps({"runs": runs, "named": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
