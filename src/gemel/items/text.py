"""Texts as items: read, repaired, cut into pieces of a vocabulary. Knows the `tokenizers` library, no network.

A vocabulary comes with a pretrained encoder, or is learned from the training split.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gemel.errors import ModelError, RecipeError, UnreadableItem, require
from gemel.items.lengths import alike
from gemel.items.modality import Prepared, Raw, Raws

if TYPE_CHECKING:
    from jaxtyping import Int, UInt8

UNREAD = "[UNK]"
PAD = "[PAD]"
CHARACTERS = 20
"""Characters for each piece that is read, in which one that is known is looked for."""
BUDGET = 512
"""Pieces of texts, padding included, that are prepared together: enough to fill a core, and few to wait for."""


@dataclass(frozen=True)
class TextModality:
    """How texts are read and cut into pieces.

    Attributes:
        length: most pieces of a text that are read, marks at its ends included; what is beyond is cut off.
        vocabulary: pieces that `fit` learns where there is no tokenizer.
        tokenizer: the tokenizer as the JSON of the `tokenizers` library; empty before `fit`.
    """

    length: int = 256
    vocabulary: int = 8_000
    tokenizer: str = ""
    name: ClassVar[str] = "text"

    def __post_init__(self) -> None:
        if self.length < 3:
            raise RecipeError(f"length = {self.length} must be at least 3: two marks, and one piece of a text.")
        if self.vocabulary < 100:
            raise RecipeError(f"vocabulary = {self.vocabulary} must be at least 100 pieces.")

    def load(self, source: Any) -> UInt8[np.ndarray, " c"]:
        """One text as UTF-8, from a string, bytes, or a `Path` to a file.

        Bytes that are no UTF-8 become the replacement character; spaces at the ends are dropped.

        Raises:
            UnreadableItem: no text, an empty one, one in letters that the vocabulary does not have, or a file that
                cannot be read.
        """
        if isinstance(source, Path):
            try:
                source = source.read_bytes()
            except OSError as error:
                raise UnreadableItem(str(source), error.strerror or "cannot be read") from None
        if isinstance(source, bytes):
            source = source.decode("utf-8", "replace")
        if source is None:
            raise UnreadableItem("text", "is empty")
        if not isinstance(source, str):
            raise UnreadableItem("text", f"is a {type(source).__name__}, where a text is expected")
        text = unicodedata.normalize("NFC", source.encode("utf-8", "replace").decode("utf-8")).strip()
        if not text:
            raise UnreadableItem("text", "is empty")
        if self.tokenizer and not self._knows(text[: CHARACTERS * self.length]):
            raise UnreadableItem("text", "holds nothing that the vocabulary knows")
        return np.frombuffer(text.encode("utf-8"), np.uint8)

    def fit(self, raws: Raws) -> TextModality:
        """With a vocabulary of the words and letters that these texts are made of, where there is none yet."""
        if self.tokenizer:
            return self
        return replace(self, tokenizer=_learned([_text(raw) for raw in raws], self.vocabulary))

    def prepare(self, raws: Raws, *, rng: np.random.Generator | None = None) -> Prepared:
        """`input_ids` and `attention_mask`, int64 [m, l], as long as the longest of these texts."""
        encoded = self._engine().encode_batch([_text(raw) for raw in raws])
        longest = max((len(one.ids) for one in encoded), default=1)
        ids = np.full((len(raws), longest), self.padding, np.int64)
        mask = np.zeros((len(raws), longest), np.int64)
        for row, one in enumerate(encoded):
            ids[row, : len(one.ids)], mask[row, : len(one.ids)] = one.ids, 1
        return Prepared({"input_ids": ids, "attention_mask": mask}, np.arange(len(raws)))

    def together(self, raws: Sequence[Raw]) -> list[Int[np.ndarray, " _"]]:
        """Which texts to prepare together, so that little is padding: alike in length, and not too many."""
        pieces = np.array([len(one.ids) for one in self._engine().encode_batch_fast([_text(raw) for raw in raws])])
        return alike(pieces, BUDGET)

    def cut(self, raws: Raws) -> int:
        """How many of these texts are longer than what is read of them."""
        return sum(bool(one.overflowing) for one in self._engine().encode_batch([_text(raw) for raw in raws]))

    @staticmethod
    def broken(raws: Raws) -> int:
        """How many of these texts hold the replacement character: bytes of theirs were no UTF-8."""
        return sum("\ufffd".encode() in bytes(raw) for raw in raws)

    def without(self, raw: UInt8[np.ndarray, " c"], part: tuple[int, int]) -> UInt8[np.ndarray, " k"]:
        """The text without its characters from `part[0]` up to, not including, `part[1]`."""
        text = _text(raw)
        return np.frombuffer((text[: part[0]] + text[part[1] :]).encode("utf-8"), np.uint8)

    @property
    def pieces(self) -> int:
        """How many pieces the vocabulary has."""
        return int(self._engine().get_vocab_size())

    @property
    def padding(self) -> int:
        """The number that fills up the end of short texts; the mask says where, so any piece would do."""
        engine = self._engine()
        found = [engine.token_to_id(word) for word in (PAD, "<pad>", UNREAD, "<unk>")]
        return next((number for number in found if number is not None), 0)

    def config(self) -> dict[str, Any]:
        """Plain JSON values; `modality_from` undoes it."""
        return {"name": self.name, **asdict(self)}

    def _knows(self, text: str) -> bool:
        """Whether any piece of a text is in the vocabulary."""
        engine = self._engine()
        unread = {engine.token_to_id(word) for word in (UNREAD, "<unk>")}
        return any(piece not in unread for piece in engine.encode(text, add_special_tokens=False).ids)

    def _engine(self) -> Any:
        if not self.tokenizer:
            raise ModelError("This text modality has no vocabulary yet: fit it on the training texts first.")
        return _engine(self.tokenizer, self.length)


@lru_cache(maxsize=8)
def _engine(tokenizer: str, length: int) -> Any:
    """The tokenizer with our cut and without padding: a file of it may carry others of its own."""
    try:
        engine = _library().Tokenizer.from_str(tokenizer)
    except Exception as error:  # the library raises plain Exceptions
        raise ModelError(f"The tokenizer cannot be read: {error}") from None
    engine.enable_truncation(length)
    engine.no_padding()
    return engine


def _learned(texts: Sequence[str], vocabulary: int) -> str:
    """The most common words in lower case, and all characters, of which rarer words are spelled (WordPiece).

    The trainers of the library break ties by chance; these words come in the same order every time.
    """
    library = _library()
    lower, words = library.normalizers.BertNormalizer(lowercase=True), library.pre_tokenizers.BertPreTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in words.pre_tokenize_str(lower.normalize_str(text)))
    letters: Counter[str] = Counter()
    for word, count in counts.items():
        for letter in word:
            letters[letter] += count
    known = _common(letters, vocabulary // 4)
    pieces = [PAD, UNREAD, "[CLS]", "[SEP]", *known, *(f"##{letter}" for letter in known)]
    pieces = list(dict.fromkeys([*pieces, *_common(counts, vocabulary)]))[:vocabulary]
    number = {piece: place for place, piece in enumerate(pieces)}
    engine = library.Tokenizer(library.models.WordPiece(number, unk_token=UNREAD))
    engine.normalizer, engine.pre_tokenizer = lower, words
    ends = [(mark, number[mark]) for mark in ("[CLS]", "[SEP]")]
    engine.post_processor = library.processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return str(engine.to_str())


def _common(counts: Counter[str], most: int) -> list[str]:
    """The most common first; of equals, by their letters."""
    return [word for word, _ in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:most]]


def _library() -> Any:
    return require("tokenizers", extra="text", purpose="read texts")


def _text(raw: Any) -> str:
    return bytes(raw).decode("utf-8")
