"""Reading and writing of run folders.

    run.json               settings, state, versions, final metrics
    metrics.jsonl          learning curves, one point per line
    model.safetensors      weights of the method, matrices in half precision (exported: int8 with a scale per row)
    snapshots.safetensors  embeddings of the monitor images over time
    features.safetensors   features of the images on the map over time, until their layout is computed; not shipped
    layout.safetensors     places of these images on the map over time
    resume.safetensors     exact weights, optimizer state and position; not part of a shipped checkpoint

Runs on words (`cl_core/words`) have the same layout with other contents.
All files are JSON or safetensors: opening a run never executes code from it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import safetensors.torch
import torch
import torch.nn.functional as F
from filelock import FileLock, Timeout
from pydantic_core import from_json
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cl_core.errors import UserError, quoted
from cl_core.runs.metrics import is_point
from cl_core.runs.quantization import SCALE, dequantize, is_matrix, quantize
from cl_core.runs.record import Kind, R, RunRecord, kind_of, read_record
from cl_core.runs.upgrade import upgrade_metrics, upgrade_weight_name
from cl_core.system.files import OWNER, check_regular, read_bytes, write_bytes, write_json
from cl_core.system.trash import REMOVED

LOCK = ".lock"  # held by the training process; released when it ends
LOG = "log.txt"  # what the training process of the app wrote to standard error
WAITING = "waiting.json"  # settings of a run that has not started yet
COMPARISONS = "comparisons"  # folder of comparisons of methods, with their unfinished runs
LOCK_TIMEOUT_S = 1.0  # longer than `is_claimed` holds the lock
MAX_METRICS = 500_000_000  # bytes
SPREAD_TOLERANCE = 0.01  # relative change of the standard deviation of embeddings that 8 bits may cause


@dataclasses.dataclass(frozen=True)
class Snapshots:
    """Embeddings of some images during training; also their features, or their places on a map.

    Attributes:
        rows: (P,) int64, rows of the images in the data set.
        steps: ascending, S of them.
        embeddings: (S, P, D) float16, of length 1 but for places on a map.
    """

    rows: Tensor
    steps: list[int]
    embeddings: Tensor

    def fits(self, count: int) -> bool:
        """Whether a data set of `count` images has all rows: it may have been imported again with fewer."""
        return bool((self.rows < count).all())

    def until(self, step: int) -> Snapshots:
        """The snapshots up to a step."""
        count = sum(each <= step for each in self.steps)
        return Snapshots(self.rows, self.steps[:count], self.embeddings[:count])

    @staticmethod
    def appended(before: Snapshots | None, rows: Tensor, step: int, embeddings: Tensor) -> Snapshots:
        """The snapshots `before` and one more, of embeddings (P, D)."""
        last = embeddings.half()[None]
        if before is None:
            return Snapshots(rows, [step], last)
        return Snapshots(rows, [*before.steps, step], torch.cat([before.embeddings, last]))


def run_paths(root: Path, kind: Kind) -> list[Path]:
    """Folders of runs below `root` at any depth, sorted by path; removed ones and those of comparisons are left out.

    Damaged runs count as runs on images.
    """
    found = (file for file in sorted(root.glob("**/run.json")) if not {REMOVED, COMPARISONS} & set(file.relative_to(root).parts))
    return [file.parent for file in found if (kind_of(file) or "images") == kind]


def round_floats(value: Any, digits: int = 7) -> Any:
    """Round floats at any depth to significant digits, by default the precision of float32; saves a fifth of the file size."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: round_floats(each, digits) for key, each in value.items()}
    return [round_floats(each, digits) for each in value] if isinstance(value, list) else value


def _line(point: dict[str, Any]) -> str:
    return json.dumps(round_floats(point)) + "\n"


