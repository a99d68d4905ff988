"""One contract for every encoder, and the laws of the head."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn.functional import adaptive_avg_pool2d

from gemel import distances
from gemel.errors import RecipeError
from gemel.items.audio import AudioModality
from gemel.items.image import ImageModality
from gemel.items.modality import Modality
from gemel.items.record import RecordModality
from gemel.items.series import SeriesModality
from gemel.items.vector import VectorModality
from gemel.learn.distances import distance
from gemel.learn.encoders import Encoder, Head, build
from gemel.learn.encoders.conv import conv, quarters
from gemel.learn.encoders.encoder import unit_length
from gemel.learn.encoders.residual import residual
from gemel.learn.export import export
from gemel.recipe import Recipe

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
FAMILIES: dict[str, dict[str, Any]] = {
    "vit": {"model_type": "vit", "intermediate_size": 32, **SMALL},
    "dinov2": {"model_type": "dinov2", **SMALL, "image_size": 40},
    "convnext": {"model_type": "convnext", "hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
    "clip": {"model_type": "clip_vision_model", "intermediate_size": 32, "projection_dim": 12, **SMALL},
    "siglip": {"model_type": "siglip_vision_model", "intermediate_size": 32, **SMALL},
}
IMAGES = ImageModality(height=32, width=32)
TRACES = SeriesModality(channels=2, steps=("velocity",))
SOUNDS = AudioModality(rate=8000, mels=10)
FIELDS = RecordModality({"a": ImageModality(height=12, width=9), "b": TRACES, "c": VectorModality(3)})
CHOSEN = Recipe(width=8, depth=3, dim=6, norm="batch", distance="cosine", pooling="mean")
SCRATCH: dict[str, tuple[Recipe, Modality]] = {
    "conv": (CHOSEN.but(encoder="conv"), ImageModality(height=29, width=40, channels=1)),
    "conv-group": (CHOSEN.but(encoder="conv", norm="group"), IMAGES),
    "residual": (CHOSEN.but(encoder="residual"), IMAGES),
    "residual-group": (CHOSEN.but(encoder="residual", norm="group"), ImageModality(height=17, width=5)),
    "delay": (CHOSEN.but(encoder="delay"), TRACES),
    "delay-group": (CHOSEN.but(encoder="delay", norm="group", pooling="attention"), TRACES),
    "statistics": (CHOSEN.but(encoder="statistics"), TRACES),
    "statistics-mel": (CHOSEN.but(encoder="statistics"), SOUNDS),
    "wave": (CHOSEN.but(encoder="residual"), TRACES),
    "delay-statistics": (CHOSEN.but(encoder="delay", pooling="statistics"), TRACES),
    "strokes-statistics": (CHOSEN.but(encoder="recurrent", cell="gru", depth=1, pooling="statistics"), TRACES),
    "wave-statistics": (CHOSEN.but(encoder="residual", depth=2, pooling="statistics"), TRACES),
    "wave-group": (CHOSEN.but(encoder="residual", depth=2, norm="group", pooling="max"), TRACES),
    "strokes": (CHOSEN.but(encoder="recurrent", cell="lstm", depth=2), TRACES),
    "strokes-gru": (CHOSEN.but(encoder="recurrent", cell="gru", depth=1, pooling="last"), TRACES),
    "mel": (CHOSEN.but(encoder="conv"), SOUNDS),
    "mel-group": (CHOSEN.but(encoder="conv", depth=2, norm="group", pooling="attention"), replace(SOUNDS, channels=2)),
    "spoken": (CHOSEN.but(encoder="residual", depth=2), SOUNDS),
    "concat": (CHOSEN.but(encoder="a=residual,b=delay,c=dense", fusion="concat"), FIELDS),
    "gated": (CHOSEN.but(encoder="a=conv,b=recurrent,c=dense", depth=2, fusion="gated", cell="gru"), FIELDS),
    "fields-attention": (CHOSEN.but(encoder="a=conv,b=residual", fusion="attention", norm="group"), FIELDS),
    "dense": (CHOSEN.but(encoder="dense"), VectorModality(dim=9)),
    "dense-group": (CHOSEN.but(encoder="dense", norm="group"), VectorModality(dim=9)),
}
EVERY = [*SCRATCH, *FAMILIES]


def blank(modality: Any, points: int) -> Any:
    """A decoded item of zeros; of so many points, or frames of sound."""
    if isinstance(modality, RecordModality):
        return {name: blank(field, points) for name, field in modality.fields.items()}
    if isinstance(modality, AudioModality):
        return np.zeros((200 + (points - 1) * 80, modality.channels), np.float32)
    return np.zeros(getattr(modality, "shape", (points, 2)), getattr(modality, "dtype", np.float32))


def made(name: str, seed: int = 0, **choices: Any) -> Encoder:
    torch.manual_seed(seed)
    if name in FAMILIES:
        recipe = CHOSEN.but(encoder=f"pretrained:{name}", **choices)
        return build(recipe, IMAGES, pretrained_config=FAMILIES[name])
    recipe, modality = SCRATCH[name]
    return build(recipe.but(**choices), modality)


@pytest.mark.parametrize("name", EVERY)
class TestEveryEncoder:
    """What holds for all of them."""

    def test_gives_unit_length_embeddings_of_the_chosen_dimension(self, name: str) -> None:
        encoder = made(name).eval()
        embeddings = encoder(**encoder.example(5))
        assert embeddings.shape == (5, 6)
        assert encoder.dim == 6
        assert embeddings.dtype == torch.float32
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(5))

    def test_takes_what_its_modality_prepares(self, name: str) -> None:
        encoder = made(name)
        modality = SCRATCH[name][1] if name in SCRATCH else IMAGES
        example = encoder.example(2)
        points = next((x.shape[1] for n, x in example.items() if n.endswith("series")), 0)
        prepared = modality.prepare([blank(modality, points)] * 2).arrays
        assert encoder.inputs == tuple(prepared)
        assert {n: x.shape for n, x in example.items()} == {n: x.shape for n, x in prepared.items()}

    def test_every_weight_that_learns_gets_a_gradient(self, name: str) -> None:
        encoder = made(name, distance="learned").train()
        embeddings = encoder(**encoder.example(8))
        (embeddings * torch.randn(embeddings.shape)).sum().backward()
        for weight, parameter in encoder.named_parameters():
            assert parameter.grad is not None, weight
            assert torch.isfinite(parameter.grad).all(), weight
            assert parameter.grad.any(), weight

    def test_an_embedding_does_not_depend_on_its_neighbours(self, name: str) -> None:
        encoder = made(name)
        encoder.train()(**encoder.example(8))
        inputs = encoder.eval().example(7, seed=1)
        together = encoder(**inputs)
        turned = encoder(**{n: x.flip(0) for n, x in inputs.items()}).flip(0)
        alone = torch.cat([encoder(**{n: x[i : i + 1] for n, x in inputs.items()}) for i in range(7)])
        torch.testing.assert_close(turned, together, atol=1e-6, rtol=0)
        torch.testing.assert_close(alone, together, atol=1e-6, rtol=0)

    def test_the_same_seed_gives_the_same_network(self, name: str) -> None:
        torch.testing.assert_close(made(name).state_dict(), made(name).state_dict(), rtol=0, atol=0)
        one, other = made(name).eval(), made(name, seed=1).eval()
        assert not torch.equal(one(**one.example(2)), other(**one.example(2)))

    def test_weights_go_through_safetensors(self, name: str) -> None:
        encoder = made(name, distance="learned")
        encoder.train()(**encoder.example(8))
        saved = safetensors.torch.save(encoder.state_dict())
        again = made(name, seed=1, distance="learned")
        again.load_state_dict(safetensors.torch.load(saved))
        inputs = encoder.example(3)
        assert torch.equal(encoder.eval()(**inputs), again.eval()(**inputs))

    def test_onnx_agrees_at_several_batch_sizes(self, name: str, tmp_path: Any) -> None:
        encoder = made(name, distance="learned").train()
        encoder(**encoder.example(8))
        agreement = export(encoder, tmp_path / "encoder.onnx")
        assert agreement is not None
        assert agreement.difference <= 1e-5
        assert agreement.sizes == (1, 2, 7)
        assert encoder.training
        assert encoder.backbone.training

    def test_mixed_precision_ends_in_float32_of_unit_length(self, name: str) -> None:
        encoder = made(name).eval()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            embeddings = encoder(**encoder.example(4))
        assert embeddings.dtype == torch.float32
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(4))


def test_the_learned_distance_is_manhattan_over_the_weighted_head() -> None:
    torch.manual_seed(0)
    head = Head(10, 7, weighted=True)
    assert head.free is not None
    assert head.weight is not None
    torch.testing.assert_close(head.weight, torch.ones(7), rtol=0, atol=0)
    torch.nn.init.normal_(head.free, std=20)
    a, b = torch.randn(2, 5, 10)
    weight = head.weight.double()
    left, right = (unit_length(head.linear(x)).double() for x in (a, b))
    formula = (weight * (left - right).abs()).sum(1)
    assert (weight >= 0).all()
    torch.testing.assert_close(distance("manhattan").paired(head(a), head(b)).double(), formula, rtol=1e-5, atol=1e-6)
    use = distances.distance("manhattan").paired(head(a).detach().numpy(), head(b).detach().numpy())
    np.testing.assert_allclose(use, formula.detach().numpy(), rtol=1e-5)


def test_only_the_learned_distance_has_weights() -> None:
    assert made("conv").head.weight is None
    assert made("conv", distance="learned").head.weight is not None
    assert Head(3, 2, unit=False)(torch.ones(1, 3)).norm() != 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_unit_length_is_safe_at_zero(dtype: torch.dtype) -> None:
    x = torch.randn(3, 4).to(dtype)
    x[1] = 0
    x.requires_grad_()
    y = unit_length(x.float())
    y.sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert not x.grad[1].any()
    torch.testing.assert_close(y.norm(dim=1), torch.tensor([1.0, 0.0, 1.0]))


@pytest.mark.parametrize("height", range(1, 12))
def test_quarters_are_adaptive_average_pooling(height: int) -> None:
    maps = torch.randn(2, 3, height, 5)
    wanted = adaptive_avg_pool2d(maps, (min(height, 2), 2)).flatten(1)
    torch.testing.assert_close(quarters(maps), wanted)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (8, 8), (28, 28), (32, 32), (105, 105), (64, 17)])
@pytest.mark.parametrize("make", [conv, residual])
def test_any_image_size_gives_the_promised_features(size: tuple[int, int], make: Any) -> None:
    backbone = make(1, size=size, width=8, depth=4, norm="group")
    assert backbone(torch.randn(2, 1, *size)).shape == (2, backbone.features)


def test_the_plan_of_channels() -> None:
    widths = [block[0].out_channels for block in conv(3, size=(32, 32)).blocks]
    assert widths == [64, 64, 128, 128]
    assert [block.conv1.out_channels for block in residual(3, size=(64, 64)).blocks] == [64, 128, 256, 256]


def test_channels_last_weights_change_nothing() -> None:
    encoder = made("residual").eval()
    inputs = encoder.example(3)
    wanted = encoder(**inputs)
    again = made("residual").eval().to(memory_format=torch.channels_last)
    torch.testing.assert_close(again(**inputs), wanted, atol=1e-6, rtol=0)


def test_a_frozen_backbone_stays_as_in_use_until_it_thaws() -> None:
    encoder = made("conv")
    encoder.backbone.freeze()
    before = {name: x.clone() for name, x in encoder.backbone.state_dict().items()}
    encoder.train()(**encoder.example(8)).sum().backward()
    torch.testing.assert_close(encoder.backbone.state_dict(), before, rtol=0, atol=0)
    assert encoder.training
    assert not any(module.training for module in encoder.backbone.modules())
    assert all(p.grad is None for p in encoder.backbone.parameters())
    assert encoder.head.linear.weight.grad is not None
    encoder.backbone.thaw()
    assert all(module.training for module in encoder.train().modules())
    assert all(p.requires_grad for p in encoder.parameters())


@pytest.mark.parametrize(
    ("choices", "modality", "words"),
    [
        (
            {"encoder": "vgg"},
            IMAGES,
            "choose conv, residual, delay, frames, statistics, dense, recurrent, transformer, pretrained",
        ),
        ({"encoder": "conv"}, VectorModality(dim=3), "encoders for them: dense"),
        ({"encoder": "dense"}, IMAGES, "encoders for them: conv, residual, pretrained"),
        ({"encoder": "conv", "tune": "frozen"}, IMAGES, "needs a pretrained encoder"),
        ({"encoder": "pretrained:"}, IMAGES, "lacks a name"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(choices: dict[str, Any], modality: Any, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        build(CHOSEN.but(**choices), modality)


def test_an_open_recipe_is_refused() -> None:
    with pytest.raises(RecipeError, match="leaves encoder open"):
        build(Recipe(), IMAGES)
