#!/usr/bin/env python3
"""A step of reinforcement learning in PyTorch, to time `r1 train grpo` against: the same model, questions × group answers with a
key-value cache, all sequences in one batch, then minibatches of the same answers with AdamW.

  bench/grpo_torch.py MODEL --r1 build/release/r1 --questions FILE.jsonl [--steps 4] [--threads 2] [--group 16] …

MODEL is a hub directory of the qwen2 architecture, FILE.jsonl has a "question" a line. Needs Debian's python3-torch. Rewards are
drawn at random: what is timed does not depend on them. Prints tokens a second of the sampling and seconds of both parts, as
medians of the steps after the first, then the same of `r1 train grpo` in turn.
"""
import argparse
import json
import math
import pathlib
import statistics
import struct
import subprocess
import tempfile
import time

import numpy
import torch
from torch.nn import functional


def load_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", f"{name}: expected F32, found {entry['dtype']}"
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(data[8 + size + begin:8 + size + end], numpy.float32).reshape(entry["shape"])
        tensors[name] = torch.nn.Parameter(torch.from_numpy(values.copy()))
    return tensors


def normalise(x, weight, epsilon):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * weight


def turn(x, cosine, sine):
    left, right = x.chunk(2, -1)
    return x * cosine + torch.cat((-right, left), -1) * sine


