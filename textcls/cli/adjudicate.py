"""`textcls adjudicate`: settle what annotators label differently, and what a classifier doubts."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from textcls.annotation import Annotation, Span, Suspect

    Held = Mapping[str, Mapping[Span, Annotation]]

_BACK = "<"
"""What is typed to take an answer back."""


def adjudicate(
    stores: Annotated[
        list[Path], typer.Argument(metavar="STORE", help="Files of annotations, of two annotators or more.", show_default=False)
    ],
    decisions: Annotated[
        Path,
        typer.Option(
            help="File of what was decided, which grows with every answer; of a sentence the last line counts.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option(help="File to write the one set of labels to.", show_default=False)],
    suspects: Annotated[
        Path | None,
        typer.Option(
            help="File of suspected label errors to decide as well, from `textcls data check` or a run.", show_default=False
        ),
    ] = None,
    annotator: Annotated[str, typer.Option(help="Your name, for the decisions that you make.")] = "adjudicator",
    keep_single: Annotated[
        bool,
        typer.Option(
            "--keep-single", help="Keep labels of sentences that one annotator alone has labelled; else they are decided."
        ),
    ] = False,
) -> None:
    """Settle differences and doubts one by one, on a terminal, and write one set of labels when none is left."""
    from textcls import annotation
    from textcls.cli.output import can_ask
    from textcls.errors import DataError
    from textcls.files import check_new, new_file

    if not (annotator.strip() and annotator.isprintable()):  # a line that has such a name could not be read again
        raise typer.BadParameter(f"expected a name, found {annotator!r}", param_hint="--annotator")
    check_new(output)
    if not decisions.exists():
        check_new(decisions)  # an answer that cannot be kept would be lost
    held = annotation.read_stores(stores)
    doubted = annotation.read_suspects(suspects, held) if suspects is not None else {}
    if can_ask():
        _decide(held, doubted, decisions, annotator, keep_single)
    made = _read(decisions)
    merged = annotation.adjudicate(held, made, annotator="adjudicated", keep_single=keep_single)
    if doubts := annotation.undecided_suspects(doubted, made):
        first = next(iter(doubts))
        raise DataError(
            f"{len(doubts)} suspected label errors are undecided, the first at {first.article} {first.start}–{first.end}; decide them on a "
            f"terminal, or in {decisions}, each with a reason and a time after it was suspected"
        )
    with new_file(output) as scratch:
        annotation.append_annotations(scratch, merged)
    decided = {a.span for a in made}
    alone = len(annotation.labelled_once(held).keys() - decided)
    kept = f", {alone:,} of one annotator only" if alone else ""
    print(f"{len(merged):,} labels written to {output}, {len(decided):,} of them decided{kept}", file=sys.stderr)


def _read(decisions: Path) -> list[Annotation]:
    from textcls.annotation import read_annotations

    return read_annotations(decisions, may_be_empty=True) if decisions.exists() else []


def _decide(held: Held, doubted: Mapping[Span, Suspect], decisions: Path, annotator: str, keep_single: bool) -> None:
    """Ask for what is undecided until nothing is, and keep each answer at once; others may answer into the same file meanwhile."""
    from textcls.annotation import append_annotations, differences, labelled_once, last_decisions, neighbours, undecided_suspects
    from textcls.dataset import SKIP
    from textcls.wording import counted

    unsettled = sorted({*differences(held), *(() if keep_single else labelled_once(held))})
    used, around = {SKIP, *(a.label for its in held.values() for a in its.values())}, neighbours(held)
    made, answers = _read(decisions), 0
    answered: list[Span] = []  # by this command, the last one last
    again: list[Span] = []  # gone back over, the next one last
    explained = False
    try:
        while True:
            decided, doubts = last_decisions(held, made), undecided_suspects(doubted, made)
            undecided = [*(span for span in unsettled if span not in decided), *doubts]
            queue = dict.fromkeys([*reversed(again), *undecided])
            if not queue:
                return
            if not explained:
                print(
                    f"Ctrl-C stops and keeps the answers; {_BACK} goes back, from a reason to its label, from a label to the last sentence"
                )
                explained = True
            span = next(iter(queue))
            said = {name: its[span] for name, its in held.items() if span in its}
            doubt = doubted.get(span) if span in again else doubts.get(span)
            print(f"\n{len(answered) + 1} of {len(answered) + len(queue)}   {span.article} {span.start}–{span.end}")
            _show(said, around[span], doubt, decided.get(span))
            decision = _ask(said, sorted(used | {a.label for a in decided.values()}), annotator, doubt)
            if decision is None:
                if answered:
                    again.append(answered.pop())
                else:
                    print(
                        "there is nothing to go back to; to decide anew what was decided before, add a line to the file of decisions"
                    )
                continue
            if span in again:
                again.remove(span)
            answered.append(span)
            append_annotations(decisions, [decision])
            answers += 1
            before, made = len(made), _read(decisions)
            for other in made[before:]:
                if other.span == span and other != decision:
                    print(f"{other.annotator} decided this meanwhile: {other.label} ({other.reason}); the later answer counts")
    except (KeyboardInterrupt, typer.Abort):
        print(f"\nstopped: {counted(answers, 'answer')} kept in {decisions}; the same command asks for the rest", file=sys.stderr)
        raise typer.Exit(130) from None


def _show(
    said: Mapping[str, Annotation],
    around: tuple[str | None, str | None],
    doubt: Suspect | None,
    decided: Annotation | None,
) -> None:
    """Show a sentence between its neighbours, with what each annotator says of it."""
    before, after = (f"({text})" if text else None for text in around)
    print("\n".join(line for line in (before, next(iter(said.values())).text, after) if line))
    print("   ".join([*(f"{name}: {a.label}" for name, a in said.items()), *([f"decided: {decided.label}"] if decided else [])]))
    if doubt:
        print(f"a classifier doubts {doubt.label} ({doubt.score:.0%} likely) and suggests {doubt.suggestion}")


def _ask(said: Mapping[str, Annotation], labels: Sequence[str], annotator: str, doubt: Suspect | None) -> Annotation | None:
    """Ask for the label and the reason; None if who is asked goes back."""
    from datetime import UTC, datetime

    while (label := _ask_label(labels)) != _BACK:
        if (reason := _ask_reason()) != _BACK:
            answer = {"label": label, "reason": reason, "suggestion": doubt.suggestion if doubt else None}
            return next(iter(said.values())).model_copy(update={**answer, "annotator": annotator, "time": datetime.now(UTC)})
    return None


def _ask_label(labels: Sequence[str]) -> str:
    """Ask for one of the labels, or for another that is typed twice."""
    from textcls.wording import did_you_mean

    refused = ""
    while (label := _typed(f"label ({', '.join(labels)})")) not in (*labels, _BACK):
        if label and label == refused:
            break
        print(f"no label {label!r}; {did_you_mean(label, labels)}")
        if label:
            print("a new label is taken if you type it again")
        refused = label
    return label


def _ask_reason() -> str:
    while not (reason := _typed("why, in a line")):
        print("a decision needs a reason, for those who read it later")
    return reason


def _typed(question: str) -> str:
    """Ask until what is typed is text: a key of another encoding, or half a character, could not be kept."""
    while True:
        try:
            # With a default, an empty answer comes back, to be told why it is asked again.
            answer = str(typer.prompt(question, default="", show_default=False)).strip()
            answer.encode()  # where the terminal is lenient, such bytes come as half a surrogate pair
        except UnicodeError:
            print("that holds bytes that are no text in this terminal's encoding; type it again")
        else:
            return answer
