"""An adapter on a Stable Diffusion 1.5 model: exact where it must be, and everything else of the host still works."""

import pytest
import torch

from diffsfsr.modules.types import Conditioning, Strength
from tests.host import sd15
from tests.host.graphs import counted

SIDE = 32  # latent pixels of the default bundle's crop


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("sd15")


@pytest.fixture(scope="module")
def base(comfy, place):
    """A function: the MODEL of a tiny checkpoint with 4 or 9 channels, as the host's loader makes it."""
    from comfy.sd import load_checkpoint_guess_config

    kept = {}

    def model(channels=4):
        if channels not in kept:
            path = sd15.checkpoint(place / f"{channels}.safetensors", channels, text=False)
            kept[channels] = load_checkpoint_guess_config(str(path))[0]
        return kept[channels].clone()

    return model


@pytest.fixture(scope="module")
def bundle(comfy, place):
    """A function: a bundle of a kind, `loud` or silent as before training."""
    from diffsfsr.modules.bundle import load_bundle

    def loaded(kind="adapter", loud=0.5):
        path = place / f"{kind}{loud}.safetensors"
        if not path.exists():
            sd15.bundle(path, kind, loud)
        return load_bundle(path)

    return loaded


def adapted(base, bundle, strength=1.0, **kind):
    from diffsfsr.modules.host.adapter import apply_adapter

    return apply_adapter(base, bundle(**kind), strength)


def told(bundle, rows=1, seed=0, strength=1.0, plain=False, **extras):
    """CONDITIONING as Background Condition gives it, of random tokens; `plain`: the text alone."""
    rng = torch.Generator().manual_seed(seed)
    text = torch.randn(1, 77, sd15.TEXT, generator=rng)
    drawn = lambda *shape: torch.randn(rows, *shape, generator=rng)  # noqa: E731
    tokens, latents = [drawn(20, sd15.TOKENS) for _ in range(2)], drawn(2 * sd15.CHANNELS + 1, SIDE, SIDE)
    latents = latents.split([sd15.CHANNELS, 1, sd15.CHANNELS], 1)
    ours = Conditioning(*latents, *tokens, Strength(strength, strength), bundle.config.id)
    return [[text, extras if plain else {**extras, "diffsfsr": ours}]]


@torch.no_grad()
def painted(model, positive, negative=None, rows=1, steps=1, cfg=1.0, sampler="euler", scale=0.3):
    """[rows, 4, h, w] of the host's own sampling."""
    import comfy.sample

    latent = torch.zeros(rows, sd15.CHANNELS, SIDE, SIDE)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(1))
    negative = negative or [[torch.zeros(1, 77, sd15.TEXT), {}]]
    return comfy.sample.sample(
        model, noise, steps, cfg, sampler, "normal", positive, negative, latent, denoise=scale, disable_pbar=True, seed=0
    )


def test_before_training_it_is_the_plain_unet(base, bundle):
    silent = bundle(loud=0.0)
    alone = painted(base(), told(silent, plain=True))
    assert torch.equal(painted(adapted(base(), bundle, loud=0.0), told(silent)), alone)


@pytest.mark.parametrize("channels", [4, 9])
def test_strength_zero_is_the_plain_unet_to_the_bit(base, bundle, channels):
    alone = painted(base(channels), told(bundle(), plain=True))
    assert torch.equal(painted(adapted(base(channels), bundle, 0.0), told(bundle())), alone)
    whole, half = (painted(adapted(base(channels), bundle, s), told(bundle())) for s in (1.0, 0.5))
    assert not torch.allclose(whole, alone, atol=1e-2) and not torch.allclose(whole, half, atol=1e-2)


def test_a_conditioning_without_a_person_is_answered_by_the_plain_unet(base, bundle):
    plain = told(bundle(), plain=True)
    assert torch.equal(painted(adapted(base(), bundle), plain), painted(base(), plain))


