"""The settings of a training run on words."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

WordLoss = Literal["nce", "negative-sampling"]


class WordConfig(BaseModel):
    """The settings that determine a run, together with the text, which the run folder stores as indices."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field("wordnet", min_length=1, description="wordnet, synthetic, a text file, or - for standard input")
    min_count: int = Field(5, ge=1, description="words with fewer occurrences are removed")
    vocabulary_size: int = Field(100_000, ge=2, le=1_000_000, description="largest vocabulary; the most frequent words are used")
    max_words: int = Field(5_000_000, ge=2, le=1_000_000_000, description="largest text")
    synthetic_vocabulary: int = Field(5000, ge=2, le=1_000_000, description="synthetic: number of distinct words")
    synthetic_length: int = Field(10_000, ge=2, le=10_000_000, description="synthetic: length of the text in words")
    subsample: float = Field(1e-3, ge=0, le=1, description="subsample words above this relative frequency; 0: none")
    window: int = Field(5, ge=1, le=50, description="context words on each side")
    dynamic_window: bool = Field(True, description="draw the window of each word from 1 to window, as word2vec")
    dim: int = Field(100, ge=1, le=2048, description="dimension of the word vectors")
    init: Literal["word2vec", "xavier"] = Field("word2vec", description="word2vec (small centers, contexts 0) or xavier")
    loss: WordLoss = Field("nce", description="nce (subtracts log(k q)) or negative-sampling")
    bias: bool = Field(True, description="learn a bias for each context word, initialized to its log frequency")
    noise_words: int = Field(5, ge=1, le=1000, description="k, noise words per pair")
    noise_power: float = Field(0.75, ge=0, le=1, description="noise distribution: frequency ** power; 0: uniform")
    shared_noise: bool = Field(True, description="share k noise words among the pairs of a center; false: draw k for each pair")
    epochs: int = Field(10, ge=1, le=10_000, description="passes over the text")
    batch_size: int = Field(0, ge=0, le=1_000_000, description="pairs per step, about; 0: a hundredth of an epoch, 256 to 8,192")
    optimizer: Literal["sgd", "adam"] = Field("sgd", description="sgd (with repeat_limit) or adam (sparse)")
    lr: float = Field(0.05, gt=0, le=100, description="initial learning rate; sgd: per pair")
    schedule: Literal["linear", "constant", "plateau"] = Field("linear", description="linear (to 0), constant or plateau")
    plateau_patience: int = Field(5, ge=0, le=1000, description="plateau: epochs without a lower loss before the rate is reduced")
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="plateau: factor of the learning rate")
    repeat_limit: float = Field(50, gt=0, le=1e6, description="sgd: n gradients of a word count as n / (1 + n / limit)")
    clip_norm: float = Field(0, ge=0, le=1e6, description="largest gradient norm of a step's mean loss; 0: no limit")
    seed: int = Field(0, ge=0, lt=2**31, description="seed of initialization, order, windows and noise")


# "sources": the settings of the tutorials that this project follows (word2vec by NCE in plain PyTorch).
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
