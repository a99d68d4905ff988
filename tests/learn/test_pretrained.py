"""Pretrained encoders: loaded whole, pooled as their family does, and fed exactly what it feeds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers
from PIL import Image
from transformers import AutoImageProcessor, PreTrainedModel

from gemel.errors import RecipeError
from gemel.items.image import ImageModality
from gemel.learn.encoders import Encoder, build, pretrained_modality
from gemel.learn.encoders.pretrained import pretrained, rebuilt
from gemel.learn.encoders.processors import image_modality, quiet
from gemel.recipe import Recipe

TOWER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SMALL = {**TOWER, "image_size": 32, "patch_size": 8}
TOKENS = {**TOWER, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
DINOV2 = {name: value for name, value in SMALL.items() if name != "intermediate_size"} | {"image_size": 40}

PROCESSORS: dict[str, dict[str, Any]] = {
    "vit": {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}},
    "dinov2": {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 37},
        "crop_size": {"height": 32, "width": 32},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    },
    "convnext": {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 32}, "crop_pct": 0.875},
    "convnext-large": {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
    "clip": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
    },
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}},
    "clip-of-2021": {"feature_extractor_type": "CLIPFeatureExtractor", "size": 32, "crop_size": 32, "resample": 3},
    "vit-of-2021": {"feature_extractor_type": "ViTFeatureExtractor", "size": 32, "resample": 2, "do_normalize": False},
}


def vit() -> PreTrainedModel:
    return transformers.ViTForImageClassification(transformers.ViTConfig(**SMALL))


def dinov2() -> PreTrainedModel:
    return transformers.Dinov2Model(transformers.Dinov2Config(**DINOV2))


def convnext() -> PreTrainedModel:
    config = transformers.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2)
    return transformers.ConvNextForImageClassification(config)


def clip() -> PreTrainedModel:
    config = transformers.CLIPConfig(text_config=TOKENS, vision_config=SMALL, projection_dim=12)
    return transformers.CLIPModel(config)


def siglip() -> PreTrainedModel:
    return transformers.SiglipModel(transformers.SiglipConfig(text_config=TOKENS, vision_config=SMALL))


def class_token(model: Any, image: torch.Tensor) -> torch.Tensor:
    return model.vit(pixel_values=image).last_hidden_state[:, 0]


def pooled(model: Any, image: torch.Tensor) -> torch.Tensor:
    return getattr(model, "convnext", model)(pixel_values=image).pooler_output


def two_towers(model: Any, image: torch.Tensor) -> torch.Tensor:
    return model.get_image_features(pixel_values=image).pooler_output


FAMILIES: dict[str, tuple[Callable[[], PreTrainedModel], Callable[[Any, torch.Tensor], torch.Tensor]]] = {
    "vit": (vit, class_token),
    "dinov2": (dinov2, pooled),
    "convnext": (convnext, pooled),
    "clip": (clip, two_towers),
    "siglip": (siglip, two_towers),
}


def folder_of(name: str, folder: Path) -> Path:
    """A model with random weights and its processor, as they lie on the hub."""
    torch.manual_seed(0)
    with quiet():
        FAMILIES[name][0]().save_pretrained(folder)
    processor(name, folder)
    return folder


def processor(name: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSORS[name]))
    return folder


def images(channels: int = 3) -> list[np.ndarray]:
    """Twenty odd sizes: tiny, large, tall, wide; every fourth one grey."""
    rng = np.random.default_rng(0)
    sizes = [(1, 1), (2, 3), (5, 400), (400, 5), (32, 32), (31, 33), (33, 31), (37, 38), (640, 481), (1001, 999)]
    sizes += [(int(h), int(w)) for h, w in rng.integers(6, 500, (10, 2))]
    made = [rng.integers(0, 256, (h, w, channels), np.uint8) for h, w in sizes]
    for grey in range(0, 20, 4):
        made[grey] = made[grey][:, :, 0]
    return made


@pytest.mark.parametrize("name", PROCESSORS)
def test_images_are_prepared_as_the_family_does(name: str, tmp_path: Path) -> None:
    modality = pretrained_modality(str(processor(name, tmp_path)))
    with quiet():
        theirs = AutoImageProcessor.from_pretrained(tmp_path)
    for image in images():
        wanted = theirs(Image.fromarray(image).convert("RGB"), return_tensors="np")["pixel_values"]
        found = modality.prepare([modality.load(image)]).arrays["image"]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_feature_is_the_one_that_the_family_uses(name: str, tmp_path: Path) -> None:
    backbone = pretrained(str(folder_of(name, tmp_path)), channels=3, size=(32, 32)).eval()
    torch.manual_seed(0)
    with quiet():
        whole = FAMILIES[name][0]().eval()
    image = torch.randn(3, 3, 32, 32)
    wanted = FAMILIES[name][1](whole, image)
    torch.testing.assert_close(backbone(image), wanted.flatten(1), atol=1e-5, rtol=1e-5)
    assert backbone.features == wanted.shape[1]


def built(name: str, folder: Path, **choices: Any) -> Encoder:
    torch.manual_seed(3)
    recipe = Recipe(encoder=f"pretrained:{folder}", dim=6, distance="cosine", **choices)
    return build(recipe, pretrained_modality(str(folder)))


@pytest.mark.parametrize("name", FAMILIES)
def test_an_encoder_is_made_again_without_its_folder(name: str, tmp_path: Path) -> None:
    encoder = built(name, folder_of(name, tmp_path / "hub"))
    config = json.loads(json.dumps(encoder.backbone.config_json))
    assert str(tmp_path) not in json.dumps(config)
    weights = safetensors.torch.save(encoder.state_dict())
    recipe = Recipe(encoder="pretrained:gone", dim=6, distance="cosine")
    again = build(recipe, ImageModality(height=32, width=32), pretrained_config=config)
    again.load_state_dict(safetensors.torch.load(weights))
    inputs = encoder.example(3)
    assert torch.equal(encoder.eval()(**inputs), again.eval()(**inputs))
    assert again.backbone.config_json == config


@pytest.mark.parametrize("tune", ["full", "frozen", "warmup"])
def test_tuning_decides_what_learns(tune: str, tmp_path: Path) -> None:
    encoder = built("vit", folder_of("vit", tmp_path), tune=tune)
    learns = {p.requires_grad for p in encoder.backbone.parameters()}
    assert learns == {tune == "full"}
    assert encoder.train().backbone.model.training == (tune == "full")
    assert all(p.requires_grad for p in encoder.head.parameters())
    encoder.backbone.thaw()
    assert encoder.train().backbone.model.training


def test_loading_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = folder_of("clip", tmp_path)
    capfd.readouterr()
    built("clip", folder)
    assert capfd.readouterr() == ("", "")


def test_a_grey_family_takes_grey_images(tmp_path: Path) -> None:
    config = {"image_mean": [0.5], "image_std": [0.5], **PROCESSORS["vit"]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    assert pretrained_modality(str(tmp_path)).channels == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"do_resize": False},
        {"size": {"shortest_edge": 32}},
        {"size": {"shortest_edge": 32, "longest_edge": 64}},
        {"size": {"height": 40, "width": 40}, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}},
        {"do_pad": True, "size": {"height": 32, "width": 32}},
        {"size": 32},
    ],
)
def test_a_processor_that_a_modality_cannot_express_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"is expected; this one \(ViTImageProcessor\) has"):
        image_modality({"image_processor_type": "ViTImageProcessor", **settings})


def test_a_processor_with_ways_of_its_own_is_refused(tmp_path: Path) -> None:
    config = {
        "image_processor_type": "PoolFormerImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
        "crop_pct": 0.8,
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    with pytest.raises(RecipeError, match="something of its own"):
        pretrained_modality(str(tmp_path))


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="There is no vision encoder"):
        pretrained(str(tmp_path), channels=3, size=(32, 32))
    with pytest.raises(RecipeError, match="There is no image processor"):
        pretrained_modality(str(tmp_path))


def test_weights_that_would_be_random_are_refused(tmp_path: Path) -> None:
    folder = folder_of("vit", tmp_path)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    del weights["vit.layernorm.weight"]
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RecipeError, match=r"no weights for 1 parts .*layernorm\.weight"):
        pretrained(str(folder), channels=3, size=(32, 32))


def test_images_of_another_size_are_refused() -> None:
    config = {"model_type": "vit", **SMALL}
    with pytest.raises(RecipeError, match="does not take images of 3 × 40 × 40"):
        rebuilt(config, channels=3, size=(40, 40))
    with pytest.raises(RecipeError, match="does not take images of 1 × 32 × 32"):
        rebuilt(config, channels=1, size=(32, 32))
