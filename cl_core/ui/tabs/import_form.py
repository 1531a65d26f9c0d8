"""Import images: of one's own files, of this machine, of the Hub, or a public data set; part of the tab Images."""

from __future__ import annotations

import contextlib
import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from cl_core.data.bundled import DATASETS
from cl_core.data.downloads import DOWNLOADS
from cl_core.data.registry import dataset_names
from cl_core.errors import UserError, quoted, readable
from cl_core.imports.jobs import ImportJob, ImportJobs, new_name, used_names
from cl_core.imports.process import ImportRequest
from cl_core.runs.hub_names import hub_name
from cl_core.text import text
from cl_core.ui import visitors
from cl_core.ui.access import Access
from cl_core.ui.components import image_drop, menu
from cl_core.ui.events import PRESSED, QUICK
from cl_core.ui.page import Page
from cl_core.ui.progress import progress_bar, result, time_left
from cl_core.ui.uploads import received, set_aside

POLL_S = 0.7
SIDES = (64, 224)  # of the stored images in pixels: for training here, and for public encoders
LISTED = 20  # skipped files
MAX_TITLE = 100


@dataclass(frozen=True)
class ImportForm:
    """Controls of an import; `machine`, `public` and `hub` are None where strangers use the app."""

    side: gr.Radio
    drop: gr.HTML
    message: gr.HTML
    stop: gr.Button
    machine: tuple[gr.Textbox, gr.Button] | None  # a path of this machine
    public: tuple[gr.Dropdown, gr.Button] | None
    hub: tuple[gr.Textbox, gr.Button] | None


def start_files(access: Access, jobs: ImportJobs, file: Path, title: str, side: int, visitor: str, temporary: bool) -> ImportJob:
    """Import a folder or an archive as a new data set of the visitor.

    Args:
        side: of `SIDES`.
        temporary: whether the file is removed when the import has ended.

    Raises:
        UserError: the visitor has too many data sets.
    """
    title = readable(title.strip())[:MAX_TITLE] or text("images.untitled")
    owner = visitor if access.strangers else ""
    visitors.check_datasets(access, visitor, jobs)
    wanted = ImportRequest(
        kind="files",
        name=new_name(title, access.strangers, jobs.names() | used_names()),
        source=str(file),
        title=title,
        size=side if side != SIDES[0] else 0,
        owner=owner,
        most=access.most_images,
        shown=title if temporary else "",
    )
    return jobs.start(wanted, visitors.turn_s(access), (lambda: file.unlink(missing_ok=True)) if temporary else (lambda: None))


def start_hub(access: Access, jobs: ImportJobs, given: str, side: int) -> ImportJob:
    """Download a data set of the Hub, which everybody sees.

    Raises:
        UserError: `given` is no name of a repository, or strangers use this app.
    """
    name = hub_name(given.strip())
    if access.strangers:
        raise UserError("images.no_download")
    wanted = ImportRequest(
        kind="hub",
        name=new_name(name.repository.rpartition("/")[2], False, jobs.names() | used_names()),
        source=str(name),
        title=str(name),
        size=side if side != SIDES[0] else 0,
        most=access.most_images,
    )
    return jobs.start(wanted)


def start_download(access: Access, jobs: ImportJobs, name: str) -> ImportJob:
    """Download a public data set, which everybody sees.

    Raises:
        UserError: there is no such data set, or strangers use this app.
    """
    if name not in DOWNLOADS:
        raise UserError("data.no_download", name=quoted(name), choices=", ".join(DOWNLOADS))
    if access.strangers:
        raise UserError("images.no_download")
    return jobs.start(ImportRequest(kind="download", name=name, source=name, title=DOWNLOADS[name].title))


def status(job: ImportJob, elapsed: float) -> str:
    """Progress or result of an import, as HTML. elapsed: seconds since it started."""
    title = job.request.title
    if job.state == "waiting":
        return progress_bar(None, text("images.waiting"))
    if job.state == "running":
        key = "images.reading" if job.request.kind == "files" else "images.downloading"
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


def lay_out(page: Page) -> ImportForm:
    """The controls; `handle` connects them."""
    access = page.access
    side = gr.Radio(  # before the files: their import begins as they are dropped
        [(text(f"images.side.{each}"), each) for each in SIDES],
        value=SIDES[0],
        label=text("images.side"),
        info=text("images.side_hint"),
        elem_id="images-side",
    )
    page.link("stored-size", side)
    drop = image_drop(access.most_upload, page.language, elem_id="images-drop")
    message = gr.HTML("", elem_id="images-status")
    stop = gr.Button(text("images.stop"), visible=False, elem_id="images-stop")
    if access.strangers:
        return ImportForm(side, drop, message, stop, None, None, None)
    with gr.Accordion(text("images.elsewhere"), open=False, elem_id="images-elsewhere"):
        return ImportForm(side, drop, message, stop, _machine(access.options.local), _public(page), _hub(page))


