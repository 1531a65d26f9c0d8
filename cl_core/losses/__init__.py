"""Contrastive losses: pure functions of tensors, one file for each family."""

from cl_core.losses.cross_correlation import barlow_chance_level, barlow_twins, cross_correlation
from cl_core.losses.hard_negatives import hard_negative_nt_xent
from cl_core.losses.info_nce import (
    bank_chance_level,
    decoupled_chance_level,
    decoupled_nt_xent,
    decoupled_weights,
    info_nce,
    info_nce_views,
    views_chance_level,
)
from cl_core.losses.nce import log_partition, nce, nce_chance_level, nce_terms, negative_sampling
from cl_core.losses.negative_cosine import negative_cosine
from cl_core.losses.nt_xent import chance_level, false_negatives, nt_xent, same_class
from cl_core.losses.sigmoid import sigmoid_chance_level, sigmoid_loss
from cl_core.losses.sup_con import SupConForm, left_out_anchors, sup_con
from cl_core.losses.vicreg import VICRegTerms, VICRegWeights, vicreg, vicreg_chance_level, vicreg_terms

__all__ = [
    "SupConForm",
    "VICRegTerms",
    "VICRegWeights",
    "bank_chance_level",
    "barlow_chance_level",
    "barlow_twins",
    "chance_level",
    "cross_correlation",
    "decoupled_chance_level",
    "decoupled_nt_xent",
    "decoupled_weights",
    "false_negatives",
    "hard_negative_nt_xent",
    "info_nce",
    "info_nce_views",
    "left_out_anchors",
    "log_partition",
    "nce",
    "nce_chance_level",
    "nce_terms",
    "negative_cosine",
    "negative_sampling",
    "nt_xent",
    "same_class",
    "sigmoid_chance_level",
    "sigmoid_loss",
    "sup_con",
    "vicreg",
    "vicreg_chance_level",
    "vicreg_terms",
    "views_chance_level",
]
