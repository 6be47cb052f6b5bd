"""What a config file may say: typed settings, read from YAML, overridden by `--set key=value`; defaults < file < overrides."""

from __future__ import annotations

from textcls.config.base import Settings
from textcls.config.document import json_schema, starting_config
from textcls.config.models import (
    ContextConfig,
    DistillationConfig,
    EmbeddingConfig,
    EnsembleConfig,
    LoraConfig,
    ModelConfig,
    ModelSettings,
    SetFitConfig,
    StaticConfig,
    TfidfConfig,
    TransformerConfig,
    model_kinds,
)
from textcls.config.reading import (
    Overrides,
    check_settings,
    load_config,
    make_config,
    parse_config,
    read_config_file,
    takes_fractions,
)
from textcls.config.settings import (
    Config,
    DataConfig,
    DecisionConfig,
    GatesConfig,
    SpanConfig,
    SplitsConfig,
    SweepConfig,
    TrackingConfig,
)
from textcls.config.yaml_text import parse_yaml

__all__ = [
    "Config",
    "ContextConfig",
    "DataConfig",
    "DecisionConfig",
    "DistillationConfig",
    "EmbeddingConfig",
    "EnsembleConfig",
    "GatesConfig",
    "LoraConfig",
    "ModelConfig",
    "ModelSettings",
    "Overrides",
    "SetFitConfig",
    "Settings",
    "SpanConfig",
    "SplitsConfig",
    "StaticConfig",
    "SweepConfig",
    "TfidfConfig",
    "TrackingConfig",
    "TransformerConfig",
    "check_settings",
    "json_schema",
    "load_config",
    "make_config",
    "model_kinds",
    "parse_config",
    "parse_yaml",
    "read_config_file",
    "starting_config",
    "takes_fractions",
]
