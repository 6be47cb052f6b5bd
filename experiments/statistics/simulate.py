"""Check the statistics of textcls where the truth is known: sentences in articles, some of which are harder than others.

    python experiments/statistics/simulate.py intervals      # do 95 % intervals hold the true value 95 times in 100?
    python experiments/statistics/simulate.py tests          # do the tests cry wolf 5 times in 100, and what do they find?
    python experiments/statistics/simulate.py folds          # the same for cross-validation, with classifiers that are fitted
    python experiments/statistics/simulate.py seeds          # the same where each system was trained with several seeds
    python experiments/statistics/simulate.py speed          # how long all of it takes

Each prints a table and writes results-<name>.json beside this file.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from textcls.evaluation import Predictions, bootstrap_intervals, compare, evaluate
from textcls.evaluation.bootstrap import interval, replicate
from textcls.evaluation.comparison import needed_rows
from textcls.evaluation.repeats import Spread
from textcls.evaluation.significance import corrected_t_test, mcnemar, permutation_test
from textcls.evaluation.sums import Sums, headline, label_f1, macro_f1, sum_rows

HERE = Path(__file__).parent
FREQUENCIES = np.array([0.45, 0.25, 0.15, 0.10, 0.05])
LABELS = len(FREQUENCIES)
ARTICLES = (3, 5, 8, 12, 20, 40, 80)
FIGURES = {"macro_f1": macro_f1}


def draw(
    rng: np.random.Generator,
    articles: int,
    *,
    skills: tuple[float, ...] = (2.0,),
    own: tuple[float, ...] = (0.0,),
    between: float = 0.7,
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Draw articles of 5 to 60 sentences with their own mixture of labels, and the probabilities of one system or more.

    Args:
        articles: how many.
        skills: how far each system lifts the true label, on average over articles.
        own: standard deviation between articles of what each system alone finds hard.
        between: the same of what all of them find hard.
    """
    sizes = np.clip(rng.lognormal(3.0, 0.6, articles), 5, 60).astype(int)
    article = np.repeat(np.arange(articles), sizes)
    rows = len(article)
    mixtures = rng.dirichlet(FREQUENCIES * 8, articles).cumsum(axis=1)[article]
    true = np.minimum((mixtures < rng.random(rows)[:, None]).sum(axis=1), LABELS - 1)
    ease = rng.normal(0, between, articles)
    shared = rng.normal(0, 1, (rows, LABELS))
    systems = []
    for skill, deviation in zip(skills, own, strict=True):
        logits = 0.8 * shared + 0.6 * rng.normal(0, 1, (rows, LABELS))
        logits[np.arange(rows), true] += (skill + ease + rng.normal(0, deviation, articles))[article]
        logits[:, 0] += 0.3
        exponents = np.exp(1.5 * logits)
        systems.append(exponents / exponents.sum(axis=1, keepdims=True))
    return article, true, systems


def figures(sums: Sums) -> dict[str, np.ndarray]:
    return {key: value for key, value in headline(sums).items() if key != "micro_f1"} | {
        "f1 of the rarest label": label_f1(sums)[..., -1]
    }


# --- intervals ------------------------------------------------------------------------------------------------------


def percentile(values: np.ndarray, whole: float, left_out: np.ndarray, units: int) -> tuple[float, float]:
    low, high = np.nanquantile(values, [0.025, 0.975])
    return low, high


def expanded(values: np.ndarray, whole: float, left_out: np.ndarray, units: int) -> tuple[float, float]:
    """Hesterberg's (2015) percentiles, as much further out as Student's t is than the normal distribution."""
    tail = stats.norm.cdf(-stats.t.ppf(0.975, units - 1) * np.sqrt(units / (units - 1)))
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return low, high


def student(values: np.ndarray, whole: float, left_out: np.ndarray, units: int) -> tuple[float, float]:
    """The figure, plus and minus Student's t times the resamples' standard deviation."""
    half = stats.t.ppf(0.975, units - 1) * np.nanstd(values) * np.sqrt(units / (units - 1))
    return whole - half, whole + half


def hull(values: np.ndarray, whole: float, left_out: np.ndarray, units: int) -> tuple[float, float]:
    """The wider of expanded percentiles and Student's t at each end."""
    ends = expanded(values, whole, left_out, units), student(values, whole, left_out, units)
    return min(low for low, _ in ends), max(high for _, high in ends)


