"""Contrastive methods and baselines by name: networks and loss."""

from __future__ import annotations

from cl_core.networks.methods.barlow_twins import BarlowTwins
from cl_core.networks.methods.base import DataShape, LossBreakdown, Method, MethodOutput, MethodSettings, Shard, StoredKeys
from cl_core.networks.methods.byol import BYOL
from cl_core.networks.methods.cross_entropy import CrossEntropy
from cl_core.networks.methods.dcl import DCL
from cl_core.networks.methods.hcl import HCL
from cl_core.networks.methods.memory_bank import InfoNCEBank, NCEBank
from cl_core.networks.methods.moco import MoCo
from cl_core.networks.methods.pretrained import Pretrained
from cl_core.networks.methods.siglip import SigLIP
from cl_core.networks.methods.simclr import SimCLR
from cl_core.networks.methods.simsiam import SimSiam
from cl_core.networks.methods.sup_con import SupCon
from cl_core.networks.methods.vicreg import VICReg

METHODS: dict[str, type[Method]] = {
    "simclr": SimCLR,
    "simsiam": SimSiam,
    "byol": BYOL,
    "barlow-twins": BarlowTwins,
    "vicreg": VICReg,
    "dcl": DCL,
    "hcl": HCL,
    "siglip": SigLIP,
    "moco": MoCo,
    "nce-bank": NCEBank,
    "infonce-bank": InfoNCEBank,
    "supcon": SupCon,
    "cross-entropy": CrossEntropy,
    "pretrained": Pretrained,
}
TRAINABLE = [name for name, method in METHODS.items() if method.trainable]

__all__ = [
    "METHODS",
    "TRAINABLE",
    "DataShape",
    "LossBreakdown",
    "Method",
    "MethodOutput",
    "MethodSettings",
    "Shard",
    "StoredKeys",
]
