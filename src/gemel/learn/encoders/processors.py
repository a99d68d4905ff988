"""From a Hugging Face image processor to an image modality that prepares the same numbers (trap 26).

Knows configurations of processors; nothing of networks. What a modality cannot express is refused, and
what it can is compared with the family's own processor before anything is trained on it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from transformers import AutoImageProcessor
from transformers.utils import logging

from gemel.errors import RecipeError
from gemel.items.image import RESAMPLES, ImageModality

TOLERANCE = 1e-5
"""Largest difference of one prepared number from the family's own."""

TRIED = ((37, 53), (80, 31), (300, 211))
"""Height and width of the images that both are tried on."""

WARPED = 384
"""ConvNeXt processors keep proportions and crop below this side, and stretch from it on."""


def pretrained_modality(name: str) -> ImageModality:
    """How a pretrained encoder wants its images, from its name or folder; tried against its own processor.

    Raises:
        RecipeError: there is no image processor, or it does what an image modality cannot do.
    """
    with quiet():
        try:
            processor = AutoImageProcessor.from_pretrained(name)
        except (OSError, ValueError) as error:
            raise RecipeError(
                f"There is no image processor in {name!r}; a folder or model of Hugging Face with a "
                f"preprocessor_config.json is expected. transformers says: {_first_line(error)}"
            ) from error
        modality = image_modality(processor.to_dict())
        _compare(modality, processor)
    return modality


def image_modality(processor_config: dict[str, Any]) -> ImageModality:
    """The modality that does what an image processor does.

    Args:
        processor_config: a `preprocessor_config.json`, with sizes in its current form
            ({"height", "width"} or {"shortest_edge"}); `AutoImageProcessor.from_pretrained(…).to_dict()` gives it.

    Raises:
        RecipeError: it does what an image modality cannot do; the message names the settings.
    """
    config = processor_config
    return ImageModality(
        **_geometry(config),
        channels=_channels(config),
        resample=RESAMPLES[config.get("resample", 2)],
        rescale=config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0,
        mean=_numbers(config, "image_mean", 0.0),
        std=_numbers(config, "image_std", 1.0),
        exact=True,
    )


def _numbers(config: dict[str, Any], name: str, neutral: float) -> tuple[float, ...]:
    value = config.get(name) if config.get("do_normalize", True) else None
    if value is None:
        return (neutral,)
    return (float(value),) if isinstance(value, int | float) else tuple(value)


def _channels(config: dict[str, Any]) -> int:
    """Grey where one mean is listed; a single number stands for all channels of a colour image."""
    mean = config.get("image_mean")
    return 1 if isinstance(mean, list | tuple) and len(mean) == 1 else 3


def _geometry(config: dict[str, Any]) -> dict[str, Any]:
    """Height, width, resize and resize_to of the modality."""
    size, crop = config.get("size"), config.get("crop_size") if config.get("do_center_crop") else None
    short = size.get("shortest_edge") if isinstance(size, dict) else None
    alone = not any(config.get(name) for name in ("do_pad", "do_flip_channel_order", "do_thumbnail"))
    if config.get("do_resize", True) and alone and isinstance(size, dict) and "longest_edge" not in size:
        if short and crop is None and "crop_pct" in config:
            return _convnext(short, config["crop_pct"] or 224 / 256)
        if short and isinstance(crop, dict):
            return {"height": crop["height"], "width": crop["width"], "resize": "shortest", "resize_to": short}
        if {"height", "width"} <= size.keys() and crop in (None, size):
            return {"height": size["height"], "width": size["width"], "resize": "stretch"}
    settings = {name: config[name] for name in sorted(config) if name.startswith("do_") or "size" in name}
    raise RecipeError(
        "An image processor that stretches to a height and width, or scales the shortest edge and then crops, "
        f"is expected; this one ({config.get('image_processor_type', 'unnamed')}) has {settings}. "
        "Choose another pretrained encoder."
    )


def _convnext(side: int, crop_pct: float) -> dict[str, Any]:
    if side >= WARPED:
        return {"height": side, "width": side, "resize": "stretch"}
    return {"height": side, "width": side, "resize": "shortest", "resize_to": int(side / crop_pct)}


def _compare(modality: ImageModality, processor: Any) -> None:
    """Refuse a modality whose numbers are not the processor's."""
    difference = max(_difference(modality, processor, height, width) for height, width in TRIED)
    if not difference <= TOLERANCE:
        raise RecipeError(
            f"Images prepared as {type(processor).__name__} does should agree to {TOLERANCE:g}, and differ by "
            f"{difference:.2g}: it does something of its own. Choose another pretrained encoder."
        )


def _difference(modality: ImageModality, processor: Any, height: int, width: int) -> float:
    image = np.random.default_rng(0).integers(0, 256, (height, width, modality.channels), np.uint8)
    theirs = np.asarray(processor(image)["pixel_values"])
    ours = modality.prepare([modality.load(image)]).arrays["image"]
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else np.inf


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and reports of weights that are not needed."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
