#!/usr/bin/env python3
"""Adapters in PEFT's layout, written by hand, with what they compute by PyTorch, for tests/train.

Usage: make_peft_adapters.py MODEL_DIRECTORY OUT_DIRECTORY

Writes lora, rslora and dora: adapter_config.json, adapter_model.safetensors (F32, F16 and BF16) and expected.json
(log-probabilities of a few tokens in float64, with the weights W + scale · B A written out); and pissa.json: the
squared norms of what the best approximation of rank 4 leaves of each matrix. The model is a qwen2 one
(make_gradient_fixtures.py). Needs python3-torch and python3-numpy.
"""
import json
import math
import pathlib
import struct
import sys

import numpy
import torch

from make_gradient_fixtures import hidden_rows, read_safetensors


def stored(values, dtype):
    if dtype == "F32":
        return values.astype("<f4").tobytes(), values.astype("<f4").astype("float64")
    if dtype == "F16":
        return values.astype("<f2").tobytes(), values.astype("<f2").astype("float64")
    bits = values.astype("<f4").view("<u4") >> 16  # cut off: any BF16 will do
    return bits.astype("<u2").tobytes(), (bits << 16).astype("<u4").view("<f4").astype("float64")


def main():
    model, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    config = json.loads((model / "config.json").read_text())
    with torch.no_grad():
        base = {name: tensor.detach() for name, tensor in read_safetensors(model / "model.safetensors").items()}
        output = base["model.embed_tokens.weight"] if config.get("tie_word_embeddings") else base["lm_head.weight"]
        random = numpy.random.default_rng(1)
        tokens = [int(t) for t in random.integers(0, config["vocab_size"], 24)]

        def log_probs(weights):
            rows = (hidden_rows(config, weights, tokens[:-1]) @ output.T).log_softmax(-1)
            return [float(f"{rows[i, tokens[i + 1]].item():.9g}") for i in range(len(tokens) - 1)]

        for name, dtype in (("lora", "F32"), ("rslora", "F16"), ("dora", "BF16")):
            rank, alpha = 3, 5
            scale = alpha / (math.sqrt(rank) if name == "rslora" else rank)
            header, data, weights = {"__metadata__": {"format": "pt"}}, b"", dict(base)

            def add(key, values):
                nonlocal data
                raw, exact = stored(values, dtype)
                header[key] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
                data += raw
                return torch.tensor(exact)

            for layer in range(config["num_hidden_layers"]):
                for part in ("self_attn.q_proj", "self_attn.v_proj"):
                    module = f"model.layers.{layer}.{part}"
                    w = base[module + ".weight"]
                    key = "base_model.model." + module
                    a = add(key + ".lora_A.weight", random.normal(0, 0.05, (rank, w.shape[1])))
                    b = add(key + ".lora_B.weight", random.normal(0, 0.05, (w.shape[0], rank)))
                    changed = w + scale * b @ a
                    if name == "dora":
                        norms = w.norm(dim=1).numpy() * (1 + 0.1 * random.normal(0, 1, w.shape[0]))
                        magnitude = add(key + ".lora_magnitude_vector", norms)
                        changed = magnitude[:, None] * changed / changed.norm(dim=1, keepdim=True)
                    weights[module + ".weight"] = changed
            folder = out / name
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(header, separators=(",", ":")).encode()
            text += b" " * (-len(text) % 8)
            (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
            (folder / "adapter_config.json").write_text(json.dumps({
                "alpha_pattern": {}, "auto_mapping": None, "base_model_name_or_path": "qwen2-tiny", "bias": "none",
                "fan_in_fan_out": False, "inference_mode": True, "init_lora_weights": True, "layer_replication": None,
                "layers_pattern": None, "layers_to_transform": None, "loftq_config": {}, "lora_alpha": alpha,
                "lora_dropout": 0.05, "megatron_config": None, "megatron_core": "megatron.core",
                "modules_to_save": None, "peft_type": "LORA", "r": rank, "rank_pattern": {}, "revision": None,
                "target_modules": ["v_proj", "q_proj"], "task_type": "CAUSAL_LM", "use_dora": name == "dora",
                "use_rslora": name == "rslora"}, indent=2) + "\n")
            (folder / "expected.json").write_text(json.dumps(
                {"made_with": f"tools/make_peft_adapters.py, PyTorch {torch.__version__}, float64", "tokens": tokens,
                 "log_probs": log_probs(weights), "without": log_probs(base)}, separators=(",", ":")) + "\n")
        left = {}
        for name, w in sorted(base.items()):
            if name.endswith("_proj.weight"):
                left[name[:-len(".weight")]] = float((torch.linalg.svdvals(w)[4:] ** 2).sum())
        (out / "pissa.json").write_text(json.dumps(
            {"made_with": f"tools/make_peft_adapters.py, PyTorch {torch.__version__}", "left_at_rank_4": left},
            indent=1) + "\n")


main()
