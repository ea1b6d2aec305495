"""The compound expression code: its layout, sliders, mixes, and that geometry and coefficients say the same."""

import pytest
import torch

from diffsfsr.modules.encoders.expression import COEFFICIENTS, compound, encode_label, from_sliders, mix, split
from diffsfsr.modules.encoders.regressor import CoefficientRegressor
from diffsfsr.modules.encoders.sliders import SLIDERS, coefficients, contradictions, named
from diffsfsr.modules.errors import DiffSFSRError
from diffsfsr.modules.faces.morphable import HIGH, LOW, RigCalibration
from diffsfsr.modules.labels import BLENDSHAPES, index, prototype_matrix
from diffsfsr.modules.types import Expression


def expression(*codes, bundle="b"):
    return Expression(torch.stack(codes), tuple(f"e{i}" for i in range(len(codes))), bundle)


def value(code, name):
    return code[index(name)].item()


# --- layout ----------------------------------------------------------------------------------------------------------


def test_the_code_of_a_word_has_both_blocks(shape):
    made = encode_label(shape, "b", "joy: amusement", 1.0, 0)
    coefficients_, geometry = split(made.codes)
    assert made.codes.shape == (1, 52 + len(shape.basis)) and coefficients_.shape == (1, COEFFICIENTS)
    assert made.codes.dtype == torch.float32 and geometry.abs().max() > 0.05 and made.names == ("amusement 1",)


def test_neutral_is_the_zero_vector(shape):
    assert encode_label(shape, "b", "fury", 0.0, 0).codes.abs().max() == 0


def test_the_geometry_block_holds_every_word(shape):
    """What the basis cannot say of a word's movement is a sixth of it at most, and of half the words 3 %."""
    asked = torch.from_numpy(prototype_matrix()).to(shape.mean)
    whole = shape.movement_of_code(asked)
    lost = (whole - shape.moved(shape.geometry_of_code(asked))).flatten(1).norm(dim=1) / whole.flatten(1).norm(dim=1)
    assert lost.max() < 1 / 6 and lost.median() < 0.03


def test_the_basis_is_orthonormal(shape):
    flat = shape.basis.flatten(1)
    assert torch.allclose(flat @ flat.T, torch.eye(len(flat)), atol=2e-3)  # stored in half precision


def test_drive_keeps_zero_and_stays_in_range():
    torch.manual_seed(0)
    drive = RigCalibration()
    torch.nn.init.normal_(drive.answer.weight)
    assert drive(torch.zeros(2, 52)).abs().max() == 0
    out = drive(torch.rand(64, 52))
    assert LOW <= out.min() and out.max() <= HIGH and not torch.equal(out, torch.rand(64, 52))


def test_an_untrained_drive_and_reader_change_nothing():
    asked = torch.rand(5, 52) * torch.tensor([0.0] + [1.0] * 51)
    assert torch.equal(RigCalibration()(asked), asked)
    assert torch.allclose(CoefficientRegressor(8)(asked, torch.rand(5, 8)), asked)


# --- sliders ---------------------------------------------------------------------------------------------------------


def test_every_slider_moves_something_and_nothing_is_neutral():
    assert coefficients({}).abs().max() == 0
    for slider in SLIDERS:
        assert coefficients({slider.name: 1.0}).max() > 0.5, slider.name
        if slider.low < 0:
            assert coefficients({slider.name: -1.0}).max() > 0.5, slider.name
            assert not torch.equal(coefficients({slider.name: -1.0}), coefficients({slider.name: 1.0}))


@pytest.mark.parametrize(("asymmetry", "left", "right"), [(0, 0.8, 0.8), (1, 0.8, 0.0), (-1, 0.0, 0.8), (0.5, 0.8, 0.4)])
def test_asymmetry_weakens_one_side(asymmetry, left, right):
    code = coefficients({"smile": 0.8, "gaze sideways": 1.0}, asymmetry)
    assert value(code, "mouthSmileLeft") == pytest.approx(left) and value(code, "mouthSmileRight") == pytest.approx(right)
    assert value(code, "eyeLookOutLeft") == value(code, "eyeLookInRight") == 1, "eyes turn together"


def test_left_is_the_persons_left():
    assert value(coefficients({"gaze sideways": 1.0}), "eyeLookOutLeft") == 1


@pytest.mark.parametrize(("positions", "asymmetry", "says"), [
    ({"smile": 1.2}, 0, "smile"), ({"smile": -0.1}, 0, "smile"), ({"eyes": float("nan")}, 0, "eyes"),
    ({"ears": 0.1}, 0, "'ears' is no slider"), ({}, 1.5, "asymmetry"),
])  # fmt: skip
def test_positions_out_of_range_are_refused(positions, asymmetry, says):
    with pytest.raises(DiffSFSRError, match=says):
        coefficients(positions, asymmetry)


def test_coefficients_by_name():
    assert named("jawOpen 0.4, mouthSmileLeft = 0.2\n\nnoseSneerRight: 1") == {
        index("jawOpen"): 0.4, index("mouthSmileLeft"): 0.2, index("noseSneerRight"): 1.0,
    }  # fmt: skip
    assert named(" \n , ") == {}


