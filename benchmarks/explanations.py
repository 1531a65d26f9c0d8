"""How well explanations of a cosine find the parts that carry it: better than a random order, on nearest neighbors.

    python -m benchmarks.explanations [RUN ...]

For each run and explanation, over 200 pairs of an image and its nearest neighbor: how much sooner than in random order the
cosine falls and rises (mean and standard error), in how many pairs it does, the rank correlation with the maps of the untrained
network, and the seconds of a pair with all explanations.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch

from benchmarks import hardware
from cl_core.augment.views import plain_views
from cl_core.evaluation.neighbors import nearest_others
from cl_core.explore.model import Model
from cl_core.explore.model_store import ModelStore
from cl_core.explore.why_similar import explain

PAIRS = 200
RUNS = ("emoji-simclr", "emoji-moco", "emoji-nce-bank", "emoji-simsiam", "emoji-supcon", "fashion-simclr")


def measure(model: Model) -> dict[str, Any]:
    """Figures by explanation, and the seconds of a pair."""
    data = model.dataset
    chosen = torch.randperm(len(data.on_map), generator=torch.Generator().manual_seed(0))[:PAIRS]
    _, nearest = nearest_others(model.map_features(), data.groups[data.on_map], chosen, 1)
    gains: dict[str, list[float]] = {}
    same: dict[str, list[float]] = {}
    started = time.perf_counter()
    for query, answer in zip(data.on_map[chosen].tolist(), data.on_map[nearest[:, 0]].tolist(), strict=True):
        first, second = (plain_views(data.images[row : row + 1], model.size) for row in (query, answer))
        for each in explain(model.run.method.encoder, first, second, model.untrained.method.encoder):
            assert each.curves is not None and each.untrained is not None
            gains.setdefault(each.kind, []).append(sum(curve.gain for curve in each.curves) / 2)
            same.setdefault(each.kind, []).append(each.untrained)
    seconds = (time.perf_counter() - started) / len(chosen)
    found: dict[str, Any] = {"s_a_pair": round(seconds, 2)}
    for kind, values in gains.items():
        gain, alike = torch.tensor(values), torch.tensor(same[kind])
        found[kind] = {
            "gain": round(float(gain.mean()), 4),
            "error": round(float(gain.std()) / len(gain) ** 0.5, 4),
            "better": round(float((gain > 0).float().mean()), 3),
            "like_untrained": round(float(alike.mean()), 3),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", default=list(RUNS))
    store = ModelStore()
    print(json.dumps(hardware.describe()))
    for name in parser.parse_args().runs:
        print(json.dumps({"run": name, "pairs": PAIRS, **measure(store.get(name))}), flush=True)


if __name__ == "__main__":
    main()
