"""Measure the shipped news configs: on the corpus's own test, on the seeds, and on real news; and draw the learning curve.

    python experiments/news/measure.py run --real ../shared/data/real-news-dev/dev.jsonl [--development ../shared/data/news-discourse/train.jsonl] [--shares 10 20 40 70 100] [--seeds 1 2 3]
    python experiments/news/measure.py run … --whole ../shared/data/news-discourse/validation.jsonl --models "news-minilm, the sentence before"
    python experiments/news/measure.py draw

development.jsonl has labels by the project's guidelines for some rows of the training articles of NewsDiscourse, whose text `--development` has.
The real sentences were drawn from articles; what reads neighbours finds them in `--whole`, the articles' rows by the same ids. `run` appends a line to results.jsonl for every fit and goes on where it stopped; `draw` makes learning_curve.png and prints the tables.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from textcls.config import load_config
from textcls.dataset import add_context, read_rows
from textcls.evaluation import bootstrap_intervals, evaluate
from textcls.models import make_classifier

MODELS = {
    "news-tfidf": [],
    "news-minilm": [],
    "news-minilm, without distillation": ["model.distillation=null"],
    "news-minilm, taught by other articles": ["model.distillation.folds=2", "model.distillation.group=null"],
    "news-minilm, all layers": ["model.frozen_layers=null", "model.distillation=null"],
    "news-minilm, the sentence before": ["model.context.before=1", "model.distillation=null"],
    "news-minilm, the sentences before and after": [
        "model.context.before=1",
        "model.context.after=1",
        "model.distillation=null",
    ],
}
"""What is measured: a config's name, perhaps with a word on what is set on top of it."""
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["run", "draw"])
    parser.add_argument("--real", type=Path, help="labelled sentences of real news; used to measure only")
    parser.add_argument("--development", type=Path, help="the training articles of NewsDiscourse, for development.jsonl")
    parser.add_argument("--whole", type=Path, help="all sentences of the articles that those of --real are from")
    parser.add_argument("--shares", type=int, nargs="+", default=[10, 20, 40, 70, 100])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=["news-tfidf", "news-minilm"])
    options = parser.parse_args()
    if options.action == "draw":
        draw()
        return
    done = {(r["model"], r["share"], r["seed"]) for r in results()}
    for seed in options.seeds:
        for model in options.models:
            for share in options.shares:
                if (model, share, seed) not in done:
                    run(model, share, seed, options.real, options.development, options.whole)


def results() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.is_file() else []


def run(model: str, share: int, seed: int, real: Path, development: Path | None, whole: Path | None) -> None:
    """Fit on a share of the training articles, which the seed draws and larger shares contain, and measure on all sets."""
    config = load_config(ROOT / "configs" / f"{model.partition(',')[0]}.yaml", [f"model.seed={seed}", *MODELS[model]])
    context = config.model.context

    def read(path: Path) -> list[dict[str, Any]]:
        rows = read_rows(path, label="label")
        return add_context(rows, **context.model_dump()) if context else rows

    train, validation, test = (read(ROOT / "data/news" / f"{split}.jsonl") for split in ("train", "validation", "test"))
    articles = np.random.default_rng(seed).permutation(sorted({row["article"] for row in train}))
    chosen = set(articles[: round(len(articles) * share / 100)])
    rows = [row for row in train if row["article"] in chosen]
    started = time.perf_counter()
    classifier = make_classifier(**config.model.model_dump()).fit(
        rows, [row["label"] for row in rows], validation=(validation, [row["label"] for row in validation])
    )
    fitted = time.perf_counter() - started
    labels = classifier.classes_.tolist()
    sets = {
        "test": test,
        "seeds": read(ROOT / "data/seeds/sentences.jsonl"),
        "real": read(real),
    }
    if development is not None:
        texts = read(development)
        labelled = [json.loads(line) for line in (HERE / "development.jsonl").read_text().splitlines()]
        sets["development"] = [texts[its["row"]] | {"label": its["label"]} for its in labelled]
    if whole is not None:
        around = {row["id"]: row for row in read(whole)}
        sets["real"] = [around[row["id"]] | {"label": row["label"]} for row in sets["real"]]
    measured = {}
    for name, its_rows in sets.items():
        true, probabilities = [row["label"] for row in its_rows], classifier.predict_proba(its_rows)
        found = evaluate(true, probabilities, labels)
        sure = bootstrap_intervals(true, probabilities, labels, [row.get("article") for row in its_rows])
        f1s = {label: its.get("f1") for label, its in sure.per_label.items()}
        measured[name] = {
            "macro_f1": round(found.macro_f1, 4),
            "accuracy": round(found.accuracy, 4),
            "f1": {label: round(scores.f1, 4) for label, scores in found.per_label.items()},
            "intervals": {
                key: [round(its.low, 3), round(its.high, 3)]
                for key, its in {"macro_f1": sure.metrics.get("macro_f1"), **f1s}.items()
                if its
            },
            "confusion": found.confusion,
        }
    line = {
        "model": model,
        "share": share,
        "seed": seed,
        "articles": len(chosen),
        "rows": len(rows),
        "fit_s": round(fitted, 1),
        **measured,
    }
    with RESULTS.open("a") as out:
        out.write(json.dumps(line) + "\n")
    print(model, share, seed, {name: figures["macro_f1"] for name, figures in measured.items()}, f"{fitted:.0f} s", flush=True)