def unbiased(values: np.ndarray, whole: float, left_out: np.ndarray, units: int) -> tuple[float, float]:
    """Student's t around the figure less what resampling adds to it."""
    return student(values, 2 * whole - float(np.nanmean(values)), left_out, units)


def bca(values: np.ndarray, whole: float, left_out: np.ndarray, units: int) -> tuple[float, float]:
    """Efron's (1987) bias-corrected and accelerated percentiles, the acceleration by the jackknife over articles."""
    return _bca(values, whole, left_out, 0.975, units)


def expanded_bca(values: np.ndarray, whole: float, left_out: np.ndarray, units: int) -> tuple[float, float]:
    level = stats.norm.cdf(stats.t.ppf(0.975, units - 1) * np.sqrt(units / (units - 1)))
    return _bca(values, whole, left_out, level, units)


def _bca(values: np.ndarray, whole: float, left_out: np.ndarray, level: float, units: int) -> tuple[float, float]:
    values, left_out = values[~np.isnan(values)], left_out[~np.isnan(left_out)]
    share = np.clip(((values < whole).mean() + (values <= whole).mean()) / 2, 1e-4, 1 - 1e-4)
    bias = stats.norm.ppf(share)
    deviations = left_out.mean() - left_out
    spread = (deviations**2).sum() ** 1.5
    acceleration = (deviations**3).sum() / (6 * spread) if spread > 0 else 0.0
    ends = []
    for z in (-stats.norm.ppf(level), stats.norm.ppf(level)):
        divisor = 1 - acceleration * (bias + z)
        ends.append(stats.norm.cdf(bias + (bias + z) / divisor) if divisor > 0 else float(z > 0))
    low, high = np.quantile(values, np.clip(ends, 0, 1))
    return float(low), float(high)


METHODS: dict[str, Callable[..., tuple[float, float]]] = {
    "percentile": percentile,
    "expanded percentile": expanded,
    "BCa": bca,
    "BCa, expanded": expanded_bca,
    "Student's t": student,
    "expanded percentile or Student's t": hull,
    "Student's t less the bias": unbiased,
}


def run_intervals(runs: int, drawn: int) -> dict[str, Any]:
    """Coverage and mean width of each method for each figure and number of articles; and of rows taken for independent."""
    rng = np.random.default_rng(1)
    population = draw(rng, 100_000)
    true_values = figures(_sums(population).total())
    print({name: round(float(value), 4) for name, value in true_values.items()})
    found: dict[str, Any] = {}
    for articles in ARTICLES:
        held: dict[str, dict[str, list[float]]] = {}
        for run in range(runs):
            sample = draw(rng, articles)
            by_row = [("row", {"rows as units": expanded})] if run % 5 == 0 else []  # which is slow
            for unit, methods in [("article", METHODS), *by_row]:
                sums = _sums(sample, rows=unit == "row")
                units = len(sums.values)
                of_all = figures(sums.total())
                resampled = figures(replicate(sums, drawn, rng))
                left_out = figures(Sums(sums.values.sum(axis=0) - sums.values, LABELS))
                for name, true_value in true_values.items():
                    if np.isnan(of_all[name]) or np.isnan(resampled[name]).all():
                        continue
                    for method, of in methods.items():
                        low, high = of(resampled[name], float(of_all[name]), left_out[name], units)
                        cell = held.setdefault(name, {}).setdefault(method, [0, 0, 0.0])
                        cell[0] += 1
                        cell[1] += int(low <= true_value <= high)
                        cell[2] += high - low
        found[str(articles)] = {
            name: {method: {"coverage": round(c / n, 4), "width": round(w / n, 4)} for method, (n, c, w) in cells.items()}
            for name, cells in held.items()
        }
        print(articles, {method: cell["coverage"] for method, cell in found[str(articles)]["macro_f1"].items()}, flush=True)
    for name in true_values:
        print(f"\n| {name}, articles: | " + " | ".join(map(str, ARTICLES)) + " |\n|---|" + "---:|" * len(ARTICLES))
        for method in [*METHODS, "rows as units"]:
            print(f"| {method} | " + " | ".join(f"{100 * found[str(a)][name][method]['coverage']:.1f}" for a in ARTICLES) + " |")
    return {"runs": runs, "resamples": drawn, "true": {k: float(v) for k, v in true_values.items()}, "articles": found}


