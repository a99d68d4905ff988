"""The trained twin: embed, compare, verify; saved and loaded as a folder.

Items in the user's frame come in here and nowhere below. NumPy and ONNX Runtime only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gemel import distances
from gemel.errors import DataError, ModelError, UnreadableItem
from gemel.items.branched import only
from gemel.items.collection import Collection
from gemel.items.modality import Modality
from gemel.items.vector import VectorModality
from gemel.measure.calibration import Against
from gemel.measure.references import scored
from gemel.siamese import folder as folders
from gemel.siamese.branches import BranchEncoders, method_of, methods_of, one_branch, sided, with_branch
from gemel.siamese.decision import Decision
from gemel.siamese.embedding import Embeddings, Progress, collected, embedded, is_one, sources_of
from gemel.siamese.grades import Grades
from gemel.siamese.manifest import Origin, Part, finite
from gemel.siamese.onnx import Encoder, OnnxEncoder, Verbatim
from gemel.siamese.operating import Method
from gemel.siamese.pairhead import PairHead, head_of
from gemel.siamese.prefix import promised, shortened
from gemel.siamese.seen import Seen
from gemel.siamese.storing import fields_of, stored
from gemel.siamese.trained import Trained
from gemel.siamese.verdict import Verdict, alike, applicable, fitted_for, judged, usable

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, kw_only=True, eq=False)
class Siamese:
    """Two branches that are one encoder, a distance, and, once calibrated, a decision.

    A value: `calibrate` gives a new one. Made by `load`, `from_training`, `from_onnx` or `from_vectors`.

    Attributes:
        modality: how items are read and prepared.
        encoder: prepared arrays → embeddings.
        method: how two embeddings are compared.
        head: looks at two embeddings once more; None: their distance decides.
        decisions: distance → probability, for each method it was calibrated for: two items, so many references of
            one identity, the first dimensions alone; of two branches, items of both, or of one of them.
        gradings: distance → score, for each method it was calibrated for on scores.
        origin: where it comes from, for people.
        seen: what training and calibration saw.
        kept: what training goes on from (safetensors); None when there is nothing.
    """

    modality: Modality
    encoder: Encoder
    method: Method
    head: PairHead | None = None
    decisions: tuple[Decision, ...] = ()
    gradings: tuple[Grades, ...] = ()
    origin: Origin = field(default_factory=Origin)
    seen: Seen = field(default_factory=Seen)
    kept: Part | None = None

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        dim: int | None = None,
        providers: Sequence[str] | None = None,
        threads: int | None = None,
    ) -> Siamese:
        """A model folder, checked for damage.

        Args:
            folder: `NAME.gemel`, as `save` wrote it.
            dim: so many first dimensions of its embeddings, as `prefix` has them; None: all.
            providers: ONNX Runtime execution providers, best first; None: the processor.
            threads: threads of one encoder call; None: as many as ONNX Runtime likes.

        Raises:
            ModelError: not a model, of a newer format, or damaged.
        """
        twin = cls(**fields_of(*folders.read(folder), str(folder), providers=providers, threads=threads))
        return twin if dim is None else twin.prefix(dim)

    @classmethod
    def unpack(cls, files: Mapping[str, bytes], origin: str = "this archive", *, threads: int | None = None) -> Siamese:
        """What `pack` packed, checked for damage.

        Args:
            files: name → content.
            origin: where they were, for messages.
            threads: as in `load`.

        Raises:
            ModelError: not a model, of a newer format, or damaged.
        """
        return cls(**fields_of(*folders.unpacked(files, origin), origin, threads=threads))

    @classmethod
    def from_training(
        cls,
        encoder: bytes | Mapping[str, bytes],
        *,
        modality: Modality,
        distance: str,
        dim: int,
        trained: Trained | None = None,
        precision: str = "fp32",
    ) -> Siamese:
        """What training hands over.

        Args:
            encoder: the exported network, ONNX; or those of two branches, by field.
            modality: how its inputs are prepared.
            distance: euclidean, manhattan or cosine; for the learned one manhattan.
            dim: dimensions of an embedding.
            trained: what is known of the training.
            precision: the number format in which the exported network computes.
        """
        trained = trained or Trained()
        held = {} if isinstance(encoder, bytes) else {name: OnnxEncoder(one) for name, one in encoder.items()}
        return cls(
            modality=modality,
            encoder=OnnxEncoder(encoder) if isinstance(encoder, bytes) else BranchEncoders(held),
            method=Method(
                distance=distances.distance(distance).name, dim=dim, precision=precision, branches=tuple(held)
            ),
            origin=trained.origin(),
            seen=Seen() if trained.content is None else Seen.of(trained=trained.content),
            kept=None if trained.weights is None else Part.of(trained.weights),
        )

    @classmethod
    def from_onnx(
        cls,
        file: str | Path | bytes,
        *,
        modality: Modality,
        distance: str = "cosine",
        dim: int | None = None,
        inputs: Mapping[str, str] | None = None,
        output: str | None = None,
        precision: str = "fp32",
        providers: Sequence[str] | None = None,
        threads: int | None = None,
    ) -> Siamese:
        """An encoder of your own.

        Args:
            file: an ONNX file or its bytes; takes what `modality` prepares and returns [rows, dim].
            modality: how items are read and prepared.
            distance: euclidean, manhattan or cosine.
            dim: dimensions of an embedding, where the file leaves them open.
            inputs: prepared name → ONNX input name, where they differ; a single input is found by itself.
            output: the ONNX output to take; None: the first.
            precision: the number format it computes in: fp32, bf16, fp16 or int8.
            providers, threads: as in `load`.

        Raises:
            ModelError: it cannot be opened, or its dimensions are open and `dim` is not given.
        """
        encoder = OnnxEncoder(file, providers=providers, threads=threads, inputs=inputs, output=output)
        width = dim or encoder.dim
        if width is None:
            raise ModelError("The ONNX file leaves the dimensions of an embedding open; give dim=…")
        method = Method(distance=distances.distance(distance).name, dim=width, precision=precision)
        return cls(modality=modality, encoder=encoder, method=method, origin=Origin(encoder="an ONNX file"))

    @classmethod
    def from_vectors(cls, dim: int, distance: str = "cosine") -> Siamese:
        """Vectors made elsewhere, compared as they are."""
        method = Method(distance=distances.distance(distance).name, dim=dim)
        return cls(modality=VectorModality(dim), encoder=Verbatim(), method=method, origin=Origin(encoder="none"))

    def save(self, folder: str | Path) -> Path:
        """Write the model folder, whole or not at all; an older model of that name is replaced.

        Raises:
            ModelError: something else is there, or it cannot be written.
        """
        return folders.write(folder, *stored(self))

    def pack(self) -> dict[str, bytes]:
        """The files of the model folder, name → content, without the weights that training goes on from."""
        return folders.packed(*stored(self.but(kept=None)))

    def embed(self, items: Any, *, batch: int = 64, progress: Progress | None = None) -> Embeddings:
        """The embeddings of items; bad ones are named and left out, the others keep their places.

        Args:
            items: a path, bytes, a Pillow image or an array; a list or a stack of them; or a Collection.
            batch: items encoded at once; does not change the result beyond rounding (1e-5).
            progress: called with (items done, items in all).
        """
        return embedded(collected(items, self.modality), self.encoder, self.method.dim, batch=batch, progress=progress)

    def distance(self, a: Any, b: Any) -> float | Float[np.ndarray, " n"]:
        """How far apart two items are; for two lists of equal length, row by row.

        Raises:
            UnreadableItem: one of two single items is bad. In lists, its distance is NaN.
            DataError: lists of different lengths.
        """
        a, b = sided(self, a, 0), sided(self, b, 1)
        one = is_one(a, self.modality), is_one(b, self.modality)
        if all(one):
            return self._between(a, b, method=self.method)
        if any(one):
            raise DataError("Compare one item with one, or a list with a list of the same length.")
        left, right = self._rows(a), self._rows(b)
        if len(left) != len(right):
            raise DataError(f"Lists of {len(left)} and {len(right)} items cannot be compared row by row.")
        return self.metric.paired(left, right)

    def score(self, a: Any, b: Any) -> float | Float[np.ndarray, " n"]:
        """How similar two items are, 0 to 1: once calibrated for this method, the score that people would give, or
        the probability of *same* where they gave answers. Two items of one branch take what was calibrated on it.

        Until then 1 / (1 + distance / typical), where typical is the distance of two random embeddings: 1 for
        the identical, ½ for strangers. That is an order, not a probability.
        """
        distance = self.distance(a, b)
        score = np.empty(np.shape(distance))
        for method, rows in methods_of(self, a, b, score.shape):
            score[rows] = self._score(np.asarray(distance)[rows], method)
        return float(score) if np.ndim(distance) == 0 else score

    def verify(
        self,
        a: Any,
        b: Any = None,
        *,
        refs: Any = None,
        fmr: float | None = None,
        against: Against | None = None,
        prior: float | None = None,
        certainty: float | None = None,
    ) -> Verdict:
        """Whether two items are the same; or whether one is of the identity of several others.

        Of two branches, bare items are one of each, in their order; as mappings, `{"image": …}`, they say which they
        are of, and two of one branch are judged by the decision of that branch (`calibrate(branch=…)`).

        Args:
            a: one item.
            b: the other.
            refs: instead of `b`, items of one identity, such as five genuine signatures; as many as `calibrate` was
                told, and compared as it was told there.
            fmr: decide at the threshold of this false match rate; None: by what is more probable.
            against: whether that rate is about random pairs or about skilled impostors, where calibration knew
                impostors; None: neither kind exceeds it.
            prior: probability of *same* before looking, above 0 and below 1; None: that of the calibration.
            certainty: stay undecided unless one answer is at least this probable, 0.5 to 1.

        Raises:
            NotCalibrated: there is no decision for this method or so many references, or no threshold at that rate.
            UnreadableItem: an item cannot be read.
            DataError: neither `b` nor `refs`, or both; references that are all alike, where they normalise.
        """
        others = [sided(self, b, 1)] if refs is None else sources_of(sided(self, refs, 1), self.modality)
        if (b is None) == (refs is None) or not others:
            raise DataError("Compare with one item, b, or with one reference or more of an identity, refs=[…].")
        one = sided(self, a, 0)
        method = method_of(self, one, *others)
        if len(others) > 1:
            method.facing(len(others))  # items of both branches have no references
        graded = fitted_for(self.gradings, method) is not None
        decision = applicable(self.decisions, method, len(others), graded=graded)
        distance = self._between(one, *others, method=decision.method)
        return judged(decision, distance, fmr=fmr, against=against, prior=prior, certainty=certainty)

    def calibrate(
        self,
        data: Collection,
        *,
        prior: float = 0.5,
        seed: int = 0,
        allow_overlap: bool = False,
        allow_bad: float = 0.01,
        limit: int = 100_000,
        cut: float | None = None,
        refs: int | None = None,
        pool: str = "mean",
        normalise: float = 0.0,
        branch: str | None = None,
        progress: Progress | None = None,
    ) -> Siamese:
        """The same twin with a decision fitted on this data; where its pairs have scores, with scores.

        Scores alone make no verdict: that takes a cut. With `refs` the decision is one for so many references of one
        identity and stands beside that of pairs: it is fitted on trials, of identities with more than `refs` items.
        With `branch` it is one for items of that branch, image with image, and stands beside that of both branches.

        Args:
            data: items with identities, or explicit pairs; no identity that training saw.
            prior: probability of *same* in use, above 0 and below 1.
            seed: of sampled pairs, folds and bootstraps.
            allow_overlap: accept items that training saw. The thresholds will be too optimistic.
            allow_bad: share of items that may be bad, 0 to 1.
            limit: most same pairs, and most different pairs, that are used.
            cut: the score from which on two items count as the same, above 0 and at most 1; only for pairs with scores.
            refs: how many references of one identity an item is compared with, 2 or more; None: two items are compared.
            pool: how the distances to the references become one: mean, minimum, or trimmed, the mean without the
                largest.
            normalise: divide that by the mean distance of the references among each other to this power, 0 to 1, so
                that who varies much is given more room: 0, not at all; 1, all of it, which a few references do not
                know well; 0.5 lies between.
            branch: which of two branches all items are of; of records, this field is taken. None: both branches.
            progress: called with (items done, items in all).

        Raises:
            Overlap: training saw some of these items; they are named.
            NotEnoughData: too few identities or pairs; says how many are needed.
            TooManyBad: more bad items than allowed.
            ModelError: there is no such branch.
        """
        from gemel.siamese.calibrate import calibrated

        one = self if branch is None else self.branch(branch)
        fitted = calibrated(
            one,
            data if branch is None else only(data, branch),
            method=one.method.facing(refs, pool, normalise=normalise),
            prior=prior,
            seed=seed,
            allow_overlap=allow_overlap,
            allow_bad=allow_bad,
            limit=limit,
            cut=cut,
            progress=progress,
        )
        return fitted if branch is None else with_branch(self, branch, fitted)

    def but(self, **changes: Any) -> Self:
        """The same twin with some fields changed."""
        return replace(self, **changes)

    def with_head(self, content: bytes) -> Self:
        """The same twin with a pair head, a file that `head_of` reads: how far apart two items are is for it to say.

        A decision belonged to the distance before, so there is none now.
        """
        head = head_of(content, distances.distance(self.method.distance))
        method = replace(self.method, head=head.key)
        return self.but(head=head, method=method, decisions=(), gradings=())

    @property
    def decision(self) -> Decision | None:
        """From the distance of two items to probability; None until calibrated."""
        return fitted_for(self.decisions, self.method)

    @property
    def grades(self) -> Grades | None:
        """From the distance of two items to a score; None unless calibrated on scores."""
        return fitted_for(self.gradings, self.method)

    @property
    def prefixes(self) -> tuple[int, ...]:
        """How many first dimensions are embeddings too, as training promised (`prefixes` of the recipe)."""
        return promised(self)

    def prefix(self, dim: int) -> Siamese:
        """The twin of the first `dim` dimensions, with the decisions that belong to them; it has no pair head.

        Smaller and quicker to search, and a little less exact.

        Raises:
            ModelError: training did not promise this length.
        """
        return shortened(self, dim)

    def branch(self, field: str) -> Siamese:
        """The twin of one branch: it embeds and compares items of that field alone, as they are and not as records.

        Its embeddings lie in the space of both; its decisions are those of `calibrate(branch=field)`.

        Raises:
            ModelError: there is no such branch.
        """
        return one_branch(self, field)

    def weights(self) -> bytes:
        """What training goes on from: safetensors. Raises ModelError when the model has none."""
        if self.kept is None:
            raise ModelError("This model holds no weights to go on from; only its encoder can be used.")
        return self.kept.read()

    @property
    def metric(self) -> distances.Distance:
        """What says how far apart two embeddings are: the pair head where there is one."""
        return self.head or distances.distance(self.method.distance)

    @property
    def recipe(self) -> dict[str, Any]:
        """The choices of its training."""
        return self.origin.recipe

    @property
    def measures(self) -> dict[str, Any]:
        """What was measured on held-out data, by name."""
        return self.origin.measures

    @property
    def embedding_id(self) -> str:
        """Equal exactly where embeddings can be compared: of encoder, modality, dimension and precision."""
        config = json.dumps(self.modality.config(), sort_keys=True)
        parts = [self.encoder.sha256, config, self.method.dim, self.method.precision]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def describe(self) -> str:
        """What the model is, in plain words."""
        from gemel.siamese.describing import described

        return described(self)

    def json(self) -> dict[str, Any]:
        """What the model is, as plain JSON values."""
        values = {
            "embedding_id": self.embedding_id,
            "modality": self.modality.config(),
            "method": asdict(self.method),
            "decision": None if self.decision is None else self.decision.json(),
            "references": [each.json() for each in alike(self.decisions, self.method) if each.method.references > 1],
            "branches": [each.json() for each in usable(self.decisions, self.method) if each.method.alone],
            "grades": None if self.grades is None else self.grades.json(),
            **asdict(self.origin),
        }
        return dict(finite(values))

    def _score(self, distance: np.ndarray, method: Method) -> Float[np.ndarray, "..."]:
        """How similar items are that are so far apart, by what was calibrated for a method."""
        known = fitted_for(self.gradings, method)
        if known is not None:
            return known.at(distance)
        decision = fitted_for(self.decisions, method)
        if decision is not None:
            return decision.probability(distance)
        return np.asarray(1 / (1 + distance / self.metric.typical(method.dim)))

    def _between(self, *items: Any, method: Method) -> float:
        """How far the first item is from the others, by a method."""
        found = self.embed(list(items))
        for bad in found.bad:
            if isinstance(items[bad.row], str | Path):
                raise UnreadableItem(bad.name, bad.reason)
            several = [f"Reference {row}" for row in range(1, len(items))]
            names = ["The first item", *(several if method.references > 1 else ["The second item"])]
            raise UnreadableItem(names[bad.row], bad.reason)
        others, one, how = np.arange(1, len(items))[None], np.zeros(1, np.int64), (method.pooling, method.normalised)
        return float(scored(found.vectors, others, one, one, metric=self.metric, pool=how[0], normalise=how[1])[0])

    def _rows(self, items: Any) -> Float[np.ndarray, "n d"]:
        """One row per item given, NaN where it is bad."""
        found = self.embed(items)
        rows = np.full((len(found) + len(found.bad), self.method.dim), np.nan, np.float32)
        rows[found.index] = found.vectors
        return rows
