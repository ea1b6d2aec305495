"""The marks of pictures with a face we made, read back by programs that are not ours; and none on other pictures."""

import copy
import json
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pyexiv2
import pytest
import torch
from PIL import Image

from tests.host.graphs import COMPOSITE, CONDITION, EXPRESSION, IDENTITY, LOADER, SAVE, Graph, portrait, refusal, run

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
WORKFLOW = {"nodes": [], "extra": {"title": "Übung"}}
SAVER = "DiffSFSRSavePortrait"


def source_type(path):
    """IPTC DigitalSourceType, as exiv2 and (where it is installed) exiftool read it."""
    found = pyexiv2.Image(str(path)).read_xmp().get("Xmp.iptcExt.DigitalSourceType")
    if shutil.which("exiftool"):
        done = subprocess.run(["exiftool", "-j", "-n", "-XMP-iptcExt:all", path], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)[0].get("DigitalSourceType") == found
    return found


def texts_of(path):
    """What is stored by name, wherever the format keeps it: PNG text chunks, or EXIF as the host's front end reads it."""
    with Image.open(path) as picture:
        if picture.format == "PNG":
            return {name: json.loads(text) for name, text in picture.text.items() if name != "XML:com.adobe.xmp"}
        told = [value.partition(":") for value in picture.getexif().values() if isinstance(value, str)]
    return {name: json.loads(text) for name, _, text in told}


def queued(host, prompt):
    """Runs a prompt as POST /prompt does, hook included: {node: files}."""
    sent = {"prompt": prompt, "extra_data": {"extra_pnginfo": {"workflow": WORKFLOW}, "client_id": "test"}}
    extra = host.server.trigger_on_prompt(sent)["extra_data"]
    json.dumps(copy.deepcopy(extra))  # as the host's history has it
    checked = host.validate(prompt)
    assert checked.valid, checked
    host.executor.execute(prompt, uuid.uuid4().hex, extra, checked.outputs)
    assert host.executor.success, host.executor.status_messages
    outputs = host.executor.history_result["outputs"]
    return {node: [place(host, one) for one in shown["images"]] for node, shown in outputs.items() if "images" in shown}


def place(host, shown):
    return Path(host.folder_paths.get_directory_by_type(shown["type"])) / shown["subfolder"] / shown["filename"]


@pytest.fixture(scope="module")
def files(studio, pictures):
    """One prompt that saves the result in every way, and beside it pictures without a face of ours."""
    studio.reset()  # what is remembered of other tests shows no pictures
    graph, encoders, whose = portrait(*pictures), [LOADER, 2], {"face": "largest", "face_index": 0}
    for kind in ("PNG", "WebP", "JPEG"):
        graph.add(kind, SAVER, images=[COMPOSITE, 0], filename_prefix=f"portraits/{kind}", format=kind, quality=90)
    graph.add("saved", "SaveImage", images=[COMPOSITE, 0], filename_prefix="saved")
    graph.add("draft", "DiffSFSRFaceDraft", encoders=encoders, identity=[IDENTITY, 0], expression=[EXPRESSION, 0], **whose)
    graph.add("half", "ImageScaleBy", image=["draft", 0], upscale_method="area", scale_by=0.5)
    graph.add("small", "SaveImage", images=["half", 0], filename_prefix="small")
    graph.add("read", "DiffSFSRExpressionFromImage", encoders=encoders, image=[COMPOSITE, 0], intensity=1.0, **whose)
    graph.add("text", "PreviewAny", source=["read", 2])
    graph.add("outline", "MaskToImage", mask=[COMPOSITE, 1])
    for name, kind, images in (
        ("mask", SAVER, ["outline", 0]),
        ("other", SAVER, graph[IDENTITY]["inputs"]["image"]),
        ("plain", "SaveImage", graph[CONDITION]["inputs"]["image"]),
    ):
        more = {"format": "JPEG", "quality": 90} if kind == SAVER else {}
        graph.add(name, kind, images=images, filename_prefix=name, **more)
    return queued(studio, graph)


XMP = {"PNG", "WebP", "JPEG", CONDITION, "draft", "read"}  # we write them
NOTED = {"saved", "small", SAVE}  # the host writes them: our note alone
BARE = {"plain", "mask", "other", IDENTITY}


@pytest.mark.parametrize("node", sorted(XMP | NOTED | BARE))
def test_a_mark_where_a_face_is_ours_and_nowhere_else(files, node):
    (path,) = files[node]
    assert source_type(path) == (SOURCE if node in XMP else None)
    texts, kept = texts_of(path), not node.isdigit() and node not in {"draft", "read"}
    assert ("diffsfsr" in texts) == (node in XMP | NOTED)
    if node in XMP | NOTED:
        assert "painted by a diffusion model" in texts["diffsfsr"]["generated"]
    if kept:
        assert texts["workflow"] == WORKFLOW and texts["prompt"][LOADER]["class_type"] == "DiffSFSRUNetLoader"


def test_these_are_all_files(files):
    assert set(files) == XMP | NOTED | BARE


