"""Contrastive losses: pure functions of tensors, one file for each family."""

from cl_core.losses.cross_correlation import barlow_twins, barlow_twins_chance_level, cross_correlation
from cl_core.losses.hard_negatives import hard_negative_nt_xent
from cl_core.losses.info_nce import (
    decoupled_nt_xent,
    decoupled_nt_xent_chance_level,
    decoupled_weights,
    info_nce,
    info_nce_chance_level,
    info_nce_views,
    info_nce_views_chance_level,
)
from cl_core.losses.nce import log_partition, nce, nce_chance_level, nce_terms, negative_sampling
from cl_core.losses.negative_cosine import negative_cosine
from cl_core.losses.nt_xent import class_counts, false_negatives, nt_xent, nt_xent_chance_level
from cl_core.losses.sigmoid import sigmoid_chance_level, sigmoid_loss
from cl_core.losses.sup_con import SupConForm, left_out_anchors, sup_con
from cl_core.losses.vicreg import VICRegTerms, VICRegWeights, vicreg, vicreg_chance_level, vicreg_terms

__all__ = [
    "SupConForm",
    "VICRegTerms",
    "VICRegWeights",
    "barlow_twins",
    "barlow_twins_chance_level",
    "class_counts",
    "cross_correlation",
    "decoupled_nt_xent",
    "decoupled_nt_xent_chance_level",
    "decoupled_weights",
    "false_negatives",
    "hard_negative_nt_xent",
    "info_nce",
    "info_nce_chance_level",
    "info_nce_views",
    "info_nce_views_chance_level",
    "left_out_anchors",
    "log_partition",
    "nce",
    "nce_chance_level",
    "nce_terms",
    "negative_cosine",
    "negative_sampling",
    "nt_xent",
    "nt_xent_chance_level",
    "sigmoid_chance_level",
    "sigmoid_loss",
    "sup_con",
    "vicreg",
    "vicreg_chance_level",
    "vicreg_terms",
]
