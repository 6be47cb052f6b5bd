"""What weighed in an encoder's answer: integrated gradients over the embeddings of its tokens, put together to words.

Sundararajan, Taly and Yan (2017), Axiomatic Attribution for Deep Networks: the gradient is averaged along the straight line from
an empty text's embeddings, all padding, to the text's own, and multiplied by the way between them. The attributions sum to the
difference between the two answers (their axiom of completeness), closely for so many steps. By captum (Kokhlikyan et al. 2020).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from textcls.errors import ModelError
from textcls.models.base import Weighed
from textcls.models.encoders import mean_embedding
from textcls.models.pieces import WORDS_AND_MARKS

if TYPE_CHECKING:
    import torch

Token = tuple[tuple[int, int], float]
"""Where a token begins and ends, and its weight."""

_STEPS = 16
"""Points of the line at which the gradient is taken: of a MiniLM half of the texts are then within 2 % of the difference between the
answers, and it takes half a second of one core a sentence (experiments/statistics/README.md)."""


def attribute_tokens(
    model: Any, encoded: Mapping[str, Sequence[int]], answer: Callable[[Any, torch.Tensor], torch.Tensor], *, padding: int
) -> np.ndarray:
    """Attribute a number that is computed of a text to its tokens.

    Args:
        model: a model of transformers.
        encoded: what its tokenizer made of the text: `input_ids`, `attention_mask` and what else the model takes, and
            `special_tokens_mask`, which marks the tokens that an empty text has as well.
        answer: turns the model's output and the attention mask of a batch into a number for each row.
        padding: the id that stands for nothing.

    Returns:
        shape (n_tokens,), 0 for special tokens.

    Raises:
        ModelError: captum is not installed.
    """
    import torch

    try:
        from captum.attr import LayerIntegratedGradients
    except ModuleNotFoundError as error:
        raise ModelError("what weighed is told by captum; install it with: pip install 'textcls[transformer]'") from error

    rows = {name: torch.tensor([list(values)], device=model.device) for name, values in encoded.items()}
    special, ids = rows.pop("special_tokens_mask"), rows.pop("input_ids")
    names = list(rows)

    def forward(ids: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, others, strict=True))
        return answer(model(input_ids=ids, **given), given["attention_mask"])

    found = LayerIntegratedGradients(forward, model.get_input_embeddings()).attribute(
        ids,
        baselines=torch.where(special.bool(), ids, padding),
        additional_forward_args=tuple(rows.values()),
        n_steps=_STEPS,
    )
    attributions: np.ndarray = found.sum(dim=-1)[0].cpu().double().numpy()
    return attributions


def attribute_embedding(text: str, model: Any, tokenizer: Any, direction: np.ndarray, *, max_length: int) -> list[Token]:
    """Attribute the product of a text's embedding, as `encoders.embed` gives it, with a vector of its width to the text's tokens."""
    import torch

    encoded = dict(
        tokenizer(text, truncation=True, max_length=max_length, return_offsets_mapping=True, return_special_tokens_mask=True)
    )
    offsets = encoded.pop("offset_mapping")
    wanted = torch.tensor(direction, dtype=torch.float32, device=model.device)

    def answer(output: Any, mask: torch.Tensor) -> torch.Tensor:
        return mean_embedding(output.last_hidden_state, mask) @ wanted

    taken = {name: encoded[name] for name in ("input_ids", "attention_mask", "special_tokens_mask")}
    weights = attribute_tokens(model, taken, answer, padding=tokenizer.pad_token_id or 0)
    return list(zip(offsets, weights.tolist(), strict=True))


def weigh_words(text: str, tokens: Iterable[Token], part: str = "words", *, start: int = 0) -> list[Weighed]:
    """Put the weights of tokens together to those of words and marks.

    Args:
        text: what was read.
        tokens: where each begins and ends, and its weight; one counts for the word that it begins in, and one outside of the text
            for none.
        part: the pieces' part.
        start: where the text begins in what the tokens are of.
    """
    words = list(WORDS_AND_MARKS.finditer(text))
    ends = [word.end() for word in words]
    sums = [0.0] * len(words)
    for (first, last), weight in tokens:
        token = text[max(first - start, 0) : max(last - start, 0)]
        if token.strip():
            # Some tokenizers count the space before a word to it.
            sums[bisect_right(ends, first - start + len(token) - len(token.lstrip()))] += float(weight)
    return [Weighed(word.group(), weight, part) for word, weight in zip(words, sums, strict=True)]
