"""What a Space gives: the deployed files, which cannot be written, no home, another user, no way out."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from cl_core.augment.views import COMPILED_FROM
from cl_core.hub.deploy import write_space
from tests.browser.conftest import PATIENCE_MS, READY, free_port, open_tab, serious

NOBODY = 65534


def as_another_user() -> list[str]:
    """Run without root's rights to write anywhere; whoever is not root has none.

    Reading stays, for the interpreter may lie in root's own folder, and a training starts it once more.
    """
    if os.geteuid() != 0:
        return []
    reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *reads]


@contextlib.contextmanager
def space(tmp_path: Path, checkpoints: list[str] | None, **variables: str) -> Iterator[str]:
    """Address of the deployed app; fails if it printed a traceback or wrote beside its files. variables: the Space's own."""
    checkout, temporary, log = tmp_path / "checkout", tmp_path / "tmp", tmp_path / "log"
    checkout.mkdir()
    temporary.mkdir(mode=0o777)
    temporary.chmod(0o777)
    write_space(checkout, checkpoints)
    for path in [checkout, *checkout.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in tmp_path.relative_to("/tmp").parents if tmp_path.is_relative_to("/tmp") else []:
        if str(parent) != ".":
            (Path("/tmp") / parent).chmod(0o755)
    tmp_path.chmod(0o755)
    before = sorted(checkout.rglob("*"))
    port = free_port()
    kept = {"PATH", "LANG", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "OMP_WAIT_POLICY"}
    environment = {key: value for key, value in os.environ.items() if key in kept} | {
        "HOME": "/nonexistent",
        "TMPDIR": str(temporary),
        "GRADIO_TEMP_DIR": str(temporary / "gradio"),
        "HTTP_PROXY": "http://127.0.0.1:9",  # nobody listens there: what leaves the machine fails
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
        "GRADIO_SERVER_PORT": str(port),
        "SPACE_ID": "someone/explorer",
        "CPU_CORES": "2",
        "MEMORY": "16Gi",
        **variables,
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [*as_another_user(), sys.executable, "app.py"],
            cwd=checkout,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + 120
        while True:
            try:
                opener.open(f"http://127.0.0.1:{port}/", timeout=5)
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/"
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.terminate()
        process.wait(timeout=30)
    if checkpoints is not None:
        # Its cache is beside its source, in a home, or in ours; numba refuses to load it where it has none.
        kernel = [sys.executable, "-c", "import cl_core.augment.kernel"]
        subprocess.run([*as_another_user(), *kernel], cwd=checkout, env=environment, check=True)
    assert sorted(checkout.rglob("*")) == before


@pytest.mark.parametrize("checkpoints", [None, ["emoji-simclr-small"]], ids=["all", "one"])
def test_the_deployed_files_are_an_app(
    tmp_path: Path, wide: BrowserContext, private_cache: Callable[[], str], checkpoints: list[str] | None
) -> None:
    problems: list[str] = []
    variables = {"CL_SHARED": "1", "CL_CACHE_DIR": private_cache()} if checkpoints is None else {}  # a disk of its own
    with space(tmp_path, checkpoints, **variables) as url:
        page = wide.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(url)
        page.wait_for_selector(".cl-door")
        open_tab(page, "Views")
        page.wait_for_selector(READY["views"])
        open_tab(page, "Loss")
        page.wait_for_selector(READY["loss"])
        expect(
            page.get_by_text("This page runs on a machine with 2 CPU cores and 16 GB of memory, without a GPU.")
        ).to_be_visible()
        expect(page.get_by_text("Private repositories are off on a Space")).to_be_visible()
        open_tab(page, "Models")
        if checkpoints is None:  # its owner trusts who comes
            page.fill("#models-pull-name input", "someone/run")
            page.click("#models-pull")
            expect(page.get_by_text("The Hub could not be reached")).to_be_visible()
        else:  # views without their models say so
            expect(page.locator("#models-off")).to_contain_text("Pulling and publishing are off here")
            expect(page.locator("#models-publish, #models-pull, #models-import")).to_have_count(0)
            page.goto(
                url
                + "?tab=train&train-dataset=digits&train-encoder=mlp&train-epochs=1&train-other=--image-size 16 --snapshots 0"
                + f" --batch-size {COMPILED_FROM - 1}"  # the kernel, which this one does without, would be compiled first
            )
            expect(page.get_by_text("Visitors take turns of 15 minutes")).to_be_visible()
            expect(page.locator("#train-status")).to_contain_text("Nothing was trained here yet")
            page.click("#train-start")
            expect(page.locator("#train-status")).to_contain_text("digits-simclr-1 is finished", timeout=3 * PATIENCE_MS)
            open_tab(page, "Ablations")
            expect(page.get_by_text("The runs of these experiments are not among the models here.")).to_be_visible()
            open_tab(page, "Words")
            expect(page.get_by_text("There is no model of words")).to_be_visible()
            open_tab(page, "Compare")
            page.wait_for_selector(READY["compare"])
        page.close()
    assert not serious(problems)