def test_a_full_bundle_of_the_same_weights_says_the_same(base, bundle):
    from diffsfsr.modules.host.model import build_model

    adapter, full = bundle(), bundle("full")
    full.config = adapter.config  # one id, as of one training run
    ours = painted(build_model(full, torch.float32), told(adapter), told(adapter, seed=1), cfg=2.0, steps=2)
    theirs = painted(adapted(base(), bundle), told(adapter), told(adapter, seed=1), cfg=2.0, steps=2)
    # the host tells its own model the nearest step, ours is told the exact one: with so wide a tolerance that is no matter
    assert (ours - theirs).abs().max() < 0.02 * theirs.abs().max()


def test_models_take_turns(base, bundle):
    """The host swaps patches when clones of one model follow each other: nothing of the one may stay in the other."""
    model, person, plain = base(), told(bundle()), told(bundle(), plain=True)
    with_it = adapted(model, bundle)
    first = painted(model, plain), painted(with_it, person)
    second = painted(model, plain), painted(with_it.clone(), person)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    # the same conditioning on the plain model is not heard, and does not fail
    assert torch.equal(painted(model, person), painted(model, plain))
    again = adapted(model, bundle, 0.5)  # made while the host still holds the patches of the other
    assert torch.equal(painted(with_it, person), first[1]) and not torch.equal(painted(again, person), first[1])


def test_both_sides_of_guidance_run_as_one_batch(base, bundle):
    model, rows = counted(adapted(base(), bundle))
    painted(model, told(bundle()), told(bundle(), seed=1), cfg=2.0, scale=1.0)
    assert rows == [2]


def test_a_batch_holds_the_single_pictures(base, bundle):
    both = told(bundle(), rows=2)
    whole = painted(adapted(base(), bundle), both, rows=2)
    text, extras = both[0]
    alone = painted(adapted(base(), bundle), [[text, {"diffsfsr": extras["diffsfsr"].rows(slice(1))}]])
    assert torch.allclose(whole[:1], alone, atol=1e-4)


