"""Every choice of a training, with its default and its help text; and the TOML files that hold some of them.

Flags of the shell, TOML files and keyword arguments are all read from this one list of fields. Chooses nothing.
"""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from gemel.errors import RecipeError
from gemel.recipe.allowed import BUDGETS, CHOICES, ONLY, RANGES


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every choice of a training; None means: chosen from the data.

    The help text beside each field is what `gemel train --help` prints.
    """

    # what is compared
    size: Annotated[int | None, "side of the prepared image, in pixels"] = None
    color: Annotated[bool | None, "keep colour; otherwise images are made grey"] = None
    aspect: Annotated[str | None, "stretch to a square, pad to it, or crop from the middle"] = None

    length: Annotated[
        int | None, "pieces of a text, points of a series or frames of a sound (10 ms) at once, at most"
    ] = None
    vocabulary: Annotated[int | None, "pieces that a text encoder from scratch knows"] = None
    prepare: Annotated[
        str | None,
        "what is done to a series, a sound or an image first, in order: zscore,velocity,angle or ink,deskew,crop",
    ] = None

    # the shared subnetwork
    encoder: Annotated[
        str | None,
        "conv, residual, delay, frames, statistics, dense, recurrent, transformer, or pretrained:NAME_OR_FOLDER "
        "(Hugging Face); of records, FIELD=ENCODER,…",
    ] = None
    fusion: Annotated[str | None, "how the fields of a record become one embedding"] = None
    branches: Annotated[
        str | None, "two fields of a record, such as image,title, each with an encoder of its own into one space"
    ] = None
    width: Annotated[int | None, "channels of the first block"] = None
    depth: Annotated[int | None, "number of blocks"] = None
    dim: Annotated[int | None, "dimensions of an embedding"] = None
    dropout: Annotated[float, "share of features dropped before the last layer, 0 to 1"] = 0.0
    norm: Annotated[str | None, "normalisation inside the network: batch or group"] = None
    cell: Annotated[str | None, "of a recurrent encoder: lstm or gru"] = None
    pooling: Annotated[str | None, "from the pieces of a text, or the points of a series or a sound, to one vector"] = (
        None
    )
    tune: Annotated[str, "a pretrained encoder learns in full, through LoRA, not at all, or after a warm-up"] = "full"

    # how embeddings are compared, and what is asked of them
    distance: Annotated[str | None, "cosine, euclidean, manhattan, learned, or auto: whichever does best"] = None
    loss: Annotated[str | None, "what is asked of the embeddings of a batch; own: an object given to train()"] = None
    temperature: Annotated[float | None, "of losses with a softmax, in units of a typical distance"] = None
    margin: Annotated[float | None, "of losses that have one, in units of a typical distance"] = None
    miner: Annotated[str, "which triplets of a batch teach: all, hard, semihard or weighted"] = "all"
    soft: Annotated[bool, "triplet loss with a soft margin instead of a hinge"] = False
    sampled: Annotated[int | None, "proxies that take part in a step, of losses that have one per identity"] = None
    plus: Annotated[str | None, "further losses with their weights, such as vicreg:0.1,bce:1"] = None
    prefixes: Annotated[str | None, "first dimensions that are to be embeddings too, such as 64,128"] = None
    memory: Annotated[int, "embeddings of earlier batches that a batch is compared with too; 0: none"] = 0

    head: Annotated[
        bool | None, "learn a pair head too, which looks at two embeddings once more; of frames, one that aligns them"
    ] = None

    # which items meet in a batch
    identities: Annotated[int | None, "identities in a batch"] = None
    items: Annotated[int | None, "items of each identity in a batch"] = None
    groups: Annotated[int, "groups that a batch is drawn from, for harder negatives; 0: all of them"] = 0
    confused: Annotated[float, "share of a batch's identities drawn because others of it look like them, 0 to 1"] = 0.0
    batch_pairs: Annotated[int | None, "pairs in a batch: explicit ones, or two views of an item"] = None
    mined: Annotated[int, "hard negatives of each pair, found anew at every check, where all pairs are the same"] = 0
    skip: Annotated[int, "nearest items that are not mined, because they may be the same after all"] = 0
    unlabelled: Annotated[int, "unlabelled items that join a batch, each in two views"] = 0
    balance: Annotated[bool, "draw and weigh same and different pairs equally, however rare one of them is"] = True
    rotations: Annotated[bool, "quarter turns of an identity count as new identities"] = False

    # what may change without changing the identity
    degrees: Annotated[float, "random rotation, up to this many degrees either way"] = 10.0
    translate: Annotated[float, "random shift, up to this share of the side"] = 0.1
    scale: Annotated[float, "random zoom, up to this share either way"] = 0.2
    shear: Annotated[float, "random shear, up to this many degrees"] = 10.0
    elastic: Annotated[float, "elastic distortion, in shares of the side; 0 is off"] = 0.0
    flip: Annotated[bool, "mirror left and right: only when it keeps the identity"] = False
    brightness: Annotated[float, "random brightness and contrast, up to this share"] = 0.0
    hue: Annotated[float, "random mixing of colour channels, up to this share"] = 0.0
    blur: Annotated[float, "random blur, up to this many pixels"] = 0.0
    erase: Annotated[float, "random box erased, up to this share of the area"] = 0.0

    jitter: Annotated[float, "noise on a series, up to this share of a channel's standard deviation"] = 0.0
    gain: Annotated[float, "random factor for each channel of a series, up to this share either way"] = 0.0
    crop: Annotated[float, "a stretch of a series without up to this share of it, drawn out to its length"] = 0.0
    warp: Annotated[float, "time of a series made uneven, by up to this share of its length"] = 0.0
    bend: Annotated[float, "slow random factor along a series, up to this share either way"] = 0.0
    speed: Annotated[float, "a series or a sound played faster or slower, up to this share; pitch goes with it"] = 0.0

    bands: Annotated[float, "a stretch of a sound's bands blanked, up to this share of them"] = 0.0
    gaps: Annotated[float, "a stretch of a sound's time blanked, up to this share of it"] = 0.0
    snr: Annotated[float | None, "white noise added to a sound, at least so many decibels below it"] = None

    hide: Annotated[float, "share of records of which a field is hidden, so that it may be missing in use"] = 0.2

    # what counts as the same
    cut: Annotated[float | None, "score, from 0 to 1, from which on graded pairs count as the same"] = None

    # for how long, and how
    steps: Annotated[int | None, "budget in optimiser steps"] = None
    epochs: Annotated[float | None, "budget in passes over the training items"] = None
    minutes: Annotated[float | None, "budget in minutes, turned into steps after a short warm-up"] = None
    lr: Annotated[float | None, "peak learning rate"] = None
    weight_decay: Annotated[float, "AdamW weight decay"] = 0.01
    warmup: Annotated[float, "share of the steps over which the learning rate rises"] = 0.05
    average: Annotated[float, "decay of the exponential average of the weights; 0 is off"] = 0.99
    precision: Annotated[str | None, "fp32, bf16 or fp16"] = None
    int8: Annotated[bool, "store the encoder in 8-bit integers: smaller, faster, a little less exact"] = False
    chunk: Annotated[int | None, "items encoded at once, for batches larger than memory; the gradient is exact"] = None
    seed: Annotated[int, "same seed, same data, same machine: same model"] = 0

    # what is held out
    protocol: Annotated[str | None, "open: held-out identities are new; closed: their other items are"] = None
    holdout: Annotated[float, "share kept from training, at most 0.5: half to stop, half to calibrate"] = 0.2
    checks: Annotated[int, "how often the held-out identities are looked at"] = 10
    patience: Annotated[int | None, "stop after this many checks without a better held-out EER"] = None

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise RecipeError(f"{name} = {value!r} does not exist; choose one of {', '.join(allowed)}.")
        if sum(getattr(self, name) is not None for name in BUDGETS) > 1:
            raise RecipeError("Give the budget once: steps, epochs or minutes.")
        for name, numbers in RANGES.items():
            value = getattr(self, name)
            if value is not None and value not in numbers:
                raise RecipeError(f"{name} = {value} must {numbers}.")
        self._refuse_unused()

    def _refuse_unused(self) -> None:
        """Refuse choices that the loss would not look at."""
        for name, losses in ONLY.items():
            if (
                self.loss is not None
                and self.loss not in losses
                and getattr(self, name) != self.__dataclass_fields__[name].default
            ):
                raise RecipeError(
                    f"{name} = {getattr(self, name)!r} changes nothing for the {self.loss} loss; leave it out, or "
                    f"choose a loss that has it: {', '.join(losses)}."
                )

    def preparing(self) -> tuple[str, ...]:
        """The steps of `prepare`."""
        return tuple(word.strip() for word in (self.prepare or "").split(",") if word.strip())

    def fitting(self, loss: str) -> Recipe:
        """The same for another loss, without the choices that this one would not look at."""
        idle = {name: self.__dataclass_fields__[name].default for name, losses in ONLY.items() if loss not in losses}
        return self.but(**idle | {"loss": loss})

    def but(self, **choices: Any) -> Recipe:
        """The same recipe with some choices changed; an unknown name is refused with the nearest one.

        A budget takes the place of the one before, in whatever it was given.
        """
        for name in choices:
            _known(name)
        if any(choices.get(name) is not None for name in BUDGETS):
            choices = dict.fromkeys(BUDGETS) | choices
        return replace(self, **choices)

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """A recipe from a TOML file of `name = value` lines."""
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RecipeError(f"There is no recipe file {path}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RecipeError(f"{path} is not a TOML file of `name = value` lines: {error}") from None
        except OSError as error:
            raise RecipeError(f"The recipe {path} cannot be read ({error.strerror}); give a TOML file.") from None
        return cls().but(**{name: _typed(name, value, path) for name, value in values.items()})

    def chosen(self) -> dict[str, Any]:
        """The fields that are not None, as plain JSON values."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}

    def toml(self) -> str:
        """The recipe as a TOML file that `read` takes back."""
        return "".join(f"{name} = {_literal(value)}\n" for name, value in self.chosen().items())


def described() -> dict[str, tuple[type, Any, str]]:
    """Every field: its type (without None), its default, and its help text. Flags are made from this."""
    hints = get_type_hints(Recipe, include_extras=True)
    return {f.name: (_plain(hints[f.name]), f.default, hints[f.name].__metadata__[0]) for f in fields(Recipe)}


def _plain(hint: Any) -> type:
    inner = get_args(hint)[0]
    plain: type = next((t for t in get_args(inner) if t is not type(None)), inner)
    return plain


def _known(name: str) -> None:
    names = [f.name for f in fields(Recipe)]
    if name not in names:
        import difflib

        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(names)}."
        raise RecipeError(f"A recipe has no choice {name!r}.{hint}")


def _typed(name: str, value: Any, path: str | Path) -> Any:
    _known(name)
    wanted = described()[name][0]
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        raise RecipeError(f"{path}: {name} must be {wanted.__name__}, and is {value!r}.")
    return value


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
