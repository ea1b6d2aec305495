"""Painted people for the demonstration and the documentation: nobody real, and free to be shown (openpeople, MIT).

`make setup` unpacks their pictures into `.people`; nothing of them is committed. Only the people named here are taken from
the package. Only the standard library is imported here: `dev/setup.py` reads this before there is a virtual environment.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".people"
PEOPLE = ("P001", "P002", "P004", "P005", "P008")
FILES = {"selfie": "amateur_selfie.jpg", "portrait": "studio_portrait.jpg", "emotions": "emotions_sheet.jpg"}
WHEEL = "openpeople==0.1.2"
SHA256 = "6faee04493aa7e3e913ba7bc720db90bb9e5f4b7e65eaaf74cd77f74c74e609f"
# The square of a picture that shows head and shoulders (left, top, right, bottom), and the side it is brought to: the face
# is then about 230 pixels wide, near what the model paints.
HEADS = {"selfie": (168, 200, 1528, 1560), "portrait": (0, 0, 2048, 2048)}
SIDE = 640


class PeopleError(Exception):
    """Which person or picture is not there, and what to do about it."""


def members() -> dict[str, Path]:
    """Every file that is taken: its name in the wheel -> where it is put."""
    return {f"openpeople/data/curated/{who}/assets/{file}": FOLDER / who / file for who in PEOPLE for file in FILES.values()}


def person(who: str, kind: str) -> Path:
    """The file of a person's "selfie", "portrait" or sheet of "emotions". Raises PeopleError when it is not there."""
    if who not in PEOPLE or kind not in FILES:
        raise PeopleError(f"There is no {kind} of {who}: people {', '.join(PEOPLE)}; pictures {', '.join(FILES)}")
    path = FOLDER / who / FILES[kind]
    if not path.exists():
        raise PeopleError(f"{path} is missing: run make setup")
    return path


def head(who: str, kind: str, side: int = SIDE):
    """Head and shoulders of a "selfie" or "portrait": PIL.Image, RGB, side x side. Raises PeopleError as `person` does."""
    from PIL import Image

    with Image.open(person(who, kind)) as file:
        return file.convert("RGB").resize((side, side), Image.Resampling.LANCZOS, HEADS[kind])
