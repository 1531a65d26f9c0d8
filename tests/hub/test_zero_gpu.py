"""On hardware that lends a GPU for single calls: only those calls touch it, in pieces that fit one.

The package that does it is the real one; the service it asks is on loopback, and in place of a GPU it finds none: what a
call would do first with it (`spaces.zero.torch.init` and `move`) is left out, and the call computes on the processor.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from cl_core.hub.encoder import fetch_encoder
from cl_core.runs.folder import RunFolder
from cl_core.system import zero_gpu
from tests.conftest import ROOT, SMALL
from tests.hub.conftest import published
from tests.hub.lender import Lender, lending
from tests.hub.server import Hub

pytestmark = pytest.mark.slow

PROGRAM = """
import cl_core.system.zero_gpu, json, os, spaces.zero.torch, sys, torch
from pathlib import Path
spaces.zero.torch.init = spaces.zero.torch.move = lambda *_, **__: None
from cl_core.runs import feature_cache as feature_cache
from cl_core.data.registry import load_dataset
from cl_core.system.device import choose_device
from cl_core.system.host import host
from cl_core.runs.store import open_run
from cl_core.runs.folder import RunFolder
assert torch.cuda.is_available()  # as torch says there, though nothing may touch it
feature_cache.ZERO_GPU_BATCH = 1000
run, data = open_run(RunFolder(Path(sys.argv[1]))), load_dataset("digits")
shares = list(feature_cache.fill_feature_cache(run, data))
lent = feature_cache.cached_features(run, data, torch.arange(5))
plain = feature_cache.run_features(run, data.images[:5])
print(json.dumps({
    "device": choose_device().type, "shares": shares, "pid": os.getpid(),
    "alike": float((lent * plain).sum(1).min()), "gpu": host().gpu, "lent": host().zero_gpu,
}))
"""

# A training in pieces: each goes on from the folder that the one before it left.
TRAINING = """
import cl_core.system.zero_gpu, httpx, json, os, spaces.zero.torch, sys
from pathlib import Path
spaces.zero.torch.init = spaces.zero.torch.move = lambda *_, **__: None
from cl_core.training import job_process as pieces
from cl_core.training.jobs import Jobs
from cl_core.runs.folder import RunFolder
pieces.LENT_GPU_S = 0.3
jobs, path = Jobs(), Path(sys.argv[1])
job = jobs.start(path, json.loads(sys.argv[2]))
job.wait()
said = {"state": RunFolder(path).read_record().state, "problem": job.problem}
bad = jobs.start(path.with_name("bad"), {"lr": -1})
bad.wait()
httpx.post(os.environ["SPACES_ZERO_DEVICE_API_URL"] + "/none-left")
late = jobs.start(path.with_name("late"), {})
late.wait()
print(json.dumps(said | {"bad": bad.problem, "late": late.problem}))
"""


def test_elsewhere_a_call_is_itself() -> None:
    def function() -> int:
        return 1

    assert not zero_gpu.ON_ZERO_GPU
    assert zero_gpu.on_zero_gpu(function) is function
    assert zero_gpu.gpu_available()


def on_zero_gpu(program: str, home: Path, lender: Lender, *arguments: object) -> dict[str, Any]:
    """What a program says on hardware that lends GPUs, its last line as JSON."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": lender.endpoint,
        "CL_CACHE_DIR": str(home / "other-cache"),
    }
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_only_the_decorated_calls_have_the_gpu(hub: Hub, vit: Path, tmp_path: Path) -> None:
    hub.add("timm/vit_toy.own", published(vit))
    folder = fetch_encoder("timm/vit_toy.own", "digits")
    with lending() as lender:
        said = on_zero_gpu(PROGRAM, tmp_path, lender, folder.path)
    assert said["device"] == "cpu", "between the calls"
    assert said["shares"] == [0, 1000 / 1797, 1]
    assert [each["durationSeconds"] for each in lender.parameters("/schedule")] == ["60", "60"]
    assert {each["fail"] for each in lender.parameters("/release")} == {"false"}
    allowed = {int(each["pid"]) for each in lender.parameters("/allow")}
    assert allowed and said["pid"] not in allowed, "the GPU is another process's"
    assert said["alike"] > 0.999
    assert (said["gpu"], said["lent"]) == ("ZeroGPU", True)


def test_training_goes_from_call_to_call(tmp_path: Path, small_run: Path) -> None:
    path = tmp_path / "run"
    with lending() as lender:
        said = on_zero_gpu(TRAINING, tmp_path, lender, path, json.dumps(SMALL))
    assert said.pop("bad") == "lr: input should be greater than 0, but it was -1."
    assert said.pop("late").startswith("No GPU was available")
    assert said == {"state": "finished", "problem": ""}
    assert len(lender.parameters("/schedule")) > 1
    weights, others = RunFolder(path).read_model(), RunFolder(small_run).read_model()
    assert all(torch.equal(weights[name], others[name]) for name in others)
