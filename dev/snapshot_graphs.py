"""The graphs of `dev.snapshot`, and their input files: the demonstration, every shipped workflow, and settings of each node."""

from __future__ import annotations

import json
from collections.abc import Iterator

from PIL import Image, ImageDraw

from .host import Host
from .pack import ROOT
from .people import head

TWINS = ROOT / "tests" / "workflows"
WORDS = {"amazement": "surprise", "cheerfulness": "joy", "rage": "anger", "sorrow": "sadness"}  # the demonstration's
LOADER, SELFIE, SCENE, WHO, WORD, PLACE, SAMPLER, DECODE, PASTE, SAVE = map(str, range(1, 11))  # nodes of the portrait
UNSAVED = {"DiffSFSRUNetLoader"}  # weights and networks: what they do is seen in every other node
LINES = "amazement\ncheerfulness 1.4\nrage\nsorrow\ndread\na bit worried\nhappily surprised\ncontempt\nsubcluster: lust"
SLIDERS = {
    "brows": 0.0, "inner_brows": 0.3, "eyes": -0.6, "squint": 0.2, "gaze_sideways": 0.5, "gaze_up": -0.3, "smile": 0.6,
    "frown": 0.0, "jaw": 0.5, "teeth": 0.3, "pucker": 0.0, "sneer": 0.2, "cheeks": 0.1, "asymmetry": 0.4,
    "coefficients": "mouthDimpleLeft 0.4",
}  # fmt: skip


def pictures() -> dict[str, Image.Image]:
    """Input files by name: what the shipped graphs ask for, what the demonstration takes, and more. Nobody in them exists."""
    selfie, scene, other = head("P002", "selfie"), head("P008", "selfie"), head("P001", "portrait")
    grey = (96, 96, 96)
    two = Image.new("RGB", (1024, 512), grey)
    two.paste(scene.resize((512, 512)))
    two.paste(other.resize((384, 384)), (620, 64))  # the other face is the more central one
    mask = Image.new("RGB", scene.size)
    ImageDraw.Draw(mask).ellipse((190, 310, 415, 480), fill="white")  # the lower half of the face
    side = Image.new("L", selfie.size)
    side.paste(255, (440, 0, *side.size))
    side.paste(Image.linear_gradient("L").rotate(90).resize((230, side.height)), (210, 0))  # dark left, over the face's width
    return {
        "astronaut": selfie,  # so the graphs of the tests call their selfie
        "background": other, "reference": head("P004", "selfie"), "scene": scene, "two": two,
        "mask": mask, "side_light": Image.composite(selfie, selfie.point(lambda v: v * 0.4), side),
        "turned_scene": scene.rotate(25, Image.Resampling.BICUBIC, fillcolor=grey),
        "turned_selfie": selfie.rotate(-35, Image.Resampling.BICUBIC, fillcolor=grey),
    }  # fmt: skip


class Graph(dict):
    """A prompt in API form."""

    def set(self, node: str, **inputs) -> Graph:
        self[node]["inputs"].update(inputs)
        return self

    def add(self, node: str, kind: str, **inputs) -> Graph:
        self[node] = {"class_type": kind, "inputs": inputs}
        return self

    def shown(self, *links: list) -> Graph:
        """With pictures of these outputs: the host runs only what an output node needs."""
        for link in links:
            self.add(f"show_{'_'.join(map(str, link))}", "PreviewImage", images=link)
        return self

    def only_shown(self, *links: list) -> Graph:
        del self[SAVE]
        return self.shown(*links)


def twin(name: str) -> Graph:
    return Graph(json.loads((TWINS / f"{name}.api.json").read_text(encoding="utf-8")))


def demo(word: str) -> Graph:
    """The demonstration: `evaluation/demo.py` runs the same graph on the same pictures."""
    graph = twin("portrait").set(SCENE, image="scene.png").set(WORD, expression=f"{WORDS[word]}: {word}")
    return graph.set(SAVE, filename_prefix=f"demo_{word}")


def quick(word: str = "amazement") -> Graph:
    """The same with two steps, and in 32 bits, where the smallest difference shows."""
    return demo(word).set(LOADER, weight_dtype="fp32").set(SAMPLER, steps=2)


