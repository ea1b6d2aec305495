"""A selfie's skin made ready for a place of another kind: its exposure, its colours, and hard light on it. Usual selfies, in
light without edges and colours, are left bit for bit as they are; what a place is like is in `palette.py`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from kornia.color import lab_to_rgb, rgb_to_lab

from ..affine import FRAME
from .eyes import EYES
from .front import NOSE, Colours, colours_of
from .hard_light import softened
from .light import BLOCK, FAINT, GAMMA, gained
from .masks import blurred, fill
from .mesh import POINTS, Mesh, sampled
from .mouth import MOUTH
from .palette import Exposure, Palette, between, exposed
from .skin import Skin, put_on
from .soft_face import plain_points

# The spread (rms) of log light over the upper face from which on light begins to be hard, and where it is so. Of 136 portraits
# those in a studio or soft daylight have .2 to .7, those with cast shadows or light from one side .8 to 1.3. The same for how
# far log chroma is from that of the face of the place (rms): without coloured light skins differ by less than .7.
HARD, TINTED = (0.7, 0.9), (1.0, 1.5)
FIRM = 4.0  # how much sooner the network's gain is taken wholly: it leaves soft light as it is
SMOOTH = 0.05  # of the face's width, over which light is averaged for that
REACH, FAR, LITTLE = 8.0, 24.0, 0.05  # pixels of the 256 px crop over which light is averaged; farther where skin is less
FOREIGN = 1.0  # distance from skin from which on it is beard below the selfie's nose; on the other's face anything, anywhere
MOST, COLOUR = 1.6, 1.0  # the most that log light and log chroma change
GUARD = 0.15  # what is brightened gets no brighter than the light of the place by this much: beard, hair and gleams stay
SOFT = 4.0  # pixels of the 256 px crop over which that fades at the border of the face
# Colours from another: by how much of lightness that is darker to count as hair, how much of the colour around them teeth and
# eyes have, pixels of the 256 px crop over which it is smoothed
SHADE, PALE, SMOOTHED = 20.0, 0.3, 3.0


class OwnLight(NamedTuple):
    """The light on a selfie's face, where its skin is bare: the same whatever the place."""

    bare: torch.Tensor  # [S, S] 0 or 1
    level: torch.Tensor  # [3, S, S] log of linear light, averaged
    near: torch.Tensor  # [S, S] the same, hardly

    @classmethod
    def of(cls, image: torch.Tensor, own: Mesh) -> "OwnLight":
        """Of a picture [3, S, S] with the face where it stands."""
        pixel, bare = image.shape[-1] / FRAME, bare_skin(colours_of(image, own), own, below=own.points[NOSE, 1])
        logs = torch.log(image.clamp(0, 1) ** GAMMA + FAINT)
        return cls(bare, averaged(logs, bare, pixel), blurred(logs.mean(0)[None, None], 1.5 * pixel)[0, 0])


def led(
    skin: Skin,
    own: Mesh,
    place: torch.Tensor,
    there: torch.Tensor,
    gain: Callable[[], torch.Tensor] | None = None,
    light_on: Callable[[torch.Tensor, Mesh], OwnLight] = OwnLight.of,
) -> Skin:
    """A selfie's skin, ready for a place of another kind: as bright as the face there, where one of them is nearly black or
    burnt; without hard light; and in its colours, where the selfie has none or those of its light. Else the very same.

    own: the selfie's face where it stands; place [3, S, S], there [478, 3]: the crop of the place, and its face points. gain:
    gives what takes hard light off the selfie, see `soft_gain`; asked only for hard or coloured light. None: nothing does.
    light_on: gives the light on the selfie, where it is known from the place before.
    """
    image, mine, theirs, other = skin.image, Exposure.of(skin.image), Exposure.of(place), Skin(place, there)
    share = max(mine.dark, mine.burnt, theirs.burnt)
    image = exposed(image, share * (theirs.middle - mine.middle))
    hard, tinted = how_lit(skin._replace(image=image), other, own)
    if gain is not None and max(hard, tinted) > 0:
        image = softened(image, gain(), min(1.0, FIRM * max(hard, tinted)))
        hard, _ = how_lit(skin._replace(image=image), other, own)  # of what is left
    if hard > 0:
        image = evened(image, own, other, hard, light_on(image, own))
    bare = max(Palette.of(skin.image).share * (1 - Palette.of(place).share), mine.burnt * (1 - theirs.burnt), tinted)
    if bare > 0:
        image = coloured(image, own, other, bare)
    return skin if image is skin.image else skin._replace(image=image)


