"""Encoders: what makes a vector of a text. Models of three packages, read from a local folder or fetched from a hub.

Nothing that is read may run code: weights are safetensors or ONNX graphs, and code that comes with a model is not run.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from recmodels.compute import device
from recmodels.data.arrays import Floats
from recmodels.errors import ConfigError
from tasks.features.settings import EncoderSettings

EXECUTABLE = (".bin", ".pt", ".pth", ".pkl", ".ckpt")  # files of weights whose loading can run code
LONGEST = 512  # tokens of a text that an ONNX model reads
INPUTS = {"input_ids", "attention_mask", "token_type_ids"}  # of an ONNX model
OF_PAIRS = "pooler_output"  # what BERT says of two sentences: no vector of a text
NEEDS = {  # by kind: the file that tells its folder, and the extra that has the package
    "sentence-transformers": ("modules.json", "embeddings"),
    "model2vec": ("model.safetensors", "model2vec"),
    "onnx": ("model.onnx", "onnx"),
}

Encode: TypeAlias = Callable[[list[str]], Floats]
"""Vectors of some texts: float32 [n, d]."""


def encoder(settings: EncoderSettings) -> Encode:
    """A model that reads texts.

    Raises:
        ConfigError: the folder or the package is missing, the model cannot be read, or it may run code.
    """
    model, (tells, extra) = str(settings.model), NEEDS[settings.kind]
    if not settings.download:
        refuse_unsafe(Path(model), tells, settings.kind, "features.encoder.model")
    try:
        return _MAKERS[settings.kind](model, settings)
    except ImportError as error:
        raise ConfigError(
            f"features.encoder.kind is {settings.kind}, which is not installed: pip install 'nightrec[{extra}]'."
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).partition("\n")[0][:160]
        raise ConfigError(
            f"features.encoder.model: {model} cannot be read as a {settings.kind} model: {reason}"
        ) from error


def refuse_unsafe(folder: Path, tells: str, kind: str, setting: str) -> None:
    """Raise ConfigError where a folder is not one of a model, or holds files that can run code when they are loaded."""
    if not (folder / tells).is_file():
        raise ConfigError(
            f"{setting}: {folder} is no folder of a {kind} model (it has no {tells}); save one there, or set "
            "features.encoder.download to fetch it by name."
        )
    if unsafe := sorted(path.name for path in folder.rglob("*") if path.suffix in EXECUTABLE):
        raise ConfigError(
            f"{setting}: {folder} holds {unsafe[0]}, which may run code when it is loaded; save the model as "
            "safetensors and remove that file."
        )


def _sentence_transformers(model: str, settings: EncoderSettings) -> Encode:
    from sentence_transformers import SentenceTransformer

    if settings.device == "gpu" and not device.cuda():
        raise ConfigError("features.encoder.device is gpu, and PyTorch sees none here: leave it out, or write cpu.")
    where = {"auto": None, "cpu": "cpu", "gpu": "cuda"}[settings.device]
    options: dict[str, Any] = {"local_files_only": not settings.download, "trust_remote_code": False, "device": where}
    loaded = SentenceTransformer(model, model_kwargs={"use_safetensors": True}, **options)
    return lambda texts: np.asarray(
        loaded.encode(texts, batch_size=settings.batch, show_progress_bar=False), dtype=np.float32
    )


def _model2vec(model: str, settings: EncoderSettings) -> Encode:
    from model2vec import StaticModel

    loaded = StaticModel.from_pretrained(model)
    return lambda texts: np.asarray(
        loaded.encode(texts, batch_size=settings.batch, show_progress_bar=False, use_multiprocessing=False), np.float32
    )


def _onnx(model: str, settings: EncoderSettings) -> Encode:
    """A network that gives a vector a text, or a vector a token, which are averaged; it has its tokenizer.json."""
    import onnxruntime as runtime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding()
    there = set(runtime.get_available_providers())
    wanted = ["CPUExecutionProvider"] if settings.device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]
    if settings.device == "gpu" and wanted[0] not in there:
        raise ConfigError("features.encoder.device is gpu, and this onnxruntime has none: install onnxruntime-gpu.")
    session = runtime.InferenceSession(
        str(Path(model) / "model.onnx"), providers=[name for name in wanted if name in there]
    )
    names = [one.name for one in session.get_inputs()]
    if unknown := set(names) - INPUTS:
        raise ValueError(f"it asks for {sorted(unknown)[0]}, which is none of {', '.join(sorted(INPUTS))}")

    def encode(texts: list[str]) -> Floats:
        parts = [texts[start : start + settings.batch] for start in range(0, len(texts), settings.batch)]
        return np.concatenate([_pooled(session, names, tokenizer.encode_batch(part)) for part in parts])

    return encode


def _pooled(session: Any, names: list[str], tokens: list[Any]) -> Floats:
    """The vectors of a batch: the network's own, or the means over the tokens of each text."""
    ids, mask = (np.array([getattr(one, name) for one in tokens], np.int64) for name in ("ids", "attention_mask"))
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    found = [np.asarray(one, np.float32) for one in session.run(None, {name: given[name] for name in names})]
    outputs = [one.name for one in session.get_outputs()]
    whole = next((one for name, one in zip(outputs, found, strict=True) if one.ndim == 2 and name != OF_PAIRS), None)
    of_tokens = next((one for one in found if one.ndim == 3), None)
    if whole is not None or of_tokens is None:
        return found[0] if whole is None else whole
    weights = mask[:, :, None].astype(np.float32)
    mean: Floats = (of_tokens * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
    return mean


_MAKERS: Mapping[str, Callable[[str, EncoderSettings], Encode]] = {
    "sentence-transformers": _sentence_transformers,
    "model2vec": _model2vec,
    "onnx": _onnx,
}