def test_the_kinds_hold_the_same_picture(files):
    png, webp, jpeg = (Image.open(files[kind][0]) for kind in ("PNG", "WebP", "JPEG"))
    assert (png.format, webp.format, jpeg.format) == ("PNG", "WEBP", "JPEG")
    assert files["JPEG"][0].parent.name == "portraits" and files["JPEG"][0].name == "JPEG_00001_.jpg"
    want = torch.tensor(list(png.tobytes())).float()
    for other in (webp, jpeg):
        assert other.size == png.size
        assert 0 < (torch.tensor(list(other.convert("RGB").tobytes())).float() - want).abs().mean() < 4


# --- Save Portrait by itself -----------------------------------------------------------------------------------------


def save_given(image, **inputs):
    """A graph of Save Portrait alone."""
    given = {"filename_prefix": "given", "format": "PNG", "quality": 95, **inputs}
    return Graph().add("2", SAVER, **given).give("2", "images", "IMAGE", image)


def test_a_batch_keeps_its_order_and_its_alpha(studio):
    shades = torch.tensor([0.2, 0.4, 0.6])[:, None, None, None].expand(3, 40, 48, 4).clone()
    paths = [place(studio, one) for one in run(studio, save_given(shades)).outputs["2"]["images"]]
    assert [path.name for path in paths] == [f"given_{k:05}_.png" for k in (1, 2, 3)]
    for path, shade in zip(paths, (51, 102, 153), strict=True):
        with Image.open(path) as picture:
            assert picture.mode == "RGBA" and picture.size == (48, 40) and picture.getpixel((5, 5)) == (shade,) * 4
    again = run(studio, save_given(shades[:1].clone(), format="WebP", quality=100)).outputs["2"]["images"]
    with Image.open(place(studio, again[0])) as picture:
        assert picture.getpixel((5, 5)) == (51,) * 4, "without loss"


@pytest.mark.parametrize(
    ("image", "inputs", "said"),
    [
        (torch.full((1, 32, 32, 3), float("nan")), {}, "Save Portrait, images: The picture has pixels that are not numbers"),
        (torch.zeros(1, 32, 32, 2), {}, "Save Portrait, images: An IMAGE is"),
        (torch.zeros(1, 32, 32, 3), {"filename_prefix": "../../x"}, "Save Portrait, filename_prefix: '../../x' leads to no"),
        (torch.zeros(1, 4, 17_000, 3), {"format": "WebP"}, "Save Portrait: given_"),
    ],
)
def test_what_cannot_be_saved_is_said(studio, image, inputs, said):
    folder = Path(studio.folder_paths.get_output_directory())
    before = sorted(folder.rglob("*"))
    assert refusal(studio, save_given(image, **inputs), "2").startswith(said)
    assert sorted(folder.rglob("*")) == before, "nothing is left behind"


def test_without_metadata_the_mark_stays(studio, tmp_path, monkeypatch):
    from comfy.cli_args import args

    from diffsfsr.modules.pipeline.save import save_portraits

    monkeypatch.setattr(args, "disable_metadata", True)
    (shown,) = save_portraits(torch.rand(1, 64, 64, 3), "bare", "WebP", 90, None, {"workflow": WORKFLOW}).results
    assert set(texts_of(place(studio, shown))) == {"diffsfsr"} and source_type(place(studio, shown)) == SOURCE


def test_a_workflow_too_long_for_a_jpeg_leaves_the_note(tmp_path, caplog):
    from diffsfsr.modules.host.saving import write

    write(Image.new("RGB", (64, 64)), tmp_path / "long.jpg", "JPEG", {"workflow": "x" * 70_000}, made=True)
    assert set(texts_of(tmp_path / "long.jpg")) == {"diffsfsr"} and source_type(tmp_path / "long.jpg") == SOURCE
    assert "too long for a JPEG" in caplog.text


def test_the_batch_commands_picture(comfy, tmp_path):
    from diffsfsr.evaluation.pictures import save_png

    save_png(torch.rand(64, 64, 3), tmp_path / "a.png", settings={"seed": 3})
    assert source_type(tmp_path / "a.png") == SOURCE and texts_of(tmp_path / "a.png")["settings"] == {"seed": 3}


# --- which nodes of a prompt get a face of ours ----------------------------------------------------------------------

PROMPT = Graph().add("1", "DiffSFSRUNetLoader").add("12", "LoadImage", image="x.png").add("broken", "KSampler", model=5)
PROMPT.add("enc", "VAEEncode", pixels=["12", 0], vae=["1", 1]).add("dec", "VAEDecode", samples=["enc", 0], vae=["1", 1])
PROMPT.add("levels", "BasicScheduler", model=["1", 0]).add("theirs", "SamplerCustom", sigmas=["levels", 0])
PROMPT.add("ours", "KSampler", model=["1", 0]).add("made", "VAEDecode", samples=["ours", 0], vae=["1", 1])
PROMPT.add("who", "DiffSFSRIdentityEncoder", image=["made", 0]).add("crop", "SaveImage", images=["who", 1])
PROMPT.add("size", "GetImageSize", image=["made", 0]).add("blank", "EmptyImage", width=["size", 0])
PROMPT.add("unknown", "NodeOfAnotherPack", picture=["made", 0]).add("more", "AndAnother", thing=["unknown", 3])
PROMPT.add("place", "DiffSFSRBackgroundCondition").add("cut", "DiffSFSRFaceCrop", place=["place", 3])
PROMPT.add("drafted", "SaveImage", images=["cut", 3]).add("original", "SaveImage", images=["cut", 0])
PROMPT.add("photo", "DiffSFSRFaceCrop", image=["12", 0]).add("bare", "DiffSFSRFaceCrop", place=["photo", 2])
PROMPT.add("again", "DiffSFSRFaceCrop", place=["cut", 2]).add("drafted 2", "SaveImage", images=["again", 3])
PROMPT.add("no draft", "SaveImage", images=["bare", 3]).add("of ours", "DiffSFSRFaceCrop", image=["made", 0])
PROMPT.add("cut of ours", "SaveImage", images=["of ours", 0])
PROMPT["nothing"] = None


