"""The front end in headless Chromium: every template is opened and photographed, and run where it needs no checkpoint.

    python -m pip install playwright            # into any Python, and a Chromium: apt install chromium
    python -m dev.browser [--out DIR] [--width 1280 1720] [--open] [template ...]

Nothing else of this repository needs playwright. Run it from the project root; the server runs in `.venv`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .pack import ROOT
from .server import base_folder, running

OURS = "DiffSFSRUNetLoader"
SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Locale": "en"}
HEIGHT, PATIENCE = 960, 240  # pixels; seconds for a template to run
# What an artist would see as an error before anything ran: nodes that are not installed, and values that are in no list.
COMPLAINTS = """() => {
  const found = [], seen = (graph, where) => graph.nodes.filter(node => node.mode !== 4).forEach(node => {
    if (node.subgraph) seen(node.subgraph, where + node.title + ' > ')
    const title = where + (node.title || node.type)
    if (node.has_errors) found.push(title + ' has a red frame')
    if (!node.subgraph && !LiteGraph.registered_node_types[node.type]) found.push(title + ' is not installed')
    for (const widget of node.widgets ?? []) {
      const values = widget.type === 'combo' ? widget.options?.values : undefined
      if (Array.isArray(values) && !values.includes(widget.value)) found.push(title + ': there is no ' + widget.value)
    }
  })
  seen(app.graph, '')
  document.querySelectorAll('.p-dialog, .p-toast-message-error').forEach(e => found.push('shown: ' + e.innerText.slice(0, 300)))
  return found
}"""
SAVERS = ["SaveImage", "DiffSFSRSavePortrait"]
SHOWN = f"() => app.graph.nodes.filter(node => {SAVERS}.includes(node.type)).every(node => node.imgs?.length)"
NOTED = """() => {
  window.heard = []
  for (const kind of ['executed', 'execution_error', 'execution_success', 'execution_interrupted'])
    app.api.addEventListener(kind, event => window.heard.push([kind, event.detail]))
}"""


def opened(page, name: str) -> None:
    """Opens a template as the template browser does."""
    graph = json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
    page.evaluate("([graph, name]) => app.loadGraphData(graph, true, true, name)", [graph, name])
    page.wait_for_timeout(1500)  # pictures of Load Image come one by one


def saves(name: str) -> bool:
    """Whether a template has a node that saves; *try_words* only shows."""
    return "SavePortrait" in (ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8")


def ran(page, name: str) -> list[str]:
    """Presses Run and waits for the end; what went wrong."""
    page.evaluate(NOTED)
    page.evaluate("() => app.queuePrompt(0, 1)")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        page.wait_for_timeout(500)
        heard = page.evaluate("() => window.heard")
        if errors := [data.get("exception_message", kind) for kind, data in heard if kind.startswith("execution_") and
                      kind != "execution_success"]:  # fmt: skip
            return errors
        if refused := page.evaluate("() => app.lastNodeErrors && Object.keys(app.lastNodeErrors).length"):
            return [f"{refused} nodes are refused: {page.evaluate('() => JSON.stringify(app.lastNodeErrors)')[:300]}"]
        if any(kind == "execution_success" for kind, _ in heard):
            shown = [data["output"] or {} for kind, data in heard if kind == "executed"]
            pictures = [image["type"] for output in shown for image in output.get("images", [])]
            if not pictures or ("output" not in pictures and saves(name)):
                return ["it saved no picture" if pictures else "it showed no picture"]
            page.wait_for_function(SHOWN, timeout=20_000)
            return []
    return [f"it did not end in {PATIENCE} s"]


def photographed(page, file: Path) -> None:
    page.wait_for_timeout(1200)
    page.screenshot(path=str(file))


def visit(page, name: str, out: Path, run: bool) -> list[str]:
    """Opens, photographs and perhaps runs a template; what an artist would complain of."""
    width = page.viewport_size["width"]
    opened(page, name)
    found = page.evaluate(COMPLAINTS)
    page.keyboard.press("Escape")  # what the front end tells of a checkpoint that is not there
    photographed(page, out / f"{name}_{width}.png")
    if run and not found:
        found = ran(page, name)
        photographed(page, out / f"{name}_{width}_run.png")
    return found


def window(browser, address: str, width: int):
    """A page with the front end, ready."""
    page = browser.new_page(viewport={"width": width, "height": HEIGHT})
    page.goto(address)
    page.wait_for_function(f"() => window.app?.graph && window.LiteGraph?.registered_node_types['{OURS}']", timeout=90_000)
    page.wait_for_timeout(2000)
    return page


def needs_files(name: str) -> list[str]:
    """The checkpoints and other files of the artist's own that a template names."""
    text, wanted = (ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"), []
    graph = json.loads(text)
    nodes = [*graph["nodes"], *(n for s in graph.get("definitions", {}).get("subgraphs", []) for n in s["nodes"])]
    for node in nodes:
        named = [value for value in node.get("widgets_values") or [] if str(value).endswith(".safetensors")]
        wanted += named if node["mode"] == 0 else []
    return wanted


def look(args: argparse.Namespace) -> int:
    from playwright.sync_api import sync_playwright

    python = ROOT / ".venv" / "bin" / "python"
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    names = args.templates or sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
    args.out.mkdir(parents=True, exist_ok=True)
    faults = 0
    with tempfile.TemporaryDirectory() as folder, running(
        base_folder(Path(folder)), str(python) if python.exists() else sys.executable
    ) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        browser.new_context().request.post(f"{server.address}/api/settings", data=SETTINGS)
        for width in args.width:
            page = window(browser, server.address, width)
            for name in names:
                wanted = needs_files(name)
                found = visit(page, name, args.out, run=not (args.open or wanted or width < max(args.width)))
                other = [text for text in found if not any(file in text for file in wanted)]
                faults += len(other)
                said = [*other, *(["needs " + ", ".join(wanted)] if wanted else [])]
                print(f"{name} at {width}: {'; '.join(said) or 'nothing to complain of'}", flush=True)
            page.close()
    return int(faults > 0)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.browser", description=__doc__.splitlines()[0])
    parser.add_argument("templates", nargs="*", help="names of templates (default: all)")
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "browser", help="the folder of the screenshots")
    parser.add_argument("--width", type=int, nargs="+", default=(1280, 1720), help="of the window, pixels")
    parser.add_argument("--open", action="store_true", help="open and photograph them, run none")
    args = parser.parse_args(words)
    try:
        import playwright  # noqa: F401
    except ImportError:
        print(f"dev.browser: skipped: {sys.executable} has no playwright; python -m pip install playwright brings it")
        return 0
    return look(args)


if __name__ == "__main__":
    sys.exit(main())
