"""Components of the browser side: how their values travel."""

from __future__ import annotations

import json
import math

import numpy as np

from cl_core.ui.components import image_rows


def test_a_value_reaches_the_page_as_one_text() -> None:
    """Gradio's page copies a value part by part at each later event: large ones made every tab slow."""
    view = image_rows(None)
    value = {"rows": [], "loss": math.nan, "point": np.float32(0.5), "name": "红 </script>"}
    sent = view.postprocess(value)
    assert isinstance(sent, str)
    assert json.loads(sent) == {"rows": [], "loss": None, "point": 0.5, "name": "红 </script>"}
    assert view.postprocess(None) is None, "nothing is drawn before the first answer"
    assert view.get_block_name() == "html", "the page draws it by Gradio's own component"
    assert json.loads(image_rows({"rows": []}).value) == {"rows": []}
