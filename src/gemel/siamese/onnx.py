"""An encoder in ONNX: prepared arrays in, embeddings out. One ONNX Runtime session, made on first use.

Knows nothing of items, distances or folders, and imports ONNX Runtime only when it must run.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from gemel.errors import ModelError

if TYPE_CHECKING:
    from jaxtyping import Float

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


SLOWER_FUSED = "SkipLayerNormFusion"
"""What ONNX Runtime 1.32 fuses into one operator that takes five times as long, a tenth of a transformer's time."""


@runtime_checkable
class Encoder(Protocol):
    """Prepared arrays → embeddings, row by row: a row's embedding does not depend on the other rows."""

    @property
    def sha256(self) -> str:
        """Checksum of everything the embeddings depend on beside the input, 64 hexadecimal digits."""
        ...

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Float[np.ndarray, "m d"]:
        """Embed all rows at once; float32. Raises ModelError when the arrays do not fit."""
        ...


class Verbatim:
    """The encoder of plain vectors: the one prepared array is the embedding already."""

    sha256 = hashlib.sha256(b"gemel: the vector itself").hexdigest()

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Float[np.ndarray, "m d"]:
        (vectors,) = arrays.values()
        return np.asarray(vectors, np.float32)


class OnnxEncoder:
    """An encoder in ONNX.

    Args:
        model: the file, or its bytes.
        providers: ONNX Runtime execution providers, best first; None: the processor.
        threads: threads of one call; None: as many as ONNX Runtime likes.
        inputs: prepared name → name of the ONNX input, where they differ. One array meets one input by itself.
        output: name of the output to take; None: the first.
        first: so many dimensions of an embedding are kept; None: all.
    """

    def __init__(
        self,
        model: str | Path | bytes,
        *,
        providers: Sequence[str] | None = None,
        threads: int | None = None,
        inputs: Mapping[str, str] | None = None,
        output: str | None = None,
        first: int | None = None,
    ) -> None:
        self.content = model if isinstance(model, bytes) else _read(Path(model))
        self.providers = tuple(providers or ("CPUExecutionProvider",))
        self.threads = threads
        self.inputs = dict(inputs or {})
        self.output = output
        self.first = first
        self._lock = threading.Lock()
        self._opened: Any = None

    @cached_property
    def sha256(self) -> str:
        wiring = repr((sorted(self.inputs.items()), self.output)) if self.inputs or self.output else ""
        wiring += "" if self.first is None else f"first {self.first}"
        return hashlib.sha256(self.content + wiring.encode()).hexdigest()

    @property
    def dim(self) -> int | None:
        """Dimensions of an embedding; None where the file leaves them open."""
        width = self._output().shape[-1:]
        return self.first or (width[0] if width and isinstance(width[0], int) else None)

    @cached_property
    def alone(self) -> bool:
        """Whether items must be encoded one at a time, without padding: numbers are rounded by the range of a call."""
        return b"DynamicQuantize" in self.content

    @cached_property
    def narrow(self) -> OnnxEncoder:
        """The same with one thread a call, which is the quicker way for many calls side by side on a processor."""
        if self.threads == 1 or self.providers != ("CPUExecutionProvider",):
            return self
        return self.but(threads=1)

    def but(self, **changes: Any) -> OnnxEncoder:
        """The same with some arguments changed."""
        same = {name: getattr(self, name) for name in ("providers", "threads", "inputs", "output", "first")}
        return OnnxEncoder(**{"model": self.content, **same, **changes})

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Float[np.ndarray, "m d"]:
        feeds = self._feeds(arrays)
        rows = len(next(iter(feeds.values())))
        fixed = self._session().get_inputs()[0].shape[:1]
        step = fixed[0] if fixed and isinstance(fixed[0], int) else rows
        if step == rows:
            return self._run(feeds)
        parts = [self._padded(feeds, start, step) for start in range(0, rows, step)]
        return np.concatenate(parts)[:rows]

    def __getstate__(self) -> dict[str, Any]:
        """Without the session and its lock: a copy opens its own."""
        return {name: value for name, value in vars(self).items() if name not in ("_lock", "_opened", "narrow")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock(), _opened=None)

    def _padded(self, feeds: Mapping[str, np.ndarray], start: int, step: int) -> Float[np.ndarray, "m d"]:
        """One batch of a file that was exported for a fixed number of rows; the last row fills the end."""
        rows = np.minimum(np.arange(start, start + step), len(next(iter(feeds.values()))) - 1)
        return self._run({name: array[rows] for name, array in feeds.items()})

    def _run(self, feeds: Mapping[str, np.ndarray]) -> Float[np.ndarray, "m d"]:
        try:
            (out,) = self._session().run([self._output().name], feeds)
        except Exception as error:  # ONNX Runtime's errors have no common base but Exception
            shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in feeds.items())
            raise ModelError(f"The encoder does not take what it was given ({shapes}): {_brief(error)}") from None
        if out.ndim != 2:
            raise ModelError(f"The encoder must return one row per item, [rows, dim]; it returned {list(out.shape)}.")
        return np.asarray(out[:, : self.first], np.float32)

    def _feeds(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        wanted = {put.name: put for put in self._session().get_inputs()}
        named = {self.inputs.get(name, name): array for name, array in arrays.items()}
        if len(wanted) == len(named) == 1:
            named = dict(zip(wanted, named.values(), strict=True))
        missing = sorted(wanted.keys() - named.keys())
        if missing:
            raise ModelError(
                f"The encoder needs the input {missing[0]!r}; the modality prepares {', '.join(sorted(named))}. "
                "Say which is which with inputs={prepared name: ONNX name}."
            )
        return {
            name: np.ascontiguousarray(named[name], _DTYPES.get(put.type, np.float32)) for name, put in wanted.items()
        }

    def _output(self) -> Any:
        outputs = {put.name: put for put in self._session().get_outputs()}
        name = self.output or next(iter(outputs))
        if name not in outputs:
            raise ModelError(f"The encoder has no output {name!r}; it has {', '.join(outputs)}.")
        return outputs[name]

    def _session(self) -> Any:
        if self._opened is None:
            with self._lock:
                self._opened = self._opened or _open(self.content, self.providers, self.threads)
        return self._opened


def _open(content: bytes, providers: Sequence[str], threads: int | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal only: whatever else goes wrong is raised
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    absent = [name for name in providers if name not in onnxruntime.get_available_providers()]
    if absent:
        there = ", ".join(onnxruntime.get_available_providers())
        raise ModelError(f"ONNX Runtime has no {absent[0]} here; choose from {there}.")
    try:
        return onnxruntime.InferenceSession(
            content, options, providers=list(providers), disabled_optimizers=[SLOWER_FUSED]
        )
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise ModelError(f"The encoder is not an ONNX file that ONNX Runtime can open: {_brief(error)}") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}.") from None


def _brief(error: Exception) -> str:
    """The first line of an ONNX Runtime error, without its code."""
    return str(error).strip().splitlines()[0].rpartition(" : ")[2][:300]
