"""Several processes that train one model together, as `torchrun --nproc-per-node=N` starts them.

Each process makes and encodes its own shard of every batch. The embeddings are gathered, so that every process
computes the loss of the whole batch, with all its negatives; what it differentiates is that loss by its own shard.
The shards' gradients then add up to the gradient of one process that has the whole batch: nothing is averaged, and
nothing depends on how the batch was cut. For that the batch statistics, too, are those of the whole batch.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from cl_core.errors import UserError


class _Gather(torch.autograd.Function):
    """Everyone's rows, in order of rank; the gradient of one's own rows."""

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
    """The sum over all processes. Each process's part moves everyone's losses, so their gradients are summed, too."""

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
    """The processes of a training, and which of them this is; by default it is the only one."""

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        self.rank, self.size = rank, size
        self._device = device or torch.device("cpu")

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that measures, writes and speaks."""
        return self.rank == 0

    def shard(self, count: int) -> slice:
        """This process's rows of a batch of `count`, which must be divisible."""
        rows = count // self.size
        return slice(self.rank * rows, (self.rank + 1) * rows)

    def gather(self, values: Tensor) -> Tensor:
        """Rows of all processes' values (n, ...), in order: (count * n, ...), float32 if there are several."""
        return values if self.size == 1 else _Gather.apply(values.float().contiguous())

    def sum(self, values: Tensor) -> Tensor:
        """The sum of all processes' values, differentiable."""
        return values if self.size == 1 else _Sum.apply(values)

    @torch.no_grad()
    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every process the sum of all gradients, in one exchange."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        dist.all_reduce(flat)
        for gradient, total in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(total.view_as(gradient))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process; all must ask."""
        if self.size == 1:
            return flag
        votes = torch.tensor(float(flag), device=self._device)
        dist.all_reduce(votes)
        return bool(votes > 0)

    def barrier(self) -> None:
        """Until all processes are here."""
        self.any(False)


class SyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalization by the statistics of all processes' shards; torch's own needs CUDA for that.

    `sync_batch_norm` turns a network's layers into it; weights and names stay.
    """

    world: World

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        x = input.float()
        axes = [axis for axis in range(x.dim()) if axis != 1]
        shape = [1, -1, *(1 for _ in axes[1:])]
        count = x.numel() // x.shape[1] * self.world.size
        mean = self.world.sum(x.sum(axes)) / count
        centered = x - mean.view(shape)
        variance = self.world.sum(centered.square().sum(axes)) / count
        self._follow(mean.detach(), variance.detach() * count / max(1, count - 1))
        out = centered * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def sync_batch_norm(network: nn.Module, world: World) -> None:
    """Let every BatchNorm of a network use the statistics of the whole batch."""
    if world.size == 1:
        return
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.__class__ = SyncBatchNorm  # type: ignore[assignment]
            layer.world = world  # type: ignore[assignment]


@contextlib.contextmanager
def start_processes(device: str) -> Iterator[tuple[World, str]]:
    """Join the processes that torchrun started; without torchrun, be alone.

    Args:
        device: as asked for; on a machine with several GPUs each process takes the one of its local rank.

    Raises:
        UserError: more processes on this machine than it has GPUs.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield World(), device
        return
    local = int(os.environ["LOCAL_RANK"])
    cuda = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    if cuda:
        if local >= torch.cuda.device_count():
            raise UserError(
                f"This machine has {torch.cuda.device_count()} CUDA devices, fewer than processes: "
                "give torchrun --nproc-per-node that number, or train with --device cpu."
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size(), torch.device(device) if cuda else None), device
    finally:
        dist.destroy_process_group()
