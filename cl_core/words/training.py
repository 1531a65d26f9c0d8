"""Training of word vectors: a generator of events, like the images' loop.

Everything random in epoch e is drawn from a generator seeded with (seed, e), everything in step s from
one seeded with (seed, s): a resumed run continues bit for bit (on the same kind of device).
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from cl_core.errors import UserError
from cl_core.runs.events import DivergedError, State, StepDone
from cl_core.training.optimizers import Plateau
from cl_core.training.randomness import EPOCH_STREAM, seeded_generator
from cl_core.words.config import WordConfig
from cl_core.words.corpus import Corpus
from cl_core.words.model import WordVectors, init_vectors
from cl_core.words.noise import AliasTable
from cl_core.words.optimizers import WordOptimizer, build_word_optimizer
from cl_core.words.pairs import Span, Stream, count_pairs, read_epoch
from cl_core.words.step import Step, TorchStep, accumulation_dtype
from cl_core.words.vocabulary import keep_probability, noise_distribution

LOG_LINES = 500  # the most points a curve gets
COPY_SHARE = 0.05  # of the time, at most, for copies of good states, to return to where a run diverges
MIN_BATCH, MAX_BATCH, STEPS_AN_EPOCH = 256, 8192, 100  # what batch_size 0 chooses between


@dataclasses.dataclass(frozen=True)
class WordsLogged:
    """Means over the pairs since the last line of the curve.

    loss = positive + negative, in nats a pair; accuracy: fraction of the k + 1 binary classifications that are correct;
    recall: fraction of the positives classified as positive.
    """

    step: int
    epoch: float
    loss: float
    positive: float
    negative: float
    accuracy: float
    recall: float
    lr: float
    words_per_s: float


Event = WordsLogged | StepDone


def log_kq(config: WordConfig, counts: Tensor) -> Tensor:
    """What the loss subtracts from a score: log(k q) of the context word, (V,) float32; 0 with negative sampling."""
    return torch.zeros(len(counts)) if config.loss == "negative-sampling" else noise_log_kq(config, counts)


def noise_log_kq(config: WordConfig, counts: Tensor) -> Tensor:
    """log(k q) of every word, (V,) float32, whatever the loss does with it."""
    return (noise_distribution(counts, config.noise_power) * config.noise_words).log().float()


def check_words(config: WordConfig, corpus: Corpus) -> None:
    """Raises UserError where the settings do not fit the text."""
    if config.noise_words >= len(corpus.vocabulary):
        raise UserError("words.few_words", noise_words=config.noise_words, words=len(corpus.vocabulary))


def build_step(config: WordConfig, vectors: WordVectors, noise: AliasTable, log_kq: Tensor, optimizer: WordOptimizer) -> Step:
    """The fastest step for these settings and this device."""
    if log_kq.device.type == "cpu" and config.optimizer == "sgd" and config.clip_norm == 0:
        from cl_core.words.kernel import CompiledStep  # numba takes a second to import

        return CompiledStep(config, vectors, noise, log_kq)
    return TorchStep(config, vectors, noise, log_kq, optimizer)


class WordTraining:
    """One training of word vectors. `events()` moves it forward.

    Raises:
        UserError: the settings do not fit the text.
    """

    def __init__(self, config: WordConfig, corpus: Corpus, device: torch.device) -> None:
        check_words(config, corpus)
        self.config, self.corpus, self.device = config, corpus, device
        counts = corpus.vocabulary.counts
        self.vectors = init_vectors(config, counts, device)
        self.optimizer = build_word_optimizer(config, self.vectors)
        self.plateau = Plateau(config.plateau_patience, config.plateau_factor)
        self._keep = keep_probability(counts, config.subsample).to(device)
        noise = AliasTable(noise_distribution(counts, config.noise_power), device)
        self._update = build_step(config, self.vectors, noise, log_kq(config, counts).to(device), self.optimizer)
        self._stream, self._stream_epoch = self._read(0), 0
        count = count_pairs(self._stream, config.window)
        if count == 0:
            raise UserError("words.no_pairs_left") if config.subsample else UserError("words.no_pairs")
        batch = config.batch_size or min(max(count // STEPS_AN_EPOCH, MIN_BATCH), MAX_BATCH)
        self.steps_per_epoch = math.ceil(count / batch)
        self.total = self.steps_per_epoch * config.epochs
        self.step = 0
        # Positive and negative loss, positives and noise words classified correctly, noise words, pairs.
        self._sums = torch.zeros(6, dtype=accumulation_dtype(device), device=device)
        self._epoch_sums = torch.zeros_like(self._sums)
        self._good = self._copy()

    @property
    def epoch(self) -> float:
        return self.step / self.steps_per_epoch

    def _read(self, epoch: int) -> Stream:
        generator = seeded_generator(self.device, self.config.seed, EPOCH_STREAM, epoch)
        return read_epoch(self.corpus, self._keep, self.config.window, self.config.dynamic_window, generator)

    def learning_rate(self) -> float:
        fraction = max(1e-4, 1 - self.step / self.total) if self.config.schedule == "linear" else 1.0
        return self.config.lr * fraction * self.plateau.factor

    def events(self) -> Iterator[Event]:
        """Train from the present step to the end.

        Raises:
            DivergedError: the loss is no longer a number; the state is the last copy of a good one.
        """
        log_every = max(1, math.ceil(self.total / LOG_LINES))
        clock, since = time.perf_counter(), self.step
        while self.step < self.total:
            lr = self.learning_rate()
            self._step(lr)
            if self.step % self.steps_per_epoch == 0:
                self._epoch_done()
            if self.step % log_every == 0 or self.step == self.total:
                loss, positive, negative, accuracy, recall = self._means(lr)
                words = (self.step - since) / self.steps_per_epoch * self.corpus.total
                rate = words / (time.perf_counter() - clock)
                yield WordsLogged(self.step, self.epoch, loss, positive, negative, accuracy, recall, lr, rate)
                clock, since = time.perf_counter(), self.step
            yield StepDone(self.step)

    def _span(self, position: int) -> Span:
        """The words of the epoch's stream that are the centers of its step `position`."""
        start, stop = (i * len(self._stream) // self.steps_per_epoch for i in (position, position + 1))
        return start, stop

    def _step(self, lr: float) -> None:
        epoch, position = divmod(self.step, self.steps_per_epoch)
        if epoch != self._stream_epoch:
            self._stream, self._stream_epoch = self._read(epoch), epoch
        self.step += 1
        following = self._span(position + 1) if position + 1 < self.steps_per_epoch else None
        sums = self._update(self._stream, self._span(position), self.step, lr, following)
        self._sums += sums
        self._epoch_sums += sums

    def _means(self, lr: float) -> tuple[float, ...]:
        """Loss, its two parts, accuracy and recall since the last line of the curve."""
        positive, negative, hits, rejected, noise, count = self._sums.tolist()
        if not math.isfinite(positive + negative):
            at = self.step
            self.restore(*self._good)
            raise DivergedError(
                "words.diverged",
                loss=positive + negative,
                step=f"{at:,}",
                lr=f"{lr:.3g}",
                good=f"{self.step:,}",
                peak=f"{self.config.lr:g}",
            )
        self._sums.zero_()
        if self._copy_seconds < COPY_SHARE * (time.perf_counter() - self._copied_at):
            self._good = self._copy()
        count = max(count, 1)
        parts = positive / count, negative / count
        return sum(parts), *parts, (hits + rejected) / max(1, count + noise), hits / count

    def _epoch_done(self) -> None:
        if self.config.schedule == "plateau":
            positive, negative, *_, count = self._epoch_sums.tolist()
            self.plateau.epoch_done((positive + negative) / max(1, count))
        self._epoch_sums.zero_()

    def _copy(self) -> State:
        began = time.perf_counter()
        tensors, header = self.state()
        copied = {name: value.clone() for name, value in tensors.items()}
        self._copied_at = time.perf_counter()
        self._copy_seconds = self._copied_at - began
        return copied, header

    def state(self) -> State:
        """All that resuming needs, as tensors and as text (the header of a safetensors file)."""
        tensors = self.vectors.tensors() | self.optimizer.state()
        tensors |= {"sums": self._sums, "epoch_sums": self._epoch_sums}
        return tensors, {"position": json.dumps({"step": self.step, "plateau": self.plateau.state()})}

    def restore(self, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
        """Take up a state that `state` gave.

        Raises:
            KeyError, ValueError, RuntimeError: it does not belong to a run with these settings.
        """
        position = json.loads(header["position"])
        for name, value in self.state()[0].items():
            value.copy_(tensors[name])
        self.step = position["step"]
        self.plateau.restore(position["plateau"])
        if self.is_finite():
            self._good = self._copy()

    def is_finite(self) -> bool:
        """Whether vectors and losses are numbers, so that the state is worth keeping."""
        return all(bool(value.isfinite().all()) for value in [*self.vectors.tensors().values(), self._sums])
