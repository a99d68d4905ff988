"""Folders of sentence-transformers: read as twins, and written from them; embeddings stay equal.

from_sentence_transformers(folder)    Transformer, Pooling, Dense, Normalize → Siamese
to_sentence_transformers(twin, folder)   the same way back
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import safetensors.torch
import torch
from torch import nn

from gemel.errors import ModelError, RecipeError
from gemel.items.text import TextModality
from gemel.learn.encoders import language
from gemel.learn.encoders.encoder import Encoder, Head
from gemel.learn.export import export
from gemel.learn.shape import encoder_of
from gemel.recipe import Recipe
from gemel.siamese import Siamese, Trained

POOLINGS = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "last": "pooling_mode_lasttoken",
}
"""Our name of a pooling → the flag that older folders have for it; newer ones name it as we do."""


def from_sentence_transformers(folder: str | Path) -> Siamese:
    """A twin that embeds as `SentenceTransformer(folder)` does, compares by cosine, and is not calibrated.

    It can be trained on (`gemel.train(data, start=twin)`).

    Args:
        folder: holds modules.json: a transformer, a pooling (mean, cls, max or last), and maybe one linear layer and a
            normalisation.

    Raises:
        ModelError: no such folder, or parts of it that are not known here.
    """
    folder = Path(folder)
    kinds = _modules(folder)
    pooling = _pooling(kinds["Pooling"])
    try:
        modality = language.pretrained_text(str(kinds["Transformer"]))
        backbone = language.pretrained(str(kinds["Transformer"]), pooling=pooling)
    except RecipeError as error:
        raise ModelError(f"{folder}: {error}") from error
    dense = _dense(kinds["Dense"]) if "Dense" in kinds else None
    dim = backbone.features if dense is None else dense.out_features
    head = Head(backbone.features, dim, unit="Normalize" in kinds, plain=dense is None)
    if dense is not None:
        head.linear = dense
    recipe = Recipe(encoder=f"pretrained:{folder.name}", pooling=pooling, dim=dim, distance="cosine")
    return _twin(Encoder(backbone, head).eval(), recipe, modality, str(folder))


def to_sentence_transformers(twin: Siamese, folder: str | Path) -> Path:
    """Write a twin of texts as a folder that `SentenceTransformer(folder)` loads: in fp32, without decision or head.

    Args:
        twin: its encoder is a transformer, from scratch or pretrained, and it was trained or read by gemel.
        folder: must not hold anything yet.

    Raises:
        ModelError: another encoder, a pooling or distance that sentence-transformers does not have, or a folder that
            holds something.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder} holds something already; give a new folder.")
    recipe = Recipe().but(
        **{k: v for k, v in twin.recipe.items() if k in Recipe.__dataclass_fields__} | {"tune": "full"}
    )
    if not isinstance(twin.modality, TextModality) or not twin.origin.backbone:
        raise ModelError("Only twins of texts whose encoder is a transformer can be written for sentence-transformers.")
    if recipe.pooling not in POOLINGS or recipe.distance == "learned":
        raise ModelError(
            f"sentence-transformers has no {recipe.pooling} pooling with {recipe.distance} distance; it has "
            f"{', '.join(POOLINGS)}, without learned weights."
        )
    encoder: Any = encoder_of(recipe, twin.modality, twin)
    features = encoder.backbone.features
    encoder.backbone.model.save_pretrained(folder)
    _tokenizer(twin.modality, folder)
    flags = {flag: name == recipe.pooling for name, flag in POOLINGS.items()}
    size = {"embedding_dimension": features, "word_embedding_dimension": features}
    _write(folder / "1_Pooling" / "config.json", size | flags)
    parts = {"Transformer": "", "Pooling": "1_Pooling"}
    if isinstance(encoder.head.linear, nn.Linear):
        parts["Dense"] = "2_Dense"
        _write_dense(encoder.head.linear, folder / "2_Dense")
    if encoder.head.unit:
        parts["Normalize"] = f"{len(parts)}_Normalize"
        (folder / parts["Normalize"]).mkdir()
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (kind, path) in enumerate(parts.items())
    ]
    _write(folder / "modules.json", modules)
    return folder