def handle(page: Page, form: ImportForm, look: gr.Dropdown) -> None:
    """Start imports, follow them, and show in `look` what they bring."""
    access, imports = page.access, page.imports
    watched, clock = gr.Textbox("", visible=False), gr.Timer(POLL_S, active=False)
    outputs = [form.message, form.stop, clock, look]

    def following(request: gr.Request, name: str) -> tuple[Any, ...]:
        job = imports.get(name)
        if job is None or job.request.owner not in ("", access.viewer(request)):
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
        return active[0].request.name, *following(request, active[0].request.name)

    def begun(request: gr.Request, job: ImportJob) -> tuple[Any, ...]:
        return job.request.name, *following(request, job.request.name)

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
        if job and (job.request.owner == visitor or not access.strangers):
            job.stop()
        return following(request, name)

    def from_here(request: gr.Request, given: str, chosen: int) -> tuple[Any, ...]:
        visitor = access.check("import", request)
        file = existing(given)
        title = file.name if file.is_dir() else file.name.partition(".")[0]
        return begun(request, start_files(access, imports, file, title, chosen, visitor, temporary=False))

    def downloaded(request: gr.Request, name: str) -> tuple[Any, ...]:
        access.check("import", request)
        return begun(request, start_download(access, imports, name))

    def from_the_hub(request: gr.Request, given: str, chosen: int) -> tuple[Any, ...]:
        access.check("import", request)
        return begun(request, start_hub(access, imports, given, chosen))

    form.drop.uploaded(page.handles(uploaded), form.side, [watched, *outputs], **PRESSED)
    clock.tick(page.handles(following), watched, outputs, **QUICK)
    form.stop.click(page.handles(stopped), watched, outputs, **PRESSED)
    page.app.load(page.handles(followed), None, [watched, *outputs], show_progress="hidden", api_visibility="private")
    if form.machine and access.options.local:
        path, from_path = form.machine
        gr.on([from_path.click, path.submit], page.handles(from_here), [path, form.side], [watched, *outputs], **PRESSED)
    if form.hub:
        repository, from_hub = form.hub
        pressed = [from_hub.click, repository.submit]
        gr.on(pressed, page.handles(from_the_hub), [repository, form.side], [watched, *outputs], **PRESSED)
    if form.public:
        public, from_public = form.public
        from_public.click(page.handles(downloaded), public, [watched, *outputs], **PRESSED)


def existing(given: str) -> Path:
    """A folder or file of this machine.

    Raises:
        UserError: there is none.
    """
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # a name too long, with a zero byte, of an unknown user
        path = Path(given.strip()).expanduser()
        if given.strip() and path.exists():
            return path.resolve()
    raise UserError("data.no_source", source=quoted(given.strip()))


def _machine(visible: bool) -> tuple[gr.Textbox, gr.Button]:
    """Controls for a path of this machine, which only its user may read from."""
    path = gr.Textbox(
        "", label=text("images.path"), info=text("images.path_hint"), max_lines=1, visible=visible, elem_id="images-path"
    )
    return path, gr.Button(text("images.import"), visible=visible, elem_id="images-import")


def _public(page: Page) -> tuple[gr.Dropdown, gr.Button]:
    """Controls for public data sets."""
    offered = [(_offer(name), name) for name in DOWNLOADS if name not in DATASETS]
    public = menu(offered, value=offered[0][1], label=text("images.public"), info=text("images.public_hint"), filterable=False)
    page.link("public", public)
    return public, gr.Button(text("images.get"), elem_id="images-get")


def _hub(page: Page) -> tuple[gr.Textbox, gr.Button]:
    """Controls for data sets of the Hub."""
    repository = gr.Textbox(
        "", label=text("images.hub"), info=text("images.hub_hint"), placeholder="OWNER/NAME", max_lines=1, elem_id="images-hub"
    )
    page.link("hub-dataset", repository)
    return repository, gr.Button(text("images.get"), elem_id="images-get-hub")


def _offer(name: str) -> str:
    each = DOWNLOADS[name]
    return text("images.offer", title=each.title, count=f"{each.count:,}", side=each.side, mb=f"{each.size / 1e6:,.0f}")
