"""The portraits that the shipped workflows open with: people who do not exist, each with a face that this pack painted.

Each is drawn into its own photo, so that nothing of it is anybody else's; the file says that the face was generated.
"""

import json
from pathlib import Path

from dev.host import Host

from ...modules.errors import DiffSFSRError
from ...modules.host.examples import PICTURES
from ...modules.host.provenance import NOTE
from ...modules.host.saving import MARKED_JPEG
from ..demo import WORKFLOW, Graph
from ..pictures import painted, to_pil

SIDE = 896  # pixels
EXAMPLES = {  # name -> person, picture, word, intensity
    "selfie": ("P002", "portrait", "joy: contentment", 0.8),
    "background": ("P004", "selfie", "joy: contentment", 1.0),
    "reference": ("P001", "portrait", "joy: delight", 1.0),
}


def draw(host: Host) -> list[Path]:
    """workflows/input/*.jpg."""
    PICTURES.mkdir(exist_ok=True)
    return [example(host, name) for name in EXAMPLES]


def example(host: Host, name: str) -> Path:
    who, kind, word, intensity = EXAMPLES[name]
    graph, own = Graph(json.loads(WORKFLOW.read_text())), f"diffsfsr_example_{who}.png"
    to_pil(painted(who, kind, SIDE)[0]).save(Path(host.folder_paths.get_input_directory()) / own)
    for place in ("selfie", "background"):
        graph.set(place, "image", own)
    graph.set("word", "expression", word)
    graph.set("word", "intensity", intensity)
    result = host.run(graph.prompt)
    if not result.success:
        raise DiffSFSRError(result.errors[0], "Run the tests of the workflows", f"picture {name}")
    file = PICTURES / f"diffsfsr_{name}.jpg"
    to_pil(result.value(graph.nodes["composite"])[0]).save(file, quality=88, comment=json.dumps(NOTE), **MARKED_JPEG)
    return file