class Model:
    """Qwen2, float32, without dropout."""

    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = load_safetensors(folder / "model.safetensors")
        self.heads, self.kv_heads = self.config["num_attention_heads"], self.config["num_key_value_heads"]
        self.columns = self.config["hidden_size"] // self.heads
        self.frequencies = self.config["rope_theta"] ** (-torch.arange(0, self.columns, 2).float() / self.columns)

    def linear(self, x, name):
        return functional.linear(x, self.weights[name + ".weight"], self.weights.get(name + ".bias"))

    def forward(self, tokens, positions, mask, cache=None):
        """Logits [batch, length, vocabulary]. `mask`: True where a query may look; `cache`: [layer] of keys and values."""
        epsilon = self.config["rms_norm_eps"]
        angles = positions[:, :, None].float() * self.frequencies
        angles = torch.cat((angles, angles), -1)[:, None]
        cosine, sine = angles.cos(), angles.sin()
        x = functional.embedding(tokens, self.weights["model.embed_tokens.weight"])
        batch, length = tokens.shape
        for layer in range(self.config["num_hidden_layers"]):
            name = f"model.layers.{layer}."
            h = normalise(x, self.weights[name + "input_layernorm.weight"], epsilon)
            split = lambda y, heads: y.view(batch, length, heads, self.columns).transpose(1, 2)
            q = turn(split(self.linear(h, name + "self_attn.q_proj"), self.heads), cosine, sine)
            k = turn(split(self.linear(h, name + "self_attn.k_proj"), self.kv_heads), cosine, sine)
            v = split(self.linear(h, name + "self_attn.v_proj"), self.kv_heads)
            if cache is not None:
                k, v = cache[layer].put(k, v)
            k, v = (t.repeat_interleave(self.heads // self.kv_heads, 1) for t in (k, v))
            scores = (q @ k.transpose(2, 3) / math.sqrt(self.columns)).masked_fill(~mask, -math.inf)
            mixed = scores.softmax(-1) @ v
            x = x + self.linear(mixed.transpose(1, 2).reshape(batch, length, -1), name + "self_attn.o_proj")
            h = normalise(x, self.weights[name + "post_attention_layernorm.weight"], epsilon)
            gate, up = self.linear(h, name + "mlp.gate_proj"), self.linear(h, name + "mlp.up_proj")
            x = x + self.linear(functional.silu(gate) * up, name + "mlp.down_proj")
        x = normalise(x, self.weights["model.norm.weight"], epsilon)
        output = self.weights.get("lm_head.weight", self.weights["model.embed_tokens.weight"])
        return functional.linear(x, output)


class Cache:
    """Keys and values of one layer in memory of full length, so that nothing is copied as it grows."""

    def __init__(self, batch, heads, length, columns):
        self.keys, self.values = (torch.empty(batch, heads, length, columns) for _ in range(2))
        self.used = 0

    def put(self, keys, values):
        end = self.used + keys.shape[2]
        self.keys[:, :, self.used:end], self.values[:, :, self.used:end] = keys, values
        self.used = end
        return self.keys[:, :, :end], self.values[:, :, :end]


@torch.no_grad()
def sample(model, prompts, group, most, end):
    """Left-padded prompts and answers [sequences, length], how many tokens each answer has, and its log-probabilities."""
    longest = max(map(len, prompts))
    count = len(prompts) * group
    tokens = torch.zeros(count, longest, dtype=torch.long)
    real = torch.zeros(count, longest + most, dtype=torch.bool)
    for i in range(count):
        prompt = torch.tensor(prompts[i // group])
        tokens[i, longest - len(prompt):] = prompt
        real[i, longest - len(prompt):longest] = True
    pad = (~real[:, :longest]).sum(1, keepdim=True)
    cache = [Cache(count, model.kv_heads, longest + most, model.columns) for _ in range(model.config["num_hidden_layers"])]
    positions = (torch.arange(longest)[None] - pad).clamp(min=0)
    causal = torch.ones(longest, longest, dtype=torch.bool).tril()
    diagonal = torch.eye(longest, dtype=torch.bool)
    logits = model.forward(tokens, positions, (causal & real[:, None, :longest] | diagonal)[:, None], cache)[:, -1]
    answers, log_probs = [], []
    alive = torch.ones(count, dtype=torch.bool)
    lengths = torch.zeros(count, dtype=torch.long)
    for step in range(most):
        distribution = functional.log_softmax(logits, -1)
        drawn = torch.multinomial(distribution.exp(), 1)
        answers.append(drawn[:, 0])
        log_probs.append(distribution.gather(1, drawn)[:, 0])
        lengths += alive
        real[:, longest + step] = alive
        alive = alive & (drawn[:, 0] != end)
        if not alive.any() or step + 1 == most:
            break
        position = longest + step - pad
        logits = model.forward(drawn, position, real[:, None, None, :longest + step + 1], cache)[:, -1]
    return tokens, torch.stack(answers, 1), torch.stack(log_probs, 1), lengths, pad


def learn(model, optimiser, rollout, minibatches, rows):
    """One pass over the answers: token-level clipped policy gradient, passes of about `rows` tokens sorted by length."""
    prompts, answers, old, lengths, pad = rollout
    advantages = torch.randn(len(lengths))
    longest = prompts.shape[1]
    for part in torch.randperm(len(lengths)).chunk(minibatches):
        part = part[lengths[part].argsort()]
        optimiser.zero_grad(set_to_none=True)
        total = lengths[part].sum()
        at = 0
        while at < len(part):
            take = 1
            while at + take < len(part) and (take + 1) * (longest + lengths[part[at + take]]) <= rows:
                take += 1
            some = part[at:at + take]
            at += take
            length = int(lengths[some].max())
            tokens = torch.cat((prompts[some], answers[some, :length]), 1)[:, :-1]
            width = tokens.shape[1]
            column = torch.arange(width)[None]
            real = (column >= pad[some]) & (column < longest + lengths[some][:, None])
            mask = torch.ones(width, width, dtype=torch.bool).tril() & real[:, None] | torch.eye(width, dtype=torch.bool)
            logits = model.forward(tokens, (column - pad[some]).clamp(min=0), mask[:, None])[:, longest - 1:]
            new = functional.log_softmax(logits, -1).gather(2, answers[some, :length, None])[..., 0]
            counted = torch.arange(length)[None] < lengths[some][:, None]
            ratio = torch.exp(new - old[some, :length])
            advantage = advantages[some][:, None]
            surrogate = torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.28) * advantage)
            (-(surrogate * counted).sum() / total).backward()
        torch.nn.utils.clip_grad_norm_(list(model.weights.values()), 1)
        optimiser.step()


def time_torch(arguments, prompts, end):
    torch.set_num_threads(arguments.threads)
    model = Model(arguments.model)
    optimiser = torch.optim.AdamW(list(model.weights.values()), lr=1e-6, betas=(0.9, 0.99), weight_decay=0)
    figures = []
    for step in range(arguments.steps):
        asked = [prompts[(step * arguments.asked + i) % len(prompts)] for i in range(arguments.asked)]
        begin = time.monotonic()
        rollout = sample(model, asked, arguments.group, arguments.answer_tokens, end)
        sampled = time.monotonic()
        learn(model, optimiser, rollout, 2, arguments.rows)
        figures.append((int(rollout[3].sum()), sampled - begin, time.monotonic() - sampled))
    return figures[1:]


def time_r1(arguments):
    with tempfile.TemporaryDirectory() as folder:
        options = {"model": arguments.model, "data": arguments.questions, "output": folder + "/out",
                   "questions": arguments.asked, "group": arguments.group, "minibatches": 2,
                   "answer-tokens": arguments.answer_tokens, "batch-tokens": arguments.rows, "learning-rate": 1e-6,
                   "weight-decay": 0, "beta2": 0.99, "variant": "dapo", "kl": 0, "max-steps": arguments.steps,
                   "save-steps": 0, "log-steps": 1, "threads": arguments.threads}
        words = [str(word) for name, value in options.items() for word in ("--" + name, value)]
        subprocess.run([arguments.r1, "train", "grpo", *words], check=True, capture_output=True)
        lines = [json.loads(line) for line in pathlib.Path(folder, "out/trainer_log.jsonl").read_text().splitlines()]
    return [(line["rollout_tokens_per_second"] * line["time/rollout"], line["time/rollout"], line["time/train"])
            for line in lines if "time/rollout" in line][1:]


def prompts_of(arguments):
    """Token ids of the questions as the model's chat template has them, and the token that ends an answer."""
    def debug(command, lines):
        words = [arguments.r1, "debug", command, "--jsonl", str(arguments.model)]
        answer = subprocess.run(words, input="".join(json.dumps(line) + "\n" for line in lines), check=True,
                                capture_output=True, text=True).stdout
        return [json.loads(line) for line in answer.splitlines()]
    records = [json.loads(line) for line in pathlib.Path(arguments.questions).read_text().splitlines()[:256]]
    rendered = debug("template", [{"messages": [{"role": "user", "content": record["question"]}],
                                   "add_generation_prompt": True} for record in records])
    prompts = [line["ids"] for line in debug("tokenize", [{"text": line["output"]} for line in rendered])]
    return prompts, json.loads((arguments.model / "config.json").read_text())["eos_token_id"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--r1", default="build/release/r1")
    parser.add_argument("--questions", required=True)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--asked", type=int, default=16, help="questions of a step")
    parser.add_argument("--group", type=int, default=16)
    parser.add_argument("--answer-tokens", type=int, default=256)
    parser.add_argument("--rows", type=int, default=4096, help="tokens of a training pass")
    arguments = parser.parse_args()
    prompts, end = prompts_of(arguments)
    figures = {"r1": [], "PyTorch": []}
    for _ in range(arguments.rounds):
        figures["r1"] += time_r1(arguments)
        figures["PyTorch"] += time_torch(arguments, prompts, end)
    print("| | sampled tokens/s | seconds of sampling | of training | tokens a step | ms a token of the whole step |\n"
          "|---|---|---|---|---|---|")
    for name, steps in figures.items():
        median = lambda values: statistics.median(values)
        print(f"| {name} | {median(t / s for t, s, _ in steps):,.0f} | {median(s for _, s, _ in steps):.2f} | "
              f"{median(l for _, _, l in steps):.2f} | {median(t for t, _, _ in steps):,.0f} | "
              f"{median(1000 * (s + l) / t for t, s, l in steps):.3f} |")


if __name__ == "__main__":
    main()
