"""What Background Condition does: a picture, a person and a feeling to CONDITIONING, LATENT and a place."""

import hashlib
from dataclasses import dataclass

import torch

from ..encoders.expression import split
from ..errors import DiffSFSRError
from ..host.progress import steps
from ..images import broadcast, checked_image, checked_mask
from ..types import Expression, Identity, check_bundle
from ..warp.paste import PasteRegion, blanked, latent_mask, own_mask
from .draft import area_of_any_word, drawn, the_person, the_place
from .encoders import Encoders
from .memo import Remembered

WHERE = "Background Condition"


@dataclass
class Scenes:
    """One row for each result, before anything is encoded. Pictures [n, 3, S, S], masks [n, S, S], matrices [n, 2, 3]."""

    crops: torch.Tensor  # one for each background picture, not for each result
    blanks: torch.Tensor  # likewise: the crops with the part to repaint in grey
    drafts: torch.Tensor
    masks: torch.Tensor
    matrices: torch.Tensor


@torch.inference_mode()
def condition(
    encoders: Encoders,
    vae,
    image: torch.Tensor,
    mask: torch.Tensor | None,
    identity: Identity,
    expression: Expression,
    rule: str,
    index: int,
    grow: float,
    feather: float,
    guide: bool = True,
    strength: dict[str, float] | None = None,
    text: tuple[list | None, list | None] = (None, None),
    light: float = 0.0,
):
    """Everything that the Background Condition node gives: positive, negative, LATENT, Place, drafts [n, S, S, 3].

    `strength`: {"identity": 0..2, "expression": 0..2}, factors on what each group adds in the cross-attention, and in the draft
    on how far it goes from the background's own face to the person, and from calm to what was asked.
    `light`: 0..1, how far the selfie's light from the side goes to that of the background's face.
    `text`: CONDITIONING of the prompt and of the negative prompt, for a bundle that reads text, and for no other.
    """
    strength = checked_strength(strength)
    check_number("match light", light, 1.0, 0)
    check_text(encoders, text)
    for wire in (identity, expression):
        check_bundle(wire.bundle, encoders.id, WHERE)
    original, image = image, checked_image(image, f"{WHERE}, image")
    mask = checked_mask(mask, len(image), *image.shape[1:3], f"{WHERE}, mask")
    total = max(len(image), len(expression.codes))
    broadcast(len(image), total, "background pictures", WHERE)
    broadcast(len(expression.codes), total, "expressions", WHERE)
    who, geometry = the_person(encoders, identity), split(expression.codes)[1]
    scenes = scenes_of(encoders, original, image, mask, who, geometry, total, rule, index, grow, strength, light)
    background = one_each(encoded_once(vae, scenes.blanks, encoders), total)
    guided = encoded(vae, scenes.drafts, encoders) if guide else torch.zeros_like(background)
    concat = torch.cat([background, latent_mask(scenes.masks), guided], 1)
    positive, negative = conditioning(encoders, identity, expression, concat, strength, text)
    # no noise_mask: the background is explicit conditioning, and re-noising it at each step would leave the ODE
    # less than full denoising starts from the draft, or without it from what is there
    latent = {"samples": guided if guide else one_each(encoded_once(vae, scenes.crops, encoders), total)}
    size = encoders.config.resolution
    if original.shape[-1] == 1:
        original = original.expand(-1, -1, -1, 3)  # a painted face has colour
    where = PasteRegion(original, scenes.matrices, scenes.masks, mask, float(feather) * size / 256, size)
    return positive, negative, latent, where, scenes.drafts.permute(0, 2, 3, 1)


def scenes_of(encoders, wire, image, mask, who, geometry, total, rule, index, grow, strength, light) -> Scenes:
    """Finds the faces, masks them and drafts the results; arguments as `condition` has them, checked. wire: the picture's."""
    size, crops, blanks, rows = encoders.config.resolution, [], [], []
    for i in steps(range(total)):
        if i < len(image):
            there, matrix = the_place(encoders, wire, i, image[i], rule, index, f"{WHERE}, image {i}")
            own = None if mask is None else own_mask(mask[i % len(mask)], matrix, size)
            hidden = area_of_any_word(encoders, who, there, grow, strength["identity"]) if own is None else own
            crops.append(there.crop.image)
            blanks.append(blanked(there.crop.image, hidden))
        guide, area = drawn(encoders, who, there, geometry[i % len(geometry)], grow, own, strength, light)
        if not area.any() and mask is None:
            raise DiffSFSRError("Nothing is left to repaint", f"{WHERE}, mask grow, image {i}", "Shrink the mask less")
        if not area.any():
            what, remedy = "The mask does not touch the chosen face", "Paint over the face, or choose another face"
            raise DiffSFSRError(what, f"{WHERE}, mask, image {i}", remedy)
        rows.append((guide, area, matrix))
    return Scenes(torch.stack(crops), torch.stack(blanks), *(torch.stack(column) for column in zip(*rows, strict=True)))


