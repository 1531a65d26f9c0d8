"""Images: bring one's own or a public data set, and look at what is here."""

from __future__ import annotations

import contextlib
import html
from pathlib import Path
from typing import Any

import gradio as gr
import torch

from cl_core.data.bundled import DATASETS
from cl_core.data.dataset import Dataset
from cl_core.data.downloads import DOWNLOADS
from cl_core.data.imported import imported_names, imported_owner, remove_imported, removed_dir, restore_imported
from cl_core.data.importing import NOT_STATED
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError, quoted, readable
from cl_core.evaluation.near_duplicates import find_copies
from cl_core.explore.model_store import trained_records
from cl_core.imports.jobs import ImportJob, ImportJobs, new_name
from cl_core.imports.process import Order
from cl_core.runs.folder import COMPARISONS
from cl_core.runs.hub_names import hub_name
from cl_core.system.files import owner_of
from cl_core.system.memo import Memo
from cl_core.system.paths import trained_dir
from cl_core.text import text
from cl_core.training.jobs import Jobs, waiting_settings
from cl_core.training.tournament import read_tournament
from cl_core.ui import images, visitors
from cl_core.ui.access import Access
from cl_core.ui.components import image_drop, image_rows, menu
from cl_core.ui.events import PRESSED, QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.names import class_name, image_name
from cl_core.ui.page import Event, Page
from cl_core.ui.progress import progress_bar, result, time_left
from cl_core.ui.tabs import which_method
from cl_core.ui.tabs.which_method import TO_TRAINING
from cl_core.ui.uploads import received, set_aside

POLL_S = 0.7
SIDES = (64, 224)  # of the stored images in pixels: for training here, and for public encoders
MOST_CLASSES, EACH = 8, 10  # classes that are shown, and images of each
FEW = 5  # images of a class
MOST_COPIES = 5  # pairs that are shown
LISTED = 20  # skipped files
LONGEST_TITLE = 100
MOST_SEARCHED = 70_000  # images among which copies are found while the page waits
TO_COMPARISON = "() => { document.querySelector('#contest-methods')?.scrollIntoView({ block: 'center' }); return []; }"
copies_of: Memo[tuple[torch.Tensor, torch.Tensor]] = Memo(32)


def start_files(access: Access, jobs: ImportJobs, file: Path, title: str, side: int, visitor: str, temporary: bool) -> ImportJob:
    """Import a folder or an archive as a new data set of the visitor.

    Args:
        side: of `SIDES`.
        temporary: whether the file is removed when the import has ended.

    Raises:
        UserError: the visitor has too many data sets.
    """
    title = readable(title.strip())[:LONGEST_TITLE] or text("images.untitled")
    owner = visitor if access.strangers else ""
    visitors.check_datasets(access, visitor, jobs)
    order = Order(
        kind="files",
        name=new_name(title, access.strangers, jobs.names() | used_names()),
        source=str(file),
        title=title,
        size=side if side != SIDES[0] else 0,
        owner=owner,
        most=access.most_images,
        shown=title if temporary else "",
    )
    return jobs.start(order, visitors.turn_s(access), (lambda: file.unlink(missing_ok=True)) if temporary else (lambda: None))


def used_names() -> set[str]:
    """Data sets of runs and comparisons, here or removed: another one of such a name would take their place."""
    used = {record.config.dataset for record in trained_records().values()}
    return used | {folder.name.rpartition("-")[0] for folder in (trained_dir() / COMPARISONS).glob("*")}


def start_hub(access: Access, jobs: ImportJobs, given: str, side: int) -> ImportJob:
    """Download a data set of the Hub, which everybody sees.

    Raises:
        UserError: `given` is no name of a repository, or strangers use this app.
    """
    name = hub_name(given.strip())
    if access.strangers:
        raise UserError("images.no_download")
    order = Order(
        kind="hub",
        name=new_name(name.repository.rpartition("/")[2], False, jobs.names() | used_names()),
        source=str(name),
        title=str(name),
        size=side if side != SIDES[0] else 0,
        most=access.most_images,
    )
    return jobs.start(order)


def start_download(access: Access, jobs: ImportJobs, name: str) -> ImportJob:
    """Download a public data set, which everybody sees.

    Raises:
        UserError: there is no such data set, or strangers use this app.
    """
    if name not in DOWNLOADS:
        raise UserError("data.no_download", name=quoted(name), choices=", ".join(DOWNLOADS))
    if access.strangers:
        raise UserError("images.no_download")
    return jobs.start(Order(kind="download", name=name, source=name, title=DOWNLOADS[name].title))


