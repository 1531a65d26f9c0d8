"""Distributed data-parallel training of one model, as `torchrun --nproc-per-node=N` starts it.

Each process makes and encodes its own shard of every batch. Embeddings are gathered, so that every process computes the
loss of the whole batch with all its negatives and differentiates it by its own shard. The sum of the shards' gradients is
then the gradient of one process with the whole batch, however the batch is split. For that, batch statistics are those of
the whole batch, too.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.parallel import DistributedDataParallel

from cl_core.errors import UserError


class _Gather(torch.autograd.Function):
    """The rows of all processes, by rank; gradients flow to the rows of this process alone."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        parts = [torch.empty_like(values) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, values)
        ctx.count = len(values)
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        start = dist.get_rank() * ctx.count
        return gradient[start : start + ctx.count]


class _Sum(torch.autograd.Function):
    """The sum over all processes. Each summand is part of every process's loss, so the gradients are summed, too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class World:
    """The processes of a training run and the rank of this one; by default it is the only one."""

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        self.rank, self.size = rank, size
        self._device = device or torch.device("cpu")

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which measures, writes and prints."""
        return self.rank == 0

    def shard(self, count: int) -> slice:
        """This process's rows of a batch of `count`, a multiple of the number of processes."""
        rows = count // self.size
        return slice(self.rank * rows, (self.rank + 1) * rows)

    def gather(self, values: Tensor) -> Tensor:
        """The rows (n, ...) of all processes, by rank: (size * n, ...), float32 with several processes."""
        return values if self.size == 1 else _Gather.apply(values.float().contiguous())

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, differentiable."""
        return values if self.size == 1 else _Sum.apply(values)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process; all processes must call this."""
        if self.size == 1:
            return flag
        votes = torch.tensor(float(flag), device=self._device)
        dist.all_reduce(votes)
        return bool(votes > 0)

    def barrier(self) -> None:
        """Wait until all processes have reached this call."""
        self.any(False)


def _start_sum(gradients: Tensor) -> torch.futures.Future[Tensor]:
    """The sum of a bucket of gradients over all processes, once it is there."""
    return dist.all_reduce(gradients, async_op=True).get_future().then(lambda future: future.value()[0])


def data_parallel(network: nn.Module, world: World) -> nn.Module:
    """The module to call in a training step: `network` itself where there is one process, else `sum_gradients` of it."""
    return network if world.size == 1 else sum_gradients(network)


def sum_gradients(network: nn.Module) -> nn.Module:
    """A module whose backward pass leaves the summed gradients in every process.

    Every trainable parameter must take part in every step. Buffers are not exchanged: running statistics are equal
    anyway, or, where MoCo splits the batch, belong to the process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # renamed to forward_sync_buffers in recent versions of torch
        parallel = DistributedDataParallel(network, broadcast_buffers=False)
    # By default gradients are averaged. The hook sums them exactly.
    parallel.register_comm_hook(None, lambda _, bucket: _start_sum(bucket.buffer()))
    return parallel


class CPUSyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalization with the statistics of all processes' shards, on the CPU; `torch.nn.SyncBatchNorm` needs CUDA.

    Submodules, such as the activation of timm's BatchNormAct2d, are applied to the result.
    """

    def __init__(self, layer: nn.modules.batchnorm._BatchNorm, world: World) -> None:
        """Take over the parameters, buffers and submodules of a BatchNorm layer."""
        super().__init__(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        self.world = world
        self.weight, self.bias = layer.weight, layer.bias
        self.running_mean, self.running_var = layer.running_mean, layer.running_var
        self.num_batches_tracked = layer.num_batches_tracked
        for name, child in layer.named_children():
            self.add_module(name, child)
        self.train(layer.training)

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        out = self._normalize(input) if self.training else super().forward(input)
        for child in self.children():
            out = child(out)
        return out

    def _normalize(self, input: Tensor) -> Tensor:
        x = input.float()
        axes = [axis for axis in range(x.dim()) if axis != 1]
        shape = [1, -1, *(1 for _ in axes[1:])]
        count = x.numel() // x.shape[1] * self.world.size
        mean = self.world.sum(x.sum(axes)) / count
        centered = x - mean.view(shape)
        variance = self.world.sum(centered.square().sum(axes)) / count
        self._update_statistics(mean.detach(), variance.detach() * count / max(1, count - 1))
        out = centered * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(input.dtype)

    @torch.no_grad()
    def _update_statistics(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def sync_batch_norm(network: nn.Module, world: World, device: torch.device) -> None:
    """Replace every BatchNorm layer inside a network by one with the statistics of the whole batch.

    Parameters, buffers and their names stay. On CUDA the layers are `torch.nn.SyncBatchNorm`, on the CPU `CPUSyncBatchNorm`.
    """
    if world.size == 1:
        return
    if device.type == "cuda":
        from timm.layers import convert_sync_batchnorm  # torch's conversion, which also knows timm's norm with activation

        convert_sync_batchnorm(network)
        return
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            network.add_module(name, CPUSyncBatchNorm(child, world))
        else:
            sync_batch_norm(child, world, device)


@contextlib.contextmanager
def start_processes(device: str) -> Iterator[tuple[World, str]]:
    """Join the processes that torchrun started; without torchrun there is only this one.

    Args:
        device: a device name or `auto`; with several GPUs each process takes the one of its local rank.

    Raises:
        UserError: there are more processes on this machine than GPUs.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield World(), device
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))  # some launchers start one process a machine
    cuda = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    if cuda:
        if local >= torch.cuda.device_count():
            raise UserError("training.too_few_gpus", devices=torch.cuda.device_count())
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size(), torch.device(device) if cuda else None), device
    finally:
        dist.destroy_process_group()
