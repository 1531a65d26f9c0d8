"""One step of training on word pairs: draw pairs and noise words, score, update."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from cl_core.losses import nce_terms
from cl_core.training.randomness import STEP_STREAM, seeded_generator
from cl_core.words.config import WordConfig
from cl_core.words.model import WordVectors, gradients, scores
from cl_core.words.noise import AliasTable, draw_noise
from cl_core.words.optimizers import WordOptimizer, clip
from cl_core.words.pairs import Span, Stream, pairs


def accumulation_dtype(device: torch.device) -> torch.dtype:
    """The type in which losses and counts are added up."""
    return torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64


class Step(Protocol):
    """A step that updates the vectors in place."""

    def __call__(self, stream: Stream, span: Span, number: int, lr: float, following: Span | None) -> Tensor:
        """Train on the words `span` of the stream as centers.

        Args:
            number: of the step, from which the noise words are drawn.
            lr: learning rate.
            following: the span of the next step, if it is in the same stream, so that it can be prepared.

        Returns:
            (6,) of `accumulation_dtype`, sums over the pairs: positive and negative loss, positives and noise words
            classified correctly, noise words, pairs.
        """


class TorchStep:
    """A `Step` in torch operations, for every device and optimizer.

    Args:
        log_kq: (V,) float32, subtracted from the scores.
    """

    def __init__(
        self, config: WordConfig, vectors: WordVectors, noise: AliasTable, log_kq: Tensor, optimizer: WordOptimizer
    ) -> None:
        self._config, self._vectors, self._noise, self._log_kq, self._optimizer = config, vectors, noise, log_kq, optimizer

    def __call__(self, stream: Stream, span: Span, number: int, lr: float, following: Span | None) -> Tensor:
        device = self._log_kq.device
        exact = accumulation_dtype(device)
        drawn = pairs(stream, *span, self._config.window)
        batch = drawn if self._config.shared_noise else drawn.ungrouped()
        if len(batch) == 0:  # the words of this step stand alone in their sentences
            return torch.zeros(6, dtype=exact, device=device)
        generator = seeded_generator(device, self._config.seed, STEP_STREAM, number)
        noise, left_out = draw_noise(self._noise, batch, self._config.noise_words, generator)
        data, against = (value.requires_grad_() for value in scores(self._vectors, batch, noise))
        noise_scores, data_log_kq = against[batch.owner], self._log_kq[batch.contexts]
        noise_log_kq = self._log_kq[noise][batch.owner]
        positive, negative = nce_terms(data, noise_scores, data_log_kq, noise_log_kq, left_out)
        loss = (positive.sum() + negative.sum()) / len(batch)
        found = gradients(self._vectors, batch, noise, *torch.autograd.grad(loss, (data, against)))
        trained = found if self._config.bias else found[:2]
        self._optimizer.step(clip(trained, self._config.clip_norm), lr, len(batch))
        with torch.no_grad():
            hits, rejected = data > data_log_kq, (noise_scores <= noise_log_kq) & ~left_out
            losses = torch.stack([positive.sum(), negative.sum()]).to(exact)
            counts = torch.stack([hits.sum(), rejected.sum(), (~left_out).sum()]).to(exact)
            return torch.cat([losses, counts, counts.new_tensor([len(batch)])])
