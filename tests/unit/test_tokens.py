"""Tokens and the balanced cross-attention: neither condition can drown the other, and each can be left out."""

import pytest
import torch

from diffsfsr.modules.denoiser.attention import GROUPS, BalancedCrossAttention
from diffsfsr.modules.encoders.tokens import TokenConfig, TokenEncoder

CONFIG = TokenConfig()


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return TokenEncoder(CONFIG).eval()


@pytest.fixture
def attention():
    torch.manual_seed(1)
    return BalancedCrossAttention(query_dim=64, token_dim=CONFIG.width, heads=4, dim_head=16).eval()


def told(seed=2, batch=2, **strength):
    random = torch.Generator().manual_seed(seed)
    tokens = {g: torch.randn(batch, CONFIG.tokens, CONFIG.width, generator=random) for g in GROUPS}
    return {**tokens, "strength": {g: strength.get(g, 1.0) for g in GROUPS}}


def queries(batch=2):
    return torch.randn(batch, 36, 64, generator=torch.Generator().manual_seed(3))


def run(attention, given, x=None):
    with torch.no_grad():
        return attention(queries() if x is None else x, transformer_options={"diffsfsr": given})


def test_both_groups_have_the_same_number_of_tokens(encoder):
    who = encoder.identity_tokens(torch.randn(3, 256), torch.rand(3, 3, 128, 128))
    feels = encoder.expression_tokens(torch.rand(3, 52))
    assert who.shape == feels.shape == (3, CONFIG.tokens, CONFIG.width)
    for null in encoder.null(3):
        assert null.shape == who.shape


def test_a_code_of_zeros_is_a_neutral_face_and_not_nothing(encoder):
    neutral, (_, nothing) = encoder.expression_tokens(torch.zeros(1, 52)), encoder.null(1)
    assert (neutral - nothing).abs().max() > 0.01


def test_null_tokens_of_the_groups_are_learned_apart(encoder):
    who, feels = encoder.null(1)
    assert not torch.equal(who, feels)
    names = {name for name, _ in encoder.named_parameters()}
    assert {"null_identity", "null_expression"} <= names


def test_each_part_of_the_identity_reaches_its_own_tokens(encoder):
    """The recognition vector says who in its tokens, the picture says what it looks like in the others."""
    vector, selfie = torch.randn(1, 256), torch.rand(1, 3, 128, 128)
    base = encoder.identity_tokens(vector, selfie)
    other_vector = encoder.identity_tokens(-vector, selfie)
    other_picture = encoder.identity_tokens(vector, 1 - selfie)
    n = CONFIG.recognition
    assert torch.equal(base[:, n:], other_vector[:, n:]) and not torch.equal(base[:, :n], other_vector[:, :n])
    assert torch.equal(base[:, :n], other_picture[:, :n]) and not torch.equal(base[:, n:], other_picture[:, n:])


def test_tokens_do_not_depend_on_the_batch(encoder):
    codes = torch.rand(4, 52)
    together = encoder.expression_tokens(codes)
    assert torch.allclose(together[2:3], encoder.expression_tokens(codes[2:3]), atol=1e-5)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("factor", [0.2, 30.0])
def test_balance_the_scale_of_a_group_does_not_matter(attention, group, factor):
    """The layer normalisation of each group: a condition that shouts is heard no better than one that whispers."""
    plain, loud = told(), told()
    loud[group] = loud[group] * factor
    assert torch.allclose(run(attention, plain), run(attention, loud), atol=1e-3)


@pytest.mark.parametrize("group", GROUPS)
def test_balance_an_offset_of_a_group_does_not_matter(attention, group):
    plain, lifted = told(), told()
    lifted[group] = lifted[group] + 7
    assert torch.allclose(run(attention, plain), run(attention, lifted), atol=2e-4)


@pytest.mark.parametrize("group", GROUPS)
def test_strength_zero_leaves_a_group_out(attention, group):
    """Whatever its tokens are, and even where they are missing altogether."""
    off, other = told(**{group: 0.0}), told(seed=9, **{group: 0.0})
    other[next(g for g in GROUPS if g != group)] = off[next(g for g in GROUPS if g != group)]
    assert torch.equal(run(attention, off), run(attention, other))
    assert torch.equal(run(attention, off), run(attention, {**off, group: None}))
    assert not torch.equal(run(attention, off), run(attention, told()))


def test_both_strengths_zero_equals_no_condition(attention):
    """Exactly the layer's bias: what the layer says when there is nothing to attend to."""
    nothing = run(attention, told(identity=0.0, expression=0.0))
    assert torch.equal(nothing, attention.to_out[0].bias.expand_as(nothing))


def test_the_groups_add_up(attention):
    """Separate attentions, summed: each alone, less the bias that both carry, makes the whole."""
    both = run(attention, told())
    apart = run(attention, told(identity=0.0)) + run(attention, told(expression=0.0)) - attention.to_out[0].bias
    assert torch.allclose(both, apart, atol=1e-5)


@pytest.mark.parametrize("group", GROUPS)
def test_strength_is_linear(attention, group):
    other = next(g for g in GROUPS if g != group)
    one, two = run(attention, told(**{other: 0.0})), run(attention, told(**{group: 2.0, other: 0.0}))
    bias = attention.to_out[0].bias
    assert torch.allclose(two - bias, 2 * (one - bias), atol=1e-5)


def test_order_of_tokens_within_a_group_does_not_matter(attention):
    given, turned = told(), told()
    turned["identity"] = turned["identity"].flip(1)
    assert torch.allclose(run(attention, given), run(attention, turned), atol=1e-5)


def test_each_picture_of_a_batch_hears_its_own_tokens(attention):
    given = told()
    single = {**{g: given[g][1:] for g in GROUPS}, "strength": given["strength"]}
    assert torch.allclose(run(attention, given)[1:], run(attention, single, queries()[1:]), atol=1e-5)


def test_gates_are_learned_for_each_group_and_head(attention):
    for group in GROUPS:
        assert getattr(attention, f"gate_{group}").weight.numel() == attention.heads
    with torch.no_grad():
        attention.gate_identity.weight.zero_()
    assert torch.equal(run(attention, told()), run(attention, told(seed=2, identity=0.0)))