def settings() -> dict[str, Graph]:
    """What the defaults leave out: name -> graph."""
    place = {"encoders": [LOADER, 2], "face": "largest", "face_index": 0}
    draft = {**place, "identity": [WHO, 0]}
    photo = {"image": "turned_selfie.png"}
    batch = {"encoders": [LOADER, 2], "text": "amazement\nrage", "intensity": 1.0, "variation": 3}
    read = {**place, "image": [SELFIE, 0], "intensity": 1.2}
    found: dict[str, Graph] = {
        "strengths": quick().set(PLACE, expression_strength=2.0, identity_strength=0.5),
        "weak": quick("rage").set(PLACE, expression_strength=0.5, identity_strength=0.0).set(WORD, intensity=1.5, variation=7),
        "light": quick("sorrow").set(PLACE, match_light=0.7).set(SELFIE, image="side_light.png"),
        "unguided": quick().set(PLACE, match_light=0.7, guide=False).set(SAMPLER, denoise=1.0, cfg=1.5),
        "mask": quick("cheerfulness").add("mask", "LoadImageMask", image="mask.png", channel="red")
        .set(PLACE, mask=["mask", 0]),
        "edges": quick("rage").set(PLACE, grow=30, feather=24, face="most central").set(SCENE, image="two.png"),
        "second": quick("sorrow").set(PLACE, face="index", face_index=1).set(SCENE, image="two.png"),
        "tight": quick().set(PLACE, grow=-8, feather=0).set(SCENE, image="background.png").set(SELFIE, image="scene.png"),
        "turned": quick("cheerfulness").set(SCENE, image="turned_scene.png").set(SELFIE, **photo).set(PLACE, match_light=1.0),
        "cropped": quick("sorrow").set(WHO, without_face="treat as an aligned crop").set(SELFIE, image="mask.png"),
        "drafts": quick().add("words", "DiffSFSRExpressionWords", **{**batch, "text": LINES})
        .add("own", "DiffSFSRFaceDraft", **draft, expression=["words", 2])
        .add("there", "DiffSFSRFaceDraft", **draft, expression=["words", 2], image=[SCENE, 0])
        .only_shown(["own", 0], ["there", 0]),
        "read": quick().add("neutral", "LoadImage", image="scene.png")
        .add("plain", "DiffSFSRExpressionFromImage", **{**read, "image": ["neutral", 0]})
        .add("read", "DiffSFSRExpressionFromImage", **read, neutral=["neutral", 0])
        .set(PLACE, expression=["read", 0]).shown(["plain", 1]),
        "batch": quick().add("words", "DiffSFSRExpressionWords", **batch).add("other", "LoadImage", image="background.png")
        .add("both", "ImageBatch", image1=[SCENE, 0], image2=["other", 0])
        .set(PLACE, image=["both", 0], expression=["words", 2]),
        "photos": quick().add("turned", "LoadImage", **photo).add("other", "LoadImage", image="scene.png")
        .add("two", "ImageBatch", image1=[SELFIE, 0], image2=["turned", 0])
        .add("three", "ImageBatch", image1=["two", 0], image2=["other", 0]).set(WHO, image=["three", 0]),
        "sliders": quick().add("word", "DiffSFSRExpressionLabelEncoder", **(demo("rage")[WORD]["inputs"] | {"intensity": 0.8}))
        .add("mix", "DiffSFSRExpressionMix", first=[WORD, 0], second=["word", 0], t=0.8, steps=3, curve="slow at both ends")
        .add("moved", "DiffSFSRExpressionSliders", encoders=[LOADER, 2], **SLIDERS, expression=["mix", 0])
        .add("alone", "DiffSFSRExpressionSliders", encoders=[LOADER, 2], **SLIDERS)
        .add("own", "DiffSFSRFaceDraft", **draft, expression=["alone", 0])
        .set(PLACE, expression=["moved", 0]).shown(["own", 0]),
        "weights": quick().set(SAMPLER, cfg=1.5, expression_cfg=2.5, denoise=1.0, reuse=False, seed=5, scheduler="normal"),
        "custom": custom(quick()),
    }  # fmt: skip
    return found


def custom(graph: Graph) -> Graph:
    """The guider and the sampler as parts of the host's own sampling."""
    told = {"model": [LOADER, 0], "positive": [PLACE, 0], "negative": [PLACE, 1]}
    graph.add("guider", "DiffSFSRIdentityExpressionGuider", **told, identity_cfg=2.0, expression_cfg=1.2)
    graph.add("method", "DiffSFSRMidpointSamplerSelect", reuse=False, churn=8.0, churn_noise=1.003)
    graph.add("levels", "BasicScheduler", model=[LOADER, 0], scheduler="karras", steps=3, denoise=0.6)
    graph.add("noise", "RandomNoise", noise_seed=4)
    parts = {"guider": ["guider", 0], "sampler": ["method", 0], "sigmas": ["levels", 0], "noise": ["noise", 0]}
    graph.add("painted", "SamplerCustomAdvanced", **parts, latent_image=[PLACE, 2])
    return graph.set(DECODE, samples=["painted", 0])


def graphs(host: Host) -> Iterator[tuple[str, Graph]]:
    for word in WORDS:
        yield f"demo_{word}", demo(word)
    for path in sorted(TWINS.glob("*.api.json")):
        name = path.name.removesuffix(".api.json")
        lacking = missing_files(host, twin(name))
        if name == "prompt_background":
            print(f"snapshot: {name}: left out: what the checkpoint paints decides whether there is a face", flush=True)
        elif lacking:
            print(f"snapshot: {name}: left out: there is no {' and no '.join(lacking)}; see --models", flush=True)
        else:
            yield name, twin(name)
    yield from settings().items()


def missing_files(host: Host, graph: Graph) -> list[str]:
    """Checkpoints and bundles that a graph names and this host has not."""
    asked = {"ckpt_name": "checkpoints", "bundle": "diffsfsr"}
    there = {"default (built in)", *(name for kind in asked.values() for name in host.folder_paths.get_filename_list(kind))}
    return [value for node in graph.values() for name, value in node["inputs"].items() if name in asked and value not in there]