def status(job: ImportJob, elapsed: float) -> str:
    """Progress or result of an import, as HTML. elapsed: seconds since it started."""
    title = job.order.title
    if job.state == "waiting":
        return progress_bar(None, text("images.waiting"))
    if job.state == "running":
        key = "images.reading" if job.order.kind == "files" else "images.downloading"
        label = text(key, title=title, percent=f"{job.fraction:.0%}")
        if 0.02 < job.fraction < 1 and elapsed > 2:
            label += time_left(elapsed * (1 - job.fraction) / job.fraction)
        return progress_bar(job.fraction if job.fraction < 1 else None, label)
    if job.state == "stopped":
        return result(text("images.stopped"))
    if job.problem:
        return result(str(job.problem))
    return result(text("images.done", title=title)) + _skipped(job)


def _skipped(job: ImportJob) -> str:
    if not job.skipped_count:
        return ""
    lines = [html.escape(str(error)) for error in job.skipped[:LISTED]]
    if job.skipped_count > len(lines):
        lines.append(html.escape(text("images.more", count=f"{job.skipped_count - len(lines):,}")))
    summary = html.escape(text("images.skipped", count=f"{job.skipped_count:,}"))
    return f"<details class='work-skipped'><summary>{summary}</summary><ul><li>{'</li><li>'.join(lines)}</li></ul></details>"


def facts(data: Dataset) -> str:
    """What a data set contains, in sentences as HTML."""
    parts = [text("images.count", count=f"{len(data):,}", side=data.size)]
    if len(data.test):
        parts.append(text("images.splits", train=f"{len(data.train):,}", test=f"{len(data.test):,}"))
    parts.append(text("images.classes", count=len(data.classes)) if data.labeled else text("images.unlabeled"))
    without = int((data.labels < 0).sum())
    if data.labeled and without:
        parts.append(text("images.without", count=f"{without:,}"))
    sizes = torch.bincount(data.labels[data.labels >= 0], minlength=len(data.classes)).tolist() if data.labeled else []
    small = [class_name(data, label) for label, size in enumerate(sizes) if size < FEW]
    if small:
        parts.append(text("images.small", count=len(small), name=small[0]))
    if data.license not in ("", NOT_STATED):
        parts.append(text("images.license", license=data.license))
    return f"<p class='data-facts'><strong>{html.escape(data.title)}.</strong> {html.escape(' '.join(parts))}</p>"


def samples(data: Dataset) -> list[dict[str, Any]]:
    """Rows of images: of the largest classes, or of all images."""
    if not data.labeled:
        rows = torch.linspace(0, len(data) - 1, min(2 * EACH, len(data))).long().tolist()
        return [_row(data, text("images.all"), "", rows)]
    counts = torch.bincount(data.labels[data.labels >= 0], minlength=len(data.classes))
    shown = []
    for label in counts.argsort(descending=True, stable=True)[:MOST_CLASSES].tolist():
        of_class = (data.labels == label).nonzero()[:, 0]
        rows = of_class[torch.linspace(0, len(of_class) - 1, min(EACH, len(of_class))).long()].tolist()
        shown.append(_row(data, class_name(data, label), text("images.of_class", count=f"{int(counts[label]):,}"), rows))
    return shown


def copies(data: Dataset) -> list[dict[str, Any]]:
    """Rows of images that are copies of others: first those in both splits."""
    if len(data) > MOST_SEARCHED:
        return []
    within, across = copies_of.get((data.name, data.digest), lambda: _find(data))
    rows = []
    for key, found in (("leaks", across), ("copies", within)):
        pairs = (found >= 0).nonzero()[:, 0]
        if len(pairs):
            both = [row for i in pairs[:MOST_COPIES].tolist() for row in (int(found[i]), i)]
            rows.append(_row(data, text(f"images.{key}", count=f"{len(pairs):,}"), text(f"images.{key}_hint"), both))
    return rows


