#!/usr/bin/env python3
"""Tiny models of families that tests/model and tests/train run, with logits and gradients by PyTorch in float64.

Usage: make_family_fixtures.py OUT_DIRECTORY

For each family a hub directory with random weights (config.json, model.safetensors in BF16) and reference.json:
token ids, logits of all rows, the mean loss of predicting the next token and, of each parameter's gradient, its
norm and a few entries. The model is written here from the published descriptions with plain tensor operations
(Touvron et al. 2023; Jiang et al., Mistral 7B, 2023; Yang et al., Qwen3, 2025; Peng et al., YaRN, 2023; Llama
3.1's frequency scaling). Needs Debian's python3-torch.
"""
import json
import math
import pathlib
import struct
import sys

import torch

COMMON = {
    "hidden_act": "silu", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 96, "rms_norm_eps": 1e-6,
    "max_position_embeddings": 512, "torch_dtype": "bfloat16",
}
LLAMA3 = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
FAMILIES = {
    # Heads wider than hidden / heads, norms of queries and keys, YaRN with attn_factor as R1-0528-Qwen3-8B has it.
    "qwen3-tiny": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": 32,
                   "attention_bias": False, "rope_theta": 1000000, "tie_word_embeddings": False,
                   "use_sliding_window": False, "sliding_window": None, "max_window_layers": 2,
                   "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32,
                                    "attn_factor": 0.8782488562869419}},
    "qwen3-tied-tiny": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": 32,
                        "rope_theta": 1000000, "tie_word_embeddings": True, "rope_scaling": None},
    "mistral-tiny": {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": 16,
                     "rope_theta": 10000.0, "tie_word_embeddings": False},
    "mistral-v3-tiny": {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": None,
                        "rope_theta": 1000000.0, "head_dim": 16, "tie_word_embeddings": False},
    "llama32-tiny": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "rope_theta": 500000.0,
                     "tie_word_embeddings": True, "rope_scaling": LLAMA3},
    "llama-bias-tiny": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "rope_theta": 10000.0,
                        "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False},
}
ROWS = 80