def _sums(sample: tuple[np.ndarray, np.ndarray, list[np.ndarray]], system: int = 0, *, rows: bool = False) -> Sums:
    article, true, systems = sample
    unit = np.arange(len(article)) if rows else article
    return sum_rows(true, systems[system], unit, int(unit[-1]) + 1)


# --- tests ----------------------------------------------------------------------------------------------------------


def run_tests(runs: int, drawn: int) -> dict[str, Any]:
    """How often each test says that two systems differ: equal ones, equal ones of unequal spread, and unequal ones."""
    rng = np.random.default_rng(2)
    unequal = _equal_skill(rng)
    cases: dict[str, dict[str, Any]] = {
        "no difference": {"skills": (2.0, 2.0), "own": (0.5, 0.5)},
        "no difference, one less steady": {"skills": (2.0, unequal), "own": (0.0, 1.0)},
        "difference": {"skills": (2.0, 2.25), "own": (0.5, 0.5)},
    }
    found: dict[str, Any] = {}
    for case, settings in cases.items():
        article, true, systems = draw(np.random.default_rng(3), 100_000, **settings)
        true_difference = float(np.diff([macro_f1(sum_rows(true, p, article, 100_000).total()) for p in systems])[0])
        found[case] = {"true difference": round(true_difference, 4)}
        for articles in ARTICLES:
            said = dict.fromkeys(("interval", "permutation", "verdict", "mcnemar"), 0)
            covered, needed = 0, []
            for _ in range(runs):
                sample = draw(rng, articles, **settings)
                a, b = _sums(sample, 0), _sums(sample, 1)
                joint = np.random.default_rng(int(rng.integers(2**31)))
                state = joint.bit_generator.state
                drawn_a = macro_f1(replicate(a, drawn, joint))
                joint.bit_generator.state = state
                changes = macro_f1(replicate(b, drawn, joint)) - drawn_a
                its = interval(changes, float(macro_f1(b.total()) - macro_f1(a.total())), articles)
                assert its is not None
                p = permutation_test(a, b, FIGURES, number=drawn, rng=rng)["macro_f1"]
                apart = its.low > 0 or its.high < 0
                said["interval"] += apart
                said["permutation"] += p < 0.05
                said["verdict"] += apart and p < 0.05
                right = [probabilities.argmax(axis=1) == sample[1] for probabilities in sample[2]]
                won, lost = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
                said["mcnemar"] += mcnemar(won, lost) < 0.05
                covered += its.low <= true_difference <= its.high
                if case == "difference":
                    error = float(changes.std()) * (articles / (articles - 1)) ** 0.5
                    needed.append(needed_rows(true_difference, Spread(changes, 0.0, error, articles - 1), len(sample[0])) or 0)
            found[case][str(articles)] = {name: round(n / runs, 4) for name, n in said.items()} | {
                "coverage": round(covered / runs, 4)
            }
            if needed:
                found[case][str(articles)]["rows needed, median"] = int(np.median(needed))
            print(case, articles, found[case][str(articles)], flush=True)
        names = list(found[case]["20"])
        print(f"\n| {case}, articles: | " + " | ".join(map(str, ARTICLES)) + " |\n|---|" + "---:|" * len(ARTICLES))
        for name in names:
            scale, form = (1, ",.0f") if "rows needed" in name else (100, ".1f")
            print(f"| {name} | " + " | ".join(f"{scale * found[case][str(a)][name]:{form}}" for a in ARTICLES) + " |")
    found["power"] = _check_power(runs, drawn, rng, cases["difference"], found["difference"])
    print(found["power"])
    return {"runs": runs, "resamples": drawn, "cases": found}


def _equal_skill(rng: np.random.Generator) -> float:
    """The skill at which a system that varies more between articles has the macro-F1 of one that does not."""

    def gap(skill: float) -> float:
        article, true, systems = draw(np.random.default_rng(4), 60_000, skills=(2.0, skill), own=(0.0, 1.0))
        return float(np.diff([macro_f1(sum_rows(true, p, article, 60_000).total()) for p in systems])[0])

    low, high = 1.5, 3.5
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if gap(middle) < 0 else (low, middle)
    return (low + high) / 2


