"""One description of every setting of a training of words."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

WordLoss = Literal["nce", "negative-sampling"]


class WordConfig(BaseModel):
    """All that decides the outcome, beside the text itself, which the run folder keeps as numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field("wordnet", min_length=1, description="what to learn from: wordnet, synthetic, a text file, or - (pasted)")
    min_count: int = Field(5, ge=1, description="rarer words are left out")
    vocabulary_size: int = Field(100_000, ge=2, le=1_000_000, description="the most words kept, the frequent ones")
    max_words: int = Field(5_000_000, ge=2, le=1_000_000_000, description="a longer text is refused")
    synthetic_vocabulary: int = Field(5000, ge=2, le=1_000_000, description="synthetic: different words to draw from")
    synthetic_length: int = Field(10_000, ge=2, le=10_000_000, description="synthetic: words drawn")
    subsample: float = Field(1e-3, ge=0, le=1, description="words with a larger share of the text are thinned out; 0 keeps all")
    window: int = Field(5, ge=1, le=50, description="words on each side that count as context")
    dynamic_window: bool = Field(True, description="draw each word's window from 1 to window, so near words count more")
    dim: int = Field(100, ge=1, le=2048, description="dimension of the word vectors")
    init: Literal["word2vec", "xavier"] = Field("word2vec", description="word2vec: small centers, contexts at 0; or xavier")
    loss: WordLoss = Field("nce", description="nce (with log k q) or negative-sampling (without)")
    bias: bool = Field(True, description="a number each context word adds to its scores, at first its log frequency")
    noise_words: int = Field(5, ge=1, le=1000, description="k, noise words a pair")
    noise_power: float = Field(0.75, ge=0, le=1, description="noise is frequency ** power: 0 uniform, 1 the text's frequencies")
    shared_noise: bool = Field(True, description="the pairs of one center share its k noise words; false: each draws its own")
    epochs: int = Field(10, ge=1, le=10_000, description="times the text is read")
    batch_size: int = Field(0, ge=0, le=1_000_000, description="pairs a step, about; 0: a hundredth of an epoch, 256 to 8,192")
    optimizer: Literal["sgd", "adam"] = Field("sgd", description="sgd (each row's step limited) or adam (sparse)")
    lr: float = Field(0.08, gt=0, le=100, description="learning rate at the start; sgd: for each pair")
    schedule: Literal["linear", "constant", "plateau"] = Field("linear", description="linear (to 0), constant, plateau (halved)")
    plateau_patience: int = Field(5, ge=0, le=1000, description="plateau: epochs without a better loss before the rate falls")
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="plateau: what the rate is multiplied by")
    repeat_limit: float = Field(50, gt=0, le=1e6, description="sgd: a word met n times in a step moves as if n / (1 + n / limit)")
    clip_norm: float = Field(0, ge=0, le=1e6, description="longest gradient of a step's mean loss; 0 is no limit")
    seed: int = Field(0, ge=0, lt=2**31, description="of vectors, order, windows and noise")


# The settings of the tutorials this project follows (word2vec by NCE in plain PyTorch).
PRESETS: dict[str, dict[str, Any]] = {
    "sources": {
        "text": "synthetic",
        "min_count": 1,
        "vocabulary_size": 5000,
        "synthetic_vocabulary": 5000,
        "synthetic_length": 10_000,
        "subsample": 0.0,
        "window": 2,
        "dynamic_window": False,
        "dim": 100,
        "init": "xavier",
        "loss": "negative-sampling",
        "bias": False,
        "noise_words": 10,
        "noise_power": 0.75,
        "shared_noise": False,
        "epochs": 50,
        "batch_size": 512,
        "optimizer": "adam",
        "lr": 1e-3,
        "schedule": "plateau",
        "clip_norm": 5.0,
    }
}
