"""Vision encoders of Hugging Face as backbones, by name or folder, or again from their configuration alone.

Weights are read from safetensors only, never from pickles. Knows how families pool; nothing of how
images are prepared for them (`processors.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, CLIPVisionModelWithProjection

from gemel.errors import RecipeError
from gemel.learn.encoders.encoder import Backbone
from gemel.learn.encoders.processors import quiet

if TYPE_CHECKING:
    from jaxtyping import Float

PROJECTED = {"clip_vision_model": CLIPVisionModelWithProjection}
"""Towers whose image embedding lies behind a projection that `AutoModel` leaves out."""

CLS_FAMILIES = ("vit", "deit")
"""Families that are used by their CLS token: their pooler is a layer that many checkpoints do not hold."""

UNWANTED = ("_name_or_path", "id2label", "label2id", "transformers_version", "architectures")
"""Parts of a configuration that describe its origin or another task, not the network."""


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
        self.config_json = _plain(model.config)

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
    with quiet():
        try:
            config = _vision(AutoConfig.from_pretrained(name))
            model, report = _family(config).from_pretrained(
                name,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                **_without_pooler(config),
            )
        except (OSError, ValueError) as error:
            raise _not_loaded(name, error) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise RecipeError(
            f"{name!r} holds no weights for {len(missing)} parts of its vision encoder ({missing[0]}, …); they would "
            "be random. Choose a checkpoint that holds them."
        )
    return _tuned(Pretrained(model, channels, size), tune)


def rebuilt(config_json: dict[str, Any], *, channels: int, size: tuple[int, int], tune: str = "full") -> Pretrained:
    """The backbone with random weights from `config_json` alone; the caller loads the weights."""
    with quiet():
        config = _vision(AutoConfig.for_model(**config_json))
        family = _family(config)
        make = family.from_config if family is AutoModel else family
        model = make(config, **_without_pooler(config))
    return _tuned(Pretrained(model, channels, size), tune)


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


def _without_pooler(config: Any) -> dict[str, bool]:
    return {"add_pooling_layer": False} if config.model_type in CLS_FAMILIES else {}


def _tuned(backbone: Pretrained, tune: str) -> Pretrained:
    if tune != "full":
        backbone.freeze()
    return backbone


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


def _plain(config: Any) -> dict[str, Any]:
    return {name: value for name, value in config.to_dict().items() if name not in UNWANTED}


def _not_loaded(name: str, error: Exception) -> RecipeError:
    reason = str(error).strip().partition("\n")[0]
    return RecipeError(
        f"There is no vision encoder {name!r}: the name of a model on Hugging Face or a folder with config.json and "
        f"safetensors is expected. transformers says: {reason}"
    )
