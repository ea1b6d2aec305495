"""What Face Crop does: a face of a picture as a crop that any model can paint, and the region where it is pasted back."""

from dataclasses import replace

import torch

from .. import affine
from ..affine import FRAME
from ..errors import DiffSFSRError, at, check_count
from ..images import broadcast, cast, checked_image, checked_mask
from ..labels.prompt import in_prompt
from ..types import PasteRegion, check_place
from ..warp.masks import grow
from ..warp.mesh import Mesh
from ..warp.paste import mask_in_crop
from ..warp.recrop import crops_of, masks_of, warps_of
from .area import GROW
from .face import chosen
from .place import topology

LEAST, MOST, CELL = 256, 1536, 8  # pixels of a crop, and of a latent's cell
NOBODY = "no face"
FEATHER = 8.0  # pixels of the 256 px crop, the default of Background Condition


@at("Face Crop")
@torch.inference_mode()
def face_crops(
    region: PasteRegion | None,
    image: torch.Tensor | None,
    size: int,
    rule: str = "largest",
    index: int = 0,
    mask: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, PasteRegion, torch.Tensor, str]:
    """The crops [n, S, S, 3], their masks [n, S, S], the paste region for them, the coarse warps [n, S, S, 3], and the
    expressions in the words of a prompt, one a line.

    region: of Background Condition or of another Face Crop. image: pictures [B, H, W, C], whose faces are looked for by the
    rule; with a region it is what the crops are cut from, in place of its background. mask [B or 1, H, W]: the artist's own.
    Where no one was drawn the coarse warps are the crops, and there are no words. A picture that passed through Background
    Condition without a face passes here, too: its mask is empty.
    """
    check_size(size)
    if region is None:
        region = region_of(image, rule, index, mask)
    else:
        check_place(region)
        region = region if image is None else elsewhere(region, image)
        region = region if mask is None else limited(region, mask)
    crops, masks = crops_of(region, size), masks_of(region, size)
    painted = region.mask.flatten(1).any(1)
    if not masks.flatten(1).any(1)[painted].all() or (region.warps is None and not painted.all()):
        what, remedy = "The mask does not touch the chosen face", "Paint over the face, or choose another face"
        raise DiffSFSRError(what, remedy, "mask")
    warps = crops if region.warps is None else warps_of(region, crops, masks)
    return crops.permute(0, 2, 3, 1), masks, region, warps.permute(0, 2, 3, 1), in_words(region)


def in_words(region: PasteRegion) -> str:
    """What the faces show, one a line, or one line where it is the same for all; of a picture that has no face it says so."""
    if region.codes is None:
        return ""
    faces = region.mask.flatten(1).any(1).tolist()
    said = [in_prompt(code.numpy()) if face else NOBODY for code, face in zip(region.codes, faces, strict=True)]
    of_faces = {line for line in said if line != NOBODY}
    return next(iter(of_faces)) if len(of_faces) == 1 else "\n".join(said if of_faces else [NOBODY])


def check_size(size: int) -> None:
    check_count("size", size, MOST, 512, LEAST)
    if size % CELL:
        what = f"A crop of {size} pixels cannot be made"
        near = min(max(round(size / CELL) * CELL, LEAST), MOST)
        raise DiffSFSRError(what, f"Choose {LEAST} to {MOST} in steps of {CELL}, for example {near}", "size")


def region_of(image: torch.Tensor | None, rule: str, index: int, mask: torch.Tensor | None) -> PasteRegion:
    """The paste region of the chosen face of each picture [B, H, W, C]."""
    if image is None:
        remedy = "Connect PLACE of Background Condition, or a picture"
        raise DiffSFSRError("There is nothing to cut a face from", remedy, "place")
    with at("image"):
        pictures = checked_image(image)
    with at("mask"):
        own = checked_mask(mask, len(pictures), *pictures.shape[1:3])
    matrices, masks = [], []
    for i, picture in enumerate(pictures):
        with at(f"image {i}"):
            points = chosen(picture, rule, index).points[None].float()
        matrix = affine.to_frame(points, FRAME)
        matrices.append(matrix[0])
        if own is None:
            covered = Mesh.of(affine.apply(matrix, points)[0], topology(), FRAME).covered
            masks.append(grow(covered.float()[None, None], GROW)[0, 0])
        else:
            masks.append(mask_in_crop(own[i % len(own)], matrix[0], FRAME))
    return PasteRegion(coloured(image), torch.stack(matrices), torch.stack(masks), own, FEATHER, FRAME)


def elsewhere(region: PasteRegion, image: torch.Tensor) -> PasteRegion:
    """The same places in other pictures [1 or n, H, W, C] of the same size."""
    with at("image"):
        pictures, count = checked_image(image), len(region.to_frame)
        broadcast(len(pictures), count, "pictures")
        (height, width), (high, wide) = pictures.shape[1:3], region.background.shape[1:3]
        if (height, width) != (high, wide):
            what = f"The picture is {width} x {height} pixels, the place belongs to one of {wide} x {high}"
            raise DiffSFSRError(what, "Connect what was made from that picture, or leave the place unconnected")
    return replace(region, background=coloured(image))


def limited(region: PasteRegion, mask: torch.Tensor) -> PasteRegion:
    """The region, pasted within the artist's own mask [B or 1, H, W] alone."""
    with at("mask"):
        own = checked_mask(mask, len(region.to_frame), *region.background.shape[1:3])
    return region if own is None else replace(region, limit=own if region.limit is None else own * region.limit)


def coloured(image: torch.Tensor) -> torch.Tensor:
    """A grey picture [B, H, W, 1] in three channels; others as they are."""
    image = cast(image)
    return image.expand(-1, -1, -1, 3) if image.shape[-1] == 1 else image
