"""Encoders on processors in half the time: dropout and layer norms that they can afford, and nothing that nobody reads (experiments/speed)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch


class ByteDropout(torch.nn.Module):
    """Dropout by one random byte an element, eight of which come of each draw, where PyTorch draws a number for each.

    The rate is rounded to a multiple of 1/256 below 1, and what is kept is scaled by what the rounded rate asks for.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Drop elements in training; else give the inputs back."""
        dropped = min(255, round(self.p * 256))
        if not self.training or not dropped:
            return inputs
        kept: torch.Tensor = _Masked.apply(inputs, dropped)  # type: ignore[no-untyped-call]
        return kept


class _Masked(torch.autograd.Function):
    """Multiply by a random mask, which is kept for the gradient in the inputs' own precision."""

    @staticmethod
    def forward(context: Any, inputs: torch.Tensor, dropped: int) -> torch.Tensor:
        count = inputs.numel()
        draws = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        mask = (draws.view(torch.uint8)[:count].view(inputs.shape) >= dropped).to(inputs.dtype).mul_(256 / (256 - dropped))
        context.save_for_backward(mask)
        return inputs * mask

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (mask,) = context.saved_tensors
        return gradient * mask, None


class AutocastNorm(torch.nn.LayerNorm):
    """A layer norm that autocast leaves in bf16, where PyTorch's own returns fp32, which is cast back before each product."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Normalise; in bf16 under autocast, with sums in fp32 either way."""
        device = inputs.device.type
        if torch.is_autocast_enabled(device):
            inputs = inputs.to(torch.get_autocast_dtype(device))
        with torch.autocast(device, enabled=False):
            return super().forward(inputs)


_READ_AT_THE_FIRST_TOKEN = ("bert", "camembert", "electra", "roberta", "xlm-roberta")
"""Models with a layer as BERT's, whose heads for whole texts read the first token's vector."""


def read_first_token_alone(model: Any) -> None:
    """Have the last layer compute what a classifier reads of it, the first token's vector, and no others, where that is known.

    The other tokens still are what it attends to, so the logits stay the same. Of six layers' work a seventh is spared. For good, and not
    for the length of a call, since several threads may predict at once.
    """
    if model.config.model_type in _READ_AT_THE_FIRST_TOKEN:
        layer = [layer for layer in model.modules() if hasattr(layer, "feed_forward_chunk")][-1]
        layer.forward = partial(_first_token, layer)


def _first_token(layer: Any, inputs: torch.Tensor, attention_mask: torch.Tensor | None = None, *_: Any, **__: Any) -> Any:
    """A layer as BERT's, of which only the first token's vector is computed: shape (n_texts, 1, width)."""
    attention = layer.attention.self

    def heads(states: torch.Tensor) -> torch.Tensor:
        return states.view(len(states), -1, attention.num_attention_heads, attention.attention_head_size).transpose(1, 2)

    first = inputs[:, :1]
    query, key, value = heads(attention.query(first)), heads(attention.key(inputs)), heads(attention.value(inputs))
    if attention_mask is not None:
        attention_mask = attention_mask[:, :, :1]
        if attention_mask.is_floating_point():
            attention_mask = attention_mask.to(query.dtype)
    attended = torch.nn.functional.scaled_dot_product_attention(query, key, value, attention_mask)
    return layer.feed_forward_chunk(layer.attention.output(attended.transpose(1, 2).flatten(2), first))


@contextmanager
def quick_training(model: Any) -> Iterator[None]:
    """Make an encoder quick to train where there is no GPU; afterwards it is as quick to predict as before.

    Drawing a number for each element to drop takes up to a quarter of the time, and what is frozen need not drop any. PyTorch's
    fused attention takes twice as long as the plain one, in bf16 and with its gradient.
    """
    if torch.accelerator.is_available():
        yield
        return
    attention = model.config._attn_implementation
    _replace_layers(model)
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(attention)


def _replace_layers(model: torch.nn.Module, *, learns: bool = True) -> None:
    """Put the layers of this module in the place of every dropout and layer norm of a model, of which a part may learn nothing."""
    if weights := list(model.parameters()):
        learns = any(weight.requires_grad for weight in weights)
    for name, child in model.named_children():
        if isinstance(child, torch.nn.Dropout):
            setattr(model, name, ByteDropout(child.p if learns else 0.0))
        elif type(child) is torch.nn.LayerNorm and child.elementwise_affine:
            norm = AutocastNorm(child.normalized_shape, child.eps, bias=child.bias is not None)
            norm.weight, norm.bias = child.weight, child.bias
            setattr(model, name, norm)
        else:
            _replace_layers(child, learns=learns)
