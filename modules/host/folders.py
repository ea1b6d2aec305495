"""Where bundles, the face model and the expression library lie.

In models/diffsfsr of the host (extra_model_paths honoured) and our own weights/.
"""

from pathlib import Path

import folder_paths

from ..errors import DiffSFSRError

KEY = "diffsfsr"
FACE_MODEL = "face_landmarker.safetensors"
COVER_MODEL = "in_front.safetensors"
LIGHT_MODEL = "hard_light.safetensors"
DEFAULT = "default (built in)"
EXPRESSIONS = "expressions"  # folder of the expression library: EXPRESSIONS/<word>/*.png
SAVED = {"identity": "saved_identities", "expression": "saved_expressions"}  # folders of what was saved, by kind
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
BUILT_IN = WEIGHTS / "diffsfsr_default_256.safetensors"
BUILT_IN_FACE_MODEL = WEIGHTS / FACE_MODEL
OURS = {FACE_MODEL, COVER_MODEL, LIGHT_MODEL}  # weights that are no bundles


def register() -> None:
    """Makes models/diffsfsr known to the host, safetensors only; folders that the user named before stay."""
    own = str(Path(folder_paths.models_dir) / KEY)
    known = list(folder_paths.folder_names_and_paths.get(KEY, ([], set()))[0])
    folder_paths.folder_names_and_paths[KEY] = ([*known, *([] if own in known else [own])], {".safetensors"})


def bundle_names() -> list[str]:
    """The loader's list: the built-in bundle first."""
    register()
    names = folder_paths.get_filename_list(KEY)
    found = [n for n in names if Path(n).name not in OURS and Path(n).parts[0] not in (EXPRESSIONS, *SAVED.values())]
    return [DEFAULT, *found]


def expression_folders() -> list[Path]:
    """Where the pictures of an expression library may lie, whether the folders exist or not."""
    register()
    return [Path(folder) / EXPRESSIONS for folder in folder_paths.get_folder_paths(KEY)]


def saved_folders(kind: str) -> list[Path]:
    """Where saved wires of a kind may lie, whether the folders exist or not; what is new goes into the first."""
    register()
    return [Path(folder) / SAVED[kind] for folder in folder_paths.get_folder_paths(KEY)]


def saved_names(kind: str) -> list[str]:
    """The names of all that is saved, without their ending."""
    found = {path.stem for folder in saved_folders(kind) if folder.is_dir() for path in folder.glob("*.safetensors")}
    return sorted(found, key=str.casefold)


def bundle_path(name: str) -> Path:
    """The file of a name from `bundle_names`; any other name is refused."""
    names = bundle_names()
    if name not in names:
        folders = ", ".join(folder_paths.get_folder_paths(KEY))
        what = f"There is no bundle named '{name}'; found: {', '.join(names)}"
        raise DiffSFSRError(what, f"Put the file into {folders} and refresh the list", "bundle")
    return BUILT_IN if name == DEFAULT else Path(folder_paths.get_full_path_or_raise(KEY, name))


def face_model() -> Path:
    """The face model's file: the first that a user has in the folders, else the built-in one."""
    return _own_or(BUILT_IN_FACE_MODEL, FACE_MODEL)


def cover_model() -> Path:
    """The file of the network that tells what stands before a face: a user's own, else the built-in one."""
    return _own_or(WEIGHTS / COVER_MODEL, COVER_MODEL)


def light_model() -> Path:
    """The file of the network that tells hard light from skin: a user's own, else the built-in one."""
    return _own_or(WEIGHTS / LIGHT_MODEL, LIGHT_MODEL)


def _own_or(built_in: Path, name: str) -> Path:
    """The first file of that name that a user has in the folders, else the built-in one."""
    register()
    places = [Path(p) / name for p in folder_paths.get_folder_paths(KEY)]
    return next((p for p in places if p.exists()), built_in)