def _check_power(
    runs: int, drawn: int, rng: np.random.Generator, settings: dict[str, Any], found: dict[str, Any]
) -> dict[str, Any]:
    """Draw as many articles as 40 of them say are needed, and see whether four tests in five find the difference."""
    rows = found["40"]["rows needed, median"]
    per_article = len(draw(np.random.default_rng(5), 20_000)[0]) / 20_000
    articles = round(rows / per_article)
    said = 0
    for _ in range(runs):
        sample = draw(rng, articles, **settings)
        said += permutation_test(_sums(sample, 0), _sums(sample, 1), FIGURES, number=drawn, rng=rng)["macro_f1"] < 0.05
    return {"rows": rows, "articles": articles, "found": round(said / runs, 4)}


# --- folds ----------------------------------------------------------------------------------------------------------


def run_folds(runs: int, drawn: int) -> dict[str, Any]:
    """False alarms in five-fold cross-validation of two classifiers that are equally good, each on features of its own."""
    rng = np.random.default_rng(6)
    found: dict[str, Any] = {}
    for articles in (10, 20, 40, 80):
        said = dict.fromkeys(("t test", "corrected t test", "permutation", "interval", "verdict"), 0)
        for _ in range(runs):
            article, true, _ = draw(rng, articles)
            fold = rng.permutation(articles)[article] % 5
            probabilities = [_cross_validate(rng, article, true, fold, _features(rng, article, true)) for _ in range(2)]
            by_fold = [macro_f1(sum_rows(true, p, fold, 5)) for p in probabilities]
            a, b = (sum_rows(true, p, article, articles) for p in probabilities)
            p = permutation_test(a, b, FIGURES, number=drawn, rng=rng)["macro_f1"]
            seed = int(rng.integers(2**31))
            changes = macro_f1(replicate(b, drawn, np.random.default_rng(seed))) - macro_f1(
                replicate(a, drawn, np.random.default_rng(seed))
            )
            its = interval(changes, float(macro_f1(b.total()) - macro_f1(a.total())), articles)
            assert its is not None
            corrected = corrected_t_test((by_fold[1] - by_fold[0]).tolist(), 1 / 4).p
            apart = its.low > 0 or its.high < 0
            said["t test"] += corrected_t_test((by_fold[1] - by_fold[0]).tolist(), 0).p < 0.05
            said["corrected t test"] += corrected < 0.05
            said["permutation"] += p < 0.05
            said["interval"] += apart
            said["verdict"] += apart and p < 0.05 and corrected < 0.05
        found[str(articles)] = {name: round(n / runs, 4) for name, n in said.items()}
        print(articles, found[str(articles)], flush=True)
    return {"runs": runs, "resamples": drawn, "articles": found}