def interval(values: list[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval over seeds, by Student's t; fewer than three say too little for one."""
    if len(values) < 3:
        return float(np.mean(values)), float("nan")
    return float(np.mean(values)), float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)


def shown(mean: float, half: float) -> str:
    """A mean with half its interval, if it has one."""
    return f"{mean:.3f}" if np.isnan(half) else f"{mean:.3f} ± {half:.3f}"


def draw() -> None:
    from matplotlib.figure import Figure

    by_model: dict[str, dict[int, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in results():
        by_model[row["model"]][row["share"]].append(row)
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    styles = {
        "news-tfidf": ("#E69F00", "s", "TF-IDF"),
        "news-minilm, without distillation": ("#0072B2", "o", "MiniLM, without distillation"),
        "news-minilm": ("#009E73", "D", "MiniLM, as configured"),
    }
    for axes, name, title in zip(panels, ("real", "test"), ("real news (378 sentences)", "the corpus's own test"), strict=True):
        for model, (colour, marker, word) in styles.items():
            if model not in by_model:
                continue
            shares = sorted(by_model[model])
            points = [interval([row[name]["macro_f1"] for row in by_model[model][share]]) for share in shares]
            articles = [by_model[model][share][0]["articles"] for share in shares]
            means, halves = ([point[side] for point in points] for side in (0, 1))
            axes.errorbar(articles, means, yerr=np.nan_to_num(halves), color=colour, marker=marker, capsize=3, label=word)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("training articles")
        axes.grid(color="#dddddd")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("macro-F1 (mean and 95 % interval over seeds)")
    panels[0].legend(frameon=False)
    figure.savefig(HERE / "learning_curve.png", dpi=150)

    print("| model | articles | rows | real news | own test | seeds | fit (s) |\n|---|---:|---:|---:|---:|---:|---:|")
    for model, shares in by_model.items():
        for _share, rows in sorted(shares.items()):
            cells = [
                f"{shown(mean, half)}"
                for mean, half in (interval([r[s]["macro_f1"] for r in rows]) for s in ("real", "test", "seeds"))
            ]
            seconds = np.median([row["fit_s"] for row in rows])
            print(f"| {model} | {rows[0]['articles']} | {rows[0]['rows']:,} | {' | '.join(cells)} | {seconds:.0f} |")
    print(
        "\n| model, all articles | set | " + " | ".join(next(iter(results()))["real"]["f1"]) + " |\n|---|---|---:|---:|---:|---:|"
    )
    for model, shares in by_model.items():
        for name in ("real", "test", "seeds"):
            full = shares[max(shares)]
            cells = [shown(*interval([r[name]["f1"][label] for r in full])) for label in full[0][name]["f1"]]
            print(f"| {model} | {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
