"""A menu whose choices change while the page is open."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Sequence
from typing import Any

import gradio as gr


def _unchecked(_: gr.Dropdown, payload: Any) -> Any:
    if isinstance(payload, list):
        return [each for each in payload if isinstance(each, str)]
    return payload if isinstance(payload, str) else None


# As a class, for Gradio builds a menu anew when its choices change. By ABCMeta, for Gradio's own metaclass writes a stub
# beside the file a component is in. A template is drawn as what it is made from.
_Menu: type[gr.Dropdown] = ABCMeta.__new__(
    type(gr.Dropdown), "_Menu", (gr.Dropdown,), {"is_template": True, "preprocess": _unchecked, "__module__": __name__}
)


def menu(choices: Sequence[str] | Sequence[tuple[str, str]], **props: Any) -> gr.Dropdown:
    """A dropdown that passes the choice on without looking it up among its choices.

    Gradio stores changed choices in the session, which a restart of the server loses: it would then refuse every value of an
    open page. So the handler validates the value, as the model store does.
    """
    return _Menu(choices, **props)
