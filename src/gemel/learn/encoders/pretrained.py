"""Vision encoders of Hugging Face as backbones, by name or folder, or again from their configuration alone.

Knows how families pool; nothing of how their weights are found (`hub.py`), or of how images are prepared for them
(`processors.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, CLIPVisionModelWithProjection

from gemel.errors import RecipeError
from gemel.learn.encoders import hub
from gemel.learn.encoders.encoder import Backbone

if TYPE_CHECKING:
    from jaxtyping import Float

PROJECTED = {"clip_vision_model": CLIPVisionModelWithProjection}
"""Towers whose image embedding lies behind a projection that `AutoModel` leaves out."""

CLS_FAMILIES = ("vit", "deit")
"""Families that are used by their CLS token: their pooler is a layer that many checkpoints do not hold."""


class Pretrained(Backbone):
    """A vision encoder with one vector per image, pooled as its family does.

    Args:
        model: the transformers model.
        channels: colour channels of an image.
        size: height and width of an image in pixels.

    Attributes:
        config_json: the configuration as plain JSON values; `rebuilt` makes the network again from it.
    """

    def __init__(self, model: nn.Module, channels: int, size: tuple[int, int]) -> None:
        super().__init__(_features(model, channels, size), {"image": (channels, *size)})
        self.model = model
        self.config_json = hub.plain(model.config)

    def forward(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        return _pooled(self.model, image)


def pretrained(name: str, *, channels: int, size: tuple[int, int], tune: str = "full") -> Pretrained:
    """The backbone with its trained weights.

    Args:
        name: of a model on the hub of Hugging Face, or a folder with `config.json` and safetensors.
        channels, size: of the prepared images.
        tune: full; frozen, which never learns; or warmup, which is frozen until `thaw` is called.

    Raises:
        RecipeError: there is no such vision encoder, or it does not take such images.
    """
    return Pretrained(hub.loaded(name, VISION), channels, size).tuned(tune)


def rebuilt(config_json: dict[str, Any], *, channels: int, size: tuple[int, int], tune: str = "full") -> Pretrained:
    """The backbone with random weights from `config_json` alone; the caller loads the weights."""
    return Pretrained(hub.rebuilt(config_json, VISION), channels, size).tuned(tune)


def _vision(config: Any) -> Any:
    """The configuration of the vision tower, where there are two towers; without what only pretraining needs."""
    tower = getattr(config, "vision_config", None)
    if tower is not None and hasattr(config, "projection_dim"):
        tower.projection_dim = config.projection_dim
    vision = config if tower is None else tower
    if hasattr(vision, "use_mask_token"):
        vision.use_mask_token = False  # a weight that only pretraining reads would never get a gradient
    return vision


def _family(config: Any) -> Any:
    return PROJECTED.get(config.model_type, AutoModel)


VISION = hub.Kind("vision encoder", CLS_FAMILIES, _vision, _family)


def _pooled(model: nn.Module, image: Tensor) -> Tensor:
    """Whichever exists first: the projected embedding, the pooled feature, the CLS token, the mean over places."""
    out = model(pixel_values=image)
    for name in ("image_embeds", "pooler_output"):
        if out.get(name) is not None:
            return out[name].flatten(1)
    last = out["last_hidden_state"]
    if last.dim() == 4:
        return last.mean((2, 3))
    has_cls = any(name.endswith("cls_token") for name, _ in model.named_parameters())
    return last[:, 0] if has_cls else last.mean(1)


def _features(model: nn.Module, channels: int, size: tuple[int, int]) -> int:
    """Numbers per image, by trying one; so an image that does not fit is refused here."""
    training = model.training
    try:
        with torch.no_grad():
            return _pooled(model.eval(), torch.zeros(1, channels, *size)).shape[1]
    except (ValueError, RuntimeError, TypeError, KeyError) as error:
        raise RecipeError(
            f"The pretrained encoder {type(model).__name__} does not take images of {channels} × {size[0]} × {size[1]} "
            f"alone: {error}. Prepare them with its own modality (pretrained_modality), or choose another encoder."
        ) from error
    finally:
        model.train(training)
