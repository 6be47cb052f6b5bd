"""What a config file may say: typed settings, read from YAML, overridden by `--set key=value`; defaults < file < overrides."""

from __future__ import annotations

from textcls.config.base import Settings
from textcls.config.document import json_schema, starting_config
from textcls.config.models import (
    ContextConfig,
    EmbeddingConfig,
    EnsembleConfig,
    LoraConfig,
    ModelConfig,
    SetFitConfig,
    StaticConfig,
    TfidfConfig,
    TransformerConfig,
    model_kinds,
)
from textcls.config.reading import load_config, make_config
from textcls.config.settings import Config, DataConfig, SplitsConfig, TrackingConfig

__all__ = [
    "Config",
    "ContextConfig",
    "DataConfig",
    "EmbeddingConfig",
    "EnsembleConfig",
    "LoraConfig",
    "ModelConfig",
    "SetFitConfig",
    "Settings",
    "SplitsConfig",
    "StaticConfig",
    "TfidfConfig",
    "TrackingConfig",
    "TransformerConfig",
    "json_schema",
    "load_config",
    "make_config",
    "model_kinds",
    "starting_config",
]
