"""A link is untrusted: what a control does not offer is refused, and named."""

from __future__ import annotations

import itertools
from typing import Any

import gradio as gr
import pytest

from cl_core.errors import UserError
from cl_core.ui import links
from cl_core.ui.build import build_app
from cl_core.ui.links import LinkedControl, restore


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What notices say."""
    notices: list[str] = []
    monkeypatch.setattr(links.gr, "Warning", notices.append)
    return notices


@pytest.fixture(scope="module")
def kept() -> list[LinkedControl]:
    with gr.Blocks():
        return [
            LinkedControl("share", gr.Slider(0, 1, 0.5)),
            LinkedControl("seed", gr.Number(1)),
            LinkedControl("space", gr.Radio([("Trained", "trained"), ("Pixels", "pixels")], value="trained")),
            LinkedControl("runs", gr.CheckboxGroup(["a", "b"])),
            LinkedControl("word", gr.Textbox("dog")),
            LinkedControl("on", gr.Checkbox(True)),
        ]


def values(updates: list[Any]) -> list[Any]:
    return [update.get("value", "kept") if isinstance(update, dict) else "kept" for update in updates]


def test_what_controls_offer_is_taken(kept: list[LinkedControl], said: list[str]) -> None:
    query = {"share": "0.25", "seed": "7", "space": "pixels", "runs": "b,a", "word": "红 <b>", "on": "false", "__theme": "x"}
    assert values(restore(kept, query)) == [0.25, 7, "pixels", ["b", "a"], "红 <b>", False]
    assert said == []


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("share", "banana"), ("share", "nan"), ("share", "1.01"), ("share", "inf"), ("share", ""), ("seed", "-1"),
        ("seed", "99999999999"), ("space", "Trained"), ("space", "<script>"), ("runs", "a,c"), ("on", "yes"),
        ("word", "x" * 201), ("word", "x" * 10**6),
    ],
)  # fmt: skip
def test_anything_else_leaves_the_default_and_is_named(kept: list[LinkedControl], said: list[str], name: str, raw: str) -> None:
    query = {"seed": "3", name: raw} if name != "seed" else {name: raw}
    updates = dict(zip([each.name for each in kept], values(restore(kept, query)), strict=True))
    assert updates[name] == "kept"
    if name != "seed":
        assert updates["seed"] == 3
    assert len(said) == 1
    assert f"({name})" in said[0]
    assert raw not in said[0] or not raw


def test_a_value_that_cannot_be_read_leaves_the_others(kept: list[LinkedControl], said: list[str]) -> None:
    def damaged(raw: str, before: Any) -> str:
        raise UserError("data.no_such_dataset", name=raw, choices="")

    query = {"image": "cat", "seed": "7"}
    assert values(restore([LinkedControl("image", gr.Textbox("dog"), read=damaged), *kept], query))[:3] == ["kept", "kept", 7]
    assert len(said) == 1 and "(image)" in said[0]


PATHS = ("Folder or archive on this computer", "本机上的文件夹或压缩包")


def test_every_control_is_kept_in_the_link() -> None:
    """But for uploads, which no link can hold, the hidden ones of the page itself, where a run is published, and paths."""
    app = build_app()
    kept = {target for fn in app.fns.values() if "contrastiveLink.set" in str(fn.js) for target, _ in fn.targets}
    kinds = (gr.Slider, gr.Radio, gr.Dropdown, gr.CheckboxGroup, gr.Checkbox, gr.Textbox)
    controls = [block for block in app.blocks.values() if isinstance(block, kinds) and block.visible]
    assert len(controls) > 40
    left_out = [str(block.label) for block in controls if block._id not in kept]
    private = ["Make it private (only if the repository is new)", "设为私有（仅限新建的仓库）"]
    assert sorted(left_out) == sorted(["Repository", "仓库", *private, *PATHS])


def test_links_of_earlier_versions_say_the_same(said: list[str]) -> None:
    with gr.Blocks():
        controls = [
            LinkedControl("tab", read=lambda raw, _: links.one_of(raw, ["views", "loss"])),
            LinkedControl("gray", gr.Slider(0, 1, 0.2)),
        ]
    assert values(restore(controls, {"tab": "pairs", "grey": "0.5"})) == [0.5]
    assert links.renamed({"contest-methods": "simclr"}) == {"comparison-methods": "simclr"}
    assert links.renamed({"tab": "broken", "points": "pictures", "centre": "dog"}) == {
        "tab": "ablations",
        "points": "images",
        "center": "dog",
    }
    assert not said


def test_no_two_events_share_two_calls() -> None:
    """Gradio would repeat one because of the other, without end; see `page.any_of`."""
    calls: dict[tuple[int | None, str], set[int]] = {}
    for fn in build_app().fns.values():
        if fn.fn is not None and fn.trigger_mode == "always_last":
            for target in fn.targets:
                calls.setdefault(target, set()).add(fn._id)
    assert len(calls) > 50
    for (one, its), (other, others) in itertools.combinations(calls.items(), 2):
        assert len(its & others) < 2, (one, other)
