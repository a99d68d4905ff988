"""Learn what makes two things the same, and answer questions with it.

    data = gemel.read("faces/")            twin = gemel.train(data)
    twin.verify("a.jpg", "b.jpg")          people = gemel.Gallery("people.db", twin)

Names are imported on first use, so that `import gemel` costs nothing and never brings PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemel.distances import Cosine as Cosine
    from gemel.distances import Euclidean as Euclidean
    from gemel.distances import Manhattan as Manhattan
    from gemel.errors import DataError as DataError
    from gemel.errors import GalleryError as GalleryError
    from gemel.errors import GemelError as GemelError
    from gemel.errors import MissingExtra as MissingExtra
    from gemel.errors import ModelError as ModelError
    from gemel.errors import NotCalibrated as NotCalibrated
    from gemel.errors import NotEnoughData as NotEnoughData
    from gemel.errors import NotEnrolled as NotEnrolled
    from gemel.errors import Overlap as Overlap
    from gemel.errors import RecipeError as RecipeError
    from gemel.errors import TooManyBad as TooManyBad
    from gemel.errors import TrainingFailed as TrainingFailed
    from gemel.errors import UnreadableItem as UnreadableItem
    from gemel.gallery.answers import Enrolled as Enrolled
    from gemel.gallery.answers import EnrolledAll as EnrolledAll
    from gemel.gallery.answers import Hit as Hit
    from gemel.gallery.answers import Match as Match
    from gemel.gallery.answers import Twice as Twice
    from gemel.gallery.gallery import Gallery as Gallery
    from gemel.items.collection import Collection as Collection
    from gemel.items.collection import Labels as Labels
    from gemel.items.collection import Pairs as Pairs
    from gemel.items.collection import Triplets as Triplets
    from gemel.items.image import ImageModality as ImageModality
    from gemel.items.read import read as read
    from gemel.items.series import SeriesModality as SeriesModality
    from gemel.items.split import split as split
    from gemel.items.text import TextModality as TextModality
    from gemel.items.vector import VectorModality as VectorModality
    from gemel.learn.train import train as train
    from gemel.recipe import Recipe as Recipe
    from gemel.siamese.decision import Decision as Decision
    from gemel.siamese.duplication import Duplicates as Duplicates
    from gemel.siamese.duplication import duplicates as duplicates
    from gemel.siamese.embedding import Embedded as Embedded
    from gemel.siamese.embedding import Embeddings as Embeddings
    from gemel.siamese.evaluation import Evaluation as Evaluation
    from gemel.siamese.evaluation import evaluate as evaluate
    from gemel.siamese.grading import Grading as Grading
    from gemel.siamese.grading import grade as grade
    from gemel.siamese.operating import Method as Method
    from gemel.siamese.operating import OperatingPoint as OperatingPoint
    from gemel.siamese.twin import Siamese as Siamese
    from gemel.siamese.verdict import Verdict as Verdict

__version__ = "0.1.0"

_HOMES = {
    "distances": "Cosine Euclidean Manhattan",
    "errors": "DataError GalleryError GemelError MissingExtra ModelError NotCalibrated NotEnoughData NotEnrolled "
    "Overlap RecipeError TooManyBad TrainingFailed UnreadableItem",
    "gallery.answers": "Enrolled EnrolledAll Hit Match Twice",
    "gallery.gallery": "Gallery",
    "items.collection": "Collection Labels Pairs Triplets",
    "items.image": "ImageModality",
    "items.read": "read",
    "items.series": "SeriesModality",
    "items.split": "split",
    "items.text": "TextModality",
    "items.vector": "VectorModality",
    "learn.train": "train",
    "recipe": "Recipe",
    "siamese.decision": "Decision",
    "siamese.duplication": "Duplicates duplicates",
    "siamese.embedding": "Embedded Embeddings",
    "siamese.evaluation": "Evaluation evaluate",
    "siamese.grading": "Grading grade",
    "siamese.operating": "Method OperatingPoint",
    "siamese.twin": "Siamese",
    "siamese.verdict": "Verdict",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = f"{__name__}.{_HOME[name]}"
    if name == "train":
        value = getattr(_learning(module), name)
    else:
        value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def _learning(module: str) -> Any:
    """The half that learns, or which extra brings what it needs."""
    from gemel.errors import require

    for name in ("torch", "lightning", "safetensors"):
        require(name, extra="train", purpose="train a twin")
    return importlib.import_module(module)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