def _write_dense(layer: nn.Linear, folder: Path) -> None:
    said = {"in_features": layer.in_features, "out_features": layer.out_features, "bias": True}
    _write(folder / "config.json", said | {"activation_function": "torch.nn.modules.linear.Identity"})
    weights = {f"linear.{name}": x.contiguous() for name, x in layer.state_dict().items()}
    safetensors.torch.save_file(weights, folder / "model.safetensors")


def _modules(folder: Path) -> dict[str, Path]:
    """Kind of each module → its folder."""
    try:
        listed = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        kinds = [(str(module["type"]).rpartition(".")[2], folder / str(module["path"])) for module in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder} is no folder of sentence-transformers: modules.json cannot be read ({error})."
        ) from None
    names = [kind for kind, _ in kinds]
    allowed = (["Transformer", "Pooling"], ["Dense"], ["Normalize"])
    expected = [name for group in allowed for name in group if name in names]
    if names != expected or not {"Transformer", "Pooling"} <= set(names):
        raise ModelError(
            f"{folder} consists of {', '.join(names)}; known here are a Transformer, a Pooling, and after them maybe "
            "one Dense and a Normalize."
        )
    return dict(kinds)


def _pooling(folder: Path) -> str:
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    modes = [name for name, flag in POOLINGS.items() if said.get(flag)]
    if isinstance(said.get("pooling_mode"), str):
        modes = [{"lasttoken": "last"}.get(said["pooling_mode"], said["pooling_mode"])]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise ModelError(f"{folder} pools by {said.get('pooling_mode', modes)}; known here are {', '.join(POOLINGS)}.")
    return modes[0]


def _dense(folder: Path) -> nn.Linear:
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    activation = str(said.get("activation_function", "")).rpartition(".")[2]
    if activation != "Identity":
        raise ModelError(f"{folder} has a {activation} behind its linear layer; known here is none (Identity).")
    if not (folder / "model.safetensors").exists():
        raise ModelError(f"{folder} holds no model.safetensors; pickled weights are not read.")
    layer = nn.Linear(said["in_features"], said["out_features"], bias=bool(said.get("bias", True)))
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    layer.load_state_dict({name.removeprefix("linear."): x for name, x in weights.items()})
    if layer.bias is None:
        layer.bias = nn.Parameter(torch.zeros(layer.out_features))
    return layer


def _twin(encoder: Encoder, recipe: Recipe, modality: TextModality, origin: str) -> Siamese:
    with TemporaryDirectory() as place:
        export(encoder, Path(place) / "encoder.onnx")
        onnx = (Path(place) / "encoder.onnx").read_bytes()
    backbone: Any = encoder.backbone
    trained = Trained(
        recipe=recipe.chosen(),
        weights=safetensors.torch.save({name: x.contiguous() for name, x in encoder.state_dict().items()}),
        encoder=f"{origin}, {sum(p.numel() for p in encoder.parameters()):,} weights",
        backbone=backbone.config_json,
    )
    return Siamese.from_training(onnx, modality=modality, distance="cosine", dim=encoder.dim, trained=trained)


def _tokenizer(modality: TextModality, folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    kept = folder / "tokenizer.json"
    kept.write_text(modality.tokenizer, encoding="utf-8")
    known = json.loads(modality.tokenizer)["model"]["vocab"]
    names = [entry[0] for entry in known] if isinstance(known, list) else known
    pad = next((word for word in ("[PAD]", "<pad>", "[UNK]", "<unk>") if word in names), None)
    made = PreTrainedTokenizerFast(tokenizer_file=str(kept), pad_token=pad, model_max_length=modality.length)
    made.save_pretrained(folder)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": modality.length, "do_lower_case": False})


def _write(file: Path, value: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=2), encoding="utf-8")
