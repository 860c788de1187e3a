#!/usr/bin/env python3
"""Gradients of all parameters of small llama and qwen2 models by PyTorch's autograd, for tests/train.

Usage: make_gradient_fixtures.py MODEL_DIRECTORY OUT.json [--rows N ...]

The model is written here from the published descriptions (Touvron et al. 2023; Yang et al. 2024), in float64,
with plain tensor operations. For each parameter the fixture holds the norm of the gradient, its sum, and a few
entries; besides the loss and the tokens. Needs Debian's python3-torch and python3-numpy.
"""
import argparse
import json
import math
import pathlib
import struct

import numpy
import torch


def read_safetensors(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            bits = numpy.frombuffer(data[begin:end], dtype="<u2").astype("<u4") << 16
            values = bits.view("<f4")
        elif entry["dtype"] == "F32":
            values = numpy.frombuffer(data[begin:end], dtype="<f4")
        else:
            raise SystemExit(f"{name}: dtype {entry['dtype']}")
        tensors[name] = torch.tensor(values.astype("float64").reshape(entry["shape"]), requires_grad=True)
    return tensors


def rope_angles(config, columns, positions):
    inverse = [config["rope_theta"] ** (-2 * i / columns) for i in range(columns // 2)]
    scaling = config.get("rope_scaling")
    if scaling and scaling["rope_type"] == "llama3":
        original = scaling["original_max_position_embeddings"]
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        for i, value in enumerate(inverse):
            wavelength = 2 * math.pi / value
            if wavelength < original / high:
                continue
            if wavelength > original / low:
                inverse[i] = value / scaling["factor"]
                continue
            kept = (original / wavelength - low) / (high - low)
            inverse[i] = (1 - kept) * value / scaling["factor"] + kept * value
    return torch.tensor([[p * f for f in inverse] for p in positions], dtype=torch.float64)


def rotate(x, angles):  # x: [rows, heads, columns]
    half = x.shape[-1] // 2
    cos, sin = angles.cos()[:, None, :], angles.sin()[:, None, :]
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


def norm(x, weight, epsilon):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + epsilon) * weight


def hidden_rows(config, w, tokens):
    """One sequence."""
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    columns = config.get("head_dim", config["hidden_size"] // heads)
    rows = len(tokens)
    angles = rope_angles(config, columns, range(rows))
    mask = torch.triu(torch.full((rows, rows), float("-inf"), dtype=torch.float64), 1)
    epsilon = config["rms_norm_eps"]
    x = w["model.embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."

        def linear(name, value):
            out = value @ w[at + name + ".weight"].T
            return out + w[at + name + ".bias"] if at + name + ".bias" in w else out

        normed = norm(x, w[at + "input_layernorm.weight"], epsilon)
        q = rotate(linear("self_attn.q_proj", normed).view(rows, heads, columns), angles)
        k = rotate(linear("self_attn.k_proj", normed).view(rows, groups, columns), angles)
        v = linear("self_attn.v_proj", normed).view(rows, groups, columns)
        k, v = (t.repeat_interleave(heads // groups, dim=1) for t in (k, v))
        scores = torch.einsum("ihc,jhc->hij", q, k) / math.sqrt(columns) + mask
        mixed = torch.einsum("hij,jhc->ihc", scores.softmax(-1), v).reshape(rows, heads * columns)
        x = x + linear("self_attn.o_proj", mixed)
        normed = norm(x, w[at + "post_attention_layernorm.weight"], epsilon)
        gate, up = linear("mlp.gate_proj", normed), linear("mlp.up_proj", normed)
        x = x + linear("mlp.down_proj", torch.nn.functional.silu(gate) * up)
    return norm(x, w["model.norm.weight"], epsilon)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[37, 5, 70])
    arguments = parser.parse_args()
    config = json.loads((arguments.model / "config.json").read_text())
    w = read_safetensors(arguments.model / "model.safetensors")
    state = 12345
    sequences = []
    for rows in arguments.rows:
        tokens = []
        for _ in range(rows + 1):
            state = (state * 1103515245 + 12345) % 2**31
            tokens.append(state // 65536 % config["vocab_size"])
        sequences.append(tokens)
    output = w["model.embed_tokens.weight"] if config.get("tie_word_embeddings") else w["lm_head.weight"]

    def mean_loss():
        total, count = 0, 0
        for number, tokens in enumerate(sequences):
            log_probs = (hidden_rows(config, w, tokens[:-1]) @ output.T).log_softmax(-1)
            for row in range(len(tokens) - 1):
                if number == 0 and row < 10:  # a prompt without loss
                    continue
                total = total - log_probs[row, tokens[row + 1]]
                count += 1
        return total / count

    loss = mean_loss()
    loss.backward()
    result = {
        "made_with": f"PyTorch {torch.__version__}, float64, tools/make_gradient_fixtures.py",
        "sequences": sequences, "first_sequence_rows_without_loss": 10, "loss": loss.item(), "gradients": {},
    }
    for name, tensor in sorted(w.items()):
        gradient = tensor.grad.reshape(-1)
        step = max(1, gradient.numel() // 7)
        places = list(range(0, gradient.numel(), step))
        largest = int(gradient.abs().argmax())
        places.append(largest)
        result["gradients"][name] = {
            "norm": gradient.norm().item(), "sum": gradient.sum().item(), "places": places,
            "values": [float(f"{gradient[p].item():.9g}") for p in places],
        }
    # Fifty steps of AdamW on this batch; matrices decay.
    matrices = [t for t in w.values() if t.dim() > 1]
    vectors = [t for t in w.values() if t.dim() == 1]
    optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1},
                                   {"params": vectors, "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    curve = []
    for _ in range(50):
        optimiser.zero_grad()
        loss = mean_loss()
        loss.backward()
        optimiser.step()
        curve.append(float(f"{loss.item():.9g}"))
    result["loss_curve"] = curve
    arguments.out.write_text(json.dumps(result, separators=(",", ":")) + "\n")


main()
