"""Several fields in one embedding: a backbone for each, and what they say brought together; a field may be missing.

Knows backbones and tensors; no modality.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from gemel.errors import RecipeError
from gemel.learn.encoders.encoder import Backbone
from gemel.learn.encoders.text import Pooling

if TYPE_CHECKING:
    from jaxtyping import Float, Int

PRESENT = "present"
"""The input that says which fields each item has, [n, fields]."""
WAYS = ("concat", "gated", "attention")


class Fields(Backbone):
    """Backbones by field, whose inputs are called `field.input`, beside `present`.

    Args:
        features: how many numbers come out for one item.
        backbones: field → backbone.
    """

    def __init__(self, features: int, backbones: Mapping[str, Backbone]) -> None:
        shapes = {f"{name}.{put}": shape for name, one in backbones.items() for put, shape in one.shapes.items()}
        super().__init__(features, {**shapes, PRESENT: (len(backbones),)})
        self.names = tuple(backbones)
        self.frozen = any(backbone.frozen for backbone in backbones.values())
        self.backbones = nn.ModuleList(backbones.values())

    def example(self, n: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Items that have some of their fields, and the first one all of them."""
        inputs = {
            f"{name}.{put}": x for name, backbone in self.each() for put, x in backbone.example(n, chance).items()
        }
        there = torch.randint(2, (n, len(self.names)), generator=chance)
        there[torch.arange(n), torch.randint(len(self.names), (n,), generator=chance)] = 1
        there[0] = 1
        return {**inputs, PRESENT: there}

    def each(self) -> list[tuple[str, Any]]:
        """Every field and its backbone."""
        return list(zip(self.names, self.backbones, strict=True))

    def thaw(self) -> Self:
        """Undo the freezing of every backbone."""
        for _, backbone in self.each():
            backbone.thaw()
        self.frozen = False
        return self

    def train(self, mode: bool = True) -> Self:
        """A frozen backbone stays as in use; what brings the fields together learns all the same."""
        nn.Module.train(self, mode)
        return self

    @property
    def config_json(self) -> dict[str, Any]:
        """Configurations of the pretrained backbones, by field; empty where there is none."""
        configs = {name: getattr(backbone, "config_json", None) for name, backbone in self.each()}
        return {name: config for name, config in configs.items() if config}


class Fusion(Fields):
    """One vector for all fields of an item. A field that is missing is not looked at; a learned vector takes its place.

    Every field's features become `width` normalised numbers first. Then they are laid side by side (concat); added,
    each number as far as a gate, which sees all fields, lets it through (gated: Arevalo et al. 2017, Gated multimodal
    units for information fusion, eq. 1, for any number of fields); or, of those that are there, averaged as each
    weighs (attention).

    Args:
        backbones: field → backbone.
        width: numbers of a field.
        how: concat, gated or attention.
    """

    def __init__(self, backbones: Mapping[str, Backbone], *, width: int, how: str) -> None:
        if how not in WAYS:
            raise RecipeError(f"fusion = {how!r} does not exist; choose one of {', '.join(WAYS)}.")
        every = width * len(backbones)
        super().__init__(every if how == "concat" else width, backbones)
        self.how = how
        self.into = nn.ModuleList(
            [nn.Sequential(nn.Linear(one.features, width), nn.LayerNorm(width)) for one in backbones.values()]
        )
        self.missing = None if how == "attention" else nn.Parameter(torch.zeros(len(backbones), width))
        self.gate = nn.Linear(every, every) if how == "gated" else None
        self.pool = Pooling("attention", width) if how == "attention" else None

    def forward(self, *inputs: Tensor) -> Float[Tensor, "n f"]:
        named = dict(zip(self.shapes, inputs, strict=True))
        there = named[PRESENT]
        fields = torch.stack([self._field(i, named) for i in range(len(self.names))], 1)
        if self.pool is not None:
            return self.pool(fields, there)
        assert self.missing is not None
        fields = torch.where(there[..., None] > 0, fields, self.missing.to(fields.dtype))
        if self.gate is not None:
            through = self.gate(fields.flatten(1)).sigmoid().view_as(fields)
            return (through * fields).sum(1)
        return fields.flatten(1)

    def _field(self, i: int, named: Mapping[str, Tensor]) -> Float[Tensor, "n w"]:
        backbone: Any = self.backbones[i]
        return self.into[i](backbone(*[named[f"{self.names[i]}.{put}"] for put in backbone.shapes]))


class Branches(Fields):
    """Two or more encoders into one space, of items that are one field each: an image, or a title.

    Each has a last layer of its own to `features` numbers, so that a head without a linear layer follows.

    Args:
        backbones: field → backbone.
        dim: dimensions of the space.
    """

    plain = True

    def __init__(self, backbones: Mapping[str, Backbone], *, dim: int) -> None:
        super().__init__(dim, backbones)
        self.into = nn.ModuleList([nn.Linear(one.features, dim) for one in backbones.values()])

    def example(self, n: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Items of one field each."""
        inputs = super().example(n, chance)
        field: Int[Tensor, " n"] = torch.randint(len(self.names), (n,), generator=chance)
        return {**inputs, PRESENT: nn.functional.one_hot(field, len(self.names))}

    def forward(self, *inputs: Tensor) -> Float[Tensor, "n d"]:
        named = dict(zip(self.shapes, inputs, strict=True))
        there = named[PRESENT] > 0
        rows = [there[:, i].nonzero().squeeze(1) for i in range(len(self.names))]
        parts = [self._field(i, rows[i], named) for i in range(len(self.names)) if len(rows[i])]
        place = torch.cat(rows).argsort()
        return torch.cat(parts)[place]

    def _field(self, i: int, rows: Int[Tensor, " r"], named: Mapping[str, Tensor]) -> Float[Tensor, "r d"]:
        backbone: Any = self.backbones[i]
        return self.into[i](backbone(*[named[f"{self.names[i]}.{put}"][rows] for put in backbone.shapes]))


class Branch(Backbone):
    """One field of `Branches` alone, for items of that kind."""

    def __init__(self, whole: Branches, field: str) -> None:
        i = whole.names.index(field)
        backbone: Any = whole.backbones[i]
        super().__init__(whole.features, backbone.shapes)
        self.backbone, self.into = backbone, whole.into[i]

    def example(self, n: int, chance: torch.Generator) -> dict[str, Tensor]:
        return self.backbone.example(n, chance)

    def forward(self, *inputs: Tensor) -> Float[Tensor, "n d"]:
        return self.into(self.backbone(*inputs))
