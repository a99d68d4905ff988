"""The model folder: whole or not at all, and any damage is found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gemel.errors import ModelError
from gemel.items import Collection
from gemel.siamese import Siamese, Trained, folder
from gemel.siamese.grades import Grades
from gemel.siamese.manifest import DECISION, ENCODER, FILES, FORMAT, GRADES, MANIFEST, PREFIXES, WEIGHTS, Part
from gemel.siamese.pairhead import head_of
from gemel.siamese.storing import stored


@pytest.fixture
def saved(calibrated: Siamese, tmp_path: Path) -> Path:
    kept = Part.of(bytes(range(256)))
    grades = Grades(calibrated.method, (0.0, 1.0), (1.0, 0.0), 20)
    return calibrated.but(kept=kept, gradings=(grades,)).save(tmp_path / "a.gemel")


@pytest.fixture
def full(calibrated: Siamese, saved: Path) -> Path:
    """A model that holds every file there may be, of whatever kind of twin and format."""
    assert calibrated.decision is not None
    manifest, parts = stored(Siamese.load(saved).but(head=head_of(bytes(range(256)), calibrated.metric)))
    prefixes = json.dumps([{"dim": 8, "decision": calibrated.decision.json(), "grades": None}])
    rest = dict.fromkeys(FILES, Part.of(bytes(range(256))))
    return folder.write(saved, manifest, {**rest, **parts, PREFIXES: Part.of(prefixes.encode())})


def test_a_round_trip_changes_no_embedding_and_no_verdict(
    calibrated: Siamese, saved: Path, other_half: Collection
) -> None:
    loaded = Siamese.load(saved)
    a, b = calibrated.embed(other_half), loaded.embed(other_half)
    np.testing.assert_array_equal(a.vectors, b.vectors)
    assert loaded.embedding_id == calibrated.embedding_id
    assert (loaded.method, loaded.decision, loaded.modality) == (
        calibrated.method,
        calibrated.decision,
        calibrated.modality,
    )
    one, two = other_half.source(0), other_half.source(1)
    assert loaded.verify(one, two) == calibrated.verify(one, two)
    np.testing.assert_array_equal(np.sort(loaded.seen.calibrated), np.sort(calibrated.seen.calibrated))
    assert loaded.weights() == bytes(range(256))


def test_what_training_says_is_kept(twin: Siamese, tmp_path: Path) -> None:
    trained = Trained(
        recipe={"loss": "supcon", "steps": 7},
        weights=b"w",
        content=np.array([5, 3, 3], np.int64),
        measures={"eer": np.float32(0.25), "never": float("nan")},
        identities=2,
    )
    made = Siamese.from_training(
        twin.encoder.content,  # type: ignore[attr-defined]
        modality=twin.modality,
        distance="cosine",
        dim=5,
        trained=trained,
    )
    loaded = Siamese.load(made.save(tmp_path / "t.gemel"))
    assert loaded.recipe == {"loss": "supcon", "steps": 7}
    assert loaded.measures == {"eer": 0.25, "never": None}
    assert loaded.origin.trained_on["items"] == 3
    assert loaded.origin.created
    np.testing.assert_array_equal(loaded.seen.in_training(np.array([3, 4, 5])), [True, False, True])
    assert not loaded.seen.in_calibration(np.array([3])).any()
    assert "Trained on 2 identities; saw 3 items" in loaded.describe()
    json.dumps(loaded.json(), allow_nan=False)


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
def test_a_flipped_bit_anywhere_is_found(full: Path, name: str) -> None:
    file = full / name
    content = file.read_bytes()
    rng = np.random.default_rng(0)
    places = range(len(content)) if name == MANIFEST else rng.integers(len(content), size=40)
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        with pytest.raises(ModelError):
            folder.check(full)
    file.write_bytes(content)
    folder.check(full)


@pytest.mark.parametrize("name", [ENCODER, DECISION])
def test_what_a_verdict_needs_is_checked_when_loaded(saved: Path, name: str) -> None:
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[:-1])
    with pytest.raises(ModelError, match=f"damaged: {name} is not the file that was saved"):
        Siamese.load(saved)
    (saved / name).unlink()
    with pytest.raises(ModelError, match=f"damaged: {name} cannot be read"):
        Siamese.load(saved)


def test_damaged_weights_are_found_when_they_are_wanted(saved: Path) -> None:
    (saved / WEIGHTS).write_bytes(b"something else")
    loaded = Siamese.load(saved)
    with pytest.raises(ModelError, match="damaged"):
        loaded.weights()


def test_a_newer_format_says_so(saved: Path) -> None:
    manifest = saved / MANIFEST
    values = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**values, "format": FORMAT + 1, "gemel": "9.9"}))
    with pytest.raises(ModelError, match=r"format 3, written by gemel 9\.9.*pip install -U gemel"):
        Siamese.load(saved)


def test_a_folder_of_format_1_still_loads(calibrated: Siamese, saved: Path) -> None:
    """One decision, one of grades, those of first dimensions in a file of their own, and a method without its newest
    fields."""

    def old(value: Any) -> Any:
        if isinstance(value, list):
            return [old(each) for each in value]
        new = {"normalised", "apart", "skilled", "skilled_identities"}
        return {k: old(v) for k, v in value.items() if k not in new} if isinstance(value, dict) else value

    assert calibrated.decision is not None
    manifest, parts = stored(Siamese.load(saved))
    shorter = replace(calibrated.decision, method=replace(calibrated.method, dim=3))
    grades = Siamese.load(saved).gradings[0].json()
    former = {
        DECISION: old(calibrated.decision.json()),
        GRADES: old(grades),
        PREFIXES: old(
            [{"dim": 3, "decision": shorter.json(), "grades": grades | {"method": shorter.json()["method"]}}]
        ),
    }
    parts |= {name: Part.of(json.dumps(value).encode()) for name, value in former.items()}
    place = folder.write(saved, replace(manifest, method=old(manifest.method)), parts)
    text = (place / MANIFEST).read_bytes().replace(b'"format": 2', b'"format": 1')
    (place / MANIFEST).write_bytes(folder._sealed(text.rpartition(b'  "checksum": ')[0]))
    loaded = Siamese.load(place)
    assert folder.check(place).format == 1
    assert loaded.method == calibrated.method
    assert loaded.decisions == (calibrated.decision, shorter)
    assert [each.method.dim for each in loaded.gradings] == [5, 3]
    again = Siamese.load(loaded.save(place))
    assert (again.decisions, again.gradings) == (loaded.decisions, loaded.gradings)
    assert not (place / PREFIXES).exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (DECISION, '[{"prior": 0.5}]', "decision is damaged"),
        (DECISION, "[", "damaged: it holds what is not JSON"),
        (PREFIXES, '[{"dim": 8}]', "decisions of prefixes are damaged"),
        (GRADES, '[{"method": {"branches": []}}]', "scores are damaged"),
        (DECISION, None, r"There is no pooling 'median'.*calibrate the model again"),
    ],
)
def test_what_no_gemel_wrote_is_refused(
    calibrated: Siamese, saved: Path, name: str, value: str | None, said: str
) -> None:
    manifest, parts = stored(Siamese.load(saved))
    if value is None:
        assert calibrated.decision is not None
        method = replace(calibrated.method, references=5, pooling="median")
        value = json.dumps([replace(calibrated.decision, method=method).json()])
    folder.write(saved, manifest, {**parts, name: Part.of(value.encode())})
    with pytest.raises(ModelError, match=said):
        Siamese.load(saved)


def test_no_model_there_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such folder"):
        Siamese.load(tmp_path / "nothing.gemel")
    with pytest.raises(ModelError, match=r"it has no manifest\.json"):
        Siamese.load(tmp_path)


def test_saving_over_a_model_replaces_it_whole(twin: Siamese, saved: Path) -> None:
    twin.save(saved)
    assert sorted(entry.name for entry in saved.iterdir()) == [ENCODER, MANIFEST]
    assert Siamese.load(saved).decision is None
    assert [entry.name for entry in saved.parent.iterdir()] == [saved.name]


def test_a_loaded_model_can_be_saved_over_itself(saved: Path) -> None:
    loaded = Siamese.load(saved)
    loaded.save(saved)
    assert Siamese.load(saved).weights() == loaded.kept.source.read_bytes()  # type: ignore[union-attr]


def test_a_write_that_fails_leaves_the_old_model_and_no_rest(
    twin: Siamese, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "_flushed", full)
    with pytest.raises(ModelError, match="No space left on device"):
        twin.save(saved)
    folder.check(saved)
    assert [entry.name for entry in saved.parent.iterdir()] == [saved.name]


def test_a_swap_that_fails_brings_the_old_model_back(
    twin: Siamese, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if (self / MANIFEST).exists() and not (self / DECISION).exists():
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ModelError, match="Input/output error"):
        twin.save(saved)
    assert Siamese.load(saved).decision is not None


def test_what_is_not_a_model_is_left_alone(twin: Siamese, saved: Path, tmp_path: Path) -> None:
    place = tmp_path / "photos"
    place.mkdir()
    (place / "ada.jpg").write_bytes(b"x")
    with pytest.raises(ModelError, match="not a gemel model; it is left alone"):
        twin.save(place)
    assert (place / "ada.jpg").exists()
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(ModelError, match="not a gemel model"):
        twin.save(file)
    (saved / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match=r"also holds 'notes\.txt'"):
        twin.save(saved)


def test_vectors_need_no_encoder_file(tmp_path: Path) -> None:
    twin = Siamese.from_vectors(3, "manhattan")
    loaded = Siamese.load(twin.save(tmp_path / "v.gemel"))
    assert loaded.distance([0, 0, 0], [1, 2, 3]) == 6
    assert loaded.embedding_id == twin.embedding_id
