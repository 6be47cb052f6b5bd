"""What encoders are computed on, and how precisely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def best_device() -> torch.device:
    """The GPU, or what else accelerates, if there is one; else the processor."""
    import torch

    return (torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None) or torch.device("cpu")


def uses_bf16(precision: str) -> bool:
    """Whether a setting `precision` means bf16 here: `auto` does where the GPU or, without one, the processor computes in it."""
    return precision == "bf16" or (precision == "auto" and computes_in_bf16())


def computes_in_bf16() -> bool:
    """Whether this machine's GPU or, without one, its processor has instructions for bf16."""
    import torch

    device = best_device().type
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False  # which others have it, torch does not say
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def arithmetic(model: Any, *, bf16: bool) -> dict[str, str]:
    """What a model was computed with, as `TextClassifier.arithmetic` has it."""
    import torch

    kind: str = model.device.type
    device = f"{kind}, {torch.cuda.get_device_name(model.device)}" if kind == "cuda" else kind
    return {"precision": "bf16" if bf16 else "fp32", "device": device}
