"""open_clip's models of the same shape and with the same weights as ours."""

from clip_model.config import CLIPConfig
from clip_model.model import CLIP
from tests.clip_model.open_clip_reference import open_clip
from tests.clip_model.tiny_models import Undrawn


def reference_of(model: CLIP):
    """An open_clip CLIP in evaluation mode that holds the state dict of `model`."""
    config: CLIPConfig = model.config
    vision, reference_class = config.vision, open_clip().model.CLIP
    with Undrawn():
        reference = reference_class(
            embed_dim=config.embed_dim,
            vision_cfg={
                "layers": vision.layers,
                "width": vision.width,
                "head_width": vision.head_width,
                "patch_size": vision.patch_size,
                "image_size": vision.image_size,
            },
            text_cfg={
                "context_length": config.text.context_length,
                "vocab_size": config.text.vocab_size,
                "width": config.text.width,
                "heads": config.text.heads,
                "layers": config.text.layers,
            },
            quick_gelu=config.quick_gelu,
        )
    reference.load_state_dict(model.state_dict(), strict=True, assign=True)
    return reference.eval()
