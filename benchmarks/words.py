"""Word vectors beside gensim's, in one run: speed, agreement with people, log Z, and the cost of a softmax.

    python -m pip install gensim==4.4.0
    python -m benchmarks.words [--epochs 5 10] [--workers 2] [--json]

Same text (WordNet's entries), vocabulary, dimension, window, k, subsampling and epochs. gensim runs with
its own default learning rate, .025, and with twice it. Words a second count the whole text; reading it is
left out on both sides. WordSim-353 and SimLex-999 are those that gensim ships.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cl_core.system.device import choose_device
from cl_core.words.config import WordConfig
from cl_core.words.corpus import Corpus, Sentences, build_corpus, wordnet
from cl_core.words.cost import measure_cost
from cl_core.words.evaluation import log_partition_over_contexts, rating_correlation, read_ratings
from cl_core.words.model import WordVectors
from cl_core.words.similarity import WordSpace
from cl_core.words.training import WordTraining, noise_log_kq

SETTINGS: dict[str, Any] = {"dim": 100, "window": 5, "noise_words": 5, "min_count": 8, "subsample": 1e-3}
OURS: dict[str, dict[str, Any]] = {
    "nce": {},
    "negative sampling": {"loss": "negative-sampling", "bias": False},
    "nce, 15 noise words": {"noise_words": 15},
    "nce, own noise for each pair": {"shared_noise": False},
}
JUDGEMENTS = ("wordsim353.tsv", "simlex999.txt")


def correlations(corpus: Corpus, vectors: WordVectors, folder: Path) -> dict[str, float | None]:
    """Spearman's correlation by file, for center vectors alone and with contexts added."""
    found = {}
    for contexts in (False, True):
        space = WordSpace.of(corpus.vocabulary, vectors, contexts)
        for file in JUDGEMENTS:
            result = rating_correlation(space, read_ratings(folder / file), file)
            found[f"{file.split('.')[0]}{' +contexts' if contexts else ''} ({result.in_vocabulary}/{result.pairs})"] = (
                result.spearman
            )
    return found


def train_gensim(sentences: Sentences, corpus: Corpus, epochs: int, alpha: float, workers: int, folder: Path) -> dict[str, Any]:
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=SETTINGS["dim"],
        window=SETTINGS["window"],
        negative=SETTINGS["noise_words"],
        min_count=SETTINGS["min_count"],
        sample=SETTINGS["subsample"],
        sg=1,
        workers=workers,
        alpha=alpha,
        seed=0,
    )
    model.build_vocab(sentences)
    start = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=epochs)
    seconds = time.perf_counter() - start
    rows = [model.wv.key_to_index[word] for word in corpus.vocabulary.words]

    def table(values: Any) -> Tensor:
        return torch.from_numpy(values)[rows].float()

    vectors = WordVectors(table(model.wv.vectors), table(model.syn1neg), torch.zeros(len(rows)))
    return {"words_per_s": corpus.total * epochs / seconds} | correlations(corpus, vectors, folder)


def train_ours(corpus: Corpus, epochs: int, settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    config = WordConfig.model_validate(SETTINGS | settings | {"epochs": epochs})
    training = WordTraining(config, corpus, choose_device())
    start = time.perf_counter()
    for _ in training.events():
        pass
    seconds = time.perf_counter() - start
    vectors, counts = WordVectors(**{n: t.cpu() for n, t in training.vectors.tensors().items()}), corpus.vocabulary.counts
    found: dict[str, Any] = {"words_per_s": corpus.total * epochs / seconds} | correlations(corpus, vectors, folder)
    log_z = log_partition_over_contexts(vectors, counts)
    found |= {"log Z": log_z.mean, "log Z std": log_z.std}
    if config.loss == "negative-sampling":
        corrected = log_partition_over_contexts(vectors, counts, noise_log_kq(config, counts))
        found |= {"log Z with log(k q)": corrected.mean, "log Z with log(k q) std": corrected.std}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--workers", type=int, default=2, help="threads of gensim and of torch")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        import gensim
    except ImportError:
        sys.exit("gensim, the peer, is not installed: python -m pip install gensim==4.4.0")
    torch.set_num_threads(arguments.workers)
    folder = Path(gensim.__file__).parent / "test" / "test_data"
    sentences = wordnet()
    corpus = build_corpus(sentences, SETTINGS["min_count"], 1_000_000, 100_000_000)
    results: dict[str, Any] = {
        "versions": {"gensim": gensim.__version__, "torch": torch.__version__},
        "device": choose_device().type,
        "words": corpus.total,
        "vocabulary": len(corpus.vocabulary),
    }
    rows = []
    for epochs in arguments.epochs:
        row = {
            f"gensim, alpha {alpha}": train_gensim(sentences, corpus, epochs, alpha, arguments.workers, folder)
            for alpha in (0.025, 0.05)
        }
        for name, settings in OURS.items():
            row[name] = train_ours(corpus, epochs, settings, folder)
        rows.append({"epochs": epochs, "models": row})
        for name, figures in row.items():
            ratio = figures["words_per_s"] / row["gensim, alpha 0.025"]["words_per_s"]
            print(f"{epochs} epochs, {name}: {ratio:.2f} of gensim's speed", file=sys.stderr)
            values = [f"{k} {v:,.0f}" if k == "words_per_s" else f"{k} {v:.3f}" for k, v in figures.items()]
            print("   ", ", ".join(values), file=sys.stderr)
    results["runs"] = rows
    results["cost"] = [dataclasses.asdict(cost) for cost in measure_cost()]
    for cost in results["cost"]:
        print(
            f"{cost['vocabulary']:>7,} words: softmax {cost['softmax']:8.1f} us a pair, NCE {cost['nce']:6.1f}", file=sys.stderr
        )
    if arguments.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
