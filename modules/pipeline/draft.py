"""A person drawn in the place of a face: what Face Draft and Background Condition share."""

from dataclasses import replace

import torch

from ..types import Face, Strength
from ..warp.beard import in_the_way, jaw_of
from ..warp.coarse import BackgroundFace, morph, placed, points_of, unoccluded
from ..warp.covers import before_selfie, broad, in_front
from ..warp.forehead import ALIKE, Foreheads, Seen, bare_forehead, trusted
from ..warp.hard_light import SoftFace, soft_gain
from ..warp.harmony import OwnLight, led
from ..warp.mesh import Mesh
from ..warp.mouth import Interior
from ..warp.palette import Palette, exposed, lit
from ..warp.rim import SKIN_TONE
from ..warp.skin import Skin
from ..warp.wrinkles import own_light, shade_of
from .encoders import Encoders, light_network
from .memo import LEAST, content
from .place import Person, Place, cover_answer, cover_share, own_place, same_photo, seen_in, topology

FREE = 0.5  # what stands before a forehead, up to which it is bare


def behind(encoders: Encoders, person: Person, place: Place, given: torch.Tensor | None, find: bool) -> Place:
    """The place, `shaven`, with what stands before its face: given [S, S] 0..1, and if `find`, what is found; remembered.

    In its own photo a person stays behind nothing: hair is drawn with the face that it hangs over.
    """
    place = shaven(encoders, person, place)
    found, background = None, place.background
    if find and not same_photo(person, place):
        found = encoders.memo.get("in front", place.key, lambda: _found(encoders, place))
    both = [mask for mask in (given, found) if mask is not None and mask.any()]
    if not both:
        return place
    return replace(place, background=background.behind(torch.stack(both).amax(0)), found=found, given=given)


def shaven(encoders: Encoders, person: Person, place: Place) -> Place:
    """The place without the beard of its face, as far as the person has none like it: jaw and neck instead; remembered."""
    if same_photo(person, place):
        return place
    own = own_place(encoders, person).background
    there, here = (
        encoders.memo.get("jaw", key, lambda: jaw_of(one.face.image, one.mesh))  # noqa: B023
        for key, one in ((place.key, place.background), (person.key, own))
    )
    way = in_the_way(there, here)
    if way.pixels == 0:
        return place
    background = encoders.memo.get("shaven", (place.key, way), lambda: place.background.without_beard(*way))
    return replace(place, background=background, key=f"{place.key} {way.pixels:.3f} {way.hair} {way.full} without beard")


def _found(encoders: Encoders, place: Place) -> torch.Tensor | None:
    """What stands before its face [S, S] 0..1; None, which takes no memory, where nothing does."""
    found = in_front(seen_in(encoders, place), place.background.mesh, cover_answer(place))
    return found if found.any() else None


def skin_of(encoders: Encoders, person: Person, place: Place) -> Skin:
    """What is drawn of the person: in its own photo a face keeps what hangs over it, elsewhere it loses it; remembered."""
    if same_photo(person, place):
        return Skin.of(person.face)
    face, own = person.face, own_place(encoders, person).background.mesh

    def make() -> Skin:
        soft = replace(face, image=soft_face(encoders, person).image)
        held = broad(before_selfie(cover_share(encoders, person), own))
        return unoccluded(soft, own.topology, held, own_bare(encoders, person))._replace(shown=face.shown)

    return encoders.memo.get("skin", person.key, make)


def soft_face(encoders: Encoders, person: Person) -> SoftFace:
    """The person's photo without hard light: before a half in shadow is taken for hair; remembered."""
    mesh = own_place(encoders, person).background.mesh
    make = lambda: SoftFace.of(light_network().ready(), person.face.image, mesh)  # noqa: E731
    return encoders.memo.get("soft face", person.key, make)


def plain_face(encoders: Encoders, person: Person) -> Face:
    """The person's face as `soft_face` has it, like no skin where its fine structure is an edge of light."""
    image, plain = soft_face(encoders, person)
    return replace(person.face, image=image if plain is None else torch.where(plain, image, -1))


def lit_place(encoders: Encoders, place: Place) -> tuple[BackgroundFace, float]:
    """The face of a place in light enough to draw in, and the logarithm of the gain, see `palette.lit`.

    Remembered by the picture alone: what stands before the face may be another mask each time.
    """

    def make() -> tuple[BackgroundFace | None, float]:
        image, gain = lit(place.face.image)
        return BackgroundFace.of(replace(place.face, image=image), topology()) if gain else None, gain

    (bright, gain), front = encoders.memo.get("lit place", place.key, make), place.background.in_front
    if bright is None:
        return place.background, 0.0
    bright = replace(bright, beard=place.background.beard)
    return bright if front is None else bright.behind(front), gain


