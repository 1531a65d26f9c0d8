"""On hardware that lends a GPU for single calls: only those calls touch it, in pieces that fit one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cl_core import zero_gpu
from cl_core.hub.encoder import wrap
from tests.conftest import ROOT
from tests.hub.conftest import published
from tests.hub.server import Hub

# What `spaces` does there, as far as we rely on it: a decorated call runs in a process of its own, in which the GPU is
# there. (In this test's place for a GPU the call finds none and computes on the processor.)
SPACES = """
import multiprocessing, os
DURATIONS = []
def GPU(duration):
    DURATIONS.append(duration)
    def decorate(function):
        def call(*args):
            context = multiprocessing.get_context("fork")
            ours, theirs = context.Pipe()
            def work():
                import torch
                torch.set_num_threads(1)  # threads do not survive a fork
                torch.cuda.is_available = lambda: False
                theirs.send((function(*args).numpy(), os.getpid()))
            process = context.Process(target=work)
            process.start()
            features, pid = ours.recv()
            process.join()
            assert pid != os.getpid()
            CALLS.append(len(args[2]))
            import torch
            return torch.from_numpy(features)
        return call
    return decorate
CALLS = []
"""
PROGRAM = """
import cl_core.zero_gpu, json, spaces, sys, torch
from pathlib import Path
torch.set_num_threads(1)
torch.cuda.is_available = lambda: True  # as torch says there, though nothing may touch it
from cl_core import kept_features
from cl_core.data.catalog import load_dataset
from cl_core.device import choose_device
from cl_core.host import host
from cl_core.runs import open_run
from cl_core.training.run_folder import RunFolder
kept_features.LENT_PIECE = 1000
run, data = open_run(RunFolder(Path(sys.argv[1]))), load_dataset("digits")
shares = list(kept_features.compute_features(run, data))
lent = kept_features.features_of(run, data, torch.arange(5))
plain = kept_features.run_features(run, data.pictures[:5])
print(json.dumps({
    "device": choose_device().type, "calls": spaces.CALLS, "durations": spaces.DURATIONS, "shares": shares,
    "alike": float((lent * plain).sum(1).min()), "gpu": host().gpu, "lent": host().lent,
}))
"""


def test_elsewhere_a_call_is_itself() -> None:
    def function() -> int:
        return 1

    assert not zero_gpu.LENT
    assert zero_gpu.on_lent_gpu(function) is function
    assert zero_gpu.gpu_is_ours()


def test_only_the_decorated_calls_have_the_gpu(hub: Hub, vit: Path, tmp_path: Path) -> None:
    hub.add("timm/vit_toy.own", published(vit))
    folder = wrap("timm/vit_toy.own", "digits")
    (tmp_path / "spaces.py").write_text(SPACES)
    environment = os.environ | {
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "SPACES_ZERO_GPU": "true",
        "CL_CACHE_DIR": str(tmp_path / "other-cache"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder.path)], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["device"] == "cpu", "between the calls"
    assert said["calls"] == [1000, 797]
    assert said["durations"] == [60]
    assert said["shares"] == [0, 1000 / 1797, 1]
    assert said["alike"] > 0.999
    assert (said["gpu"], said["lent"]) == ("ZeroGPU", True)
