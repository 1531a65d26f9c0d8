"""The app as a Space: exactly the files it needs, in one commit."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from huggingface_hub import SpaceHardware

from cl_core.errors import UserError
from cl_core.hub.client import api, in_words, need_token
from cl_core.runs.hub_names import NEWEST, hub_name
from cl_core.runs.store import shipped_runs
from cl_core.system.paths import CHECKPOINTS, ROOT
from cl_core.words.run_folder import shipped_words

LARGEST = 60_000_000  # bytes
PROGRAM = ["app.py", "LICENSE", "requirements.txt", "cl_core", "assets/favicon.svg"]
# Beside the data lies its license; screenshots, benchmarks and the scripts that built the data stay at home.
DATA = ["assets/emoji", "assets/fashion", "assets/mnist", "assets/wordnet"]
NOT_SENT = {"__pycache__", ".DS_Store"}
HARDWARE = [each.value for each in SpaceHardware]


def space_files(checkpoints: list[str] | None = None) -> dict[str, Path]:
    """The files of the Space by their place in it, all but its page; of the shipped checkpoints all, or those named.

    Raises:
        UserError: no such checkpoint, or none on images among them.
    """
    images = [folder.name for folder in shipped_runs()]
    shipped = [*images, *(folder.name for folder in shipped_words())]
    chosen = shipped if checkpoints is None else checkpoints
    unknown = [name for name in chosen if name not in shipped]
    if unknown:
        raise UserError(f"There is no checkpoint {unknown[0]!r}: choose among {', '.join(shipped)}.")
    if not set(chosen) & set(images):
        raise UserError(f"The app needs a model of images: add one of {', '.join(images)}.")
    places = [ROOT / name for name in [*PROGRAM, *DATA]]
    places += [CHECKPOINTS / name for name in chosen]
    if checkpoints is None:  # maps of untrained encoders, computed ahead
        places += sorted(folder for folder in CHECKPOINTS.iterdir() if folder.is_dir() and folder.name not in shipped)
    found = [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*")))]
    kept = [file for file in found if file.is_file() and not NOT_SENT & set(file.parts) and file.suffix != ".pyc"]
    return {file.relative_to(ROOT).as_posix(): file for file in kept}


def space_page() -> str:
    """README.md of the Space: the project's front matter, which pins what was tested, and its first words."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, front, rest = text.split("---\n", 2)
    first = rest.split("\n![", 1)[0].strip()
    return f"---\n{front}---\n\n{first}\n"


def write_space(target: Path, checkpoints: list[str] | None = None) -> None:
    """Write what is deployed to the folder `target`."""
    for place, source in space_files(checkpoints).items():
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / place)
    (target / "README.md").write_text(space_page(), encoding="utf-8")


def deploy(text: str, hardware: str | None = None, checkpoints: list[str] | None = None, private: bool = False) -> str:
    """Make the Space OWNER/NAME, or bring it up to date; gives its address.

    Afterwards it holds these files and no others. `private` counts when it is made; without `hardware` it keeps what it
    has (cpu-basic when it is made).

    Raises:
        UserError: an unknown checkpoint or hardware, no token, too many bytes, or the Hub refuses.
    """
    name = hub_name(text)
    if name.revision != NEWEST:
        raise UserError(f"A Space shows the newest of its files: give {name.repository} without @{name.revision}.")
    if hardware is not None and hardware not in HARDWARE:
        raise UserError(f"There is no hardware {hardware!r}: choose one of {', '.join(HARDWARE)}.")
    size = sum(file.stat().st_size for file in space_files(checkpoints).values())
    if size > LARGEST:
        raise UserError(f"The Space would hold {size / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}: choose fewer --checkpoints.")
    need_token(name.repository)
    with tempfile.TemporaryDirectory() as folder:
        write_space(Path(folder), checkpoints)
        with in_words(name.repository):
            client = api()
            place = client.create_repo(name.repository, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
            client.upload_folder(
                repo_id=name.repository,
                repo_type="space",
                folder_path=folder,
                delete_patterns="*",
                commit_message="Contrastive Explorer",
            )
            if hardware is not None:
                client.request_space_hardware(name.repository, SpaceHardware(hardware))
    return str(place)