@pytest.mark.parametrize(
    ("node", "expected"),
    [("enc", 0), ("dec", 0), ("levels", 1), ("theirs", 0), ("ours", 1), ("made", 1), ("who", 1), ("crop", 1), ("size", 1),
     ("blank", 0), ("unknown", 1), ("more", 1), ("1", 0), ("12", 0), ("12.0.0.1", 0), ("made.0.0.1", 1), ("elsewhere", 1),
     ("broken", 0), ("nothing", 0), ("drafted", 1), ("original", 0), ("drafted 2", 1), ("no draft", 0), ("cut of ours", 1)],
)  # fmt: skip
def test_where_a_face_of_ours_goes(host, node, expected):
    from diffsfsr.modules.host.made import gets_made_face

    assert gets_made_face(PROMPT, node) == bool(expected)


def test_a_prompt_without_a_face_of_ours_is_left_alone(host):
    from diffsfsr.modules.host.provenance import add_note

    request = {"prompt": Graph().add("1", "DiffSFSRUNetLoader").add("2", "DiffSFSRIdentityEncoder", encoders=["1", 2])}
    assert add_note(request) is request and "extra_data" not in request


# --- Content Credentials ---------------------------------------------------------------------------------------------

EXTENSIONS = (
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,emailProtection\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
)


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """A signer of a test authority, made for this run and set as a user would set it."""
    from diffsfsr.modules.host.credentials import CERTIFICATE, PRIVATE_KEY

    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: it makes the test certificate")
    (tmp_path / "ext").write_text(EXTENSIONS)
    for line in (
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key",
        "req -x509 -new -key ca.key -days 2 -subj /O=Test/CN=CA -addext keyUsage=critical,keyCertSign -out ca.pem",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out own.key",
        "req -new -key own.key -subj /O=Test/CN=Artist -out own.csr",
        "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out own.pem",
    ):
        subprocess.run(["openssl", *line.split()], cwd=tmp_path, check=True, capture_output=True)
    chain = tmp_path / "chain.pem"
    chain.write_text((tmp_path / "own.pem").read_text() + (tmp_path / "ca.pem").read_text())
    monkeypatch.setenv(CERTIFICATE, str(chain))
    monkeypatch.setenv(PRIVATE_KEY, str(tmp_path / "own.key"))
    return tmp_path


@pytest.mark.parametrize("kind", ["PNG", "WebP", "JPEG"])
def test_a_signed_picture(certificate, kind):
    c2pa = pytest.importorskip("c2pa", reason="c2pa-python is not installed")
    from diffsfsr.modules.host.saving import SUFFIX, write

    path = certificate / f"signed{SUFFIX[kind]}"
    write(Image.effect_noise((96, 64), 30), path, kind, {"workflow": WORKFLOW}, made=True)
    with c2pa.Reader(str(path)) as reader:
        told = json.loads(reader.json())
    manifest = told["manifests"][told["active_manifest"]]
    assert told["validation_state"] == "Valid" and manifest["signature_info"]["common_name"] == "Artist"
    assert manifest["assertions"][0]["data"]["actions"][0]["digitalSourceType"] == SOURCE == source_type(path)
    assert texts_of(path)["workflow"] == WORKFLOW


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [("library", None, "is not installed"), ("DIFFSFSR_C2PA_KEY", "nowhere.pem", "cannot be read as PEM"),
     ("DIFFSFSR_C2PA_ALGORITHM", "ps256", "cannot be signed")],
)  # fmt: skip
def test_what_hinders_signing_is_said(certificate, monkeypatch, setting, value, said):
    from diffsfsr.modules.errors import DiffSFSRError
    from diffsfsr.modules.host.saving import write

    if setting == "library":
        monkeypatch.setitem(sys.modules, "c2pa", None)
    else:
        pytest.importorskip("c2pa", reason="c2pa-python is not installed")
        monkeypatch.setenv(setting, value)
    with pytest.raises(DiffSFSRError, match=said):
        write(Image.new("RGB", (64, 64)), certificate / "a.png", "PNG", {}, made=True)
    assert not (certificate / "a.png").exists()
    write(Image.new("RGB", (64, 64)), certificate / "b.png", "PNG", {}, made=False)  # what is not ours is not signed
