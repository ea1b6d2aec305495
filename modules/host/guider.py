"""Identity and expression with a guidance weight each, as the host's own kind of guider."""

import comfy.samplers

from ..denoiser.guidance import as_plain, combine, needed, plain
from ..errors import DiffSFSRError

# a patch that looks at the single estimates must get all of them
WATCHED = (
    "disable_cfg1_optimization",
    "sampler_calc_cond_batch_function",
    "sampler_cfg_function",
    "sampler_post_cfg_function",
    "sampler_pre_cfg_function",
)


class IdentityExpressionGuider(comfy.samplers.CFGGuider):
    """The host's guider with a third conditioning, the identity alone; see `denoiser/guidance.py` for the formula.

    With equal weights it is the host's guider to the bit, at the host's cost. Else up to three estimates are made in one batch.
    Guidance patches keep their meaning:
    - functions before guidance and for the evaluation get [positive, negative, identity alone], the first two as ever;
    - a function in place of guidance gets a conditional estimate and a scale that mean the same (`as_plain`);
    - functions after guidance get the result, and the true estimates of positive and negative.
    """

    def __init__(self, model, positive, negative, identity: float, expression: float, where: str):
        super().__init__(model)
        self.identity, self.expression = identity, expression
        self.set_cfg(max(identity, expression))
        conds = {"positive": positive, "negative": negative}
        if not plain(identity, expression):
            conds["identity"] = identity_only(positive, negative, where)
        self.inner_set_conds(conds)

    def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006 (the host's signature)
        """x [B, C, h, w] -> guided clean estimate [B, C, h, w]."""
        if "identity" not in self.conds:
            return super().predict_noise(x, timestep, model_options, seed)
        watched = any(model_options.get(name) for name in WATCHED)
        use = (True, True, True) if watched else needed(self.identity, self.expression)
        nothing, who, both = (
            self.conds[name] if used else None
            for name, used in zip(("negative", "identity", "positive"), use, strict=True)
        )
        out = self._estimates([both, nothing, who], x, timestep, model_options)
        options = {**model_options, "sampler_cfg_function": self._function(out, model_options)}
        return comfy.samplers.cfg_function(
            self.inner_model, out[0], out[1], self.cfg, x, timestep, options, cond=both, uncond=nothing
        )

    def _estimates(self, conds: list, x, timestep, model_options) -> list:
        """Clean estimates of positive, negative and identity alone; zeros for one that is None."""
        about = {"conds": conds, "input": x, "sigma": timestep, "model": self.inner_model, "model_options": model_options}
        if "sampler_calc_cond_batch_function" in model_options:
            out = model_options["sampler_calc_cond_batch_function"](about)
        else:
            out = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, model_options)
        for function in model_options.get("sampler_pre_cfg_function", []):
            out = function({**about, "conds_out": out, "cond_scale": self.cfg, "timestep": timestep})
        return out

    def _function(self, out: list, model_options):
        """What stands in the place of the host's formula: ours, or a patch's on an equivalent pair. In noise, as the host."""
        both, nothing, who = out
        patch, weights = model_options.get("sampler_cfg_function"), (self.identity, self.expression)

        def guided(args):
            x = args["input"]
            if patch is None:
                return x - combine(nothing, who, both, *weights)
            estimate, scale = as_plain(nothing, who, both, *weights)
            return patch({**args, "cond": x - estimate, "cond_denoised": estimate, "cond_scale": scale})

        return guided


def identity_only(positive: list, negative: list, where: str) -> list:
    """CONDITIONING with the identity of `positive` and, for the expression, the null tokens of `negative`; the rest is kept."""
    told = [extras.get("diffsfsr") for _, extras in (*positive, *negative[:1])]
    if not negative or any(t is None for t in told):
        what = "This conditioning cannot be guided apart: it tells no identity and no expression"
        raise DiffSFSRError(what, where, "Connect Background Condition, or use one cfg for both (expression cfg 0)")
    null = told[-1]["expression"]
    return [
        [text, {**extras, "diffsfsr": {**extras["diffsfsr"], "expression": null}}] for text, extras in positive
    ]
