"""One call from a bundle's name to MODEL, VAE and ENCODERS."""

from ..bundle import load_bundle
from ..errors import DiffSFSRError
from . import folders
from .encoders import build_encoders
from .model import WEIGHT_DTYPES, build_model, build_vae


def load(name: str, precision: str = "auto"):
    """MODEL, VAE, ENCODERS of the bundle called `name` in the loader's list."""
    if precision not in WEIGHT_DTYPES:
        remedy = f"Choose one of: {', '.join(WEIGHT_DTYPES)}"
        raise DiffSFSRError(f"'{precision}' is no precision", "DiffSFSR UNet Loader, precision", remedy)
    path = folders.bundle_path(name)
    bundle, where = load_bundle(path), str(path)
    return build_model(bundle, WEIGHT_DTYPES[precision], where), build_vae(bundle, where), build_encoders(bundle, where)
