"""A gallery in a file: alone enough on another machine, the same answers as in memory, moved, rescued, exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel.errors import DataError, GalleryError, TooManyBad
from gemel.gallery import Gallery, SQLiteStore
from gemel.gallery.moving import migrate
from gemel.gallery.rescue import rescue
from gemel.items import ImageModality, read
from gemel.siamese import Siamese
from tests.gallery.test_gallery import DIM, vectors
from tests.siamese.conftest import SIDE, linear


@pytest.fixture(scope="module")
def twin() -> Siamese:
    rng = np.random.default_rng(99)
    rows = np.concatenate([vectors(center, 4, rng) for center in rng.normal(size=(60, DIM))])
    return Siamese.from_vectors(DIM).calibrate(read(rows, labels=[f"c{i // 4}" for i in range(240)]))


@pytest.fixture
def filled(twin: Siamese, tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    with Gallery(tmp_path / "people.db", twin) as people:
        for i in range(6):
            people.enroll(f"p{i}", vectors(rng.normal(size=DIM), 3, rng), {"even": i % 2 == 0})
    return tmp_path / "people.db"


def answers(people: Gallery) -> list[object]:
    """What a gallery says of some items."""
    rng = np.random.default_rng(5)
    said: list[object] = [people.identities()]
    for i in range(6):
        probe = vectors(rng.normal(size=DIM), 3, rng)[0]
        hits = people.search(probe, 4, where={"even": True})
        said += [people.identify(probe), people.verify(f"p{i}", probe), [(h.identity, h.distance) for h in hits]]
    return said


def test_a_file_answers_as_memory_does_without_a_model(twin: Siamese, filled: Path, tmp_path: Path) -> None:
    memory, rng = Gallery(twin=twin), np.random.default_rng(5)
    for i in range(6):
        memory.enroll(f"p{i}", vectors(rng.normal(size=DIM), 3, rng), {"even": i % 2 == 0})
    moved = tmp_path / "elsewhere" / "copy.db"
    moved.parent.mkdir()
    filled.rename(moved)
    with Gallery(moved) as people:
        assert people.twin.decisions == twin.decisions
        assert answers(people) == answers(memory)


def test_two_open_galleries_see_each_other(filled: Path, twin: Siamese) -> None:
    one, other = Gallery(filled), Gallery(filled, twin)
    one.enroll("new", np.ones(DIM, np.float32))
    assert "new" in other
    other.forget("new")
    assert "new" not in one


def test_a_recalibrated_twin_takes_the_place_of_the_one_that_is_kept(filled: Path) -> None:
    with Gallery(filled, Siamese.from_vectors(DIM)) as people:
        assert people.twin.decisions == ()
    assert Gallery(filled).twin.decisions == ()
    with pytest.raises(GalleryError, match="gemel gallery migrate"):
        Gallery(filled, Siamese.from_vectors(DIM, "euclidean"))
    with pytest.raises(GalleryError, match="There is no gallery"):
        Gallery(filled.with_name("other.db"))
    with pytest.raises(GalleryError, match="is a folder"):
        Gallery(filled.parent)


def test_one_item_is_forgotten(filled: Path) -> None:
    people, rng = Gallery(filled), np.random.default_rng(5)
    items = vectors(rng.normal(size=DIM), 3, rng)
    assert people.forget("p0", items[1]) == 1
    assert len(people.items("p0")) == 2
    with pytest.raises(DataError, match="has no such item"):
        people.forget("p0", items[1])
    assert people.identities()[0] == "p0"


def test_the_order_of_enrolment_is_kept(twin: Siamese) -> None:
    people, a, b = Gallery(twin=twin), np.ones(DIM, np.float32), np.zeros(DIM, np.float32)
    people.enroll("ada", [a, b, a])
    np.testing.assert_array_equal([row.vector for row in people.items("ada")], [a, b])


def pictures(folder: Path) -> Path:
    for i in range(12):
        place = folder / f"p{i // 3}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 255, (SIDE, SIDE), np.uint8)
        Image.fromarray(pixels).save(place / f"{i}.png")
    return folder


def pixels(dim: int) -> Siamese:
    """The first pixels of a picture as they are, for an encoder."""
    modality = ImageModality(height=SIDE, width=SIDE, channels=1)
    return Siamese.from_onnx(linear(np.eye(SIDE * SIDE, dim, dtype=np.float32)), modality=modality)


def test_a_folder_is_enrolled_and_enrolled_again_goes_on(tmp_path: Path) -> None:
    faces = pictures(tmp_path / "faces")
    (faces / "p0" / "broken.png").write_bytes(b"no picture")
    with Gallery(tmp_path / "people.db", pixels(64)) as people:
        came = people.enroll_all(read(faces))
        assert (came.identities, came.added, came.already) == (4, 12, 0)
        assert [bad.name for bad in came.bad] == ["p0/broken.png"]
        people.forget("p2")
        again = people.enroll_all(read(faces))
        assert (again.added, again.already) == (3, 9)
        assert len(people.items()) == 12
        with pytest.raises(DataError, match="says of no item whom it shows"):
            people.enroll_all(read(faces).with_(identity=None))


def test_a_gallery_moves_to_another_model(tmp_path: Path) -> None:
    faces, path, better = pictures(tmp_path / "faces"), tmp_path / "people.db", pixels(16)
    with Gallery(path, pixels(64)) as people:
        people.enroll_all(read(faces))
        people.enroll("kept", str(faces / "p0" / "0.png"), keep=True)
        open_already = Gallery(path)
    (faces / "p1" / "4.png").rename(tmp_path / "4.png")
    (faces / "p0" / "0.png").rename(tmp_path / "0.png")
    with pytest.raises(TooManyBad, match=r"2 of 13 items cannot be had any more.*Nothing was changed"):
        migrate(path, better)
    assert len(Gallery(path, pixels(64)).items()) == 13
    (tmp_path / "0.png").rename(faces / "p0" / "0.png")
    told: list[tuple[int, int]] = []
    moved = migrate(path, better, drop=True, progress=lambda done, total: told.append((done, total)))
    assert (moved.items, [bad.name for bad in moved.dropped]) == (12, ["p1/4.png"])
    assert told == [(2, 2)]  # the others were embedded by the first attempt
    assert not list(tmp_path.glob("*.moving*"))
    fresh = Gallery(tmp_path / "fresh.db", better)
    fresh.enroll_all(read(faces))
    with Gallery(path) as people:
        by_name = {row.name: row.vector for row in people.items()}
        for row in fresh.items():
            np.testing.assert_array_equal(by_name[row.name], row.vector)
        assert people.items("kept")[0].vector.shape == (16,)
    with pytest.raises(GalleryError, match="moved to another model meanwhile"):
        open_already.identities()


def test_what_is_forgotten_is_not_left_by_an_interrupted_move(tmp_path: Path) -> None:
    faces, path = pictures(tmp_path / "faces"), tmp_path / "people.db"
    with Gallery(path, pixels(64)) as people:
        people.enroll_all(read(faces))
        (faces / "p1" / "4.png").unlink()
        with pytest.raises(TooManyBad):
            migrate(path, pixels(16))
        aside = tmp_path / "people.db.moving"
        secret = pixels(16).embed(faces / "p3" / "9.png").vectors[0].tobytes()
        assert secret in aside.read_bytes()
        people.forget("p3")
    assert not any(secret in file.read_bytes() for file in tmp_path.glob("people.db*"))


def test_what_is_exported_can_be_imported(filled: Path, twin: Siamese, tmp_path: Path) -> None:
    with Gallery(filled) as people:
        assert people.export(tmp_path / "people.parquet") == 18
        before = answers(people)
    with Gallery(tmp_path / "other.db", twin) as other:
        for _ in range(2):
            assert other.import_(tmp_path / "people.parquet") == 18
        assert answers(other) == before
        assert len(other.items()) == 18
    with pytest.raises(GalleryError, match="of another model"):
        Gallery(twin=Siamese.from_vectors(DIM, "euclidean")).import_(tmp_path / "people.parquet")
    (tmp_path / "no.parquet").write_text("no table")
    with pytest.raises(DataError, match="gemel gallery export"):
        Gallery(twin=twin).import_(tmp_path / "no.parquet")


def test_what_is_undamaged_is_rescued(filled: Path, tmp_path: Path) -> None:
    with Gallery(filled) as people:
        rows = people.items()
    content = bytearray(filled.read_bytes())
    content[content.index(rows[7].vector.tobytes())] ^= 0xFF
    filled.write_bytes(content)
    with pytest.raises(GalleryError, match=r"is damaged: the embedding of .* \(p2\)"):
        Gallery(filled).identities()
    saved, lost = rescue(filled, tmp_path / "rescued.db")
    assert saved == 17
    assert len(lost) == 1
    assert "(p2)" in lost[0]
    with Gallery(tmp_path / "rescued.db") as people:
        assert [row.id for row in people.items()] == [row.id for i, row in enumerate(rows) if i != 7]
        assert len(SQLiteStore(tmp_path / "rescued.db").originals([row.id for row in rows])) == 17


def test_an_index_finds_the_same_and_lies_beside_the_gallery(twin: Siamese, tmp_path: Path) -> None:
    path, rng = tmp_path / "people.db", np.random.default_rng(3)
    rows = rng.normal(size=(600, DIM)).astype(np.float32)
    exact = Gallery(twin=twin)
    with Gallery(path, twin) as people:
        data = read(rows, labels=[f"p{i // 2}" for i in range(600)])
        for gallery in (people, exact):
            gallery.enroll_all(data)
        promise = people.index()
        assert promise.kept
        assert promise.queries == 60
    with Gallery(path) as people:
        late = rng.normal(size=DIM).astype(np.float32)
        for gallery in (people, exact):
            gallery.enroll("late", late)
            gallery.forget("p7")
        assert people.search(late, 1)[0].identity == "late"
        for probe in rng.normal(size=(20, DIM)).astype(np.float32):
            hits = people.search(probe, 5)
            assert [(h.name, h.distance) for h in hits] == [(h.name, h.distance) for h in exact.search(probe, 5)]
    side = Path(f"{path}.near")
    side.write_bytes(side.read_bytes()[:-9])
    with Gallery(path) as people, pytest.warns(UserWarning, match=r"Every item is looked at.*cut off.*delete it"):
        assert people.search(late, 1)[0].identity == "late"


def test_references_decide_where_there_are_enough(twin: Siamese) -> None:
    rng = np.random.default_rng(7)
    rows = np.concatenate([vectors(center, 6, rng) for center in rng.normal(size=(60, DIM))])
    data = read(rows, labels=[f"c{i // 6}" for i in range(360)])
    several = twin.calibrate(data, refs=3, pool="mean")
    people, items = Gallery(twin=several), vectors(rng.normal(size=DIM), 5, rng)
    people.enroll("ada", items[:2])
    assert people.verify("ada", items[4]) == several.verify(
        items[4], min(items[:2], key=lambda i: several.distance(i, items[4]))
    )
    people.enroll("ada", items[2:4])
    assert people.verify("ada", items[4]) == several.verify(items[4], refs=list(items[1:4]))
