"""Groups of people by rough estimates of networks and of colour, so that a mean does not hide the failures of one group."""

import math

import torch
from kornia.color import rgb_to_lab

from ...modules.faces.landmarker import find_faces
from ...modules.pipeline.encoders import face_networks
from .measure import Observer

# Cheeks and forehead; skin is looked at in squares around them of this share of the face's width.
SKIN, SHARE = (50, 280, 151), 0.06
# ITA, the individual typology angle (Chardon et al. 1991): above 41 light, 10 to 41 intermediate and tan, below brown and dark
LIGHT, DARK = 41.0, 10.0
GROUPS = {
    "women": lambda p: p["male"] < 0.5,
    "men": lambda p: p["male"] >= 0.5,
    "under 35": lambda p: p["years"] < 35,
    "35 to 49": lambda p: 35 <= p["years"] < 50,
    "50 and older": lambda p: p["years"] >= 50,
    "skin: light": lambda p: p["tone"] > LIGHT,
    "skin: medium": lambda p: DARK <= p["tone"] <= LIGHT,
    "skin: dark": lambda p: p["tone"] < DARK,
    "turned under 10 degrees": lambda p: p["yaw"] < 10,
    "turned 10 degrees and more": lambda p: p["yaw"] >= 10,
}


@torch.inference_mode()
def describe(observer: Observer, picture: torch.Tensor) -> dict[str, float]:
    """Of the largest face of a picture [1, H, W, 3]: years, male (probability), tone (ITA, degrees), yaw (degrees, no sign)."""
    face = find_faces(face_networks().ready(), picture[0, ..., :3].float())[0]
    image, points = picture[..., :3].float().permute(0, 3, 1, 2), face.points[None, :, :2]
    years, male = observer.teachers.age_and_sex(image, points)
    yaw = abs(float(observer.look(picture).pose[0, 0]))
    return {"years": float(years), "male": float(male), "tone": skin_tone(image[0], points[0]), "yaw": yaw}


def skin_tone(image: torch.Tensor, points: torch.Tensor) -> float:
    """ITA of the skin of a picture [3, H, W] with face points [478, 2]; light and white balance of the photo are in it."""
    width = float(points[:468, 0].max() - points[:468, 0].min())
    reach = max(1, round(SHARE * width / 2))
    squares = []
    for x, y in points[list(SKIN)].round().long().tolist():
        square = image[:, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        squares.append(square.flatten(1))
    light, _, yellow = rgb_to_lab(torch.cat(squares, 1)[None, :, :, None])[0, :, :, 0].median(1).values.tolist()
    return math.degrees(math.atan2(light - 50, yellow))
