"""Find a Chromium, or install one: `python -m tests.browser.install`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# The shell without windows first: it starts quicker and leaves more of two cores to the tests.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """Path of a Chromium: one that the system has, or Playwright's own."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    shells = [path for path in own.parents[2].glob("chromium_headless_shell-*/*/*headless*shell") if os.access(path, os.X_OK)]
    return next((str(path) for path in [*shells, own] if path.is_file()), None)


def _run(*command: str) -> bool:
    print("+", *command, flush=True)
    return subprocess.run(command, check=False).returncode == 0


def install_browser() -> None:
    """By the system's package manager where it may be used, else by Playwright."""
    if shutil.which("apt-get"):
        prefix = () if os.geteuid() == 0 else ("sudo", "-n")
        _run(*prefix, "apt-get", "update", "-qq")
        for package in NAMES[:2]:
            if _run(*prefix, "apt-get", "install", "-y", "-qq", "--no-install-recommends", package):
                return
    _run(sys.executable, "-m", "playwright", "install", "chromium")


def main() -> int:
    if find_browser() is None:
        install_browser()
    browser = find_browser()
    if browser is None:
        print("error: no Chromium was found or could be installed; install one and start again.", file=sys.stderr)
        return 2
    print(f"browser: {browser}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
