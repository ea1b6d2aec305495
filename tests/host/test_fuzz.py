"""What nobody means to give, on every wire and in every bundle: an error that names it, or a whole answer. Never a raw error.

A part of what `python -m tests.soak` looks at for longer; each case can be made again by its seed.
"""

import importlib
from dataclasses import replace

import pytest
import torch

from tests.fuzz import bundles
from tests.fuzz.memory import Peak
from tests.fuzz.nodes import Table, quiet
from tests.host.graphs import astronaut

CASES, BUNDLES, SEED = 50, 12, 7
GIGABYTES, SECONDS = 1.0, 5.0  # that a damaged bundle may take, beside what the healthy one takes
LOADER, CONDITION, SAMPLER = "DiffSFSRUNetLoader", "DiffSFSRBackgroundCondition", "DiffSFSRMidpointSampler"
COMPOSITE, GUIDER, SELECT = "DiffSFSRCompositeFace", "DiffSFSRIdentityExpressionGuider", "DiffSFSRMidpointSamplerSelect"
NAN = float("nan")


@pytest.fixture(scope="module")
def table(studio, tmp_path_factory):
    """All nodes with usual values; pictures of 256 px are found and drawn as well as large ones, and sooner."""
    from diffsfsr.modules.host import folders

    picture, place = astronaut()[:, :256, 100:356].clone(), tmp_path_factory.mktemp("saved")
    with pytest.MonkeyPatch.context() as patch:  # nothing is saved into a developer's ComfyUI
        patch.setattr(folders, "saved_folders", lambda kind: [place / kind])
        yield Table(studio, picture, (picture.flip(2) ** 0.8 * torch.tensor([0.85, 1.0, 1.1])).clamp(0, 1))


@pytest.fixture
def refused(table):
    def call(node, **values):
        from diffsfsr.modules.errors import DiffSFSRError

        with pytest.raises(DiffSFSRError) as caught:
            table.run(node, **values)
        return str(caught.value)

    return call


def test_odd_values_on_every_wire(table):
    with quiet():
        found = {str(case): table.verdict(case) for case in table.cases(CASES, SEED)}
    assert {case: said for case, said in found.items() if said not in ("fine", "refused")} == {}
    assert min(list(found.values()).count(kind) for kind in ("fine", "refused")) > CASES // 10, "it looks at nothing"


@pytest.mark.parametrize("checksum", [False, True])
def test_damaged_bundles(studio, tmp_path, monkeypatch, checksum):
    """Without a checksum, as older ones are, some damage cannot be known; with one every changed bit is."""
    from dev.seal import sealed
    from diffsfsr.modules.errors import DiffSFSRError
    from diffsfsr.modules.pipeline import load

    whole, path = sealed(bundles.BUILT_IN.read_bytes()), tmp_path / "damaged.safetensors"
    whole = whole if checksum else bundles.without_checksum(whole)
    monkeypatch.setattr(load.folders, "bundle_path", lambda name: path)
    for seed in range(BUNDLES * SEED * (1 + checksum), BUNDLES * SEED * (1 + checksum) + BUNDLES):
        what, data = bundles.damaged(whole, seed)
        path.write_bytes(data)
        with quiet(), Peak() as peak:
            try:
                load.load(path.name)
                loaded = True
            except DiffSFSRError as error:
                loaded = False
                assert error.where and error.remedy
        assert peak.gigabytes < GIGABYTES and peak.seconds < SECONDS, (seed, what)
        assert not (loaded and checksum and bundles.changed(whole, data)), f"seed {seed}, {what}: painted"


# --- what the fuzz has found, by name ------------------------------------------------------------------------------------


