"""What the artist sees: one thin file a node. Imported by the host's entry point only."""

from comfy_api.latest import ComfyExtension, io

from ..modules.host import examples, folders, mask_wires, notices, provenance
from .background_condition import BackgroundCondition
from .composite_face import CompositeFace
from .expression_from_image import ExpressionFromImage
from .expression_label_encoder import ExpressionLabelEncoder
from .expression_mix import ExpressionMix
from .expression_sheet import ExpressionSheet
from .expression_sliders import ExpressionSliders
from .expression_words import ExpressionWords
from .face_crop import FaceCrop
from .face_draft import FaceDraft
from .identity_encoder import IdentityEncoder
from .identity_expression_guider import IdentityExpressionGuider
from .load_expression import LoadExpression
from .load_identity import LoadIdentity
from .midpoint_sampler import MidpointSampler
from .midpoint_sampler_select import MidpointSamplerSelect
from .save_expression import SaveExpression
from .save_identity import SaveIdentity
from .save_portrait import SavePortrait
from .unet_loader import UNetLoader

NODES = [
    UNetLoader,
    IdentityEncoder,
    ExpressionLabelEncoder,
    ExpressionFromImage,
    ExpressionSliders,
    ExpressionMix,
    ExpressionWords,
    FaceDraft,
    ExpressionSheet,
    BackgroundCondition,
    MidpointSampler,
    MidpointSamplerSelect,
    IdentityExpressionGuider,
    FaceCrop,
    CompositeFace,
    SaveIdentity,
    LoadIdentity,
    SaveExpression,
    LoadExpression,
    SavePortrait,
]


class DiffSFSRExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        # not in on_load: hosts of the 0.3 series do not call it
        folders.register()
        provenance.register()
        notices.register(NODES)
        mask_wires.register()
        examples.register()
        return NODES
