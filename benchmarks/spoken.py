"""Spoken digits (FSDD, 8 kHz): what is said, by speakers never heard too, and who says it; beside the mean MFCC.

    python benchmarks/spoken.py                        all three parts
    python benchmarks/spoken.py parts=digits steps=100

digits    takes 0 to 4 of every speaker are tested, the others train: share whose nearest training sound is that digit
one_shot  each speaker in turn is never heard: ten-way one-shot within that speaker, learned from digits of the others
speakers  three speakers train, three are tested, all 20 splits: EER over pairs of sounds

Nothing was tuned: one recipe, which differs from the defaults by trimming, levelling, SpecAugment and larger batches.
The mean MFCC is the mean over time of 20 cepstral coefficients in units of the training sounds, by Euclidean distance.
GEMEL_DATA must hold fsdd.zip.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
from scipy.fft import dct

import gemel
from datasets import choices_of, unpacked
from gemel import distances
from gemel.items import Collection
from gemel.measure import eer, few_shot, pairs_of
from gemel.recipe import Recipe

RECIPE = Recipe(prepare="trim,level", bands=0.2, gaps=0.2, steps=200, holdout=0.0, protocol="closed")
SPEAKERS = "george jackson lucas nicolas theo yweweler".split()


def sounds(identity: str) -> Collection:
    """Every sound; the identity is the digit or the speaker, the group the other of both."""
    roles = {"digit": "{identity}_{group}_{}", "speaker": "{group}_{identity}_{}"}
    return gemel.read(unpacked("fsdd") / "recordings", names=roles[identity])


def take(data: Collection) -> np.ndarray:
    return np.array([int(data.name(i).rsplit("_", 1)[1].split(".")[0]) for i in range(len(data))])


def is_one_of(labels: Any, names: tuple[str, ...]) -> np.ndarray:
    return np.isin(labels.codes, [list(labels.names).index(name) for name in names])


def mfcc(data: Collection) -> np.ndarray:
    """The mean over time of 20 coefficients."""
    spectra = (data.modality.spectrum(data.load(i)) for i in range(len(data)))
    return np.stack([dct(spectrum, axis=1, norm="ortho")[:, :20].mean(0) for spectrum in spectra])


def plain(train: Collection, test: Collection) -> tuple[np.ndarray, np.ndarray]:
    """Both in units of the training sounds."""
    one, other = mfcc(train), mfcc(test)
    return tuple(((x - one.mean(0)) / one.std(0)).astype(np.float32) for x in (one, other))


def ways(**choices: Any) -> dict[str, Callable[[Collection, Collection], tuple[np.ndarray, np.ndarray]]]:
    """How training and test sounds become vectors."""

    def learned(train: Collection, test: Collection) -> tuple[np.ndarray, np.ndarray]:
        twin = gemel.train(train, RECIPE.but(**choices), progress=False, say=lambda _: None)
        return twin.embed(train).vectors, twin.embed(test).vectors

    return {"mean MFCC": plain, "gemel": learned}


def digits(**choices: Any) -> None:
    data = sounds("digit")
    train, test = data.take(take(data) >= 5), data.take(take(data) < 5)
    for words, vectors in ways(identities=10, items=8, **choices).items():
        known, asked = vectors(train, test)
        near = distances.distance("euclidean").matrix(asked, known).argmin(1)
        right = train.identity.codes[near] == test.identity.codes
        spread = 1.96 * right.std() / np.sqrt(len(right))
        print(f"digits    {words:10} {right.mean():.3f} ± {spread:.3f} of {len(right)} sounds", flush=True)


def one_shot(**choices: Any) -> None:
    data = sounds("digit")
    for words, vectors in ways(identities=10, items=8, **choices).items():
        found = []
        for speaker in SPEAKERS:
            heard = ~is_one_of(data.group, (speaker,))
            train, test = data.take(heard), data.take(~heard)
            _, asked = vectors(train, test)
            shots = few_shot(asked, test.identity.codes, ways=10, distance_name="euclidean", episodes=1000)
            found.append(shots.accuracy)
        each = " ".join(f"{speaker} {accuracy:.3f}" for speaker, accuracy in zip(SPEAKERS, found, strict=True))
        print(f"one_shot  {words:10} {np.mean(found):.3f} (standard deviation {np.std(found):.3f}): {each}", flush=True)


def speakers(**choices: Any) -> None:
    data = sounds("speaker")
    errors: dict[str, list[float]] = {"mean MFCC": [], "gemel": []}
    for heard in combinations(SPEAKERS, 3):
        inside = is_one_of(data.identity, heard)
        train, test = data.take(inside), data.take(~inside)
        for words, vectors in ways(identities=3, items=24, **choices).items():
            _, asked = vectors(train, test)
            a, b, same = pairs_of(test.identity.codes, limit=50_000)
            errors[words].append(eer(distances.distance("euclidean").paired(asked[a], asked[b]), same))
        print("speakers ", *heard, *(f"{words} {100 * each[-1]:.1f} %" for words, each in errors.items()), flush=True)
    for words, each in errors.items():
        spread = 100 * np.std(each)
        print(f"speakers  {words:10} EER {100 * np.mean(each):.1f} % (standard deviation {spread:.1f} over 20 splits)")
    better = np.mean(np.array(errors["gemel"]) < errors["mean MFCC"])
    print(f"speakers  gemel has the lower error in {better:.0%} of the splits")


def main() -> None:
    choices = choices_of(sys.argv[1:])
    begin = time.perf_counter()
    for part in str(choices.pop("parts", "digits,one_shot,speakers")).split(","):
        {"digits": digits, "one_shot": one_shot, "speakers": speakers}[part](**choices)
    print(f"{choices}; {(time.perf_counter() - begin) / 60:.1f} min")


if __name__ == "__main__":
    main()
