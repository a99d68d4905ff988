"""A batch in chunks has the gradient of the batch, in the memory of a chunk."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gemel.errors import RecipeError
from gemel.items.image import ImageModality
from gemel.items.modality import Modality
from gemel.items.vector import VectorModality
from gemel.learn import chunks
from gemel.learn.chunks import InChunks, refuse_batch_norm
from gemel.learn.encoders import Encoder, build
from gemel.recipe import Recipe

CHOSEN = Recipe(width=8, depth=2, dim=6, norm="group", distance="learned")
IMAGES = ImageModality(height=16, width=16, channels=1)
EVERY: dict[str, Modality] = {"conv": IMAGES, "residual": IMAGES, "dense": VectorModality(dim=9)}
N = 22


def made(kind: str = "conv", **choices: Any) -> Encoder:
    torch.manual_seed(0)
    return build(CHOSEN.but(encoder=kind, **choices), EVERY[kind]).train()


def apart(encoder: nn.Module, rows: int) -> Callable[..., Tensor]:
    """The chunks encoded one after the other, every activation kept."""

    def encode(**inputs: Tensor) -> Tensor:
        n = len(next(iter(inputs.values())))
        return torch.cat([encoder(**{k: x[i : i + rows] for k, x in inputs.items()}) for i in range(0, n, rows)])

    return encode


def learn(encode: Callable[..., Tensor], encoder: Encoder, half: bool = False) -> tuple[Tensor, Tensor]:
    """Embeddings, and the gradient of a loss in which every row meets every other."""
    encoder.zero_grad()
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16) if half else contextlib.nullcontext():
        embeddings = encode(**encoder.example(N))
        loss = (5 * embeddings @ embeddings.T).logsumexp(1).mean()
    torch.manual_seed(6)
    loss.backward()
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in encoder.parameters()]
    return embeddings.detach(), torch.cat([gradient.flatten() for gradient in gradients])


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("rows", [1, 5, 11, 21, 22, 100])
def test_chunks_equal_the_whole_batch(kind: str, rows: int) -> None:
    encoder = made(kind)
    embeddings, gradient = learn(encoder, encoder)
    again, in_chunks = learn(InChunks(encoder, rows), encoder)
    torch.testing.assert_close(again, embeddings, atol=1e-6, rtol=0)
    torch.testing.assert_close(in_chunks, gradient, atol=1e-6, rtol=0)
    assert (in_chunks - gradient).norm() <= 1e-6 * gradient.norm()


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("rows", [5, 11])
def test_dropout_and_mixed_precision_are_those_of_the_chunks_one_by_one(kind: str, half: bool, rows: int) -> None:
    encoder = made(kind, dropout=0.5)
    embeddings, gradient = learn(apart(encoder, rows), encoder, half)
    again, in_chunks = learn(InChunks(encoder, rows), encoder, half)
    assert torch.equal(again, embeddings)
    torch.testing.assert_close(in_chunks, gradient, atol=1e-7, rtol=1e-6)


def test_the_way_back_leaves_the_generator_where_it_was() -> None:
    encoder = made(dropout=0.5)
    one_by_one, in_chunks = apart(encoder, 5), InChunks(encoder, 5)
    states = []
    for encode in (one_by_one, in_chunks):
        torch.manual_seed(5)
        embeddings = encode(**encoder.example(N))
        states.append(torch.get_rng_state())
        embeddings.sum().backward()
        states.append(torch.get_rng_state())
    assert all(torch.equal(state, states[0]) for state in states)


def test_tensors_are_given_by_position_so_that_their_device_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spy(encode: Callable[..., Tensor], *tensors: Tensor, **how: bool) -> Tensor:
        seen.append(how)
        return encode(*tensors)

    monkeypatch.setattr(chunks, "checkpoint", spy)
    encoder = made("dense")
    InChunks(encoder, 5)(**encoder.example(N))
    assert seen == [{"use_reentrant": False, "preserve_rng_state": True}] * 5


def test_one_chunk_is_in_memory_at_a_time() -> None:
    encoder = made()
    kept: list[weakref.ref[Tensor]] = []
    alive: list[int] = []

    def count(module: nn.Module, given: Any, maps: Tensor) -> None:
        alive.append(sum(maps() is not None for maps in kept))
        kept.append(weakref.ref(maps))

    encoder.backbone.blocks[0][0].register_forward_hook(count)  # type: ignore[index,union-attr,operator]
    learn(apart(encoder, 5), encoder)
    assert alive == [0, 1, 2, 3, 4]
    alive.clear()
    kept.clear()
    learn(InChunks(encoder, 5), encoder)
    assert alive == [0] * 10, "five chunks forward, and the same five again on the way back"


def test_in_use_it_is_the_encoder() -> None:
    encoder = made("conv", norm="batch", dropout=0.5).eval()
    inputs = encoder.example(N)
    with torch.inference_mode():
        torch.testing.assert_close(InChunks(encoder, 5)(**inputs), encoder(**inputs), atol=1e-6, rtol=0)


def test_weights_are_the_encoders_own() -> None:
    encoder = made()
    assert [p.data_ptr() for p in InChunks(encoder, 5).parameters()] == [p.data_ptr() for p in encoder.parameters()]


@pytest.mark.parametrize("kind", EVERY)
def test_batch_norm_is_refused_where_it_learns(kind: str) -> None:
    encoder = made(kind, norm="batch")
    with pytest.raises(RecipeError, match="norm=group"):
        InChunks(encoder, 5)
    encoder.backbone.freeze()
    encoder.train()
    frozen = InChunks(encoder, 5)
    embeddings, gradient = learn(encoder, encoder)
    again, in_chunks = learn(frozen, encoder)
    torch.testing.assert_close(again, embeddings, atol=1e-6, rtol=0)
    torch.testing.assert_close(in_chunks, gradient, atol=1e-6, rtol=0)
    with pytest.raises(RecipeError, match="tune=frozen"):
        refuse_batch_norm(encoder, "Training in several processes", thaws=True)
    encoder.backbone.thaw()
    encoder.train()
    with pytest.raises(RecipeError, match="norm=group"):
        frozen(**encoder.example(N))


def test_other_norms_are_not_refused() -> None:
    for kind in EVERY:
        refuse_batch_norm(made(kind), "Training in several processes", thaws=True)
