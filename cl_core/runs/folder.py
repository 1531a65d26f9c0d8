"""A run is a folder, and this is the only code that reads and writes it.

    run.json               settings, state, versions, metrics of the end
    metrics.jsonl          one line a point of the curves
    model.safetensors      the method's weights, matrices in half precision (exported: 8 bits with a scale a row)
    snapshots.safetensors  embeddings of the probe images over time
    resume.safetensors     exact weights, optimizer and position; not part of a shipped checkpoint

A run of words (`cl_core/words`) is the same with other contents.
JSON and safetensors only: opening someone's run cannot run their code.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

import safetensors.torch
import torch
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cl_core.errors import UserError, from_validation
from cl_core.runs.config import RunConfig, RunState
from cl_core.runs.upgrade import upgrade_metrics, upgrade_record, upgrade_weight_name
from cl_core.system.files import write_bytes, write_json

FORMAT = 2
LOCK = ".lock"  # held by the process that trains the run; who dies lets it go
OWNER = ".owner"  # who started the run, where visitors share a page
PROBED_S = 1.0  # longer than a look at the lock holds it


Kind = Literal["images", "words"]


class Record(BaseModel):
    """What `run.json` holds of any run; `config` comes with what is learned."""

    model_config = ConfigDict(extra="forbid")

    format: int = Field(FORMAT, ge=FORMAT, le=FORMAT)
    state: RunState = "running"
    step: int = Field(0, ge=0)
    total_steps: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    device: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, values: Any) -> Any:
        return upgrade_record(values) if isinstance(values, dict) else values


class RunRecord(Record):
    """A run on images."""

    kind: Literal["images"] = "images"
    config: RunConfig
    image_size: int = Field(ge=1, le=512)
    instances: int = Field(0, ge=0, lt=2**31)
    classes: int = Field(0, ge=0, lt=2**31)


R = TypeVar("R", bound=Record)


@dataclasses.dataclass(frozen=True)
class Snapshots:
    """rows: (P,) int64, which images; steps: ascending; embeddings: (S, P, D) float16, length 1."""

    rows: Tensor
    steps: list[int]
    embeddings: Tensor


def kind_of(record_file: Path) -> Kind | None:
    """What a run learned from; None where the file cannot be read."""
    try:
        return "words" if from_json(record_file.read_bytes()).get("kind") == "words" else "images"
    except (ValueError, OSError, AttributeError):
        return None


def run_paths(root: Path, kind: Kind) -> list[Path]:
    """Folders of runs below `root`, at any depth, by path. Damaged ones count as images."""
    return [file.parent for file in sorted(root.glob("**/run.json")) if (kind_of(file) or "images") == kind]


def round_floats(value: Any) -> Any:
    """Numbers as `metrics.jsonl` keeps them, with what float32 holds; more would make a quarter more of the file."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: round_floats(each) for key, each in value.items()}
    return [round_floats(each) for each in value] if isinstance(value, list) else value


def _line(point: dict[str, Any]) -> str:
    return json.dumps(round_floats(point)) + "\n"


SCALE = ".scale"


