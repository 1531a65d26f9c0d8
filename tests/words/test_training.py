"""Gradients against autograd, learning, resuming, and what cannot be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from cl_core.errors import UserError
from cl_core.losses import nce, nce_chance_level, negative_sampling
from cl_core.runs.events import DivergedError, StepDone
from cl_core.words.config import PRESETS, WordConfig
from cl_core.words.corpus import build_corpus, split_sentences
from cl_core.words.folder import WordFolder, WordRun, open_words
from cl_core.words.model import WordVectors, gradients, init_vectors, scores
from cl_core.words.optimizers import RowAdam, RowSGD, clip
from cl_core.words.pairs import Pairs
from cl_core.words.recorder import start
from cl_core.words.training import WordsLogged, WordTraining, log_kq
from cl_core.words.vocabulary import Vocabulary
from tests.words.conftest import SETTINGS, TOPICS, two_topics

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def training(**changes: Any) -> WordTraining:
    config = WordConfig.model_validate(SETTINGS | changes)
    return WordTraining(config, build_corpus(split_sentences(two_topics()), 1, 100, 10_000), CPU)


def random_vectors(count: int = 9, dim: int = 5) -> WordVectors:
    generator = torch.Generator().manual_seed(0)
    return WordVectors(*(torch.randn(shape, generator=generator) for shape in ((count, dim), (count, dim), (count,))))


BATCH = Pairs(torch.tensor([1, 4, 1]), torch.tensor([2, 1, 3]), torch.tensor([3, 3, 8, 2, 3, 1]))
NOISE = torch.tensor([[5, 6, 5], [0, 7, 7], [5, 0, 4]])


def dense(vectors: WordVectors) -> list[Tensor]:
    """Gradients of the summed negative-sampling loss by autograd over plain indexing."""
    tables = [value.clone().requires_grad_() for value in vectors.tensors().values()]
    total = torch.zeros(())
    center, context, bias = tables
    for pair, group in enumerate(BATCH.owner.tolist()):
        c = center[BATCH.centers[group]]
        positive = context[BATCH.contexts[pair]] @ c + bias[BATCH.contexts[pair]]
        negative = context[NOISE[group]] @ c + bias[NOISE[group]]
        total = total + negative_sampling(positive[None], negative[None])
    return list(torch.autograd.grad(total, tables))


def test_sparse_gradients_are_autograds() -> None:
    vectors = random_vectors()
    data, against = (value.requires_grad_() for value in scores(vectors, BATCH, NOISE))
    loss = negative_sampling(data, against[BATCH.owner]) * len(BATCH)
    found = gradients(vectors, BATCH, NOISE, *torch.autograd.grad(loss, (data, against)))
    for gradient, expected in zip(found, dense(vectors), strict=True):
        whole = torch.zeros_like(expected).index_add_(0, gradient.rows, gradient.values)
        assert torch.allclose(whole, expected, atol=1e-5)
        assert gradient.rows.tolist() == gradient.rows.unique().tolist()
    assert found[0].uses.tolist() == [5, 1]
    assert dict(zip(found[1].rows.tolist(), found[1].uses.tolist(), strict=True))[5] == 2 + 2 + 3


def test_clipping() -> None:
    vectors = random_vectors()
    data, against = scores(vectors, BATCH, NOISE)
    found = gradients(vectors, BATCH, NOISE, torch.ones_like(data), torch.ones_like(against))
    clipped = clip(found, 0.5)
    assert float(torch.cat([g.values.flatten() for g in clipped]).norm()) == pytest.approx(0.5, rel=1e-4)
    assert clip(found, 0) is found
    assert float(clip(found[:2], 0.5)[0].values.norm()) > float(clipped[0].values.norm())  # what is not trained does not count
    assert torch.allclose(clip(found, 1e5)[0].values, found[0].values)


def test_sgd_limits_what_a_repeated_word_moves() -> None:
    vectors, before = random_vectors(), random_vectors()
    data, against = scores(vectors, BATCH, NOISE)
    found = gradients(vectors, BATCH, NOISE, torch.ones_like(data) / 6, torch.ones_like(against) / 6)
    RowSGD(vectors, limit=2, with_bias=False).step(found[:2], lr=0.1, pairs=6)
    row = found[1].rows.tolist().index(3)  # three times a positive
    assert found[1].uses[row] == 3
    expected = before.context[3] - 0.1 * 6 * found[1].values[row] / (1 + 3 / 2)
    assert torch.allclose(vectors.context[3], expected, atol=1e-6)
    assert torch.equal(vectors.bias, before.bias)


def test_adam_is_torchs() -> None:
    vectors, other = random_vectors(), random_vectors()
    mine = RowAdam(vectors, 0.01, with_bias=True)
    embedding = torch.nn.Embedding.from_pretrained(other.center, freeze=False, sparse=True)
    theirs = torch.optim.SparseAdam(list(embedding.parameters()), lr=0.01)
    for _ in range(3):
        data, against = scores(vectors, BATCH, NOISE)
        found = gradients(vectors, BATCH, NOISE, torch.ones_like(data), torch.ones_like(against))
        theirs.zero_grad()
        (embedding(found[0].rows) * found[0].values).sum().backward()
        theirs.step()
        mine.step(found, 0.01, 6)
    assert torch.allclose(vectors.center, embedding.weight, atol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("loss", ["nce", "negative-sampling"])
def test_topics_are_learned(loss: str, optimizer: str, shared: bool) -> None:
    run = training(loss=loss, optimizer=optimizer, shared_noise=shared, lr=0.1 if optimizer == "sgd" else 0.02, epochs=15)
    lines = [event for event in run.events() if isinstance(event, WordsLogged)]
    assert lines[-1].loss < lines[0].loss - 0.2
    assert lines[-1].loss == pytest.approx(lines[-1].positive + lines[-1].negative)
    assert 0.74 < lines[-1].accuracy < 1  # of eight words and three draws no more can be told apart
    unit = torch.nn.functional.normalize(run.vectors.center + run.vectors.context, dim=1)
    index = run.corpus.vocabulary.word_to_index
    same = [float(unit[index[a]] @ unit[index[b]]) for topic in TOPICS for a in topic for b in topic if a != b]
    other = [float(unit[index[a]] @ unit[index[b]]) for a in TOPICS[0] for b in TOPICS[1]]
    assert min(same) > max(other)


def test_the_loss_is_the_functions() -> None:
    run = training(loss="nce", shared_noise=False, epochs=1, batch_size=1_000_000)
    config, counts = run.config, run.corpus.vocabulary.counts
    fresh = init_vectors(config, counts, CPU)
    assert run.total == 1
    (line,) = [event for event in run.events() if isinstance(event, WordsLogged)]
    # With contexts at 0 a score is the bias, so the expected loss is a sum over the vocabulary.
    correction, noise = log_kq(config, counts), log_kq(config, counts).exp() / config.noise_words
    data = counts.double() / counts.sum()
    by_word = torch.nn.functional.softplus(-(fresh.bias - correction)).double()
    against = torch.nn.functional.softplus(fresh.bias - correction).double()
    redrawn = torch.stack(
        [(noise * against).index_fill(0, torch.tensor(w), 0).sum() / (1 - noise[w]) for w in range(len(counts))]
    )
    expected = float((data * (by_word + config.noise_words * redrawn)).sum())
    assert line.loss == pytest.approx(expected, rel=0.01)


def test_nce_normalizes_itself() -> None:
    """Contexts that say nothing: the scores become log-probabilities, their sum 1."""
    generator = torch.Generator().manual_seed(0)
    words = [f"w{i}" for i in torch.multinomial(torch.tensor([8.0, 4, 2, 1, 1]), 20_000, True, generator=generator).tolist()]
    corpus = build_corpus([words], 1, 10, 100_000)
    settings = SETTINGS | {"loss": "nce", "window": 1, "epochs": 6, "dim": 4, "noise_words": 2, "shared_noise": False}
    run = WordTraining(WordConfig.model_validate(settings), corpus, CPU)
    run.vectors.bias.zero_()  # so that it has to be learned
    for _ in run.events():
        pass
    log_z = run.vectors.all_scores(torch.arange(5)).logsumexp(1)
    assert log_z.abs().max() < 0.25


@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam", "lr": 0.01, "schedule": "plateau", "clip_norm": 1.0}])
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = SETTINGS | {"epochs": 4} | changes
    whole = start(tmp_path / "whole", settings, CPU, pasted=two_topics())
    assert whole is not None
    for _ in whole.events():
        pass
    for stop in (3, 11):
        session = start(tmp_path / "parts", settings, CPU, pasted=two_topics())
        assert session is not None
        events = session.events()
        for event in events:
            if isinstance(event, StepDone) and event.step == stop:
                events.close()
    last = start(tmp_path / "parts", {}, CPU)  # the folder knows its text
    assert last is not None
    assert last.training.step == 11
    for _ in last.events():
        pass
    one, other = WordFolder(tmp_path / "whole"), WordFolder(tmp_path / "parts")
    tensors = [folder.read_resume()[0] for folder in (one, other)]
    assert tensors[0].keys() == tensors[1].keys()
    assert all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])
    curves = [[(p["step"], p["loss"], p["accuracy"]) for p in folder.read_metrics()] for folder in (one, other)]
    assert curves[0] == curves[1]
    assert start(tmp_path / "whole", settings, CPU, pasted="") is None


def test_a_run_that_blows_up_keeps_its_last_good_state(tmp_path: Path) -> None:
    settings = SETTINGS | {"lr": 100, "repeat_limit": 1e6, "noise_words": 7, "batch_size": 5000, "epochs": 300}
    session = start(tmp_path / "run", settings, CPU, pasted=two_topics())
    assert session is not None
    with pytest.raises(DivergedError, match="start again in a new folder with an lr below 100"):
        for _ in session.events():
            session.training.vectors.center.mul_(1e12)
    assert WordFolder(tmp_path / "run").read_record().state == "diverged"
    assert session.training.vectors.center.isfinite().all()
    with pytest.raises(DivergedError, match="choose a new folder and a lower lr"):
        start(tmp_path / "run", {}, CPU)


def test_a_blow_up_after_resuming_goes_back_to_what_was_resumed(tmp_path: Path) -> None:
    settings = SETTINGS | {"epochs": 60}  # a line of the curve every few steps
    session = start(tmp_path / "run", settings, CPU, pasted=two_topics())
    assert session is not None
    events = session.events()
    for event in events:
        if isinstance(event, StepDone) and event.step == 41:
            events.close()
    kept = WordFolder(tmp_path / "run").read_resume()[0]["center"]
    again = start(tmp_path / "run", settings, CPU)
    assert again is not None
    again.training.vectors.context.fill_(float("nan"))
    with pytest.raises(DivergedError, match="the state after step 41, the last good one, is kept"):
        for _ in again.events(save_every_s=0):
            pass
    assert torch.equal(WordFolder(tmp_path / "run").read_resume()[0]["center"], kept)


def test_a_refused_start_leaves_a_folder_that_can_be_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No two words of this text stand in one sentence: give a longer text, or a smaller"):
        start(tmp_path / "run", SETTINGS | {"noise_words": 1}, CPU, pasted="cat. dog. cow.")
    folder = WordFolder(tmp_path / "run")
    folder.path.mkdir(exist_ok=True)
    folder.write_corpus(build_corpus(split_sentences("cat dog"), 1, 10, 10))  # as a kill before the first save leaves it
    session = start(tmp_path / "run", SETTINGS, CPU, pasted=two_topics())
    assert session is not None
    assert folder.read_corpus().total == 2400
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="exists and is not a run"):
        start(tmp_path / "other", SETTINGS, CPU, pasted=two_topics())


def test_a_text_that_thinning_out_empties() -> None:
    corpus = build_corpus(split_sentences("the cat sat on the mat and the dog sat on the log"), 1, 100, 100)
    with pytest.raises(UserError, match=r"stand in one sentence once frequent words are thinned out: .* or subsample 0"):
        WordTraining(WordConfig.model_validate(SETTINGS | {"subsample": 1e-9}), corpus, CPU)


def test_a_damaged_text_is_told(tmp_path: Path) -> None:
    session = start(tmp_path / "run", SETTINGS, CPU, pasted=two_topics())
    assert session is not None
    folder = WordFolder(tmp_path / "run")
    vocabulary = folder.read_vocabulary()
    folder.write_vocabulary(Vocabulary(vocabulary.words[:3], vocabulary.counts[:3]))
    with pytest.raises(UserError, match=r"corpus\.safetensors does not fit vocabulary\.json"):
        start(tmp_path / "run", {}, CPU)
    folder.record_file.write_text("{")
    with pytest.raises(UserError, match=r"run\.json is damaged"):
        folder.read_record()


def test_another_seed_is_another_training() -> None:
    streams = [training(seed=seed)._read(0) for seed in (0, 1, 2)]
    assert len({tuple(stream.ids.tolist()) for stream in streams}) == 3


def test_more_noise_words_than_words() -> None:
    with pytest.raises(UserError, match="noise_words: 8 noise words per pair need a larger vocabulary than the text's 8 words"):
        training(noise_words=8)


def test_words_that_never_meet() -> None:
    corpus = build_corpus([["a"], ["b"], ["c"]], 1, 10, 100)
    with pytest.raises(UserError, match="No two words of this text stand in one sentence"):
        WordTraining(WordConfig.model_validate(SETTINGS | {"noise_words": 1}), corpus, CPU)


def test_the_sources_preset(tmp_path: Path) -> None:
    session = start(tmp_path / "run", PRESETS["sources"] | {"epochs": 3}, CPU)
    assert session is not None
    run = session.training
    assert run.vectors.center.shape == (len(run.corpus.vocabulary), 100)
    assert run.corpus.total == 10_000
    lines = [event for event in session.events() if isinstance(event, WordsLogged)]
    # At the start all scores are near 0: k + 1 questions, log 2 each.
    assert lines[0].loss == pytest.approx(11 * torch.tensor(2.0).log().item(), rel=1e-3)
    assert lines[-1].loss < lines[0].loss
    pair_counts = run.corpus.total * 4 / run.steps_per_epoch
    assert pair_counts == pytest.approx(512, rel=0.02)


def test_a_run_can_be_opened(topic_run: WordRun) -> None:
    assert topic_run.record.state == "finished"
    assert set(topic_run.vocabulary.words) == {word for topic in TOPICS for word in topic}
    assert topic_run.record.metrics["log_z"]["contexts"] == 1000
    assert topic_run.record.metrics["last"]["loss"] < nce_chance_level(3)
    model = WordFolder(topic_run.folder.path)
    model.vocabulary_file.rename(model.vocabulary_file.with_suffix(".away"))
    try:
        with pytest.raises(UserError, match=r"vocabulary\.json is missing"):
            open_words(model)
    finally:
        model.vocabulary_file.with_suffix(".away").rename(model.vocabulary_file)


def test_nce_is_the_sum_of_its_terms() -> None:
    from cl_core.losses import nce_terms

    data, noise = torch.randn(4), torch.randn(4, 3)
    positive, negative = nce_terms(data, noise, 0.3, -0.2)
    assert float(positive.mean() + negative.sum(1).mean()) == pytest.approx(float(nce(data, noise, 0.3, -0.2)))


def test_vectors_of_integers_are_refused(tmp_path: Path) -> None:
    session = start(tmp_path / "run", SETTINGS, CPU, pasted=two_topics())
    assert session is not None
    for _ in session.events():
        pass
    folder = WordFolder(tmp_path / "run")
    open_words(folder)
    safetensors.torch.save_file({name: value.int() for name, value in folder.read_model().items()}, folder.model_file)
    with pytest.raises(UserError, match=r"holds .* as int32, where float32 is expected"):
        open_words(folder)
