"""The joined script of every component is JavaScript: no part takes another's name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import gradio as gr

from cl_core.ui.build import build_app


def test_every_joined_script_is_valid(tmp_path: Path) -> None:
    scripts = {block.js_on_load for block in build_app().blocks.values() if isinstance(block, gr.HTML) and block.js_on_load}
    assert len(scripts) > 5
    for i, script in enumerate(sorted(scripts)):
        file = tmp_path / f"{i}.js"
        file.write_text(f"function run(element, props, trigger, watch, server, upload) {{\n{script}\n}}\n", encoding="utf-8")
        done = subprocess.run(["node", "--check", file], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