def test_an_area_sees_its_part_of_the_background(base, bundle):
    """The host crops what has the latent's size; the text and the person go to the area as they are."""
    model, where = adapted(base(), bundle), {"area": (SIDE // 2, SIDE // 2, 0, 0), "strength": 1.0}
    (whole,), (part,) = told(bundle()), told(bundle(), **where)
    both = painted(model, [whole, part])
    assert not torch.allclose(both[..., : SIDE // 2, : SIDE // 2], painted(model, [whole])[..., : SIDE // 2, : SIDE // 2])
    far = (slice(None), slice(None), slice(SIDE // 2, None), slice(SIDE // 2, None))
    assert torch.allclose(both[far], painted(model, [whole])[far], atol=1e-4)


def test_lora_and_controlnet_still_apply(base, bundle, place):
    import comfy.controlnet
    import comfy.sd
    import comfy.utils

    lora = comfy.utils.load_torch_file(str(sd15.lora(place / "lora.safetensors")))
    before = comfy.sd.load_lora_for_models(base(), None, lora, 1.0, 1.0)[0]
    after = comfy.sd.load_lora_for_models(adapted(base(), bundle), None, lora, 1.0, 1.0)[0]
    without = painted(adapted(base(), bundle), told(bundle()))
    with_lora = painted(adapted(before, bundle), told(bundle()))
    assert torch.equal(with_lora, painted(after, told(bundle()))), "in either order"
    assert not torch.allclose(with_lora, without, atol=1e-3)

    control = comfy.controlnet.load_controlnet(str(sd15.controlnet(place / "control.safetensors")))
    hint = torch.rand(1, 3, 8 * SIDE, 8 * SIDE, generator=torch.Generator().manual_seed(2))
    held = told(bundle(), control=control.copy().set_cond_hint(hint, 1.0), control_apply_to_uncond=True)
    assert not torch.allclose(painted(adapted(base(), bundle), held), without, atol=1e-3)


def test_a_replacement_of_attention_by_others_is_kept(base, bundle):
    """Set before ours or after it, for the whole block as other nodes do: it is asked, and ours is added."""
    asked = []

    def other(q, k, v, options):
        from diffsfsr.modules.host.adapter import plain

        asked.append(options["block"])
        return plain(q, k, v, options) * 0.5

    def patched(model):
        model = model.clone()
        model.set_model_attn2_replace(other, "input", 1)
        return model

    before, after = (adapted(patched(base()), bundle), patched(adapted(base(), bundle)))
    first, count = painted(before, told(bundle())), len(asked)
    assert count and torch.equal(painted(after, told(bundle())), first) and len(asked) == 2 * count
    assert not torch.allclose(first, painted(adapted(base(), bundle), told(bundle())), atol=1e-3)
    plain = told(bundle(), plain=True)
    assert torch.equal(painted(after, plain), painted(patched(base()), plain))


def test_our_sampler_and_two_weights_work_on_it(base, bundle):
    from diffsfsr.modules.host.sampler import sample

    both = told(bundle()), told(bundle(), seed=1)
    latent = {"samples": torch.zeros(1, sd15.CHANNELS, SIDE, SIDE)}
    settings = lambda *weights: (latent, 0, 2, weights, "karras", 1.0, True)  # noqa: E731
    one, other = (sample(adapted(base(), bundle), *both, *settings(*w))["samples"] for w in ((2.0, 2.0), (2.0, 1.0)))
    assert torch.isfinite(one).all() and not torch.allclose(one, other, atol=1e-3)


# --- refusals ----------------------------------------------------------------------------------------------------------


def refused(model, bundle, strength=1.0):
    from diffsfsr.modules.errors import DiffSFSRError

    with pytest.raises(DiffSFSRError) as caught:
        adapted(model, bundle, strength)
    return str(caught.value)


def other_model(changes):
    """A MODEL of the host's with another UNet; its weights are never used."""
    import comfy.model_base
    import comfy.model_patcher
    import comfy.supported_models as known

    kind = {"SD20": known.SD20, "SDXL": known.SDXL}[changes.pop("kind")]
    told = kind({**sd15.SHAPE, "in_channels": 4, **changes})
    told.set_inference_dtype(torch.float32, None)
    model = comfy.model_base.BaseModel(told, device=torch.device("cpu"))
    return comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"kind": "SD20", "context_dim": 1024}, "SD20: text width 1024, not 768"),
     ({"kind": "SDXL", "context_dim": 2048, "adm_in_channels": 2816, "num_classes": "sequential"}, "SDXL: text width 2048")],
)  # fmt: skip
def test_other_stable_diffusions_are_refused(comfy, bundle, changes, said):
    message = refused(other_model(dict(changes)), bundle)
    assert said in message and "Stable Diffusion 1.5" in message


def test_a_model_of_another_make_is_refused(comfy, bundle, base):
    model = base()

    class Flux(torch.nn.Module):
        pass

    kept, model.model.diffusion_model = model.model.diffusion_model, Flux()
    try:
        assert "The adapter is for Stable Diffusion 1.5" in refused(model, bundle)
    finally:
        model.model.diffusion_model = kept


def test_two_adapters_and_strange_strengths_are_refused(base, bundle):
    assert "has a DiffSFSR adapter already" in refused(adapted(base(), bundle), bundle)
    for strength in (-0.1, 2.1, float("nan")):
        assert "outside 0 to 2" in refused(base(), bundle, strength)


def test_conditioning_of_another_bundle_is_refused(base, bundle):
    from diffsfsr.modules.errors import DiffSFSRError
    from diffsfsr.modules.host.sampler import check

    other = bundle(loud=0.0)
    assert other.config.id != bundle().config.id
    with pytest.raises(DiffSFSRError, match="made with bundle"):
        check(adapted(base(), bundle), told(other), told(other))
    with pytest.raises(DiffSFSRError, match="not a DiffSFSR model"):
        check(base(), told(other), told(other))
    check(adapted(base(), bundle), told(bundle(), plain=True), told(bundle()))
    with pytest.raises(DiffSFSRError, match="made with bundle"):
        painted(adapted(base(), bundle), told(other))