def how_lit(skin: Skin, other: Skin, own: Mesh) -> tuple[float, float]:
    """0..1: how hard the light on a selfie is, and how coloured beside that on another's skin; own: the selfie's mesh."""
    plain = plain_points(skin.points, own)
    mine, theirs = (lights(side, plain) for side in (skin, other))
    step = (mine - mine.mean(1, keepdim=True)) - (theirs - theirs.mean(1, keepdim=True))
    return between(spread(mine.mean(1)), HARD), between(float(step.square().sum(1).mean().sqrt()), TINTED)


def spread(light: torch.Tensor) -> float:
    """Of log light [N]: rms about its median."""
    return float((light - light.median()).square().mean().sqrt())


def lights(skin: Skin, where: torch.Tensor) -> torch.Tensor:
    """Log of linear light [N, 3] at the N of a face's points that `where` [468] bool has, averaged over their likes around."""
    points = skin.points[:POINTS][where]
    small = F.avg_pool2d(skin.image[None], BLOCK)[0]
    logs = torch.log(sampled(small, points[:, None, :2] / BLOCK)[..., 0].T.clamp_min(0) ** GAMMA + FAINT)
    width = skin.points[:POINTS, 0].amax() - skin.points[:POINTS, 0].amin()
    near = torch.exp(-0.5 * (torch.cdist(points, points) / (SMOOTH * width)) ** 2)
    return near @ logs / near.sum(1, keepdim=True)


def evened(image: torch.Tensor, own: Mesh, other: Skin, share: float, light: OwnLight) -> torch.Tensor:
    """A selfie [3, S, S] whose light goes `share` of the way to that on another's face, and stays as it is on the whole.

    The gain is what is smooth of the difference of their log light, in each channel, where both show skin; own: the selfie's
    face where it stands, light: on it. Brows, eyes, lips, nostrils and beard take that of the skin around them.
    """
    pixel = image.shape[-1] / FRAME
    theirs, known = put_on(other, own)
    bare = bare_skin(colours_of(theirs, own), own, below=0) * known
    both = light.bare * bare
    aim = averaged(torch.log(theirs.clamp(0, 1) ** GAMMA + FAINT), bare, pixel)
    aim = aim - ((aim - light.level) * both).sum((1, 2), keepdim=True) / both.sum().clamp_min(1)
    more, limit = (aim - light.level).mean(0), aim.mean(0) + GUARD - light.near
    chroma = (aim - light.level - more).clamp(-COLOUR, COLOUR)
    more = torch.minimum(more, limit.clamp_min(0)).clamp(-MOST, MOST)
    inside = blurred(own.covered.float()[None, None], SOFT * pixel)[0, 0]
    return gained(image, torch.exp(share * inside * (more + chroma)))


def bare_skin(seen: Colours, mesh: Mesh, below: float) -> torch.Tensor:
    """Where a face shows its skin [S, S], 0 or 1: no feature, and below a row nothing that is unlike it."""
    row = torch.arange(len(seen.unlike), device=seen.unlike.device)[:, None]
    return (mesh.covered & ~seen.feature & ~((seen.unlike > FOREIGN) & (row >= below))).float()


def averaged(logs: torch.Tensor, weight: torch.Tensor, pixel: float) -> torch.Tensor:
    """Logs [3, S, S] averaged over `REACH` where weight [S, S] is, from farther away as far as it is not."""
    both = torch.cat([logs * weight, weight[None]])[None]
    near, far = (blurred(both, reach * pixel)[0] for reach in (REACH, FAR))
    far = far[:3] / far[3:].clamp_min(1e-3)
    return (near[:3] + LITTLE * far) / (near[3:] + LITTLE)


def coloured(image: torch.Tensor, own: Mesh, other: Skin, share: float) -> torch.Tensor:
    """A face's picture [3, S, S] with `share` of the colours of another's skin, point for point: lips get those of lips."""
    theirs, known = put_on(other, own)
    lab, pixel = rgb_to_lab(theirs[None].clamp(0, 1)), image.shape[-1] / FRAME
    usual = lab[0, 0, known > 0].median()
    known = (known * (lab[0, 0] > usual - SHADE))[None, None]  # no colours of beard, brows and lashes
    light, ab = blurred(fill(lab * known, known), SMOOTHED * pixel)[0].split((1, 2))
    openings = torch.stack([opening.soft(own)[0] for opening in (MOUTH, *(eye for eye, _ in EYES))]).amax(0)
    ab = ab * (1 - (1 - PALE) * openings)
    lab = rgb_to_lab(image[None].clamp(0, 1))[0]
    ab = ab * (lab[:1] / light.clamp_min(1)).clamp(max=1)  # in shadow a colour is less, too
    return lab_to_rgb(torch.cat([lab[:1], torch.lerp(lab[1:], ab, share)])[None])[0].clamp(0, 1)
