"""Text encoders of Hugging Face as backbones: with trained weights by name or folder, small ones from scratch.

Knows the tokenizers that come with them; nothing of how weights are found (`hub.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig

from gemel.errors import RecipeError
from gemel.items.text import TextModality
from gemel.learn.encoders import hub
from gemel.learn.encoders.processors import quiet
from gemel.learn.encoders.text import Pooling, TextBackbone, pooled

if TYPE_CHECKING:
    from jaxtyping import Float, Int

TEXT = hub.Kind("text encoder", ("bert", "roberta", "xlm-roberta", "mpnet", "camembert"))
LONGEST = 512
"""Pieces that are read where nobody says how many."""
OFFSET = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Families that count positions from behind the number of the padding."""


class Language(TextBackbone):
    """A transformer over the pieces of a text, and a pooling.

    Args:
        model: the transformers model; takes input_ids and attention_mask.
        pooling: mean, cls, max, last, attention or statistics.

    Attributes:
        config_json: the configuration as plain JSON values; `rebuilt` makes the network again from it.
    """

    def __init__(self, model: nn.Module, pooling: str) -> None:
        config: Any = model.config
        super().__init__(pooled(pooling, config.hidden_size), config.vocab_size)
        self.model = model
        self.pool = Pooling(pooling, config.hidden_size)
        self.config_json = hub.plain(config)

    def forward(self, input_ids: Int[Tensor, "n l"], attention_mask: Int[Tensor, "n l"]) -> Float[Tensor, "n f"]:
        out = self.model(input_ids=input_ids, attention_mask=attention_mask)
        return self.pool(out.last_hidden_state, attention_mask)


def transformer(
    pieces: int, *, width: int, depth: int, length: int, pooling: str = "mean", dropout: float = 0.1
) -> Language:
    """A small BERT from scratch: `depth` layers of `width` numbers, a head for every 64 of them or more."""
    config = BertConfig(
        vocab_size=pieces,
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=next(heads for heads in range(max(1, width // 64), 0, -1) if width % heads == 0),
        intermediate_size=4 * width,
        max_position_embeddings=max(length, 16),
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return Language(AutoModel.from_config(config, **TEXT.options(config)), pooling)


def pretrained(name: str, *, pooling: str = "mean", tune: str = "full") -> Language:
    """The backbone with its trained weights.

    Args:
        name: of a model on the hub of Hugging Face, or a folder with `config.json` and safetensors.
        pooling: mean, cls, max or last.
        tune: full; frozen, which never learns; or warmup, which is frozen until `thaw` is called.

    Raises:
        RecipeError: there is no such text encoder.
    """
    return Language(hub.loaded(name, TEXT), pooling).tuned(tune)


def rebuilt(config_json: dict[str, Any], *, pooling: str, tune: str = "full") -> Language:
    """The backbone with random weights from `config_json` alone; the caller loads the weights."""
    return Language(hub.rebuilt(config_json, TEXT), pooling).tuned(tune)


def pretrained_text(name: str, *, length: int | None = None) -> TextModality:
    """How a pretrained text encoder wants its texts: its own tokenizer, and as many pieces as it was made for.

    Args:
        name: of a model on the hub of Hugging Face, or a folder.
        length: most pieces of a text; None: what the folder says.

    Raises:
        RecipeError: there is no such tokenizer.
    """
    with quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True)
        except (OSError, ValueError, ImportError) as error:
            raise RecipeError(f"{name!r} has no tokenizer that can be loaded: {str(error).splitlines()[0]}") from error
    if not getattr(tokenizer, "backend_tokenizer", None):
        raise RecipeError(f"{name!r} has no fast tokenizer (tokenizer.json), which is what gemel keeps and runs.")
    modality = TextModality(length=length or _length(name, tokenizer), tokenizer=tokenizer.backend_tokenizer.to_str())
    refuse_longer(modality.length, AutoConfig.from_pretrained(name).to_dict())
    return modality


def refuse_longer(length: int, config: dict[str, Any]) -> None:
    """Raises RecipeError for more pieces than a pretrained encoder has positions for."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1:
        return
    if config.get("model_type") in OFFSET:  # positions are counted from behind the padding's number
        positions -= int(config.get("pad_token_id") or 0) + 1
    if length > positions:
        raise RecipeError(f"length = {length} is more than the {positions} pieces that this encoder can read.")


def _length(name: str, tokenizer: Any) -> int:
    """Pieces of a text: what sentence-transformers reads, else what the tokenizer was made for, at most LONGEST."""
    file = Path(name) / "sentence_bert_config.json"
    if file.exists():
        said = json.loads(file.read_text(encoding="utf-8")).get("max_seq_length")
        if said:
            return int(said)
    return min(int(tokenizer.model_max_length), LONGEST)
