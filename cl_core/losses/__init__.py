"""Contrastive losses: pure functions of tensors, one file for each family."""

from cl_core.losses.info_nce import bank_chance_level, info_nce, info_nce_ratio, info_nce_views, ratio_chance_level
from cl_core.losses.nce import log_partition, nce, nce_chance_level, nce_terms, negative_sampling
from cl_core.losses.negative_cosine import negative_cosine
from cl_core.losses.nt_xent import chance_level, false_negatives, nt_xent
from cl_core.losses.sup_con import SupConForm, left_out_anchors, sup_con

__all__ = [
    "SupConForm",
    "bank_chance_level",
    "chance_level",
    "false_negatives",
    "info_nce",
    "info_nce_ratio",
    "info_nce_views",
    "left_out_anchors",
    "log_partition",
    "nce",
    "nce_chance_level",
    "nce_terms",
    "negative_cosine",
    "negative_sampling",
    "nt_xent",
    "ratio_chance_level",
    "sup_con",
]
