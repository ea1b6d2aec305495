"""ArcFace as another member of the compound identity, for bundles that ask for it.

The network is the user's own: any recognition model of an insightface pack under models/insightface. Nothing is downloaded, the
package insightface is not needed, and onnxruntime is imported only here, when such a bundle is loaded.
"""

import logging
from pathlib import Path

import folder_paths
import torch
import torch.nn.functional as F

from ..encoders.identity import ARCFACE, CHIP, WIDTHS, chip
from ..errors import DiffSFSRError, here

KEY = "insightface"
PLACE = "such as w600k_r50.onnx of the pack buffalo_l"
log = logging.getLogger(__name__)


class ArcFace:
    """A recognition network in ONNX form: RGB chips scaled to -1..1 -> 512 values."""

    def __init__(self, session, file: Path):
        self.session, self.file, self.name = session, file, session.get_inputs()[0].name

    def __call__(self, images: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """Pictures [B, 3, H, W] 0..1 and points [B, 478, >= 2] in them -> [B, 512] of unit length."""
        chips = (chip(images, points).clamp(0, 1) * 255 - 127.5) / 127.5
        rows = [self.session.run(None, {self.name: c[None].numpy()})[0] for c in chips.float().cpu()]
        vectors = torch.cat([torch.from_numpy(row) for row in rows]).float()
        if not torch.isfinite(vectors).all():
            raise DiffSFSRError("The network gave values that are not numbers", "Take another model", str(self.file))
        return F.normalize(vectors, dim=1)


def folders() -> list[Path]:
    """Where models may lie: what the host knows as insightface, and models/insightface."""
    known = folder_paths.folder_names_and_paths.get(KEY, ([], set()))[0]
    places = [Path(p) for p in known] + [Path(folder_paths.models_dir) / KEY]
    return list(dict.fromkeys(places))


def load_arcface() -> ArcFace:
    """The first recognition network found; what is missing is one error that says what to install and where to put it."""
    runtime = _onnxruntime()
    files = sorted({f for place in folders() if place.is_dir() for f in place.rglob("*.onnx")})
    for file in files:
        session = _session(runtime, file)
        if session is not None:
            log.info("%s: %s is %s", here(), ARCFACE, file)
            return ArcFace(session, file)
    what = f"The bundle asks for {ARCFACE}, but there is no recognition network among {len(files)} ONNX files"
    places = " or ".join(map(str, folders()))
    raise DiffSFSRError(what, f"Put one ({CHIP} x {CHIP} to {WIDTHS[ARCFACE]}, {PLACE}) into {places}")


def _onnxruntime():
    try:
        import onnxruntime
    except ImportError as error:
        what = f"The bundle asks for {ARCFACE}, but the package onnxruntime cannot be imported ({error})"
        remedy = f"Run `pip install onnxruntime` in ComfyUI's Python, and put a network, {PLACE}, into {folders()[-1]}"
        raise DiffSFSRError(what, remedy) from error
    return onnxruntime


def _session(runtime, file: Path):
    """The network in a file, None if it is none of 112 x 112 pixels to 512 values."""
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common class of error
        log.warning("%s: this ONNX file cannot be read (%s)", file, error)
        return None
    inputs, outputs = session.get_inputs(), session.get_outputs()
    wanted = len(inputs) == 1 and list(inputs[0].shape[1:]) == [3, CHIP, CHIP] and inputs[0].type == "tensor(float)"
    return session if wanted and list(outputs[0].shape[1:]) == [WIDTHS[ARCFACE]] else None