def encoded(vae, pictures: torch.Tensor, encoders: Encoders) -> torch.Tensor:
    """Pictures [n, 3, S, S] -> latents [n, C, S / 8, S / 8] on the CPU; a VAE of another width is refused.

    One by one: the host would split a batch by the memory that happens to be free, and rounding follows the batch size.
    """
    latents = torch.cat([vae.encode(p.permute(1, 2, 0)[None]).float().cpu() for p in pictures])
    wanted = encoders.config.unet.latent_channels
    if latents.shape[1] != wanted:
        what = f"The VAE has {latents.shape[1]} latent channels, the model {wanted}"
        raise DiffSFSRError(what, f"{WHERE}, vae", "Connect VAE of the same DiffSFSR UNet Loader")
    return latents


_latents = Remembered(8)


def encoded_once(vae, pictures: torch.Tensor, encoders: Encoders) -> torch.Tensor:
    """The same for pictures that come again with the next word: remembered by their content."""
    found = []
    for picture in pictures:
        content = hashlib.blake2b(picture.numpy().tobytes()).digest()
        found.append(_latents.get(vae, picture, (content,), lambda p=picture: encoded(vae, p[None], encoders)))
    return torch.cat(found)


def one_each(rows: torch.Tensor, count: int) -> torch.Tensor:
    """One row for each result: those there are, or the only one again and again."""
    return rows.expand(count, -1, -1, -1) if len(rows) == 1 else rows


def conditioning(
    encoders: Encoders,
    identity: Identity,
    expression: Expression,
    concat: torch.Tensor,
    strength: dict[str, float],
    text: tuple[list | None, list | None] = (None, None),
):
    """CONDITIONING pair. The tokens travel as extras of every entry of `text`, or of one empty entry where no text is read.

    concat [n, 2 C + 1, h, w]: latent of the masked background, mask, latent of the guide. Both sides of the guidance get the
    same strengths: a group of strength 0 is then left out altogether, and the host can run both sides as one batch.
    """
    tokens, device = encoders.stack.ready().tokens, encoders.stack.device
    vectors = identity.vector[None].expand(len(identity.selfies), -1)
    who = tokens.identity_tokens(vectors.to(device), identity.selfies.to(device)).mean(0, keepdim=True)
    feels = tokens.expression_tokens(expression.codes.to(device))
    empty = [[torch.zeros(1, 1, encoders.config.tokens.width), {}]]

    def told(who: torch.Tensor, feels: torch.Tensor, entries: list | None):
        ours = {"bundle": encoders.id, "concat": concat, "strength": strength}
        for name, value in (("identity", who), ("expression", feels)):
            ours[name] = value.expand(len(concat), -1, -1).cpu()
        given = inpainting(encoders, concat) if entries else {}
        return [[tensor, {**given, **extras, "diffsfsr": ours}] for tensor, extras in entries or empty]

    return told(who, feels, text[0]), told(*tokens.null(len(concat)), text[1])


def inpainting(encoders: Encoders, concat: torch.Tensor) -> dict[str, torch.Tensor]:
    """The same place as the host's own inpainting models want it told; others do not look at it."""
    channels = encoders.config.unet.latent_channels
    return {"concat_latent_image": concat[:, :channels], "concat_mask": concat[:, channels : channels + 1]}


def check_text(encoders: Encoders, text: tuple[list | None, list | None]) -> None:
    """A bundle that reads text needs both prompts, one that reads none must not be given any: it would not be heard."""
    reads = encoders.config.unet.text_width > 0
    for name, entries in zip(("text_positive", "text_negative"), text, strict=True):
        if reads and not entries:
            what, remedy = "This bundle reads a prompt too, and there is none", "Connect CLIP Text Encode (it may be empty)"
            raise DiffSFSRError(what, f"{WHERE}, {name}", remedy)
        if entries and not reads:
            what = "This bundle reads no text: the prompt would not be heard"
            raise DiffSFSRError(what, f"{WHERE}, {name}", "Leave it unconnected, or load a bundle for Stable Diffusion")


def checked_strength(strength: dict[str, float] | None) -> dict[str, float]:
    """Factors of both groups, 0..2; 1 where nothing is said. Older hosts do not check what comes over a wire."""
    whole = {"identity": 1.0, "expression": 1.0, **(strength or {})}
    for name, value in whole.items():
        check_number(f"{name} strength", value, 2.0, 1)
    return whole


def check_number(name: str, value: float, most: float, usual: int) -> None:
    if not 0.0 <= value <= most:  # written so that NaN is refused too
        remedy = f"Choose a value in that range; {usual} is the usual one"
        raise DiffSFSRError(f"{value} is outside 0 to {most:.0f}", f"{WHERE}, {name}", remedy)