def led_skin_of(encoders: Encoders, person: Person, place: Place) -> Skin:
    """`skin_of` in the exposure, the colours and the light of a place of another kind, see `harmony.led`; remembered."""
    skin, there = skin_of(encoders, person, place), lit_place(encoders, place)[0].face
    own, get = own_place(encoders, person).background.mesh, encoders.memo.get
    soft = lambda: get("soft gain", person.key, lambda: soft_gain(light_network().ready(), skin.image, own))  # noqa: E731
    gain = None if same_photo(person, place) else soft
    light_on = lambda image, mesh: get("light on it", content(image, mesh.points), lambda: OwnLight.of(image, mesh))  # noqa: E731
    make = lambda: led(skin, own, there.image, there.points, gain, light_on)  # noqa: E731
    return get("led skin", (person.key, place.key), make, most=LEAST)  # in a film one of each frame


def drawn(
    encoders: Encoders, person: Person, place: Place, mesh: Mesh, area: torch.Tensor, looks: dict, identity: float, light: float
) -> torch.Tensor:
    """The coarse warp [3, S, S] in the light and the palette of its place; looks: see `looks_of`."""
    background, gain = lit_place(encoders, place)
    warp = exposed(morph(led_skin_of(encoders, person, place), background, mesh, area, identity, light, **looks), -gain)
    palette = encoders.memo.get("palette", place.key, lambda: Palette.of(place.face.image))
    return torch.where(area > 0, palette.on(warp), place.face.image) if gain or palette.share else warp


def mesh_of(encoders: Encoders, person: Person, place: Place, geometry: torch.Tensor, strength: Strength) -> Mesh:
    """The person's face in that place, doing the geometry [K] by its strength."""
    points = points_of(encoders.shape, person.face.fit, place.face.fit, geometry, strength, place.face.size)
    return Mesh.of(points, place.background.mesh.topology, place.face.size)


def looks_of(
    encoders: Encoders,
    person: Person,
    place: Place,
    mesh: Mesh,
    geometry: torch.Tensor,
    strength: Strength,
    wrinkles: float,
    skin_tone: float = SKIN_TONE,
) -> dict:
    """What the person's expression, geometry [K], has in that place beside its movement: folds, and the inside of the mouth;
    and the tone of its skin, and both foreheads.
    """
    shape, own, geometry = encoders.shape, person.face.fit, strength.expression * geometry

    def at_rest() -> torch.Tensor:
        fits, nothing = (own, place.face.fit), torch.zeros_like(geometry)
        return torch.stack([placed(shape, own, fit, nothing, strength.identity) for fit in fits])

    photo, rest = encoders.memo.get("at rest", (person.key, place.key, strength.identity), at_rest)
    light = encoders.memo.get("own light", person.key, lambda: own_light(shape, person.face))
    shade = shade_of(shape, light, mesh, geometry, wrinkles)
    tone = None if same_photo(person, place) else skin_tone
    interior, bare = Interior.of(shape, photo, rest, geometry), foreheads_of(encoders, person, place)
    return {"shade": shade, "interior": interior, "tone": tone, "foreheads": bare}


def foreheads_of(encoders: Encoders, person: Person, place: Place) -> Foreheads | None:
    """Where both show bare skin; None in the person's own photo, where the face ends with its mesh."""
    if same_photo(person, place):
        return None
    return Foreheads(own_forehead(encoders, person, skin_of(encoders, person, place)), forehead(encoders, place))


def own_forehead(encoders: Encoders, person: Person, skin: Skin) -> torch.Tensor:
    """Where the person's photo surely shows skin, above the mesh, too [S, S] 0..1; skin: of it, see `skin_of`. Remembered."""

    def make() -> torch.Tensor:
        mesh, soft = own_place(encoders, person).background.mesh, soft_face(encoders, person).image
        return trusted(own_bare(encoders, person), mesh, person.face.shown, (skin.image != soft).any(0))

    return encoders.memo.get("own forehead", person.key, make)


def own_bare(encoders: Encoders, person: Person) -> torch.Tensor:
    """Where the person's photo is bare, above the mesh, too, also without hard light [S, S], 0 or 1; remembered."""
    own = own_place(encoders, person)

    def make() -> torch.Tensor:
        mesh, seen, soft = own.background.mesh, seen_in(encoders, own), soft_face(encoders, person).image
        if soft is person.face.image:
            return bare_forehead(seen, mesh, ALIKE[1])
        return bare_forehead(Seen.of(soft, mesh), mesh, ALIKE[1]) * bare_forehead(seen, mesh, ALIKE[0])

    return encoders.memo.get("own bare", person.key, make)


def forehead(encoders: Encoders, place: Place) -> torch.Tensor:
    """Where a place shows bare skin [S, S] bool, above the mesh, too; remembered, as bool: a quarter of the memory."""
    make = lambda: bare_forehead(seen_in(encoders, place), place.background.mesh) > 0  # noqa: E731
    bare, front = encoders.memo.get("forehead", place.key, make), place.background.in_front
    return bare if front is None else bare & (front < FREE)
