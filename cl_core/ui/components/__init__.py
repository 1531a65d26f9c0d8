"""Views drawn in the browser: each a Python function, a .js and a .css file of the same name."""

from cl_core.ui.components.cluster_view import cluster_view
from cl_core.ui.components.embedding_map import embedding_map
from cl_core.ui.components.figure_view import figure_view
from cl_core.ui.components.image_drop import image_drop
from cl_core.ui.components.image_rows import image_rows
from cl_core.ui.components.image_upload import image_upload
from cl_core.ui.components.key_step import key_step
from cl_core.ui.components.keys_view import keys_view
from cl_core.ui.components.loss_microscope import loss_microscope
from cl_core.ui.components.menu import menu
from cl_core.ui.components.nce_table import nce_table
from cl_core.ui.components.pair_view import pair_view
from cl_core.ui.components.search_queries import search_queries
from cl_core.ui.components.setting_table import setting_table
from cl_core.ui.components.spectrum_view import spectrum_view
from cl_core.ui.components.start_view import start_view
from cl_core.ui.components.temperature_lab import temperature_lab
from cl_core.ui.components.tour_panel import tour_panel
from cl_core.ui.components.twin_maps import twin_maps
from cl_core.ui.components.why_view import why_view

__all__ = [
    "cluster_view",
    "embedding_map",
    "figure_view",
    "image_drop",
    "image_rows",
    "image_upload",
    "key_step",
    "keys_view",
    "loss_microscope",
    "menu",
    "nce_table",
    "pair_view",
    "search_queries",
    "setting_table",
    "spectrum_view",
    "start_view",
    "temperature_lab",
    "tour_panel",
    "twin_maps",
    "why_view",
]
