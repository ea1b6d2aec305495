"""What the DiffSFSR UNet Loader does: a bundle's name to MODEL, VAE and ENCODERS."""

import logging

from ..bundle import Bundle, load_bundle
from ..errors import DiffSFSRError, at, check_number, here
from ..host import folders
from ..host.adapter import apply_adapter
from ..host.model import build_model, build_vae
from ..host.precision import WEIGHT_DTYPES
from .encoders import build_encoders

log = logging.getLogger(__name__)


@at("DiffSFSR UNet Loader")
def load(name: str, precision: str = "auto", model=None, vae=None, strength: float = 1.0):
    """MODEL, VAE, ENCODERS of the bundle called `name` in the loader's list.

    An adapter bundle goes on `model`, a MODEL of Stable Diffusion 1.5, with strength 0..2; `vae` is that checkpoint's own. A
    full bundle brings both.
    """
    if precision not in WEIGHT_DTYPES:
        remedy = f"Choose one of: {', '.join(WEIGHT_DTYPES)}"
        raise DiffSFSRError(f"'{precision}' is no precision", remedy, "precision")
    check_number("adapter strength", strength, 2.0, 1)
    path = folders.bundle_path(name)
    bundle = load_bundle(path)
    check_wires(bundle, model, vae)
    if not bundle.config.runs:
        log.warning("%s: the bundle '%s' was never trained: it paints nobody in particular", here(), name)
    if bundle.config.kind == "adapter":
        model = apply_adapter(model, bundle, strength)
    with at(str(path)):
        if bundle.config.kind == "full":
            model, vae = build_model(bundle, WEIGHT_DTYPES[precision]), build_vae(bundle)
        return model, vae, build_encoders(bundle)


def check_wires(bundle: Bundle, model, vae) -> None:
    """An adapter needs the model and the autoencoder that it works with; a full bundle has its own."""
    adapter = bundle.config.kind == "adapter"
    for name, wire in (("model", model), ("vae", vae)):
        if adapter and wire is None:
            what = f"This bundle is an adapter and needs the {name.upper()} of a Stable Diffusion 1.5 checkpoint"
            raise DiffSFSRError(what, f"Connect {name.upper()} of a checkpoint loader", name)
        if wire is not None and not adapter:
            what, remedy = f"This bundle has its own {name.upper()}", "Leave it unconnected, or choose an adapter bundle"
            raise DiffSFSRError(what, remedy, name)