def test_a_preview_that_cannot_be_written_is_no_reason_to_fail(table, tmp_path, monkeypatch, caplog):
    """A full disk, or a folder that was taken away while the host ran: what the node has made goes on."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "get_temp_directory", lambda: str(tmp_path))
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert len(table.run("DiffSFSRExpressionSheet")[0]) == 1
    assert "the preview cannot be written" in caplog.text and "No space left" in caplog.text


def levels(*values):
    return torch.tensor(values)


@pytest.mark.parametrize(
    ("node", "values", "said"),
    [
        (SAMPLER, {"cfg": NAN}, "Midpoint Sampler, cfg: nan is outside 0 to 20"),
        (SAMPLER, {"cfg": 21}, "outside 0 to 20"),
        (SAMPLER, {"expression_cfg": NAN}, "Midpoint Sampler, expression cfg"),
        (SAMPLER, {"steps": 0}, "steps: 0 is outside"),
        (SAMPLER, {"steps": 10**9}, "1 to 200"),
        (SAMPLER, {"steps": 2.5}, "no whole number"),
        (SAMPLER, {"denoise": NAN}, "denoise"),
        (SAMPLER, {"denoise": -1e-9}, "denoise"),
        (SAMPLER, {"positive": []}, "positive: The conditioning is empty"),
        (SAMPLER, {"negative": [[1]]}, "negative: This is no conditioning"),
        (SAMPLER, {"latent": {}}, "latent: A LATENT is"),
        (SAMPLER, {"latent": {"samples": torch.ones(1, 4, 32, 32)}}, "[1, 4, 32, 32], the model has 16 channels"),
        (SAMPLER, {"latent": {"samples": torch.full((1, 16, 32, 32), NAN)}}, "latent has values that are not numbers"),
        (GUIDER, {"identity_cfg": NAN}, "Identity & Expression Guider, identity cfg"),
        (GUIDER, {"positive": []}, "is empty"),
        (SELECT, {"churn": NAN}, "churn: nan is outside 0 to 100"),
        (SELECT, {"churn_noise": 3.0}, "churn noise: 3.0 is outside"),
        (CONDITION, {"grow": 65}, "Background Condition, mask grow: 65 is outside -32 to 64"),
        (CONDITION, {"feather": -1}, "feather"),
        (CONDITION, {"keep_in_front": "jawOpen 1e400"}, "keep in front: 'jawOpen 1e400' is no choice"),
        (LOADER, {"adapter_strength": NAN}, "adapter strength"),
        ("DiffSFSRExpressionFromImage", {"intensity": NAN}, "intensity"),
        (SAMPLER, {"seed": NAN}, "Midpoint Sampler, seed: nan is no whole number"),
        (SAMPLER, {"seed": None}, "seed: None is no whole number"),
        (SAMPLER, {"latent": {"samples": torch.ones(1, 16, 32, 32), "noise_mask": "x"}}, "noise mask is no MASK but str"),
        (SAMPLER, {"latent": {"samples": torch.ones(1, 16, 32, 32, device="meta")}}, "latent: The values are not plain"),
        ("DiffSFSRExpressionSliders", {"smile": None}, "smile: None is outside"),
        ("DiffSFSRExpressionSliders", {"jaw": [0.5]}, "jaw: [0.5] is outside 0 to 1"),
        ("DiffSFSRExpressionMix", {"t": "3"}, "t: 3 is outside 0 to 1"),
        ("DiffSFSRExpressionMix", {"steps": 2.5}, "steps: 2.5 is no whole number"),
        ("DiffSFSRFaceCrop", {"size": [512]}, "size: [512] is outside 256 to 1536"),
        ("DiffSFSRSavePortrait", {"images": [1]}, "this has ('list',)"),
        ("DiffSFSRSavePortrait", {"images": torch.ones(1, 9, 9, 3).to_sparse()}, "images: The values are not plain numbers"),
        ("DiffSFSRSavePortrait", {"filename_prefix": "a" * 400}, "cannot be written"),
        ("DiffSFSRSavePortrait", {"filename_prefix": "a\0b"}, "cannot be written"),
        ("DiffSFSRSavePortrait", {"filename_prefix": "\ud800"}, "cannot be written"),
    ],
)
def test_values_that_widgets_refuse(refused, node, values, said):
    assert said in refused(node, **values)


@pytest.mark.parametrize("scheduler", ["karras", "normal", "beta", "linear_quadratic"])
def test_a_denoise_next_to_nothing_is_bounded_work(table, scheduler):
    """Its schedule would have had 1e9 steps."""
    with Peak() as peak:
        (made,) = table.run(SAMPLER, denoise=1e-9, scheduler=scheduler)
    assert peak.gigabytes < 0.5 and made["samples"].isfinite().all()


@pytest.mark.parametrize(
    ("sigmas", "said"), [(levels(0, 1, 14), "ascend"), (levels(14, NAN, 0), "not numbers"), (levels(14, -1, 0), "not numbers")]
)
def test_noise_levels_that_lead_nowhere(table, sigmas, said):
    from diffsfsr.modules.errors import DiffSFSRError

    (guide,), (sampler,) = table.run(GUIDER), table.run(SELECT)
    start = table.values["LATENT"]["samples"]
    with pytest.raises(DiffSFSRError, match=f"Midpoint Sampler, sigmas: The noise levels .*{said}"), torch.inference_mode():
        guide.sample(torch.randn(start.shape), start, sampler, sigmas, seed=0, disable_pbar=True)


@pytest.mark.parametrize("node", [COMPOSITE, "DiffSFSRFaceCrop"])
def test_a_place_put_together_from_several_is_refused(table, refused, node):
    place = table.values["DIFFSFSR_PLACE"]
    said = refused(node, place=replace(place, to_frame=place.to_frame.repeat(2, 1, 1)), image=torch.rand(2, 256, 256, 3))
    assert "place: The place has 2 crops, but 1 of what belongs to them" in said


# --- masks ---------------------------------------------------------------------------------------------------------------


def test_masks_of_any_height_and_inverted_ones(table, refused, caplog):
    mask = (table.values["MASK"] > 0.5).float()
    whole = table.run(CONDITION, mask=mask)[3]
    for height in (0.4, 0.5):
        caplog.clear()
        place = table.run(CONDITION, mask=mask * height)[3]
        assert torch.equal(place.mask, whole.mask) and f"the mask is {height:.2f} at most" in caplog.text
        assert abs(float(table.run(COMPOSITE, place=place, image=torch.rand(1, 256, 256, 3))[1].max()) - height) < 0.05
    assert "mask: The mask leaves the face out" in refused(CONDITION, mask=1 - mask)
    hand = torch.zeros_like(mask)
    hand[:, 150:, :110] = 1
    table.run(CONDITION, in_front=hand)
    assert "in front: It covers nearly all" in refused(CONDITION, in_front=1 - hand)


def test_a_picture_of_another_type_comes_back_as_a_picture(table):
    """What was cast at the edge is what is pasted into: no node could save another type."""
    usual = table.values["IMAGE"]
    crop = torch.rand(1, 256, 256, 3)
    for other in (usual.bfloat16(), (usual * 255).round().to(torch.uint8)):
        place = table.run(CONDITION, image=other)[3]
        picture, soft = table.run(COMPOSITE, place=place, image=crop.bfloat16())
        assert picture.dtype == torch.float32 and (picture - usual)[soft == 0].abs().max() < 0.005


# --- where the weights are -------------------------------------------------------------------------------------------------


def test_weights_that_stay_on_the_cpu_decide(table, monkeypatch):
    """A host that is short of memory leaves small networks where they are, whatever device it computes on."""
    from diffsfsr.modules.pipeline.memo import Memo

    encoders, management = table.values["DIFFSFSR_ENCODERS"], importlib.import_module("comfy.model_management")
    usual = table.run("DiffSFSRExpressionFromImage")[0].codes
    monkeypatch.setattr(management, "load_model_gpu", lambda model: None)
    monkeypatch.setattr(encoders.stack.patcher, "load_device", torch.device("meta"))
    fresh = replace(encoders, memo=Memo())
    assert torch.equal(table.run("DiffSFSRExpressionFromImage", encoders=fresh)[0].codes, usual)
    assert table.run("DiffSFSRIdentityEncoder", encoders=fresh)[0].vector.isfinite().all()
    assert table.run(CONDITION, encoders=fresh)[0][0][1]["diffsfsr"].identity.isfinite().all()
