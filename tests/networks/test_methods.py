"""Losses, comparisons, gradients and states of the methods."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core import losses
from cl_core.networks.encoders.registry import build_encoder
from cl_core.networks.methods import METHODS, TRAINABLE, DataShape, Method, memory_bank
from cl_core.networks.methods.base import Temperature
from cl_core.networks.methods.byol import BYOL
from cl_core.networks.methods.memory_bank import InfoNCEBank, NCEBank
from cl_core.networks.methods.moco import MoCo
from cl_core.networks.methods.simsiam import SimSiam
from cl_core.runs.config import RunConfig

N, INSTANCES, CLASSES = 8, 40, 3
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
ROWS = torch.tensor([3, 5, 7, 11, 0, 39, 20, 21])
SETTINGS = {
    "projection_hidden": 16, "projection_dim": 8, "temperature": 0.3, "batch_size": N, "predictor_hidden": 4,
    "queue_size": 24, "negatives": 30,
}  # fmt: skip


def build(name: str, **changes: object) -> Method:
    torch.manual_seed(0)
    config = RunConfig.model_validate(SETTINGS | {"method": name} | changes)
    encoder = build_encoder(str(changes.get("encoder", "cnn")), 16)
    return METHODS[name](encoder, config, DataShape(INSTANCES, CLASSES))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def views(method: Method) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.rand(N, 3, 16, 16) for _ in range(getattr(method, "view_total", method.views))]


def z_of(method: Method, x: Tensor) -> Tensor:
    return method.project(method.encoder(x))


def test_simclr() -> None:
    method = build("simclr")
    pair = views(method)
    output = method(pair, LABELS, ROWS, generator())
    z1, z2 = z_of(method, torch.cat(pair)).chunk(2)
    assert output.loss.item() == pytest.approx(losses.nt_xent(z1, z2, 0.3).item(), rel=1e-5)
    assert output.chance == pytest.approx(math.log(2 * N - 1))


def test_simclr_without_false_negatives() -> None:
    method = build("simclr", exclude_false_negatives=True)
    pair = views(method)
    output = method(pair, LABELS, ROWS, generator())
    z1, z2 = z_of(method, torch.cat(pair)).chunk(2)
    assert output.loss.item() == pytest.approx(losses.nt_xent(z1, z2, 0.3, LABELS).item(), rel=1e-5)
    # Classes of 3, 3 and 2 images leave 15 - 4 and 15 - 2 other views.
    assert output.chance == pytest.approx((6 * math.log(11) + 2 * math.log(13)) / 8)
    assert type(method).uses_labels(RunConfig(exclude_false_negatives=True))
    assert not type(method).uses_labels(RunConfig())


def test_many_views() -> None:
    """Each view is an anchor for all others of its image; two views are NT-Xent."""
    method = build("simclr", views=4)
    four = views(method)
    assert len(four) == 4
    output = method(four, LABELS, ROWS, generator())
    z = z_of(method, torch.cat(four)).view(4, N, -1)
    assert output.loss.item() == pytest.approx(losses.info_nce_views(z, 0.3).item(), rel=1e-5)
    assert output.chance == pytest.approx(losses.info_nce_views(torch.ones_like(z), 0.3).item(), rel=1e-5)
    method = build("supcon", views=3)
    three = views(method)
    output = method(three, LABELS, ROWS, generator())
    expected = losses.sup_con(z_of(method, torch.cat(three)), LABELS.repeat(3), 0.3)
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_small_crops_are_encoded_apart() -> None:
    """Views of another size have their own batch statistics; the loss compares all of them."""
    method = build("simclr", encoder="fast-resnet", small_views=2)
    large, small = ([torch.rand(N, 3, side, side) for _ in range(2)] for side in (16, 8))
    output = method([*large, *small], LABELS, ROWS, generator())
    features = torch.cat([method.encoder(torch.cat(large)), method.encoder(torch.cat(small))])
    z = method.project(features).view(4, N, -1)
    assert output.loss.item() == pytest.approx(losses.info_nce_views(z, 0.3).item(), rel=1e-5)
    method = build("supcon", encoder="fast-resnet", small_views=2)
    output = method([*large, *small], LABELS, ROWS, generator())
    assert output.loss.item() == pytest.approx(losses.sup_con(z.flatten(0, 1), LABELS.repeat(4), 0.3).item(), rel=1e-5)


def test_decoupled_and_hard_negatives_and_questions() -> None:
    for name, changes, loss in (
        ("dcl", {}, lambda a, b: losses.decoupled_nt_xent(a, b, 0.3)),
        ("dcl", {"decoupled_sigma": 0.5}, lambda a, b: losses.decoupled_nt_xent(a, b, 0.3, 0.5)),
        ("hcl", {"hardness": 1.0, "negative_prior": 0.1}, lambda a, b: losses.hard_negative_nt_xent(a, b, 0.3, 1.0, 0.1)),
        ("siglip", {}, lambda a, b: losses.sigmoid_loss(a, b, 0.3, -math.log(N))),
    ):
        method = build(name, **changes)
        pair = views(method)
        z1, z2 = z_of(method, torch.cat(pair)).chunk(2)
        assert method(pair, LABELS, ROWS, generator()).loss.item() == pytest.approx(loss(z1, z2).item(), rel=1e-5), name
    same = torch.ones(N, 4)
    for name in ("dcl", "hcl"):
        method = build(name)
        breakdown = method.loss_breakdown(torch.cat([same, same]), LABELS, ROWS)
        assert breakdown.anatomy.loss == pytest.approx(breakdown.chance, rel=1e-5), name


def test_a_learned_temperature_moves_and_stays_in_bounds() -> None:
    for name in ("simclr", "supcon", "dcl", "hcl", "siglip"):
        method = build(name, learn_temperature=True)
        assert isinstance(method.temperature, Temperature) and method.temperature.log is not None
        assert method.temperature.value == pytest.approx(0.3)
        method(views(method), LABELS, ROWS, generator()).loss.backward()
        assert method.temperature.log.grad is not None and method.temperature.log.grad != 0
        with torch.no_grad():
            method.temperature.log.fill_(-100.0)
        assert method.temperature.value == method.loss_temperature == pytest.approx(Temperature.BOUNDS[0], rel=1e-5)
        method.zero_grad()
        method(views(method), LABELS, ROWS, generator()).loss.backward()
        assert method.temperature.log.grad != 0, "it can come back"
        assert isinstance(build(name).temperature, Temperature)
        assert not any("temperature" in key for key in build(name).state_dict())


def test_byol_follows_a_moving_average_without_gradient() -> None:
    method = build("byol", key_momentum=0.9)
    assert isinstance(method, BYOL)
    pair = views(method)
    before = [value.clone() for value in method.target_encoder.parameters()]
    output = method(pair, LABELS, ROWS, generator())
    p1, p2 = (method.predictor(z_of(method, view)) for view in pair)
    z1, z2 = (method.target_head(method.target_encoder(view)) for view in pair)
    expected = (losses.negative_cosine(p1, z2) + losses.negative_cosine(p2, z1)) / 2
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-4)
    output.loss.backward()
    assert all(p.grad is None for p in method.target_encoder.parameters())
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.add_(1.0)
    method.after_step()
    for old, new in zip(before, method.target_encoder.parameters(), strict=True):
        assert torch.allclose(new, old + 0.1, atol=1e-5)


@pytest.mark.parametrize("name", ["barlow-twins", "vicreg"])
def test_methods_of_dimensions(name: str) -> None:
    method = build(name)
    pair = views(method)
    z1, z2 = (z_of(method, view) for view in pair)
    loss = losses.barlow_twins(z1, z2) if name == "barlow-twins" else losses.vicreg(z1, z2)
    assert method(pair, LABELS, ROWS, generator()).loss.item() == pytest.approx(loss.item(), rel=1e-4)
    breakdown = method.loss_breakdown(torch.cat([z1, z2]).detach(), LABELS, ROWS)
    assert set(breakdown.kinds) == {"dimension"} and len(breakdown.ids) == 8
    if name == "vicreg":
        assert sum(breakdown.terms.values()) == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("form", ["out", "in", "in-sum"])
def test_sup_con(form: losses.SupConForm) -> None:
    method = build("supcon", sup_con_form=form)
    pair = views(method)
    output = method(pair, LABELS, ROWS, generator())
    z = z_of(method, torch.cat(pair))
    assert output.loss.item() == pytest.approx(losses.sup_con(z, LABELS.repeat(2), 0.3, form).item(), rel=1e-5)
    same = torch.ones(2 * N, 4)
    assert output.chance == pytest.approx(losses.sup_con(same, LABELS.repeat(2), 0.3, form).item(), rel=1e-5)


def test_simsiam() -> None:
    method = build("simsiam")
    assert isinstance(method, SimSiam)
    pair = views(method)
    output = method(pair, LABELS, ROWS, generator())
    z1, z2 = (z_of(method, view) for view in pair)
    p1, p2 = method.predictor(z1), method.predictor(z2)
    expected = (losses.negative_cosine(p1, z2) + losses.negative_cosine(p2, z1)) / 2
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_stop_gradient_changes_the_gradient_and_not_the_loss() -> None:
    """The gradient with stop-gradient is that of the loss with z as a constant."""
    found = {}
    for stop in (True, False):
        method = build("simsiam", stop_gradient=stop)
        output = method(views(method), LABELS, ROWS, generator())
        output.loss.backward()
        found[stop] = (output.loss.item(), method.head[0].weight.grad)  # type: ignore[index]
    assert found[True][0] == found[False][0]
    assert not torch.allclose(found[True][1], found[False][1])
    method = build("simsiam")
    assert isinstance(method, SimSiam)
    z1, z2 = (z_of(method, view) for view in views(method))
    constant1, constant2 = z1.detach(), z2.detach()
    loss = losses.negative_cosine(method.predictor(z1), constant2) + losses.negative_cosine(method.predictor(z2), constant1)
    (loss / 2).backward()
    assert torch.allclose(found[True][1], method.head[0].weight.grad, atol=1e-7)  # type: ignore[index, arg-type]


def test_simsiam_without_predictor() -> None:
    method = build("simsiam", predictor=False)
    assert isinstance(method, SimSiam)
    pair = views(method)
    output = method(pair, LABELS, ROWS, generator())
    z1, z2 = (z_of(method, view) for view in pair)
    assert output.loss.item() == pytest.approx(losses.negative_cosine(z1, z2).item(), rel=1e-5)


def test_info_nce_bank() -> None:
    method = build("infonce-bank")
    assert isinstance(method, InfoNCEBank)
    pair = views(method)
    output = method(pair, LABELS, ROWS, generator())
    drawn = method.bank.draw(30, generator())
    assert len(drawn.unique()) == 30
    z, keys = z_of(method, pair[0]), method.bank.keys
    own = drawn[None] == ROWS[:, None]
    assert own.any()
    assert output.loss.item() == pytest.approx(losses.info_nce(z, keys[ROWS], keys[drawn], 0.3, own).item(), rel=1e-5)
    assert output.chance == pytest.approx(math.log(31))


def test_nce_bank() -> None:
    method = build("nce-bank")
    assert isinstance(method, NCEBank)
    pair = views(method)
    output = method(pair, LABELS, ROWS, generator())
    drawn = method.bank.draw(30, generator())
    unit, keys = F.normalize(z_of(method, pair[0]), dim=1), method.bank.keys
    data, noise = (unit * keys[ROWS]).sum(1) / 0.3, unit @ keys[drawn].T / 0.3
    log_z = noise.exp().mean().mul(INSTANCES).log()  # all instances, estimated from the noise
    assert method.log_z.item() == pytest.approx(log_z.item(), rel=1e-5)
    log_kq = math.log(30 / INSTANCES)
    own = drawn[None] == ROWS[:, None]
    expected = losses.nce(data - log_z, noise - log_z, log_kq, log_kq, own)
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert output.chance == pytest.approx(losses.nce_chance_level(30))


@pytest.mark.parametrize("name", ["nce-bank", "infonce-bank"])
def test_bank_update_changes_the_keys_of_the_batch_only(name: str) -> None:
    method = build(name, bank_momentum=0.5)
    assert isinstance(method, InfoNCEBank | NCEBank)
    before = method.bank.keys.clone()
    pair = views(method)
    method(pair, LABELS, ROWS, generator())
    assert torch.equal(method.bank.keys, before)
    method.after_step()
    z = F.normalize(z_of(method, pair[0]), dim=1)
    expected = F.normalize(0.5 * before[ROWS] + 0.5 * z, dim=1)
    assert torch.allclose(method.bank.keys[ROWS], expected, atol=1e-6)
    others = torch.ones(INSTANCES, dtype=torch.bool)
    others[ROWS] = False
    assert torch.equal(method.bank.keys[others], before[others])


def moco(**changes: object) -> MoCo:
    method = build("moco", **changes)
    assert isinstance(method, MoCo)
    return method


def test_moco_loss_and_queue() -> None:
    method = moco(batch_norm_splits=1)
    pair = views(method)
    queue = method.queue.clone()
    output = method(pair, LABELS, ROWS, generator())
    query = z_of(method, pair[0])
    keys = F.normalize(method.key_head(method.key_encoder(pair[1])), dim=1)
    assert output.loss.item() == pytest.approx(losses.info_nce(query, keys, queue, 0.3).item(), rel=1e-4)
    assert output.chance == pytest.approx(math.log(25))
    method.after_step()
    assert torch.allclose(method.queue[:N], keys, atol=1e-5)
    assert torch.equal(method.queue[N:], queue[N:])
    assert method.queue_instances.tolist() == [*ROWS.tolist(), *[-1] * 16]
    for _ in range(3):  # 24 places: the fourth batch replaces the first
        method(pair, LABELS, ROWS + 0, generator())
        method.after_step()
    assert int(method.queue_position) == N


def test_moco_excludes_old_keys_of_the_same_instance() -> None:
    method = moco()
    pair = views(method)
    method(pair, LABELS, ROWS, generator())
    method.after_step()
    breakdown = method.loss_breakdown(torch.randn(2 * N, 8), LABELS, ROWS, method.stored_keys(ROWS, 24))
    queue = [i for i, kind in enumerate(breakdown.kinds) if kind == "queue"]
    for row in range(N):
        for column in queue:
            own = int(breakdown.ids[column]) == int(ROWS[row])
            assert bool(breakdown.anatomy.negative[row, column]) != own


def test_key_encoder_is_a_moving_average_without_gradient() -> None:
    method = moco(key_momentum=0.9)
    before = method.key_head[0].weight.clone()
    output = method(views(method), LABELS, ROWS, generator())
    output.loss.backward()
    assert all(p.grad is None for p in [*method.key_encoder.parameters(), *method.key_head.parameters()])
    with torch.no_grad():
        method.head[0].weight += 1.0  # type: ignore[operator]
    method.after_step()
    assert torch.allclose(method.key_head[0].weight, 0.9 * before + 0.1 * (before + 1.0), atol=1e-6)


def test_keys_use_the_batch_statistics_of_their_part() -> None:
    """Batch statistics of the whole batch would leak which key belongs to which query (moco #47)."""
    method = moco(batch_norm_splits=4)
    x = views(method)[1]
    order = torch.randperm(N, generator=generator())
    keys = method.keys_of([x, x], generator())
    by_hand = torch.empty_like(keys)
    for part in order.chunk(4):
        by_hand[part] = F.normalize(method.key_head(method.key_encoder(x[part])), dim=1)
    assert torch.allclose(keys, by_hand, atol=1e-5)
    changed = x.clone()
    changed[order[0]] = 0
    moved = (method.keys_of([changed, changed], generator()) - keys).abs().amax(1) > 1e-6
    assert set(moved.nonzero()[:, 0].tolist()) <= set(order[:2].tolist())


def test_cross_entropy() -> None:
    method = build("cross-entropy")
    pair = views(method)
    output = method(pair, LABELS, ROWS, generator())
    assert output.loss.item() == pytest.approx(F.cross_entropy(z_of(method, pair[0]), LABELS).item(), rel=1e-5)
    assert output.chance == math.log(CLASSES)


@pytest.mark.parametrize("name", TRAINABLE)
def test_all_trained_parameters_have_gradients(name: str) -> None:
    method = build(name)
    output = method(views(method), LABELS, ROWS, generator())
    assert torch.isfinite(output.loss)
    output.loss.backward()
    assert all(p.grad is not None for p in method.parameters() if p.requires_grad)


@pytest.mark.parametrize("name", TRAINABLE)
def test_equal_generators_give_equal_losses(name: str) -> None:
    one, again = (build(name)(views(build(name)), LABELS, ROWS, generator()).loss.item() for _ in range(2))
    assert one == again


@pytest.mark.parametrize("name", TRAINABLE)
def test_comparison_equals_the_loss(name: str) -> None:
    """In eval mode with all stored keys the loss of the anatomy equals the loss of the method."""
    method = build(name, negatives=INSTANCES - 1).eval()
    pair = [torch.rand(N, 3, 16, 16) for _ in range(2)]
    with torch.no_grad():
        z = torch.cat([z_of(method, view) for view in pair])
        breakdown = method.loss_breakdown(z, LABELS, ROWS, method.stored_keys(ROWS, INSTANCES))
        rows, columns = breakdown.anatomy.cosines.shape
        assert rows in ((8,) if method.compares_dimensions else (N, 2 * N))
        assert len(breakdown.kinds) == len(breakdown.ids) == columns
        assert (breakdown.anatomy.positive.sum(1) >= 1).all()
        stored = method.stored_keys(ROWS, INSTANCES)
        if isinstance(method, NCEBank | InfoNCEBank):  # draws its own keys, so the loss is computed here
            assert stored is not None
            own, drawn = stored.keys[:N], stored.keys[N:]
            assert torch.equal(own, method.bank.keys[ROWS])
            left_out = stored.instances[N:][None] == ROWS[:, None]
            if isinstance(method, InfoNCEBank):
                expected = losses.info_nce(z[:N], own, drawn, 0.3, left_out)
            else:
                unit = F.normalize(z[:N], dim=1)
                log_kq, log_z = math.log(len(drawn) / INSTANCES), 4.25
                method.log_z.fill_(log_z)
                breakdown = method.loss_breakdown(z, LABELS, ROWS, stored)
                data, noise = (unit * own).sum(1) / 0.3 - log_z, unit @ drawn.T / 0.3 - log_z
                expected = losses.nce(data, noise, log_kq, log_kq, left_out)
            assert breakdown.anatomy.loss == pytest.approx(expected.item(), rel=1e-4)
            return
        loss = method(pair[: method.views], LABELS, ROWS, generator()).loss.item()
    if name == "cross-entropy":  # compares both views, trains on one
        loss = F.cross_entropy(z, LABELS.repeat(2)).item()
    assert breakdown.anatomy.loss == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("name", TRAINABLE)
def test_inference_state_is_sufficient(name: str) -> None:
    method, fresh = build(name), build(name, seed=1)
    method(views(method), LABELS, ROWS, generator())
    method.after_step()
    state = {key: value.clone() for key, value in method.inference_state().items()}
    assert not any(key.startswith(("key_", "target_")) for key in state)
    fresh.load_inference_state(state)
    x = torch.rand(2, 3, 16, 16)
    assert torch.equal(z_of(method.eval(), x), z_of(fresh.eval(), x))
    with pytest.raises(RuntimeError, match="missing"):
        fresh.load_inference_state({})


@pytest.mark.parametrize("name", ["nce-bank", "infonce-bank"])
def test_large_bank_is_not_saved_with_a_finished_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method, small = build(name), build(name, seed=1)
    small.load_inference_state(method.inference_state())
    saved = small.stored_keys(ROWS, 4)
    assert saved is not None
    assert saved.saved
    monkeypatch.setattr(memory_bank, "MAX_SAVED_KEYS", INSTANCES - 1)
    state = method.inference_state()
    assert "bank.keys" not in state
    large = build(name, seed=1)
    large.load_inference_state(state)
    missing = large.stored_keys(ROWS, 4)
    assert missing is not None
    assert not missing.saved
    assert torch.equal(missing.instances, saved.instances)
    assert "bank.keys" in method.state_dict()  # needed to resume


@pytest.mark.parametrize("count", [2, 3, 5, 7, 8])
def test_moco_parts_have_at_least_two_images(count: int) -> None:
    """Batch statistics of a single image are undefined."""
    method = moco(batch_norm_splits=4)
    pair = [torch.rand(count, 3, 16, 16) for _ in range(2)]
    assert torch.isfinite(method(pair, LABELS[:count], ROWS[:count], generator()).loss)
