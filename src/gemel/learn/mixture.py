"""What may change in a record without changing the identity: each field in its own way, and whether a field is there.

Knows the distortions of images, series and sounds, and tensors; no files and no labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gemel.items import AudioModality, Modality, RecordModality, SeriesModality
from gemel.learn.augment import Augment, turned
from gemel.learn.encoders.fusion import PRESENT
from gemel.learn.noise import Noise
from gemel.learn.spectra import Spectra
from gemel.learn.waves import Waves
from gemel.recipe import Recipe

if TYPE_CHECKING:
    from jaxtyping import Int


@dataclass(frozen=True)
class Mixture:
    """Random changes to prepared records.

    Attributes:
        fields: field → the distortions of its kind.
        hide: share of items of which one field is hidden, so that the encoder learns to do without; of those that have
            several.
    """

    fields: Mapping[str, Augment | Waves | Spectra]
    hide: float = 0.0

    def hidden(self, present: Int[Tensor, "n k"], noise: Noise) -> Int[Tensor, "n k"]:
        """Which fields are looked at: of some items one fewer than there are."""
        chosen = (noise.uniform() + 1) / 2 < self.hide
        order = noise.uniform(present.shape[1]).masked_fill(present == 0, -2.0)
        first = torch.nn.functional.one_hot(order.argmax(1), present.shape[1])
        lose = chosen & (present.sum(1) > 1)
        return present - first * lose[:, None].to(present.dtype)


Distortion = Augment | Waves | Spectra | Mixture


def distortion_of(modality: Modality, recipe: Recipe) -> Distortion:
    """The distortions that a recipe asks for, of items of this kind."""
    if isinstance(modality, RecordModality):
        own = {name: distortion_of(one, recipe) for name, one in modality.fields.items()}
        return Mixture(own, 0.0 if modality.single else recipe.hide)  # type: ignore[arg-type]
    if isinstance(modality, AudioModality):
        return Spectra.of(recipe, modality)
    return Waves.of(recipe) if isinstance(modality, SeriesModality) else Augment.of(recipe)


def distorted(
    inputs: dict[str, Tensor], how: Distortion, variant: Int[Tensor, " n"], seed: int, own: slice, total: int
) -> dict[str, Tensor]:
    """Prepared inputs after quarter turns and distortions, on whatever device they are on.

    Args:
        variant: quarter turns of each item.
        seed: of the step.
        own, total: which rows of a batch of how many these are.
    """
    if isinstance(how, Mixture):
        return _of_fields(inputs, how, variant, seed, own, total)
    if "image" in inputs and isinstance(how, Augment):
        return {**inputs, "image": how(turned(inputs["image"], variant), seed, own, total)}
    if "series" in inputs and isinstance(how, Waves | Spectra):
        return {**inputs, "series": how(inputs["series"], inputs["attention_mask"], seed, own, total)}
    return inputs


def _of_fields(
    inputs: dict[str, Tensor], how: Mixture, variant: Int[Tensor, " n"], seed: int, own: slice, total: int
) -> dict[str, Tensor]:
    changed = dict(inputs)
    for place, (name, each) in enumerate(how.fields.items()):
        part = {key.removeprefix(f"{name}."): x for key, x in inputs.items() if key.startswith(f"{name}.")}
        done = distorted(part, each, variant, seed + place, own, total)
        changed |= {f"{name}.{key}": x for key, x in done.items()}
    if how.hide:
        noise = Noise(seed + len(how.fields), total, own, inputs[PRESENT].device)
        changed[PRESENT] = how.hidden(inputs[PRESENT], noise)
    return changed