def _features(rng: np.random.Generator, article: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Eight features that carry the label, and an effect of the article."""
    centres = np.eye(LABELS, 8) * 1.6
    features = centres[true] + rng.normal(0, 1, (len(true), 8)) + rng.normal(0, 0.5, (article[-1] + 1, 8))[article]
    return np.column_stack([features, np.ones(len(true))])


def _cross_validate(
    rng: np.random.Generator, article: np.ndarray, true: np.ndarray, fold: np.ndarray, features: np.ndarray, *, bag: bool = False
) -> np.ndarray:
    """Fit a ridge to every fold's other folds; with `bag`, to a resample of their rows."""
    targets = np.eye(LABELS)[true]
    scores = np.zeros((len(true), LABELS))
    for held_out in range(5):
        rows = np.flatnonzero(fold != held_out)
        rows = rng.choice(rows, len(rows)) if bag else rows
        x, y = features[rows], targets[rows]
        scores[fold == held_out] = features[fold == held_out] @ np.linalg.solve(x.T @ x + np.eye(9), x.T @ y)
    exponents = np.exp(4 * scores)
    return exponents / exponents.sum(axis=1, keepdims=True)


# --- seeds ----------------------------------------------------------------------------------------------------------

SKILLS = {"no difference": (2.0, 2.0), "difference": (2.0, 2.4)}
LUCK = {"2 points": 0.05, "4 points": 0.2}
"""How far the macro-F1 of a system's seeds is from their mean, and the deviation of skill that does it."""


def run_seeds(runs: int, drawn: int) -> dict[str, Any]:
    """False alarms, power and coverage of `compare` where each of two systems was trained with several seeds.

    On one test set: a seed has a luck of its own, on all articles and on each. The true difference is that over all seeds and articles.
    And in cross-validation, where a seed parts the articles and draws the rows to learn from.
    """
    rng = np.random.default_rng(8)
    found: dict[str, Any] = {}
    several = [(2, 2), (3, 3), (5, 5), (1, 5)]
    cells = [("no difference", luck, seeds, articles) for luck in LUCK for seeds in several for articles in (12, 40)]
    cells += [("difference", "4 points", seeds, 40) for seeds in several[1:3]]
    for case, luck, seeds, articles in cells:
        draw_both = functools.partial(_draw_seeds, skills=SKILLS[case], luck=LUCK[luck])
        true_difference = 0.0
        if case == "difference":
            (sums_a, _), (sums_b, _) = (_unit_sums(one) for one in draw_both(np.random.default_rng(9), 300, (300, 300)))
            true_difference = float(macro_f1(sums_b.total()) - macro_f1(sums_a.total()))
        said = dict.fromkeys(("one seed of each", "seeds as all there are", "verdict"), 0)
        held = dict.fromkeys(("seeds as all there are", "verdict"), 0)
        spread_of_seeds = []
        for _ in range(runs):
            both = draw_both(rng, articles, seeds)
            (a, scores), (b, _) = (_unit_sums(one) for one in both)
            spread_of_seeds.append(float(scores.std(ddof=1)) if len(scores) > 1 else 0.0)
            state = int(rng.integers(2**31))
            changes = macro_f1(replicate(b, drawn, np.random.default_rng(state))) - macro_f1(
                replicate(a, drawn, np.random.default_rng(state))
            )
            fixed = interval(changes, float(macro_f1(b.total()) - macro_f1(a.total())), articles)
            pair = compare([_as_predictions(name, *one) for name, one in zip("AB", both, strict=True)], number=drawn, seed=state)[
                0
            ]
            lone = compare(
                [_as_predictions(n, *one, seeds=1) for n, one in zip("AB", both, strict=True)], number=drawn, seed=state
            )[0]
            its = pair.metrics["macro_f1"].interval
            assert fixed is not None
            assert its is not None
            said["one seed of each"] += lone.decided
            said["seeds as all there are"] += fixed.low > 0 or fixed.high < 0
            said["verdict"] += pair.decided
            held["seeds as all there are"] += fixed.low <= true_difference <= fixed.high
            held["verdict"] += its.low <= true_difference <= its.high
        cell: dict[str, Any] = {name: round(n / runs, 4) for name, n in said.items()}
        cell |= {f"coverage, {name}": round(n / runs, 4) for name, n in held.items()}
        cell |= {"deviation of seeds": round(float(np.mean(spread_of_seeds)), 4), "true difference": round(true_difference, 4)}
        found[f"{case}, luck of {luck}, {seeds[0]} and {seeds[1]} seeds, {articles} articles"] = cell
        print(case, luck, seeds, articles, cell, flush=True)
    for articles in (20, 40):
        alarms = dict.fromkeys(("interval and permutation", "corrected t test", "verdict"), 0)
        for _ in range(runs):
            article, true, _ = draw(rng, articles)
            folds = [rng.permutation(articles)[article] % 5 for _ in range(3)]
            both = [
                (article, true, [_cross_validate(rng, article, true, fold, features, bag=True) for fold in folds])
                for features in (_features(rng, article, true) for _ in range(2))
            ]
            pair = compare([_as_predictions(n, *one, folds=folds) for n, one in zip("AB", both, strict=True)], number=drawn)[0]
            its, p = pair.metrics["macro_f1"].interval, pair.metrics["macro_f1"].p
            assert its is not None
            assert p is not None
            assert pair.folds is not None
            alarms["interval and permutation"] += (its.low > 0 or its.high < 0) and p < 0.05
            alarms["corrected t test"] += pair.folds.p < 0.05
            alarms["verdict"] += pair.decided
        found[f"cross-validation, 3 seeds, {articles} articles"] = {name: round(n / runs, 4) for name, n in alarms.items()}
        print("cross-validation", articles, found[f"cross-validation, 3 seeds, {articles} articles"], flush=True)
    return {"runs": runs, "resamples": drawn, "cases": found}


Seeded = tuple[np.ndarray, np.ndarray, list[np.ndarray]]
"""The articles and the true labels of rows, and their probabilities by each seed of one system."""


def _draw_seeds(
    rng: np.random.Generator, articles: int, seeds: tuple[int, int], *, skills: tuple[float, float], luck: float
) -> list[Seeded]:
    """Draw articles, and the probabilities of each seed of two systems, which share what the system alone finds hard."""
    article, true, _ = draw(rng, articles)
    rows = np.arange(len(article))
    ease, shared = rng.normal(0, 0.7, articles), rng.normal(0, 1, (len(article), LABELS))
    both = []
    for skill, count in zip(skills, seeds, strict=True):
        own, its = rng.normal(0, 0.5, articles), 0.4 * rng.normal(0, 1, (len(article), LABELS))
        probabilities = []
        for _ in range(count):
            logits = 0.8 * shared + its + 0.4 * rng.normal(0, 1, (len(article), LABELS))
            lift = skill + ease + own + rng.normal(0, luck) + rng.normal(0, luck, articles)
            logits[rows, true] += lift[article]
            exponents = np.exp(1.5 * logits)
            probabilities.append(exponents / exponents.sum(axis=1, keepdims=True))
        both.append((article, true, probabilities))
    return both


def _unit_sums(one: Seeded) -> tuple[Sums, np.ndarray]:
    """The sums of each article over all seeds, and the macro-F1 of each seed."""
    article, true, probabilities = one
    each = [sum_rows(true, p, article, int(article[-1]) + 1) for p in probabilities]
    whole = Sums(np.mean([sums.values for sums in each], axis=0), LABELS)
    return whole, np.array([float(macro_f1(sums.total())) for sums in each])


def _as_predictions(
    name: str,
    article: np.ndarray,
    true: np.ndarray,
    probabilities: list[np.ndarray],
    *,
    seeds: int | None = None,
    folds: list[np.ndarray] | None = None,
) -> Predictions:
    chosen = probabilities[:seeds]
    rows, times = len(true), len(chosen)
    names = [f"label {i}" for i in range(LABELS)]
    return Predictions(
        name,
        [str(i) for i in range(rows)] * times,
        [names[i] for i in true] * times,
        np.concatenate(chosen),
        names,
        [f"article {i}" for i in article] * times,
        [None] * rows * times,
        [f"fold {i}" for fold in folds for i in fold] if folds else ["given"] * rows * times,
        seeds=[str(seed) for seed in range(times) for _ in range(rows)],
    )


# --- speed ----------------------------------------------------------------------------------------------------------


def run_speed() -> dict[str, Any]:
    """Seconds of one core for figures, intervals with 10,000 resamples, and a comparison of two with 10,000 resamples and permutations."""
    found = {}
    for rows, articles in ((5_000, 240), (5_000, 0), (100_000, 4_800), (100_000, 0)):
        article, true, systems = draw(np.random.default_rng(7), rows // 15, skills=(2.0, 2.1), own=(0.5, 0.5))
        names = [f"label {i}" for i in range(LABELS)]
        labels = [names[i] for i in true[:rows]]
        groups = [f"article {i}" for i in article[:rows]] if articles else [None] * rows
        nothing = [None] * rows
        both = [
            Predictions(name, [str(i) for i in range(rows)], labels, p[:rows], names, groups, nothing, nothing)
            for name, p in zip("AB", systems, strict=True)
        ]
        times = [time.process_time()]
        evaluate(labels, both[0].probabilities, names)
        times.append(time.process_time())
        bootstrap_intervals(labels, both[0].probabilities, names, groups, areas=False)
        times.append(time.process_time())
        bootstrap_intervals(labels, both[0].probabilities, names, groups)
        times.append(time.process_time())
        compare(both)
        times.append(time.process_time())
        found[f"{rows:,} rows, {len(set(groups)) if articles else 'no'} articles"] = dict(
            zip(
                ("figures", "intervals of all but areas", "intervals of all", "comparison of two"),
                (round(float(s), 2) for s in np.diff(times)),
                strict=True,
            )
        )
    print(json.dumps(found, indent=1))
    return {"seconds": found}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["intervals", "tests", "folds", "seeds", "speed"])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    started = time.perf_counter()
    if options.what == "speed":
        result = run_speed()
    else:
        action = {"intervals": run_intervals, "tests": run_tests, "folds": run_folds, "seeds": run_seeds}[options.what]
        result = action(options.runs, options.resamples)
    result["took_s"] = round(time.perf_counter() - started)
    (HERE / f"results-{options.what}.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
