"""What tracking costs a training run of about ten seconds, and a training step.

Run it with: python experiments/tracking/measure.py

Each repetition trains `configs/news-tfidf.yaml` twice in a process of its own, not tracked and tracked, and takes the CPU seconds of
the process beside the wall clock's, since others may use the machine. What the tracked run spends in tracking is timed inside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
REPETITIONS = 3

ONE = """
import json, sys, time
from pathlib import Path
tracked, place = sys.argv[1] == "tracked", sys.argv[2]
spent = {}
def timed(owner, name, what):
    inner = getattr(owner, name)
    def outer(*arguments, **options):
        before = time.process_time()
        try:
            return inner(*arguments, **options)
        finally:
            spent[what] = spent.get(what, 0) + time.process_time() - before
    setattr(owner, name, outer)
import textcls.training.run, textcls.training.record
if tracked:
    from textcls.tracking import Run, Store
    timed(Store, "__init__", "open the store, with the import of mlflow")
    for method in ("tags", "parameters", "metrics", "file", "data", "model"):
        timed(Run, method, method)
    timed(Run, "picture", "keep pictures")
    timed(textcls.training.record, "as_png", "draw pictures")
    timed(textcls.training.run, "log_results", "log_results in all, with the import of matplotlib")
started, cpu = time.perf_counter(), time.process_time()
textcls.training.run.train("configs/news-tfidf.yaml",
    overrides=[f"tracking.enabled={str(tracked).lower()}", f"tracking.folder={place}/experiments"], output=f"{place}/{sys.argv[1]}")
result = {"wall": time.perf_counter() - started, "cpu": time.process_time() - cpu, "spent": spent}
if tracked:
    from textcls.config import TrackingConfig
    from textcls.tracking import track
    times = []
    with track(TrackingConfig(folder=f"{place}/experiments"), experiment="steps", name="steps", tags={}) as run:
        for step in range(20_000):
            before = time.perf_counter()
            run.point("train/loss", 1.0, step)
            times.append(time.perf_counter() - before)
    times.sort()
    result["step_us"] = {"median": times[10_000] * 1e6, "99.9 %": times[19_980] * 1e6, "worst": times[-1] * 1e6}
print(json.dumps(result))
"""


def main() -> None:
    found: dict[str, list[dict]] = {"untracked": [], "tracked": []}
    with tempfile.TemporaryDirectory() as scratch:
        from textcls.tracking import Store

        Store(Path(scratch) / "experiments", create=True)  # made once for all runs
        for number in range(REPETITIONS):
            for how in found:
                place = Path(scratch) / str(number)
                place.mkdir(exist_ok=True)
                if not (place / "experiments").exists():
                    (place / "experiments").symlink_to(Path(scratch) / "experiments")
                done = subprocess.run(
                    [sys.executable, "-c", ONE, how, str(place)], cwd=ROOT, capture_output=True, text=True, check=True
                )
                found[how].append(json.loads(done.stdout.splitlines()[-1]))
                print(how, json.dumps(found[how][-1]), flush=True)
    summary = {
        how: {kind: round(median(run[kind] for run in runs), 2) for kind in ("wall", "cpu")} for how, runs in found.items()
    }
    summary["more_cpu_percent"] = round(100 * (summary["tracked"]["cpu"] / summary["untracked"]["cpu"] - 1), 1)
    Path(__file__).with_name("result.json").write_text(
        json.dumps({"date": time.strftime("%Y-%m-%d"), "summary": summary, "runs": found}, indent=1) + "\n"
    )
    print(json.dumps(summary))


main()
