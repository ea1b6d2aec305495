"""Content Credentials (C2PA): saved pictures are signed where the user has set a certificate of their own.

Only by environment variables, never from a widget: a graph from elsewhere must not name files of this machine. No
timestamp authority is asked, since that would need the network.
"""

import io
import json
import os
from pathlib import Path

from ..errors import DiffSFSRError
from .provenance import NOTE, SOURCE_TYPE

CERTIFICATE, PRIVATE_KEY = "DIFFSFSR_C2PA_CERTIFICATE", "DIFFSFSR_C2PA_KEY"  # paths of PEM files: chain, private key
ALGORITHM = "DIFFSFSR_C2PA_ALGORITHM"  # es256 where it is not set; what suits the key: es384, ps256, ed25519, ...
MIME = {"PNG": "image/png", "WebP": "image/webp", "JPEG": "image/jpeg"}
MANIFEST = {
    "claim_generator_info": [{"name": NOTE["software"]}],
    "assertions": [
        {
            "label": "c2pa.actions.v2",
            "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE}]},
        }
    ],
}


def signed(data: bytes, kind: str) -> bytes:
    """A file's bytes with a signed manifest; as they were where no certificate is set. kind: of MIME."""
    if not os.environ.get(CERTIFICATE):
        return data
    try:
        import c2pa
    except ImportError as error:
        what = f"{CERTIFICATE} is set, but c2pa-python is not installed"
        raise DiffSFSRError(what, "Run: pip install c2pa-python in the Python of ComfyUI, or unset the variable") from error
    algorithm = os.environ.get(ALGORITHM) or "es256"
    chain, key = (_pem(name) for name in (CERTIFICATE, PRIVATE_KEY))
    result = io.BytesIO()
    try:
        info = c2pa.C2paSignerInfo(alg=algorithm.encode(), sign_cert=chain, private_key=key, ta_url=None)
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(MANIFEST)) as builder:
            builder.sign(signer, MIME[kind], io.BytesIO(data), result)
    except c2pa.C2paError as error:
        remedy = f"Check {CERTIFICATE} (the chain, as PEM), {PRIVATE_KEY} and {ALGORITHM} (now {algorithm})"
        raise DiffSFSRError(f"The picture cannot be signed ({error})", remedy) from error
    return result.getvalue()


def _pem(name: str) -> bytes:
    path = os.environ.get(name, "")
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise DiffSFSRError(f"'{path}' cannot be read as PEM text ({error})", f"Set {name} to a file", name) from error
