"""Deploy the app as a Space: the files it needs, in one commit."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from huggingface_hub import SpaceHardware

from cl_core.errors import UserError, quoted
from cl_core.hub.client import api, hub_errors, require_token
from cl_core.runs.hub_names import NEWEST, hub_name
from cl_core.runs.store import shipped_runs
from cl_core.system.paths import CHECKPOINTS, PACKAGE, ROOT
from cl_core.words.folder import shipped_words

MAX_SPACE = 64_000_000  # bytes; checkpoints may have 40_000_000 of them
PROGRAM = ["app.py", "LICENSE", "requirements.txt", "assets/favicon.svg", "assets/sketches.json", "assets/ablations.json"]
# With their licenses; without screenshots, benchmark results and the script that built them.
DATA = ["assets/doctor", "assets/emoji", "assets/fashion", "assets/keys", "assets/mnist", "assets/wordnet"]
EXCLUDED = {"__pycache__", ".DS_Store", "_shipped"}  # the last is where a wheel keeps data
HARDWARE = [each.value for each in SpaceHardware]


def space_files(checkpoints: list[str] | None = None) -> dict[str, Path]:
    """The files of the Space except README.md, by their path in it.

    Args:
        checkpoints: names of the shipped checkpoints to include; None includes all.

    Raises:
        UserError: there is no such checkpoint, or none of them is a model of images.
    """
    images = [folder.name for folder in shipped_runs()]
    shipped = [*images, *(folder.name for folder in shipped_words())]
    chosen = shipped if checkpoints is None else checkpoints
    unknown = [name for name in chosen if name not in shipped]
    if unknown:
        raise UserError("hub.no_checkpoint", name=quoted(unknown[0]), choices=", ".join(shipped))
    if not set(chosen) & set(images):
        raise UserError("hub.no_image_model", choices=", ".join(images))
    paths = [ROOT / name for name in [*PROGRAM, *DATA]]
    paths += [CHECKPOINTS / name for name in chosen]
    if checkpoints is None:  # precomputed maps of untrained encoders
        paths += sorted(folder for folder in CHECKPOINTS.iterdir() if folder.is_dir() and folder.name not in shipped)
    # In a wheel, code and data are apart.
    return _files(PACKAGE, [PACKAGE], "cl_core/") | _files(ROOT, paths)


def _files(root: Path, paths: list[Path], prefix: str = "") -> dict[str, Path]:
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    named = {file.relative_to(root): file for file in files if file.is_file() and not file.name.endswith((".pyc", ".test.js"))}
    return {f"{prefix}{name.as_posix()}": file for name, file in named.items() if not EXCLUDED & set(name.parts)}


def space_readme() -> str:
    """README.md of the Space: the project's front matter, which pins the tested versions, and the introduction."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    introduction = body.split("\n![", 1)[0].strip()
    return f"---\n{front}---\n\n{introduction}\n"


def write_space(target: Path, checkpoints: list[str] | None = None) -> None:
    """Write the files of the Space to the folder `target`."""
    for name, source in space_files(checkpoints).items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / name)
    (target / "README.md").write_text(space_readme(), encoding="utf-8")


def deploy(text: str, hardware: str | None = None, checkpoints: list[str] | None = None, private: bool = False) -> str:
    """Create or update the Space OWNER/NAME; returns its address.

    Other files of the Space are deleted.

    Args:
        hardware: one of `HARDWARE`; None keeps that of the Space, which is cpu-basic for a new one.
        checkpoints: as for `space_files`.
        private: create the Space as private; without effect if it exists.

    Raises:
        UserError: an unknown checkpoint or hardware, no token, too many bytes, or the Hub refuses.
    """
    name = hub_name(text)
    if name.revision != NEWEST:
        raise UserError("hub.space_revision", repository=name.repository, revision=name.revision)
    if hardware is not None and hardware not in HARDWARE:
        raise UserError("hub.no_hardware", name=quoted(hardware), choices=", ".join(HARDWARE))
    size = sum(file.stat().st_size for file in space_files(checkpoints).values())
    if size > MAX_SPACE:
        raise UserError("hub.space_too_large", mb=f"{size / 1e6:.0f}", most=f"{MAX_SPACE / 1e6:.0f}")
    require_token(name.repository)
    with tempfile.TemporaryDirectory() as folder:
        write_space(Path(folder), checkpoints)
        with hub_errors(name.repository):
            client = api()
            address = client.create_repo(name.repository, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
            client.upload_folder(
                repo_id=name.repository,
                repo_type="space",
                folder_path=folder,
                delete_patterns="*",
                commit_message="Contrastive Explorer",
            )
            if hardware is not None:
                client.request_space_hardware(name.repository, SpaceHardware(hardware))
    return str(address)
