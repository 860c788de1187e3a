#!/usr/bin/env python3
"""Gradients of all parameters of small llama, qwen2 and deepseek_v3 models by PyTorch's autograd, for tests/train.

Usage: make_gradient_fixtures.py MODEL_DIRECTORY OUT.json [--rows N ...]

The models are written here from the published descriptions (Touvron et al. 2023; Yang et al. 2024; DeepSeek-V3
Technical Report 2024), in float64, with plain tensor operations: latent attention with its keys and values
written out, experts one row at a time. For each parameter the fixture holds the norm of the gradient, its sum, and a few
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


def yarn_angles(config, columns, positions):
    scaling, base = config["rope_scaling"], config["rope_theta"]
    original = scaling["original_max_position_embeddings"]

    def pair_of(turns):
        return columns * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(base))

    low = max(0, math.floor(pair_of(scaling["beta_fast"])))
    high = min(columns - 1, math.ceil(pair_of(scaling["beta_slow"])))
    inverse = []
    for i in range(columns // 2):
        plain = base ** (-2 * i / columns)
        ramp = min(1, max(0, (i - low) / (high - low if high > low else 0.001)))
        inverse.append(plain / scaling["factor"] * ramp + plain * (1 - ramp))
    return torch.tensor([[p * f for f in inverse] for p in positions], dtype=torch.float64)


def rotate_pairs(x, angles):  # x: [rows, heads, columns], neighbours make a pair
    cos, sin = angles.cos()[:, None, :], angles.sin()[:, None, :]
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(-2)


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


def deepseek_hidden_rows(config, w, tokens):
    heads, epsilon = config["num_attention_heads"], config["rms_norm_eps"]
    plain, rotary, value = config["qk_nope_head_dim"], config["qk_rope_head_dim"], config["v_head_dim"]
    latent, rows = config["kv_lora_rank"], len(tokens)
    scaling = config["rope_scaling"]
    assert scaling["mscale"] == scaling["mscale_all_dim"]  # then sines and cosines are not scaled
    magnitude = 0.1 * scaling["mscale_all_dim"] * math.log(scaling["factor"]) + 1
    scale = magnitude ** 2 / math.sqrt(plain + rotary)
    angles = yarn_angles(config, rotary, range(rows))
    mask = torch.triu(torch.full((rows, rows), float("-inf"), dtype=torch.float64), 1)
    x = w["model.embed_tokens.weight"][tokens]

    def gated(at, rows_of_x):
        gate, up = (rows_of_x @ w[f"{at}{part}_proj.weight"].T for part in ("gate", "up"))
        return torch.nn.functional.silu(gate) * up @ w[at + "down_proj.weight"].T

    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        own = at + "self_attn."
        normed = norm(x, w[at + "input_layernorm.weight"], epsilon)
        query = norm(normed @ w[own + "q_a_proj.weight"].T, w[own + "q_a_layernorm.weight"], epsilon)
        query = (query @ w[own + "q_b_proj.weight"].T).view(rows, heads, plain + rotary)
        query = torch.cat([query[..., :plain], rotate_pairs(query[..., plain:], angles)], -1)
        compressed = normed @ w[own + "kv_a_proj_with_mqa.weight"].T
        shared_key = rotate_pairs(compressed[:, None, latent:], angles).expand(rows, heads, rotary)
        compressed = norm(compressed[:, :latent], w[own + "kv_a_layernorm.weight"], epsilon)
        both = (compressed @ w[own + "kv_b_proj.weight"].T).view(rows, heads, plain + value)
        key = torch.cat([both[..., :plain], shared_key], -1)
        scores = torch.einsum("ihc,jhc->hij", query, key) * scale + mask
        mixed = torch.einsum("hij,jhc->ihc", scores.softmax(-1), both[..., plain:])
        x = x + mixed.reshape(rows, heads * value) @ w[own + "o_proj.weight"].T
        normed = norm(x, w[at + "post_attention_layernorm.weight"], epsilon)
        own = at + "mlp."
        if layer < config["first_k_dense_replace"]:
            x = x + gated(own, normed)
            continue
        scores = (normed @ w[own + "gate.weight"].T).sigmoid()
        with torch.no_grad():  # the choice
            groups, size = config["n_group"], config["n_routed_experts"] // config["n_group"]
            biased = scores + w[own + "gate.e_score_correction_bias"]
            best = biased.view(rows, groups, size).topk(2, -1).values.sum(-1)
            kept = best.topk(config["topk_group"], -1).indices
            open_groups = torch.zeros(rows, groups).scatter_(1, kept, 1).bool()
            biased = biased.masked_fill(~open_groups.repeat_interleave(size, 1), float("-inf"))
            chosen = biased.topk(config["num_experts_per_tok"], -1).indices
        weights = scores.gather(1, chosen)
        if config["norm_topk_prob"]:
            weights = weights / weights.sum(-1, keepdim=True)
        weights = weights * config["routed_scaling_factor"]
        out = [gated(own + "shared_experts.", normed)]
        for expert in range(config["n_routed_experts"]):
            places, ranks = (chosen == expert).nonzero(as_tuple=True)
            if len(places) == 0:
                continue
            part = weights[places, ranks, None] * gated(f"{own}experts.{expert}.", normed[places])
            out.append(torch.zeros_like(normed).index_add(0, places, part))
        x = x + sum(out)
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
    rows_of = deepseek_hidden_rows if config["model_type"] == "deepseek_v3" else hidden_rows
    output = w["model.embed_tokens.weight"] if config.get("tie_word_embeddings") else w["lm_head.weight"]

    def mean_loss():
        total, count = 0, 0
        for number, tokens in enumerate(sequences):
            log_probs = (rows_of(config, w, tokens[:-1]) @ output.T).log_softmax(-1)
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
        gradient = (torch.zeros_like(tensor) if tensor.grad is None else tensor.grad).reshape(-1)  # no part in it
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
    vectors = [t for name, t in w.items() if t.dim() == 1 and not name.endswith("correction_bias")]
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


if __name__ == "__main__":
    main()
