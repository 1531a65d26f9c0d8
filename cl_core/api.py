"""The functions behind `cl_core.load`, `train`, `datasets` and `models`."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from cl_core.data.registry import dataset_names
from cl_core.errors import UserError
from cl_core.explore.model import Model
from cl_core.explore.model_store import ModelStore
from cl_core.runs.events import StepDone
from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_names import is_hub_name
from cl_core.runs.store import find_run
from cl_core.system.device import choose_device
from cl_core.system.stop import StopRequest

ENCODER_OWNER = "timm/"  # its repositories hold encoders, not runs


@cache
def _store() -> ModelStore:
    return ModelStore()


def datasets() -> list[str]:
    """List the data sets on this machine: those that come with the project, then imported ones.

    Examples:
        >>> import cl_core
        >>> cl_core.datasets()[:4]
        ['emoji', 'fashion', 'mnist', 'digits']
    """
    return dataset_names()


def models() -> list[str]:
    """List the models on this machine: shipped, trained here, pulled from the Hub, public encoders.

    Examples:
        >>> import cl_core
        >>> "emoji-simclr" in cl_core.models()
        True
    """
    return _store().names(None)


def load(name: str | Path, dataset: str = "emoji") -> Model:
    """Load a model.

    Args:
        name: one of `models`, the folder of a run, OWNER/NAME[@REVISION] of a run on the Hugging Face Hub, or
            timm/NAME of one of timm's pretrained encoders on the Hub. What comes from the Hub is downloaded once.
        dataset: data set that an encoder of timm searches and maps; other models have their own.

    Returns:
        The model; it reads its weights at the first use.

    Raises:
        UserError: there is no such model, the Hub cannot be reached, or a file is damaged.

    Examples:
        >>> import cl_core
        >>> model = cl_core.load("emoji-simclr")
        >>> model.config.method, model.size
        ('simclr', 64)
    """
    text = str(name)
    if text in _store().names(None):
        return _store().get(text)
    if is_hub_name(text) and not Path(text).is_dir():
        return Model(_from_hub(text, dataset))
    return Model(find_run(text))


def _from_hub(name: str, dataset: str) -> RunFolder:
    if name.startswith(ENCODER_OWNER):
        from cl_core.hub.encoder import fetch_encoder

        return fetch_encoder(name, dataset)
    try:
        return find_run(name)
    except UserError:  # not pulled yet
        from cl_core.hub.pull import pull

        return pull(name)


def train(
    dataset: str = "emoji",
    method: str = "simclr",
    run: str | Path = "runs/mine",
    device: str = "auto",
    progress: Callable[[float], None] | None = None,
    **settings: Any,
) -> Model:
    """Train a model, or resume the unfinished run in the same folder.

    Ctrl-C stops without losing a step; the same call resumes. On the CPU a resumed run ends with the same weights as an
    uninterrupted one, bit for bit; on a GPU, whose kernels sum in changing order, nearly so.

    Args:
        dataset: one of `datasets`.
        method: one of `contrastive-explorer list`, such as "simclr", "moco", "byol" or "supcon".
        run: folder for settings, curves, weights and snapshots.
        device: "auto", "cpu", "cuda" or "mps".
        progress: called with the fraction done, 0 to 1, after every step.
        **settings: fields of `cl_core.runs.config.RunConfig`, such as `epochs=10`, `temperature=0.1` or
            `augment={"flip_prob": 0.0}`.

    Returns:
        The trained model.

    Raises:
        UserError: a setting is out of range, the data set does not fit the method, the loss diverged, or the folder holds
            a run with other settings.

    Examples:
        >>> import cl_core, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> model = cl_core.train("digits", "simclr", folder, encoder="mlp", image_size=8, epochs=1, snapshots=1)
        >>> model.embed(model.dataset.images[:2]).shape
        (2, 128)
    """
    from pydantic import ValidationError

    from cl_core.errors import from_validation
    from cl_core.training.recorder import start

    path = Path(run)
    try:
        session = start(path, {"dataset": dataset, "method": method, **settings}, choose_device(device))
    except ValidationError as error:
        raise from_validation(error) from None
    if session is not None:
        events = session.events()
        with StopRequest(signal.SIGINT) as stop:
            try:
                for event in events:
                    if not isinstance(event, StepDone):
                        continue
                    if progress:
                        progress(event.step / session.training.total)
                    if stop.requested:
                        raise KeyboardInterrupt
            finally:
                events.close()  # saves the last step
    return Model(RunFolder(path))