def quantize(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each matrix or kernel (O, ...) as int8 with a scale (O,) float32 beside it; half a step is the error at most.

    A scale for each output channel keeps the features' direction: cosine .9999 with the exact ones' on our models.
    """
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if not _is_matrix(name, weight):
            packed[name] = weight
            continue
        rows = weight.float().flatten(1)
        scale = rows.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / 127
        packed[name] = (rows / scale[:, None]).round().to(torch.int8).view_as(weight)
        packed[name + SCALE] = scale
    return packed


def dequantize(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `quantize`, to float32; tensors without a scale come back as they are."""
    weights = {}
    for name, value in tensors.items():
        scale = tensors.get(name + SCALE)
        if scale is not None:
            weights[name] = value * scale.view(-1, *[1] * (value.dim() - 1))
        elif not (name.endswith(SCALE) and name.removesuffix(SCALE) in tensors):
            weights[name] = value
    return weights


def _is_matrix(name: str, weight: Tensor) -> bool:
    return weight.is_floating_point() and weight.dim() > 1 and "normalize" not in name


class Folder(Generic[R]):
    """The files that every run has. Reading raises `UserError` with what is wrong with which file."""

    kind: ClassVar[Kind]
    record_model: type[R]
    before_record: ClassVar[frozenset[str]] = frozenset({"metrics.jsonl"})  # files that are written before run.json

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record_file = path / "run.json"
        self.metrics_file = path / "metrics.jsonl"
        self.model_file = path / "model.safetensors"
        self.resume_file = path / "resume.safetensors"

    @property
    def name(self) -> str:
        return self.path.resolve().name

    def exists(self) -> bool:
        return self.record_file.is_file()

    def is_new(self) -> bool:
        """Whether a run may begin here: the folder is missing, empty, or holds what a start that was cut off left."""
        if not self.path.exists():
            return True
        if not self.path.is_dir():
            return False
        names = [entry.name for entry in self.path.iterdir()]
        return all(
            name in {*self.before_record, LOCK, OWNER} or (name.startswith(".") and name.endswith(".tmp")) for name in names
        )

    def claim(self) -> FileLock | None:
        """Take the run for this process to train, until the lock is released or the process ends.

        Raises:
            UserError: another process trains it, or nothing can be written here.
        """
        lock = self._lock()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=PROBED_S)
        except Timeout:
            raise UserError(f"The run in {self.path} is being trained by another process: wait for that, or stop it.") from None
        except OSError as error:
            raise UserError(f"{self.path} cannot be written ({error.strerror}): choose another folder.") from None
        return lock

    def is_claimed(self) -> bool:
        """Whether a process trains the run now."""
        if not (self.path / LOCK).exists():
            return False
        try:
            with self._lock().acquire(timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # where nothing can be written nothing is trained
            return False

    def _lock(self) -> FileLock:
        return FileLock(self.path / LOCK, thread_local=False)

    def read_record(self) -> R:
        if not self.exists():
            raise UserError(f"{self.path} is not a run: it has no run.json; give the folder that train --run wrote.")
        found = kind_of(self.record_file)
        if found not in (self.kind, None):
            where = "python -m cl_core words" if found == "words" else "python -m cl_core without words"
            raise UserError(f"{self.path} is a run on {found}, not on {self.kind}: use {where}.")
        try:
            return self.record_model.model_validate_json(self.record_file.read_bytes())
        except ValidationError as error:
            reason = from_validation(error)
            raise UserError(f"{self.record_file} is damaged or of another program: {reason}") from None

    def write_record(self, record: R) -> None:
        write_json(self.record_file, record.model_dump(mode="json"))

    def read_metrics(self) -> list[dict[str, Any]]:
        """All points of the curves; a line cut off by a kill is left out."""
        if not self.metrics_file.is_file():
            return []
        points = []
        for number, line in enumerate(self.metrics_file.read_bytes().splitlines()):
            try:
                point = from_json(line)
                point["step"], point["kind"]
            except (ValueError, KeyError, TypeError):
                if number == 0:
                    raise UserError(f"{self.metrics_file} is not a record of a training: restore it or delete it.") from None
                break
            points.append(upgrade_metrics(point))
        return points

    def append_metrics(self, point: dict[str, Any]) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self.metrics_file.open("a", encoding="utf-8") as file:
                file.write(_line(point))
        except OSError as error:
            raise UserError(
                f"{self.metrics_file} could not be written ({error.strerror}); free some space and start again."
            ) from None

    def cut_metrics(self, step: int) -> None:
        """Forget points after `step`: a resumed run makes them again."""
        points = [point for point in self.read_metrics() if point["step"] <= step]
        write_bytes(self.metrics_file, "".join(map(_line, points)).encode())

    def write_model(self, weights: dict[str, Tensor]) -> None:
        """A method's `inference_state`: matrices and kernels in half precision; biases, norms and statistics as they are."""
        limit = torch.finfo(torch.float16).max  # weights beyond it belong to a run that is blowing up
        half = {n: w.clamp(-limit, limit).half() if _is_matrix(n, w) else w for n, w in weights.items()}
        self._write(self.model_file, half, {})

    def write_small_model(self, weights: dict[str, Tensor]) -> None:
        """The same with 8 bits a weight of matrices and kernels."""
        self._write(self.model_file, quantize(weights), {})

    def read_model(self) -> dict[str, Tensor]:
        tensors, _ = self._read(self.model_file)
        return {name: (v.float() if v.is_floating_point() else v) for name, v in dequantize(tensors).items()}

    def write_resume(self, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
        self._write(self.resume_file, tensors, header)

    def read_resume(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        return self._read(self.resume_file)

    @staticmethod
    def _write(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
        contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        write_bytes(path, safetensors.torch.save(contiguous, header or None))

    @staticmethod
    def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {upgrade_weight_name(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return tensors, file.metadata() or {}
        except FileNotFoundError:
            raise UserError(f"{path} is missing: the run was not saved whole, or the file was moved.") from None
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path} is cut off or not a safetensors file ({error}): copy it again.") from None


F = TypeVar("F", bound=Folder[Any])


def find_folder(name: str, shipped: list[F], make: Callable[[Path], F]) -> F:
    """One of `shipped` by its name, or the folder of that path.

    Raises:
        UserError: neither exists.
    """
    by_name = {folder.name: folder for folder in shipped}
    if name in by_name:
        return by_name[name]
    if Path(name).is_dir():
        return make(Path(name))
    raise UserError(f"There is no checkpoint or run folder {name!r}: choose one of {', '.join(by_name)}, or give a folder.")


class RunFolder(Folder[RunRecord]):
    """The files of a run on images."""

    kind = "images"
    record_model = RunRecord

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.snapshots_file = path / "snapshots.safetensors"

    def write_snapshots(self, snapshots: Snapshots) -> None:
        tensors = {"rows": snapshots.rows, "steps": torch.tensor(snapshots.steps), "embeddings": snapshots.embeddings}
        self._write(self.snapshots_file, tensors, {})

    def read_snapshots(self) -> Snapshots | None:
        if not self.snapshots_file.is_file():
            return None
        tensors, _ = self._read(self.snapshots_file)
        try:
            return Snapshots(tensors["rows"], tensors["steps"].tolist(), tensors["embeddings"])
        except KeyError as error:
            raise UserError(f"{self.snapshots_file} has no {error}: delete it, training writes it again.") from None


class ReadOnly(RunFolder):
    """The folder of a run in a process that only helps: another one writes."""

    def claim(self) -> None:
        pass

    def append_metrics(self, point: dict[str, Any]) -> None:
        pass

    def cut_metrics(self, step: int) -> None:
        pass

    def write_record(self, record: RunRecord) -> None:
        pass

    @staticmethod
    def _write(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
        pass