@pytest.mark.parametrize(("text", "says"), [
    ("jawopen 0.4", "jawOpen 0.4"), ("jawOpen", "no coefficient and value"), ("jawOpen much", "'much' is no number"),
    ("jawOpen 1.2", "outside 0 to 1"), ("jawOpen nan", "outside"), ("jawOpen 0.1, jawOpen 0.2", "twice"),
    ("_neutral 1", "coefficient"),
])  # fmt: skip
def test_bad_coefficients_are_named(text, says):
    with pytest.raises(DiffSFSRError, match=says):
        named(text)


def test_sliders_on_top_of_an_expression_add_only_their_change(shape):
    base = encode_label(shape, "b", "contentment", 1.0, 0)
    measured = torch.cat([base.codes[:, :52], base.codes[:, 52:] + 0.3], 1)  # geometry that no coefficient explains
    made = from_sliders(shape, "b", {"jaw": 0.5}, 0.0, "", Expression(measured, ("x",), "b"))
    assert value(made.codes[0], "jawOpen") == pytest.approx(value(base.codes[0], "jawOpen") + 0.5)
    plain = from_sliders(shape, "b", {"jaw": 0.5}, 0.0, "", base)
    assert torch.allclose(made.codes[:, 52:] - plain.codes[:, 52:], torch.tensor(0.3), atol=1e-5)
    with pytest.raises(DiffSFSRError, match="bundle other"):
        from_sliders(shape, "b", {}, 0.0, "", Expression(measured, ("x",), "other"))


def test_making_a_code_changes_nothing_in_place(shape):
    codes = torch.rand(3, 52) * 0.5
    kept = codes.clone()
    assert torch.equal(split(compound(shape, codes))[0], kept) and torch.equal(codes, kept)


# --- mixes -----------------------------------------------------------------------------------------------------------


def test_a_mix_lies_on_the_line():
    a, b = expression(torch.zeros(92)), expression(torch.ones(92))
    assert torch.allclose(mix(a, b, 0.25).codes, torch.full((1, 92), 0.25))
    assert torch.equal(mix(a, b, 0.0).codes, a.codes) and torch.equal(mix(a, b, 1.0).codes, b.codes)


def test_travel_begins_at_the_first_and_ends_at_t():
    a, b = expression(torch.zeros(92)), expression(torch.ones(92))
    even, slow = mix(a, b, 0.8, 5), mix(a, b, 0.8, 5, "slow at both ends")
    assert torch.allclose(even.codes[:, 0], torch.tensor([0, 0.2, 0.4, 0.6, 0.8]))
    assert slow.codes[0, 0] == 0 and slow.codes[-1, 0] == pytest.approx(0.8) and slow.codes[1, 0] < 0.15
    assert even.names == tuple(f"e0 > e0 {t}" for t in ("0.00", "0.20", "0.40", "0.60", "0.80"))


def test_batches_meet_one_to_one_or_one_to_all():
    one, three = expression(torch.zeros(92)), expression(*torch.eye(92)[:3])
    assert torch.allclose(mix(one, three, 0.5).codes, torch.eye(92)[:3] / 2)
    assert mix(three, three, 0.3).codes.shape == (3, 92)


@pytest.mark.parametrize(("change", "says"), [
    ({"t": 1.1}, "outside 0 to 1"), ({"t": float("nan")}, "outside 0 to 1"), ({"steps": 0}, "outside 1 to"),
    ({"curve": "wavy"}, "no curve"), ({"second": expression(torch.ones(92), bundle="c")}, "bundle c"),
    ({"second": expression(*torch.eye(92)[:3]), "steps": 4}, "one expression at each end"),
    ({"first": expression(*torch.eye(92)[:2]), "second": expression(*torch.eye(92)[:3])}, "exactly 3"),
])  # fmt: skip
def test_mixes_that_make_no_sense_are_refused(change, says):
    given = {"first": expression(torch.zeros(92)), "second": expression(torch.ones(92)), "t": 0.5, **change}
    with pytest.raises(DiffSFSRError, match=says):
        mix(**given)


def test_what_cancels_is_said(shape, caplog):
    from_sliders(shape, "b", {"smile": 0.5, "frown": 0.5, "jaw": 0.2}, 0.0, "", None)
    assert "Expression Sliders: asked together, but they cancel: mouthSmile and mouthFrown" in caplog.text
    caplog.clear()
    happy, sad = (from_sliders(shape, "b", {name: 0.8}, 0.0, "", None) for name in ("smile", "frown"))
    mix(happy, sad, 0.5)
    assert "Expression Mix" in caplog.text and "mouthSmile and mouthFrown" in caplog.text
    caplog.clear()
    mix(happy, sad, 1.0, 5)
    from_sliders(shape, "b", {"smile": 0.8, "eyes": 0.8}, 0.0, "", None)
    assert not caplog.text


def test_no_word_contradicts_itself():
    assert contradictions(torch.from_numpy(prototype_matrix())) == []


def test_names_are_those_of_the_rig():
    every = {n for s in SLIDERS for part in (s.up, s.down or {}) for n in part}
    assert all(n in BLENDSHAPES or n.replace("*", "Left") in BLENDSHAPES for n in every)
