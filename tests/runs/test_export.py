"""Exported runs are complete, smaller, and compute nearly the same features."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch.nn.functional import normalize

from cl_core.cli.main import main
from cl_core.errors import UserError
from cl_core.networks.whitening import Whitening
from cl_core.runs.export import export_run
from cl_core.runs.folder import RunFolder, Snapshots
from cl_core.runs.quantization import dequantize, quantize
from cl_core.runs.store import open_run


@pytest.fixture(scope="module")
def exported(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return export_run(RunFolder(small_run), tmp_path_factory.mktemp("share") / "small")


def test_quantization_error_is_half_a_step() -> None:
    weights = {
        "a.weight": torch.randn(5, 3, 2, 2) * torch.tensor([1e-30, 1e-3, 1.0, 1e3, 1e20]).view(-1, 1, 1, 1),
        "zero.weight": torch.zeros(2, 4),
        "a.bias": torch.randn(5),
        "normalize.mean": torch.rand(1, 3, 1, 1),
        "position": torch.tensor(7),
    }
    packed = quantize(weights)
    assert {name for name, value in packed.items() if value.dtype == torch.int8} == {"a.weight", "zero.weight"}
    back = dequantize(packed)
    assert set(back) == set(weights)
    for name in ("a.bias", "normalize.mean", "position", "zero.weight"):
        assert torch.equal(back[name], weights[name])
    step = weights["a.weight"].abs().amax((1, 2, 3), keepdim=True) / 127
    assert ((back["a.weight"] - weights["a.weight"]).abs() <= 0.501 * step).all()


@pytest.mark.parametrize("strength", [0.5, 0.75, 1.0])
def test_a_whitening_matrix_keeps_its_digits(strength: float) -> None:
    """In 8 bits the errors of strong directions, which whitening scales down, would cover the features: cosines down to .9."""
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(256, 256, generator=generator)).Q
    features = torch.randn(1024, 256, generator=generator) * torch.arange(1, 257) ** -1.5 @ basis.T
    whitening = Whitening(256)
    whitening.fit(features, strength)
    expected = normalize(whitening(features), dim=1)
    packed = quantize({"encoder.whitening.matrix": whitening.matrix})
    assert sum(value.numel() * value.element_size() for value in packed.values()) <= 256 * 257
    whitening.matrix = dequantize(packed)["encoder.whitening.matrix"]
    assert whitening.matrix.shape == (256, 256)
    assert (normalize(whitening(features), dim=1) * expected).sum(1).min() > 0.9999


def test_features_are_nearly_equal(small_run: Path, exported: RunFolder) -> None:
    before, after = open_run(RunFolder(small_run)), open_run(exported)
    images = torch.rand(64, 3, before.size, before.size)
    with torch.no_grad():
        pairs = [normalize(run.method.encoder(images), dim=1) for run in (before, after)]
    assert (pairs[0] * pairs[1]).sum(1).min() > 0.999
    assert after.key != before.key


def test_exported_files(small_run: Path, exported: RunFolder) -> None:
    source = RunFolder(small_run)
    assert exported.read_record() == source.read_record()
    assert exported.read_metrics() == source.read_metrics()
    before, after = source.read_snapshots(), exported.read_snapshots()
    assert before is not None
    assert after is not None
    assert (before.steps, before.rows.tolist()) == (after.steps, after.rows.tolist())
    assert normalize(before.embeddings.float(), dim=2).mul(normalize(after.embeddings.float(), dim=2)).sum(2).min() > 0.9999
    assert not exported.resume_file.exists()
    assert exported.model_file.stat().st_size < 0.6 * source.model_file.stat().st_size
    assert [entry.name for entry in exported.path.parent.iterdir()] == ["small"]


def test_existing_folder_is_not_overwritten(small_run: Path, exported: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    content = exported.model_file.read_bytes()
    assert main(["export", "--run", str(small_run), "--to", str(exported.path)]) == 2
    assert "already: choose another folder" in capsys.readouterr().err
    assert exported.model_file.read_bytes() == content


def test_unfinished_run_is_not_exported(small_run: Path, tmp_path: Path) -> None:
    source = RunFolder(tmp_path / "half")
    source.write_record(RunFolder(small_run).read_record().model_copy(update={"state": "stopped"}))
    with pytest.raises(UserError, match="is stopped: finish its training first"):
        export_run(source, tmp_path / "share")
    source.write_record(RunFolder(small_run).read_record())
    with pytest.raises(UserError, match=r"model\.safetensors is missing"):
        export_run(source, tmp_path / "share")
    assert not (tmp_path / "share").exists()
    assert main(["export", "--run", str(small_run), "--to", str(tmp_path / "share")]) == 0


def test_snapshots_in_8_bits_keep_the_spread_or_stay_exact(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    common = normalize(torch.randn(1, 1, 16, generator=generator), dim=2)
    for spread, dtype in ((1.0, torch.int8), (1e-4, torch.float16)):
        z = normalize(common + spread * torch.randn(3, 50, 16, generator=generator), dim=2).half()
        folder = RunFolder(tmp_path / str(spread))
        folder.write_quantized_snapshots(Snapshots(torch.arange(50), [0, 5, 9], z))
        with safe_open(folder.snapshots_file, framework="pt") as file:
            assert file.get_tensor("embeddings").dtype == dtype
        back = folder.read_snapshots()
        assert back is not None
        stds = [normalize(each.float(), dim=2).std(1).mean(1) for each in (z, back.embeddings)]
        assert torch.allclose(*stds, rtol=0.01)
