"""What several unit tests look at: the shipped face model."""

import pytest

from tests.conftest import ROOT

BUNDLE = ROOT / "weights" / "diffsfsr_default_256.safetensors"


@pytest.fixture(scope="session")
def shape():
    """The face model of the shipped bundle, in single precision."""
    from diffsfsr.modules.bundle import fill_module, load_bundle
    from diffsfsr.modules.faces.morphable import FaceShape

    part = load_bundle(BUNDLE).parts["shape"]
    module = FaceShape.like(part)
    fill_module(module, {k: v.float() for k, v in part.items()}, "shape")
    return module


@pytest.fixture(scope="session")
def topology():
    """Of the 478 face points."""
    from diffsfsr.modules.faces.networks import FaceNetworks
    from tests.unit.faces import MODEL

    return FaceNetworks.load(MODEL).topology


@pytest.fixture(scope="session")
def face():
    """The canonical face, rasterised."""
    from tests.unit.faces import canonical_face

    return canonical_face()
