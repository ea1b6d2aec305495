"""The texts of the nodes in other languages, as the host serves them from locales/<language>/nodeDefs.json.

    python -m dev.locales          # renews English from the schemas; in the other languages takes out what is gone or whose
                                   # English has changed, and lists what has to be translated
    python -m dev.locales --check  # changes nothing

The English file is made, never written by hand. A text whose English stands in another node too is filled in from there.
The exit code is 1 while a translation is missing; `tests/host/test_locales.py` then fails as well.
"""

import argparse
import json
import sys
from pathlib import Path

from .bootstrap import bootstrap_comfy
from .pack import ROOT, load_pack

FOLDER, FILE = ROOT / "locales", "nodeDefs.json"
LANGUAGES = ("zh", "ja", "ko", "es", "de", "fr")
Texts = dict[tuple[str, ...], str]  # ("DiffSFSRFaceDraft", "inputs", "image", "tooltip") -> text


def english(schemas) -> Texts:
    """What the nodes say of themselves: names and tooltips of nodes, inputs and outputs."""
    texts: Texts = {}
    for schema in schemas:
        node = schema.node_id
        texts[node, "display_name"], texts[node, "description"] = schema.display_name, schema.description
        for entry in schema.inputs:
            texts[node, "inputs", entry.id, "name"] = entry.display_name or entry.id
            texts[node, "inputs", entry.id, "tooltip"] = entry.tooltip
        for slot, output in enumerate(schema.outputs):
            texts[node, "outputs", str(slot), "name"] = output.display_name or str(output.get_io_type())
            texts[node, "outputs", str(slot), "tooltip"] = output.tooltip
    return {key: text for key, text in texts.items() if text}


def renewed(before: Texts, now: Texts, translated: Texts) -> Texts:
    """Translations that still hold, in the order of the English: those of texts that are what they were, and of the same
    English elsewhere.
    """
    held = {key: text for key, text in translated.items() if key in now and before.get(key) == now[key]}
    same = {now[key]: text for key, text in held.items()}
    return {key: held.get(key) or same[text] for key, text in now.items() if key in held or text in same}


def read(language: str, folder: Path = FOLDER) -> Texts:
    """A language's texts; none if it has no file yet."""
    path = folder / language / FILE
    return dict(_flat(json.loads(path.read_text(encoding="utf-8")))) if path.exists() else {}


def write(language: str, texts: Texts, folder: Path = FOLDER) -> None:
    tree: dict = {}
    for (*path, last), text in texts.items():
        place = tree
        for name in path:
            place = place.setdefault(name, {})
        place[last] = text
    (folder / language).mkdir(parents=True, exist_ok=True)
    (folder / language / FILE).write_text(json.dumps(tree, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _flat(tree: dict, path: tuple[str, ...] = ()):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, (*path, name))
        else:
            yield (*path, name), value


def schemas():
    """Of all nodes, in the order of their list."""
    load_pack()
    bootstrap_comfy(cpu=True)
    from diffsfsr.nodes import NODES

    return [node.GET_SCHEMA() for node in NODES]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    before, now = read("en"), english(schemas())
    texts = {language: renewed(before, now, read(language)) for language in LANGUAGES}
    missing = {language: [key for key in now if key not in found] for language, found in texts.items()}
    if not check:
        for language, found in {"en": now, **texts}.items():
            write(language, found)
    for language, keys in missing.items():
        print(f"locales: {language}: {len(now) - len(keys)} of {len(now)} texts")
        for key in keys:
            print(f"  {'/'.join(key)}: {now[key]}")
    return int(any(missing.values()) or before != now)


if __name__ == "__main__":
    sys.exit(main())
