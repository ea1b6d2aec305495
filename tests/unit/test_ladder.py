"""The files of our small networks: what is damaged, strange or missing is one clear error."""

import pytest
import torch
from safetensors.torch import load, save

from dev.seal import sealed
from diffsfsr.modules.errors import DiffSFSRError
from diffsfsr.modules.faces.covers import CoverNetwork
from diffsfsr.modules.faces.lights import LightNetwork
from tests.conftest import ROOT


@pytest.mark.parametrize("kind", [CoverNetwork, LightNetwork])
def test_a_damaged_or_strange_file_is_refused(tmp_path, kind):
    file, data = tmp_path / kind.FILE, (ROOT / "weights" / kind.FILE).read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DiffSFSRError, match="damaged") as caught:
        kind.load(file)
    assert caught.value.where == str(file) and f"weights/{kind.FILE}" in caught.value.remedy
    told, tensors = {"format": kind.FORMAT, "format_version": str(kind.FORMAT_VERSION)}, load(data)
    for name, changed, fault in (
        ("out.bias", {"out.bias": torch.zeros(5)}, "do not fit"), ("format", {}, "not weights that this version understands"),
    ):  # fmt: skip
        header = {**told, "format": "another"} if name == "format" else told
        file.write_bytes(sealed(save({**tensors, **changed}, header)))
        with pytest.raises(DiffSFSRError, match=fault):
            kind.load(file)
    file.unlink()
    with pytest.raises(DiffSFSRError, match="cannot be read") as caught:
        kind.load(file)
    assert str(caught.value).count("clone it again") == 1