def _find(data: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    """Copies anywhere, and copies in the test split of images of the train split; images of one group are not counted."""
    within = find_copies(data.images)
    within[data.groups[within.clamp(min=0)] == data.groups] = -1
    across = torch.full_like(within, -1)
    if len(data.test):
        across[data.test] = find_copies(data.images, len(data.train))[data.test]
    return within, across


def _row(data: Dataset, title: str, hint: str, rows: list[int]) -> dict[str, Any]:
    items = [{"src": images.thumbnail(data, row), "caption": image_name(data, row), "note": "", "id": None} for row in rows]
    return {"title": title, "hint": hint, "items": items}


def removable(access: Access, name: str, visitor: str) -> bool:
    """Whether a visitor may remove a data set: their own, and of the user of this machine any imported one."""
    return name in imported_names() and (not access.strangers or (visitor != "" and imported_owner(name) == visitor))


def first_shown(names: list[str]) -> str:
    """The data set that is shown at first: the last imported one by name, else the first bundled one."""
    return next((name for name in reversed(names) if name not in DATASETS), names[0])


def check_unused(jobs: Jobs, name: str) -> None:
    """Check that no run or comparison uses a data set, or waits for it.

    Raises:
        UserError: one does.
    """
    for path in jobs.active:
        begun = read_tournament(path) or trained_records().get(path.name)
        used = begun.config.dataset if begun else (waiting_settings(path) or {}).get("dataset")
        if name == used:
            raise UserError("images.in_use", name=name, run=path.name)


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; what is here is shown when its tab opens."""
    access, imports = page.access, page.imports
    about = text("images.about" if access.training else "images.about_read_only")
    if access.strangers and access.training:
        about += " " + text("images.about_strangers", hours=f"{access.options.keep_hours:g}")
    explanation("images", about)
    with gr.Row(elem_classes="panel-row"):
        if access.training:
            with gr.Column(scale=2, min_width=320, elem_classes="panel"):
                side = gr.Radio(  # before the files: their import begins as they are dropped
                    [(text(f"images.side.{each}"), each) for each in SIDES],
                    value=SIDES[0],
                    label=text("images.side"),
                    info=text("images.side_hint"),
                    elem_id="images-side",
                )
                drop = image_drop(access.most_upload, page.language, elem_id="images-drop")
                message = gr.HTML("", elem_id="images-status")
                stop = gr.Button(text("images.stop"), visible=False, elem_id="images-stop")
                if not access.strangers:
                    with gr.Accordion(text("images.elsewhere"), open=False, elem_id="images-elsewhere"):
                        path, from_path = _path_form(access.options.local)
                        public, from_public, repository, from_hub = _public_form(page)
        with gr.Column(scale=3, min_width=320, elem_classes="panel"):
            look = menu(
                dataset_names(""), value=None, label=text("images.look"), info=text("images.look_hint"), elem_id="images-look"
            )
            about_data = gr.HTML("", elem_id="images-facts")
            with gr.Row():
                which = gr.Button(text("contest.title"), variant="primary", elem_id="images-which", visible=access.training)
                train = gr.Button(text("images.train"), elem_id="images-train", visible=access.training)
                remove = gr.Button(text("images.remove"), interactive=False, elem_id="images-remove", visible=access.training)
                undo = gr.Button(text("images.undo"), visible=False, elem_id="images-undo")
            rows = image_rows(elem_id="images-rows")
            same = image_rows(elem_id="images-copies")
    if access.training:
        page.link("stored-size", side)
    page.link("look", look, choices=dataset_names)
    removed = gr.Textbox("", visible=False)

    def shown(request: gr.Request, name: str | None) -> tuple[Any, ...]:
        if not name:
            return "", {"rows": []}, gr.update(interactive=False)
        data = load_dataset(name)
        visitor = access.viewer(request)
        may = access.training and removable(access, name, visitor or "")
        return facts(data), {"rows": samples(data)}, gr.update(interactive=may)

    def compared(name: str | None) -> dict[str, Any]:
        return {"rows": copies(load_dataset(name)) if name else []}

    def listed(request: gr.Request, name: str | None) -> Any:
        found = dataset_names(access.viewer(request))
        return gr.update(choices=found, value=name if name in found else first_shown(found))

    which.click(None, js=TO_COMPARISON, api_visibility="private")
    if access.training:
        which_method.build(page, look)

    described = look.change(page.handles(shown), look, [about_data, rows, remove], **QUICK)
    described.then(page.handles(compared), look, same, **QUICK)
    opened(page.handles(listed), look, look, **QUICK)
    train.click(lambda plan: plan, look, page.data, js=TO_TRAINING, **QUICK)
    if not access.training:
        return
    watched, clock = gr.Textbox("", visible=False), gr.Timer(POLL_S, active=False)
    outputs = [message, stop, clock, look]

    def following(request: gr.Request, name: str) -> tuple[Any, ...]:
        job = imports.get(name)
        if job is None or job.order.owner not in ("", access.viewer(request)):
            return "", gr.update(visible=False), gr.update(active=False), gr.skip()
        menu_now = gr.skip()
        if job.state == "done":
            found = dataset_names(access.viewer(request))
            menu_now = gr.update(choices=found, value=name if name in found else None)
        return status(job, job.elapsed), gr.update(visible=job.active), gr.update(active=job.active), menu_now

    def followed(request: gr.Request) -> tuple[Any, ...]:
        """The import of this visitor that is in progress when the page opens."""
        active = [job for job in imports.of(access.viewer(request) or "") if job.active]
        if not active:
            return gr.skip(), *(gr.skip() for _ in outputs)
        return active[0].order.name, *following(request, active[0].order.name)

    def begun(request: gr.Request, job: ImportJob) -> tuple[Any, ...]:
        return job.order.name, *following(request, job.order.name)

    def uploaded(request: gr.Request, event: gr.EventData, chosen: int) -> tuple[Any, ...]:
        visitor = access.check("import", request)
        file = set_aside(received(str(event._data.get("path", ""))))
        try:
            job = start_files(access, imports, file, str(event._data.get("title", "")), chosen, visitor, temporary=True)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return begun(request, job)

    def stopped(request: gr.Request, name: str) -> tuple[Any, ...]:
        visitor, job = access.check("import", request), imports.get(name)
        if job and (job.order.owner == visitor or not access.strangers):
            job.stop()
        return following(request, name)

    def taken_away(request: gr.Request, name: str) -> tuple[Any, ...]:
        visitor = access.check("import", request)
        if not removable(access, name, visitor):
            raise UserError("images.not_yours", name=quoted(name))
        check_unused(page.jobs, name)
        remove_imported(name)
        found = dataset_names(access.viewer(request))
        return gr.update(choices=found, value=first_shown(found)), name, gr.update(visible=True)

    def brought_back(request: gr.Request, name: str) -> tuple[Any, ...]:
        visitor = access.check("import", request)
        if access.strangers:
            if owner_of(removed_dir(name)) != visitor:
                raise UserError("images.not_yours", name=quoted(name))
            visitors.check_datasets(access, visitor, imports)
        restore_imported(name)
        return gr.update(choices=dataset_names(access.viewer(request)), value=name), "", gr.update(visible=False)

    drop.uploaded(page.handles(uploaded), side, [watched, *outputs], **PRESSED)
    clock.tick(page.handles(following), watched, outputs, **QUICK)
    stop.click(page.handles(stopped), watched, outputs, **PRESSED)
    remove.click(page.handles(taken_away), look, [look, removed, undo], **PRESSED)
    undo.click(page.handles(brought_back), removed, [look, removed, undo], **PRESSED)
    page.app.load(page.handles(followed), None, [watched, *outputs], show_progress="hidden", api_visibility="private")
    if access.strangers:
        return

    def from_here(request: gr.Request, given: str, chosen: int) -> tuple[Any, ...]:
        visitor = access.check("import", request)
        file = _existing(given)
        title = file.name if file.is_dir() else file.name.partition(".")[0]
        return begun(request, start_files(access, imports, file, title, chosen, visitor, temporary=False))

    def downloaded(request: gr.Request, name: str) -> tuple[Any, ...]:
        access.check("import", request)
        return begun(request, start_download(access, imports, name))

    if access.options.local:
        gr.on([from_path.click, path.submit], page.handles(from_here), [path, side], [watched, *outputs], **PRESSED)

    def from_the_hub(request: gr.Request, given: str, chosen: int) -> tuple[Any, ...]:
        access.check("import", request)
        return begun(request, start_hub(access, imports, given, chosen))

    gr.on([from_hub.click, repository.submit], page.handles(from_the_hub), [repository, side], [watched, *outputs], **PRESSED)
    from_public.click(page.handles(downloaded), public, [watched, *outputs], **PRESSED)


def _existing(given: str) -> Path:
    """A folder or file of this machine.

    Raises:
        UserError: there is none.
    """
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # a name too long, with a zero byte, of an unknown user
        path = Path(given.strip()).expanduser()
        if given.strip() and path.exists():
            return path.resolve()
    raise UserError("data.no_source", source=quoted(given.strip()))


def _path_form(visible: bool) -> tuple[gr.Textbox, gr.Button]:
    """Controls for a path of this machine, which only its user may read from."""
    path = gr.Textbox(
        "", label=text("images.path"), info=text("images.path_hint"), max_lines=1, visible=visible, elem_id="images-path"
    )
    return path, gr.Button(text("images.import"), visible=visible, elem_id="images-import")


def _public_form(page: Page) -> tuple[gr.Dropdown, gr.Button, gr.Textbox, gr.Button]:
    """Controls for public data sets, and for those of the Hub."""
    offered = [(_offer(name), name) for name in DOWNLOADS if name not in DATASETS]
    public = menu(offered, value=offered[0][1], label=text("images.public"), info=text("images.public_hint"), filterable=False)
    page.link("public", public)
    from_public = gr.Button(text("images.get"), elem_id="images-get")
    repository = gr.Textbox(
        "", label=text("images.hub"), info=text("images.hub_hint"), placeholder="OWNER/NAME", max_lines=1, elem_id="images-hub"
    )
    page.link("hub-dataset", repository)
    return public, from_public, repository, gr.Button(text("images.get"), elem_id="images-get-hub")


def _offer(name: str) -> str:
    each = DOWNLOADS[name]
    return text("images.offer", title=each.title, count=f"{each.count:,}", side=each.side, mb=f"{each.size / 1e6:,.0f}")
