"""Pictures to files, with the marks that readers know, and with the workflow as the host's own Save Image writes it."""

import io
import json
import logging
import secrets
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import DiffSFSRError, here
from .credentials import signed
from .made import gets_made_face, remember, running_node
from .provenance import KEY, NOTE, XMP

SUFFIX = {"PNG": ".png", "WebP": ".webp", "JPEG": ".jpg"}
MODEL_TAG, MAKE_TAG = 0x0110, 0x010F  # EXIF, where the host's front end looks for the prompt and, counting down, the rest
SEGMENT = 65_533  # bytes of one JPEG segment, its length left out
_ADOBE = b"http://ns.adobe.com/xap/1.0/\0" + XMP.encode()  # an APP1 segment: Adobe, XMP specification part 3
MARKED_JPEG = {"extra": b"\xff\xe1" + (len(_ADOBE) + 2).to_bytes(2, "big") + _ADOBE}  # Pillow older than 11 ignores xmp=
LOSSLESS = 100  # quality of WebP from which on it keeps every pixel
log = logging.getLogger(__name__)


def to_pil(image: torch.Tensor) -> Image.Image:
    """[H, W, C] 0..1, C 1, 3 or 4 -> 8 bits, rounded, so that an 8-bit background comes out with its very values."""
    pixels = (image.float().clamp(0, 1) * 255).round().byte().cpu().numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels))


def encoded(picture: Image.Image, kind: str, texts: dict, made: bool, quality: int = 95, compress: int = 4) -> bytes:
    """The file's bytes. kind: of SUFFIX; texts: stored as JSON under their names; made: a face in it is ours, and it says so.

    quality: 1..100 for WebP and JPEG; compress: 0..9 for PNG.
    """
    texts, file = {**texts, **({KEY: NOTE} if made else {})}, io.BytesIO()
    if kind == "PNG":
        info = PngInfo()
        for name, value in texts.items():
            info.add_text(name, json.dumps(value))
        if made:
            info.add_itxt("XML:com.adobe.xmp", XMP)
        picture.save(file, "PNG", pnginfo=info, compress_level=compress)
    elif kind == "WebP":
        more = {"xmp": XMP.encode()} if made else {}
        picture.save(file, "WEBP", quality=quality, lossless=quality >= LOSSLESS, exif=_exif(texts), **more)
    else:
        exif = _exif(texts)
        if len(exif) > SEGMENT:
            log.warning("%s: the workflow is too long for a JPEG and is left out; PNG and WebP keep it", here())
            exif = _exif({name: texts[name] for name in (KEY,) if name in texts})
        picture.convert("RGB").save(file, "JPEG", quality=quality, subsampling=0, exif=exif, **(MARKED_JPEG if made else {}))
    return file.getvalue()


def write(picture: Image.Image, path: Path, kind: str, texts: dict, made: bool, quality: int = 95) -> None:
    """A file to keep: with its marks, and signed where the user has set a certificate."""
    data = encoded(picture, kind, texts, made, quality)
    path.write_bytes(signed(data, kind) if made else data)


def preview(images: torch.Tensor, made: bool):
    """IMAGE [B, H, W, C] as temporary files -> the ui of a node, as the host's PreviewImage gives it."""
    import folder_paths
    from comfy_api.latest import io as types
    from comfy_api.latest import ui

    # a name of its own: to count on, the host would look through all previews of the day
    folder, name, results = Path(folder_paths.get_temp_directory()), "DiffSFSR_temp_" + secrets.token_hex(6), []
    for k, image in enumerate(images, 1):
        file = f"{name}_{k:05}_.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(encoded(to_pil(image), "PNG", {}, made, compress=1))
        except OSError as error:  # what the node has made is worth more than its preview
            log.warning("%s: the preview cannot be written (%s)", here(), error)
            break
        results.append(ui.SavedResult(file, "", types.FolderType.temp))
    return ui.SavedImages(results)


def preview_of_faces(images: torch.Tensor, hidden, made: bool):
    """`preview` of pictures into which a node drew a face, or of which none has any: then none counts as ours further on."""
    prompt = hidden.prompt if hidden else None
    remember(prompt, running_node(), made)
    return preview(images, made or gets_made_face(prompt, running_node(), unknown=False))


def preview_of_crops(images: torch.Tensor, hidden, drawn: bool = False):
    """`preview` of what a node made of the pictures it got: a face of ours if there was one in them, or it was `drawn`."""
    return preview(images, drawn or gets_made_face(hidden.prompt if hidden else None, running_node(), unknown=False))


def keep(images: torch.Tensor, prefix: str, kind: str, quality: int, texts: dict, made: bool):
    """IMAGE [B, H, W, C] into the host's output folder, numbered as its Save Image does -> the ui of a node.

    texts: what the host would write (prompt, workflow); nothing of it with --disable-metadata, which our marks outlast.
    """
    import folder_paths
    from comfy.cli_args import args
    from comfy_api.latest import io as types
    from comfy_api.latest import ui

    height, width = images.shape[1:3]
    try:
        folder, stem, count, subfolder, _ = folder_paths.get_save_image_path(
            prefix, folder_paths.get_output_directory(), width, height
        )
    except Exception as error:  # the host has no class for it
        what = f"'{prefix}' leads to no file in the output folder ({str(error).strip().splitlines()[0]})"
        raise DiffSFSRError(what, "Write a plain name, or folder/name", "filename_prefix") from error
    results = []
    for k, image in enumerate(images):
        file = f"{stem.replace('%batch_num%', str(k))}_{count + k:05}_{SUFFIX[kind]}"
        try:
            write(to_pil(image), Path(folder) / file, kind, {} if args.disable_metadata else texts, made, quality)
        except (OSError, ValueError) as error:
            if isinstance(error, DiffSFSRError):
                raise
            with suppress(OSError, ValueError):  # a name that is too long is none to remove either
                (Path(folder) / file).unlink(missing_ok=True)
            remedy = "Look at its size and at the room in the output folder, or choose PNG"
            shown = file.encode("utf-8", "replace").decode()
            raise DiffSFSRError(f"{shown} cannot be written ({error})", remedy) from error
        results.append(ui.SavedResult(file, subfolder, types.FolderType.output))
    return ui.SavedImages(results)


def _exif(texts: dict) -> bytes:
    """EXIF as the host writes it for WebP: "name:JSON" in Model for the prompt, in Make and the tags below for the rest."""
    exif, tag = Image.Exif(), MAKE_TAG
    for name, value in texts.items():
        where = MODEL_TAG if name == "prompt" else tag
        exif[where] = f"{name}:{json.dumps(value)}"
        tag -= where == tag
    return exif.tobytes() if texts else b""

