"""Encoders in timm's own layout, with random weights, from a Hub on loopback."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.explore.gallery import run_gallery
from cl_core.explore.maps import map_points
from cl_core.hub.encoder import ENCODER, encode_dataset, fetch_encoder
from cl_core.hub.fetch import fetch
from cl_core.hub.pull import pull
from cl_core.hub.push import push
from cl_core.hub.recommended import RECOMMENDED
from cl_core.networks.embedding import embed
from cl_core.networks.encoders.timm import TimmName, build_timm, timm_name
from cl_core.runs.feature_cache import cached_features, fill_feature_cache
from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_cache import find_pulled
from cl_core.runs.hub_names import hub_name
from cl_core.runs.store import find_run, load_run, open_run, untrained_like
from tests.hub.conftest import published
from tests.hub.server import Hub

pytestmark = pytest.mark.slow

RESNET, VIT = "timm/resnet10t.toy", "timm/vit_toy.own"


def timm_features(folder: Path, images: list[Image.Image]) -> torch.Tensor:
    """Timm's own way: its loader of a local folder, its transform, its features."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    transform = create_transform(**resolve_model_data_config(model), is_training=False)
    with torch.no_grad():
        return F.normalize(model(torch.stack([transform(each) for each in images])), dim=1)


@pytest.mark.parametrize("kind", ["resnet", "vit"])
def test_features_are_those_of_timm(kind: str, hub: Hub, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    hub.add(RESNET, published(folder))
    run = open_run(fetch_encoder(f"hf-hub:{RESNET}", "digits"))
    assert run.size == 40, "32 / 0.8: the middle is cut out"
    assert run.record.config.method == "pretrained"
    grid = torch.linspace(0, 3, 40)
    smooth = torch.stack([(grid[:, None] * k + grid[None] * (3 - k)).sin() for k in range(3)])
    images = torch.stack([(127 + 120 * smooth.roll(k, 0)).byte() for k in range(3)])
    ours = embed(run.method, images, run.size, torch.device("cpu"))
    theirs = timm_features(folder, [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in images])
    # Our weights are kept in half precision.
    assert (ours * theirs).sum(1).min() > 0.9999
    assert (ours[0] @ ours[1]) < 0.9999, "and images differ"


def test_every_use_of_a_run(hub: Hub, vit: Path) -> None:
    hub.add(VIT, published(vit))
    folder = fetch_encoder(VIT, "digits")
    assert folder.name == "vit_toy.own-digits"
    shares = list(encode_dataset(folder))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    run, data = load_run(folder.name), load_dataset("digits")
    record = folder.read_record()
    assert record.metrics["source"]["license"] == "mit"
    assert record.metrics["source"]["commit"] == hub.repositories[f"models/{VIT}"].resolve("main")
    assert 0.1 < record.metrics["knn"]["accuracy"] <= 1
    snapshots = folder.read_snapshots()
    assert snapshots is not None
    assert snapshots.steps == [0]
    whole = embed(run.method, data.images[:50], run.size, torch.device("cpu"))
    assert (cached_features(run, data, torch.arange(50)) * whole).sum(1).min() > 0.999
    gallery = run_gallery(run, data)
    found = gallery.search(gallery.embedder(data.images[3:4]), 3)[0]
    assert found[0].row == 3
    assert map_points(run, data, "pca").shape == (len(data), 2)
    before = untrained_like(run)
    assert before.key != run.key
    z = run.method.project(run.method.encoder(torch.rand(8, 3, run.size, run.size)))
    compared = run.method.loss_breakdown(z, torch.arange(4), torch.arange(4))
    assert compared.anatomy.cosines.shape == (8, 8)


def test_from_the_command_line(
    hub: Hub, resnet: Path, tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    hub.add(RESNET, published(resnet))
    listed = command("encoder")
    assert listed.returncode == 0
    assert all(each.repository in listed.stdout for each in RECOMMENDED)
    done = command("encoder", RESNET, "--dataset", "digits")
    assert done.returncode == 0, done.stderr
    assert "resnet10t.toy-digits: 4.9 million parameters, mit, kNN " in done.stdout
    assert "resnet10t.toy-digits" in command("list", "--json").stdout
    Image.new("RGB", (40, 40), "gray").save(tmp_path / "gray.png")
    answer = command("search", "--checkpoint", "resnet10t.toy-digits", "--json", "gray.png")
    assert answer.returncode == 0, answer.stderr
    refused = command("train", "--run", "new", "--like", "resnet10t.toy-digits")
    assert refused.returncode == 2
    assert "pretrained is for encoders that others trained" in refused.stderr


def test_stopped_looking_goes_on(hub: Hub, vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add(VIT, published(vit))
    run, data = open_run(fetch_encoder(VIT, "digits")), load_dataset("digits")
    looking = fill_feature_cache(run, data)
    shares = [next(looking) for _ in range(4)]
    looking.close()
    assert 0 < shares[-1] < 1
    again = fill_feature_cache(run, data)
    assert next(again) == shares[-1], "what was done is kept"
    assert list(again)[-1] == 1.0
    monkeypatch.setattr("cl_core.runs.feature_cache.embed", None)
    assert list(fill_feature_cache(run, data)) == [1.0], "and never computed again"


def test_wrapped_once_it_needs_no_hub(hub: Hub, vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add(VIT, published(vit))
    first = fetch_encoder(VIT, "digits").read_record().metrics["source"]["commit"]
    hub.add(VIT, {**published(vit), "README.md": b"newer"})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetch_encoder(VIT, "digits").read_record().metrics["source"]["commit"] == first
    assert fetch_encoder(VIT, "mnist").read_record().metrics["source"]["commit"] == first, (
        "on other images, from what was fetched"
    )
    assert find_run("vit_toy.own-mnist").read_record().config.dataset == "mnist"
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        fetch_encoder(RESNET, "digits")
    with pytest.raises(UserError, match=f"on the Hub already, as {VIT}"):
        push(find_run("vit_toy.own-mnist"), "someone/else")


def test_another_size(hub: Hub, vit: Path) -> None:
    hub.add(VIT, published(vit))
    run = open_run(fetch_encoder(VIT, "digits", image_size=48))
    assert run.folder.name == "vit_toy.own-digits-48"
    assert run.record.config.encoder == "timm/test_vit/48/token"
    assert run.size == 60
    with pytest.raises(UserError, match="choose a side up to 448"):
        fetch_encoder(VIT, "digits", image_size=496)


def changed(folder: Path, **fields: Any) -> dict[str, bytes]:
    files = published(folder)
    return files | {"config.json": json.dumps(json.loads(files["config.json"]) | fields).encode()}


def test_what_is_refused(hub: Hub, resnet: Path, vit: Path, small_run: Path) -> None:
    files = published(resnet)
    hub.add("a/pickle", {"config.json": files["config.json"], "pytorch_model.bin": b"x"})
    hub.add("a/other-weights", {"config.json": files["config.json"], "model.safetensors": published(vit)["model.safetensors"]})
    hub.add("a/cut", {**files, "model.safetensors": files["model.safetensors"][:-100]})
    integers = {name: value.long() for name, value in safetensors.torch.load(files["model.safetensors"]).items()}
    hub.add("a/integers", {**files, "model.safetensors": safetensors.torch.save(integers)})
    hub.add("a/unknown", changed(resnet, architecture="evil_net"))
    hub.add("a/path", changed(resnet, architecture="../../evil"))
    hub.add("a/options", changed(resnet, model_args={"block_fns": "os.system"}))
    hub.add("a/text", {**files, "config.json": b"[]"})
    hub.add("a/run", {name: (small_run / name).read_bytes() for name in ("run.json", "model.safetensors")})
    for name, words in {
        "a/pickle": r"pytorch_model\.bin, which can run code .* only config\.json and safetensors",
        "a/other-weights": "does not hold the weights of resnet10t",
        "a/cut": "is cut off or does not hold the weights",
        "a/integers": "does not hold the weights of resnet10t",
        "a/unknown": "has no architecture 'evil_net'",
        "a/path": "does not describe an encoder",
        "a/options": r"settings of its architecture that are not supported here \(block_fns\)",
        "a/text": "does not describe an encoder of timm's",
        "a/run": r"is not an encoder of timm's: it has no config\.json",
    }.items():
        with pytest.raises(UserError, match=words):
            fetch_encoder(name, "digits")
        with pytest.raises(UserError, match="no checkpoint or run folder"):
            find_run(f"{name.replace('/', '.')}-digits")
    hub.add(RESNET, files)
    with pytest.raises(UserError, match="at most 1 MB are fetched"):
        fetch_encoder(RESNET, "digits", largest=1_000_000)


def test_a_name_means_what_came_first(hub: Hub, resnet: Path) -> None:
    hub.add("timm/some.one", published(resnet))
    hub.add("some/one", {**published(resnet), "README.md": b"another"})
    first = fetch_encoder("timm/some.one", "digits")
    with pytest.raises(UserError, match=r"some\.one-digits is the name of timm/some\.one here, so some/one cannot have it"):
        fetch_encoder("some/one", "digits")
    assert fetch_encoder("timm/some.one", "digits").read_record() == first.read_record()


def test_none_is_built_that_memory_could_not_hold(hub: Hub, resnet: Path, vit: Path, small_run: Path) -> None:
    """The description is small; what it asks for need not be."""
    hub.add("a/huge", changed(resnet, architecture="vit_7b_patch16_dinov3"))
    hub.add("a/deep", {**published(resnet), "config.json": b"[" * 100_000})
    with pytest.raises(UserError, match=r"vit_7b_patch16_dinov3 holds 6,7.. million numbers; networks of up to 500 million"):
        fetch_encoder("a/huge", "digits")
    with pytest.raises(UserError, match="does not describe an encoder of timm's"):
        fetch_encoder("a/deep", "digits")
    record = RunFolder(small_run).read_record()
    config = record.config.model_copy(update={"method": "infonce-bank", "projection_dim": 4096})
    files = {name: (small_run / name).read_bytes() for name in ("run.json", "model.safetensors")}
    asks = record.model_copy(update={"config": config, "instances": 2**31 - 1})
    hub.add("a/bank", {**files, "run.json": asks.model_dump_json().encode()})
    with pytest.raises(UserError, match=r"run\.json holds 8,796,.* million numbers"):
        pull("a/bank")
    assert find_pulled("a/bank") is None


def test_where_its_weights_come_from_is_not_for_the_description_to_say(hub: Hub, resnet: Path) -> None:
    config = json.loads((resnet / "config.json").read_text())
    config["pretrained_cfg"] |= {"url": f"{hub.endpoint}/evil", "file": "/etc/passwd", "hf_hub_id": "a/b", "custom_load": True}
    hub.add(RESNET, {**published(resnet), "config.json": json.dumps(config).encode()})
    assert isinstance(fetch_encoder(RESNET, "digits"), RunFolder)
    assert not [path for _, path in hub.requests if "evil" in path or "a/b" in path]


def test_a_run_with_another_architecture_does_not_open(hub: Hub, vit: Path) -> None:
    hub.add(VIT, published(vit))
    folder = fetch_encoder(VIT, "digits")
    record = folder.read_record()
    for encoder, words in {
        "timm/resnet18/32": "does not fit the settings",
        "timm/no_such_net/32": "has no architecture 'no_such_net'",
        "timm/test_vit/48": "choose an image_size of at least that|does not fit",
    }.items():
        folder.write_record(record.model_copy(update={"config": record.config.model_copy(update={"encoder": encoder})}))
        with pytest.raises(UserError, match=words):
            open_run(folder)


@pytest.mark.parametrize("tried", RECOMMENDED, ids=lambda each: each.repository)
def test_what_is_said_of_the_tried_ones_is_what_timm_says(tried: Any) -> None:
    model = tried.repository.removeprefix("timm/")
    said = timm.models.get_pretrained_cfg(model)
    assert said.hf_hub_id == tried.repository
    assert said.license == tried.license
    with torch.device("meta"):
        network = timm.create_model(model.split(".")[0], pretrained=False, num_classes=said.num_classes)
    values = sum(each.numel() for each in network.state_dict().values())
    assert 4 * values / 1e6 == pytest.approx(tried.megabytes, abs=1.5)


def test_names() -> None:
    assert timm_name("timm/resnet18/224") == TimmName("resnet18", 224)
    assert str(timm_name("timm/vit_base/224/avg")) == "timm/vit_base/224/avg"
    assert timm_name("timm/resnet18") is None
    assert timm_name("timm/../x/224") is None
    with pytest.raises(UserError, match="test_vit cannot be built at 10 px"):
        build_timm(TimmName("test_vit", 10), ((0, 0, 0), (1, 1, 1)))


def test_fetch_takes_no_more_than_it_needs(hub: Hub, resnet: Path) -> None:
    hub.add(RESNET, {**published(resnet), "pytorch_model.bin": b"x" * 2_000_000, "README.md": b"hello"})
    path = fetch(hub_name(RESNET), ENCODER)
    assert {each.name for each in path.iterdir()} == {"config.json", "model.safetensors"}
