"""The network for what stands in front of a face: true hands and drawn things on people it never saw, and bare faces."""

import numpy as np
import pytest
import torch
from PIL import Image

from dev.people import PEOPLE, PeopleError, person
from diffsfsr.modules.faces.covers import CoverNetwork
from diffsfsr.modules.faces.landmarker import find_faces, landmarks_in_crop
from diffsfsr.modules.faces.networks import FaceNetworks
from diffsfsr.modules.warp.covers import answer, before_selfie, standing
from diffsfsr.modules.warp.front import EYE
from diffsfsr.modules.warp.masks import grow
from diffsfsr.modules.warp.mesh import Mesh
from diffsfsr.modules.warp.paste import cut
from diffsfsr.training.front import clothes, hands, strands, things
from tests.conftest import ROOT
from tests.unit.faces import MODEL

COVERS = ROOT / "weights" / "in_front.safetensors"
ROWS, COLUMNS = 4, 4  # of a sheet of emotions
HAPPY, ANGRY, SURPRISED, EXHAUSTED, PLAYFUL = (0, 1), (0, 3), (1, 0), (3, 0), (3, 2)


@pytest.fixture(scope="module")
def networks():
    return FaceNetworks.load(MODEL)


@pytest.fixture(scope="module")
def covers():
    return CoverNetwork.load(COVERS)


def seen(networks, who, cell):
    """A cell of a person's sheet as a crop [3, 256, 256], and the face in it."""
    try:
        with Image.open(person(who, "emotions")) as file:
            sheet = file.convert("RGB")
    except PeopleError as error:
        pytest.skip(str(error))
    wide, high = sheet.width // COLUMNS, sheet.height // ROWS
    left, top = cell[1] * wide, cell[0] * high
    picture = torch.from_numpy(np.array(sheet.crop((left, top, left + wide, top + high)))).float() / 255
    crop, _ = cut(picture, find_faces(networks, picture)[0].points, 256)
    return crop, Mesh.of(landmarks_in_crop(networks, crop[None])[0][0], networks.topology, 256)


def found_in(networks, covers, crop, mesh=None):
    """What stands in front [256, 256], as the network alone sees it, by the landmarks of the picture itself."""
    mesh = mesh or Mesh.of(landmarks_in_crop(networks, crop[None])[0][0], networks.topology, 256)
    with torch.inference_mode():
        return standing(answer(covers, crop, mesh), mesh)


def test_a_true_hand_is_found(networks, covers):
    """Before an open mouth: skin before skin."""
    crop, mesh = seen(networks, "P002", EXHAUSTED)
    found = found_in(networks, covers, crop, mesh) * mesh.covered
    assert 0.05 < found.sum() / mesh.covered.sum() < 0.2
    low = torch.arange(256)[:, None] > mesh.points[2, 1]
    assert (found * low).sum() > 0.95 * found.sum(), "the hand is below the nose"


@pytest.mark.parametrize("who", PEOPLE)
def test_nothing_stands_before_a_face_that_moves(networks, covers, who):
    """Teeth, a tongue, folds, beards, brows: an empty map, so that the picture stays as it was to the bit."""
    for cell in (HAPPY, ANGRY, SURPRISED, PLAYFUL):
        crop, mesh = seen(networks, who, cell)
        for picture in (crop, crop.flip(-1)):
            mesh = Mesh.of(landmarks_in_crop(networks, picture[None])[0][0], networks.topology, 256)
            assert not (found_in(networks, covers, picture, mesh) * mesh.covered).any(), cell


def skin_of(crop):
    return np.median(crop[:, 150:170, 90:110].flatten(1).numpy(), 1)


DRAWN = {  # over a crop, about places of the face in shares of the side
    "hand": (lambda rng, crop, at: hands.hand(256, rng, skin_of(crop), at[61]), 0.6, 0.75),
    "microphone": (lambda rng, crop, at: things.microphone(256, rng, at[13]), 0.4, 0.9),
    "phone": (lambda rng, crop, at: things.phone(256, rng, at[50]), 0.7, 0.85),
    "cup": (lambda rng, crop, at: things.cup(256, rng, at[13]), 0.7, 0.75),  # never drawn in training
    "mask": (lambda rng, crop, at: clothes.mask(256, rng, at), 0.7, 0.85),
    "fringe": (lambda rng, crop, at: strands.bundle(256, rng, at, None, "fringe"), 0.6, 0.7),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_what_is_drawn_over_people_is_found(networks, covers, kind):
    counts, (draw, recall, precision) = torch.zeros(3), DRAWN[kind]
    for k, who in enumerate(PEOPLE):
        crop, mesh = seen(networks, who, (0, 0))
        layer = draw(np.random.default_rng(k), crop, mesh.points[:, :2].numpy() / 256)
        alpha = torch.from_numpy(layer.alpha)
        picture = torch.lerp(crop, torch.from_numpy(layer.colour).float().permute(2, 0, 1), alpha)
        found, true = found_in(networks, covers, picture) > 0.5, alpha > 0.5
        counts += torch.stack([(x & mesh.covered).sum() for x in (found & true, found, true)])
    right, found, true = counts
    assert right > recall * true, "too little is found"
    assert right > precision * found, "the person's own skin is taken for it"


@pytest.mark.parametrize("both", [True, False])
def test_glasses_of_a_selfie_are_the_persons_own(face, both):
    """What covers both eyes stays in the photo; what covers one is filled from the other side."""
    eye = face.between(EYE).float()
    held = grow((eye + eye.flip(-1) if both else eye)[None, None].clamp(0, 1), 4)[0, 0]
    assert bool(before_selfie(held, face).any()) != both