def frequencies(config, columns):
    """Inverse wavelengths of the pairs, and the factor of sine and cosine."""
    base = config["rope_theta"]
    inverse = [base ** (-2 * i / columns) for i in range(columns // 2)]
    scaling = config.get("rope_scaling")
    if not scaling:
        return inverse, 1.0
    factor, original = scaling["factor"], scaling["original_max_position_embeddings"]
    if scaling["rope_type"] == "llama3":
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        for i, value in enumerate(inverse):
            wavelength = 2 * math.pi / value
            if wavelength > original / low:
                inverse[i] = value / factor
            elif wavelength >= original / high:
                kept = (original / wavelength - low) / (high - low)
                inverse[i] = (1 - kept) * value / factor + kept * value
        return inverse, 1.0

    def pair_of(turns):
        return columns * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = max(0, math.floor(pair_of(32))), min(columns - 1, math.ceil(pair_of(1)))
    for i, value in enumerate(inverse):
        ramp = min(1, max(0, (i - low) / (high - low if high > low else 0.001)))
        inverse[i] = value / factor * ramp + value * (1 - ramp)
    return inverse, (0.1 * math.log(factor) + 1) * scaling.get("attn_factor", 1.0)


def norm(x, weight, epsilon):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + epsilon) * weight


def logits(config, w, tokens):
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    columns = config.get("head_dim", config["hidden_size"] // heads)
    rows, epsilon = len(tokens), config["rms_norm_eps"]
    inverse, magnitude = frequencies(config, columns)
    angles = torch.tensor([[p * f for f in inverse] for p in range(rows)], dtype=torch.float64)
    cos, sin = magnitude * angles.cos()[:, None, :], magnitude * angles.sin()[:, None, :]
    distance = torch.arange(rows)[:, None] - torch.arange(rows)[None, :]
    window = config.get("sliding_window") if config["model_type"] == "mistral" else None
    hidden = (distance < 0) | (distance >= window if window else False)
    mask = torch.zeros(rows, rows, dtype=torch.float64).masked_fill(hidden, float("-inf"))

    def rotate(x):
        first, second = x[..., :columns // 2], x[..., columns // 2:]
        return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)

    x = w["model.embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."

        def linear(name, value):
            out = value @ w[at + name + ".weight"].T
            return out + w[at + name + ".bias"] if at + name + ".bias" in w else out

        normed = norm(x, w[at + "input_layernorm.weight"], epsilon)
        q = linear("self_attn.q_proj", normed).view(rows, heads, columns)
        k = linear("self_attn.k_proj", normed).view(rows, groups, columns)
        if at + "self_attn.q_norm.weight" in w:
            q = norm(q, w[at + "self_attn.q_norm.weight"], epsilon)
            k = norm(k, w[at + "self_attn.k_norm.weight"], epsilon)
        q, k = rotate(q), rotate(k)
        v = linear("self_attn.v_proj", normed).view(rows, groups, columns)
        k, v = (t.repeat_interleave(heads // groups, dim=1) for t in (k, v))
        scores = torch.einsum("ihc,jhc->hij", q, k) / math.sqrt(columns) + mask
        attended = torch.einsum("hij,jhc->ihc", scores.softmax(-1), v).reshape(rows, heads * columns)
        x = x + linear("self_attn.o_proj", attended)
        normed = norm(x, w[at + "post_attention_layernorm.weight"], epsilon)
        gate, up = linear("mlp.gate_proj", normed), linear("mlp.up_proj", normed)
        x = x + linear("mlp.down_proj", torch.nn.functional.silu(gate) * up)
    output = w["model.embed_tokens.weight"] if config["tie_word_embeddings"] else w["lm_head.weight"]
    return norm(x, w["model.norm.weight"], epsilon) @ output.T


def shapes(config):
    hidden, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    columns = config.get("head_dim", hidden // heads)
    result = {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,)}
    if not config["tie_word_embeddings"]:
        result["lm_head.weight"] = (vocabulary, hidden)
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        result[at + "input_layernorm.weight"] = result[at + "post_attention_layernorm.weight"] = (hidden,)
        parts = {"self_attn.q_proj": (heads * columns, hidden), "self_attn.k_proj": (groups * columns, hidden),
                 "self_attn.v_proj": (groups * columns, hidden), "self_attn.o_proj": (hidden, heads * columns),
                 "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
        for name, shape in parts.items():
            result[at + name + ".weight"] = shape
            if config.get("attention_bias" if "attn" in name else "mlp_bias"):
                result[at + name + ".bias"] = shape[:1]
        if config["model_type"] == "qwen3":
            result[at + "self_attn.q_norm.weight"] = result[at + "self_attn.k_norm.weight"] = (columns,)
    return result


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in sorted(tensors.items()):
        raw = tensor.to(torch.bfloat16).view(torch.int16).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    for number, (family, more) in enumerate(FAMILIES.items()):
        folder = pathlib.Path(sys.argv[1]) / family
        folder.mkdir(parents=True, exist_ok=True)
        config = COMMON | more
        generator = torch.Generator().manual_seed(1000 + number)
        weights = {}
        for name, shape in shapes(config).items():
            draw = torch.randn(shape, generator=generator, dtype=torch.float64)
            scale = 1 / math.sqrt(shape[-1]) if len(shape) > 1 else 0.2
            if name == "model.embed_tokens.weight":
                scale = 1.0
            value = draw * scale + (1.0 if "norm" in name else 0.0)
            weights[name] = value.to(torch.bfloat16)
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        write_safetensors(folder / "model.safetensors", weights)
        w = {name: value.to(torch.float64).requires_grad_() for name, value in weights.items()}
        tokens = torch.randint(0, config["vocab_size"], (ROWS + 1,), generator=generator).tolist()
        out = logits(config, w, tokens[:-1])
        loss = torch.nn.functional.cross_entropy(out, torch.tensor(tokens[1:]))
        loss.backward()
        reference = {
            "made_with": f"PyTorch {torch.__version__}, float64, tools/make_family_fixtures.py", "tokens": tokens,
            "logits": [float(f"{v:.7g}") for v in out.detach().reshape(-1).tolist()], "loss": loss.item(),
            "gradients": {},
        }
        for name, tensor in sorted(w.items()):
            gradient = tensor.grad.reshape(-1)
            places = sorted({0, gradient.numel() // 3, gradient.numel() // 2, int(gradient.abs().argmax())})
            reference["gradients"][name] = {"norm": gradient.norm().item(), "places": places,
                                            "values": [float(f"{gradient[p].item():.9g}") for p in places]}
        (folder / "reference.json").write_text(json.dumps(reference, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
