"""Views drawn in the browser: each a Python function, a .js and a .css file of the same name."""

from cl_core.ui.components.embedding_map import embedding_map
from cl_core.ui.components.figure_view import figure_view
from cl_core.ui.components.image_rows import picture_rows
from cl_core.ui.components.image_upload import picture_upload
from cl_core.ui.components.laboratory import laboratory
from cl_core.ui.components.menu import menu
from cl_core.ui.components.microscope import microscope
from cl_core.ui.components.pair_view import pair_view
from cl_core.ui.components.twin_maps import twin_maps

__all__ = [
    "embedding_map",
    "figure_view",
    "laboratory",
    "menu",
    "microscope",
    "pair_view",
    "picture_rows",
    "picture_upload",
    "twin_maps",
]