class Folder(Generic[R]):
    """Files common to all runs. Reading a missing or damaged file raises `UserError`."""

    kind: ClassVar[Kind]
    record_model: type[R]
    before_record: ClassVar[frozenset[str]] = frozenset({"metrics.jsonl", LOG, WAITING})  # files written before run.json

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
        """Whether a run can be started here: the folder is missing, empty, or holds only files of an interrupted start."""
        if not self.path.exists():
            return True
        if not self.path.is_dir():
            return False
        names = [entry.name for entry in self.path.iterdir()]
        return all(
            name in {*self.before_record, LOCK, OWNER} or (name.startswith(".") and name.endswith(".tmp")) for name in names
        )

    def claim(self) -> FileLock | None:
        """Lock the run for training by this process, until the lock is released or the process ends.

        Raises:
            UserError: another process trains the run, or the folder is not writable.
        """
        lock = self._lock()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=LOCK_TIMEOUT_S)
        except Timeout:
            raise UserError("runs.claimed", folder=self.path) from None
        except OSError as error:
            raise UserError("runs.not_writable", folder=self.path, reason=error.strerror) from None
        for file in self.path.glob(".*.tmp"):  # of a process that was killed while it wrote
            with contextlib.suppress(OSError):
                file.unlink()
        return lock

    def is_claimed(self) -> bool:
        """Whether a process is training the run."""
        if not (self.path / LOCK).exists():
            return False
        try:
            with self._lock().acquire(timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that is not writable is not trained in
            return False

    def _lock(self) -> FileLock:
        return FileLock(self.path / LOCK, thread_local=False)

    def read_record(self) -> R:
        """Read `run.json`.

        Raises:
            UserError: the file is missing or damaged, or the run is of another kind.
        """
        if not self.record_file.exists():
            raise UserError("runs.not_a_run", folder=self.path)
        kind = kind_of(self.record_file)
        if kind not in (self.kind, None):
            raise UserError(f"runs.on_{kind}", folder=self.path)
        return read_record(self.record_model, self.record_file)

    def write_record(self, record: R) -> None:
        write_json(self.record_file, record.model_dump(mode="json"))

    def read_metrics(self) -> list[dict[str, Any]]:
        """All points of the learning curves; an incomplete last line is skipped.

        Raises:
            UserError: another line is damaged.
        """
        if not self.metrics_file.exists():
            return []
        points = []
        lines = read_bytes(self.metrics_file, MAX_METRICS).splitlines()
        for number, line in enumerate(lines):
            try:
                point = from_json(line)
                point["step"], point["kind"]
            except (ValueError, KeyError, TypeError):
                if number == 0 or number < len(lines) - 1:
                    raise UserError("runs.damaged_metrics", file=self.metrics_file) from None
                break
            point = upgrade_metrics(point)
            if not is_point(point):
                raise UserError("runs.damaged_metrics", file=self.metrics_file)
            points.append(point)
        return points

    def append_metrics(self, point: dict[str, Any]) -> None:
        """Append a point to the learning curves."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self.metrics_file.open("a", encoding="utf-8") as file:
                file.write(_line(point))
        except OSError as error:
            raise UserError("runs.metrics_not_written", file=self.metrics_file, reason=error.strerror) from None

    def cut_metrics(self, step: int) -> None:
        """Remove points after `step`: a resumed run computes them again. A negative step removes all, damaged lines too."""
        points = [point for point in self.read_metrics() if point["step"] <= step] if step >= 0 else []
        write_bytes(self.metrics_file, "".join(map(_line, points)).encode())

    def write_model(self, weights: dict[str, Tensor]) -> None:
        """Write the `inference_state` of a method, matrices and kernels in half precision, other tensors unchanged."""
        limit = torch.finfo(torch.float16).max  # larger weights occur in diverging runs only
        half = {n: w.clamp(-limit, limit).half() if is_matrix(n, w) else w for n, w in weights.items()}
        self._write(self.model_file, half, {})

    def write_quantized_model(self, weights: dict[str, Tensor]) -> None:
        """`write_model` with matrices and kernels quantized to 8 bits."""
        self._write(self.model_file, quantize(weights), {})

    def read_model(self) -> dict[str, Tensor]:
        """Weights as float32.

        Raises:
            UserError: the file is missing or damaged.
        """
        tensors, _ = self._read(self.model_file)
        try:
            weights = dequantize(tensors)
        except RuntimeError:
            raise UserError("runs.model_mismatch", file=self.model_file) from None
        return {name: (v.float() if v.is_floating_point() else v) for name, v in weights.items()}

    def check_types(self, weights: Mapping[str, Tensor], expected: Mapping[str, torch.dtype]) -> None:
        """Check that weights are floating-point numbers where those are expected: torch would convert others silently.

        Raises:
            UserError: a weight is complex, an integer or a truth value, or a floating-point number where none is expected.
        """
        for name, value in weights.items():
            if name in expected and value.is_floating_point() != expected[name].is_floating_point:
                kind, right = (str(each).removeprefix("torch.") for each in (value.dtype, expected[name]))
                raise UserError("runs.weights_type", file=self.model_file, name=quoted(name), kind=kind, right=right)

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
            check_regular(path)
            with safe_open(path, framework="pt") as file:
                tensors = {upgrade_weight_name(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return tensors, file.metadata() or {}
        except FileNotFoundError:
            raise UserError("runs.missing_file", file=path) from None
        except (SafetensorError, OSError) as error:
            raise UserError("runs.not_safetensors", file=path, reason=str(error)) from None


AnyFolder = TypeVar("AnyFolder", bound=Folder[Any])


def find_folder(name: str, shipped: list[AnyFolder], make: Callable[[Path], AnyFolder]) -> AnyFolder:
    """Find a run among `shipped` by its name, or by the path of its folder.

    Args:
        make: creates the folder object from a path.

    Raises:
        UserError: there is no such run.
    """
    by_name = {folder.name: folder for folder in shipped}
    if name in by_name:
        return by_name[name]
    with contextlib.suppress(OSError):  # a name too long for the file system
        if Path(name).is_dir():
            return make(Path(name))
    raise UserError("runs.no_such_run", name=quoted(name), choices=", ".join(by_name))


class RunFolder(Folder[RunRecord]):
    """Files of a run on images."""

    kind = "images"
    record_model = RunRecord

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.snapshots_file = path / "snapshots.safetensors"
        self.features_file = path / "features.safetensors"
        self.layout_file = path / "layout.safetensors"

    def write_snapshots(self, snapshots: Snapshots, file: Path | None = None) -> None:
        """Write snapshots to `file`, by default those of the monitor images."""
        tensors = {"rows": snapshots.rows, "steps": torch.tensor(snapshots.steps), "embeddings": snapshots.embeddings}
        self._write(file or self.snapshots_file, tensors, {})

    def write_quantized_snapshots(self, snapshots: Snapshots) -> None:
        """Write snapshots in 8 bits, with a scale for each embedding.

        Where that would change the spread of the embeddings by more than `SPREAD_TOLERANCE`, as after a collapse, they
        are written in half precision.
        """
        exact = snapshots.embeddings.float()
        scale = exact.abs().amax(2, keepdim=True).clamp_min(torch.finfo(torch.float16).tiny) / 127
        quantized = (exact / scale).round().to(torch.int8)
        before, after = (F.normalize(z, dim=2).std(1).mean(1) for z in (exact, quantized * scale))
        if bool(((after - before).abs() > SPREAD_TOLERANCE * before).any()):
            self.write_snapshots(snapshots)
            return
        tensors = {"rows": snapshots.rows, "steps": torch.tensor(snapshots.steps), "embeddings": quantized}
        self._write(self.snapshots_file, tensors | {"embeddings" + SCALE: scale[..., 0]}, {})

    def read_snapshots(self, file: Path | None = None) -> Snapshots | None:
        """The snapshots in `file`, by default those of the monitor images; None if none were written."""
        file = file or self.snapshots_file
        if not file.exists():
            return None
        tensors, _ = self._read(file)
        try:
            rows, steps, embeddings = tensors["rows"], tensors["steps"], tensors["embeddings"]
            if embeddings.dtype == torch.int8:
                embeddings = (embeddings * tensors["embeddings" + SCALE][..., None]).half()
        except KeyError as error:
            raise UserError("runs.damaged_snapshots", file=file, tensor=error.args[0]) from None
        except RuntimeError:
            raise UserError("runs.odd_snapshots", file=file) from None
        whole_numbers = rows.dtype == steps.dtype == torch.int64 and bool((rows >= 0).all())
        shape = (len(steps), len(rows)) if steps.dim() == rows.dim() == 1 else ()
        if not whole_numbers or not embeddings.is_floating_point() or embeddings.shape[:-1] != shape:
            raise UserError("runs.odd_snapshots", file=file)
        return Snapshots(rows, steps.tolist(), embeddings)


class ReadOnly(RunFolder):
    """Run folder whose write methods do nothing: for all processes of distributed training but the main one."""

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
