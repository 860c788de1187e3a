#!/usr/bin/env python3
"""A plain LoRA training loop in PyTorch, to time `r1 train` against: a qwen2 shape with random bfloat16 weights,
adapters on all linear layers, layers recomputed in backward, AdamW on the adapters.

  bench/lora_torch.py [--shape 1.5b|3b|small] [--tokens 512] [--steps 3] [--threads 2] [--full]

`--full` trains all weights in float32 instead (pre-training of a small model). Needs Debian's python3-torch. Prints the
median tokens per second of the steps after the first, and the peak of resident memory.
"""
import argparse
import math
import resource
import statistics
import time

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

# layers, hidden, heads, key and value heads, head columns, feed-forward, vocabulary
SHAPES = {
    "1.5b": (28, 1536, 12, 2, 128, 8960, 151936),
    "3b": (36, 2048, 16, 2, 128, 11008, 151936),
    "small": (6, 256, 4, 2, 64, 768, 2048),
}


class Linear(torch.nn.Module):
    def __init__(self, inputs, outputs, dtype, rank, bias=False):
        super().__init__()
        weight = torch.empty(outputs, inputs, dtype=dtype).normal_(0, 0.02)
        self.weight = torch.nn.Parameter(weight, requires_grad=rank == 0)
        self.bias = torch.nn.Parameter(torch.zeros(outputs, dtype=dtype), requires_grad=rank == 0) if bias else None
        self.rank = rank
        if rank:
            self.a = torch.nn.Parameter(torch.empty(rank, inputs, dtype=dtype).normal_(0, 1 / math.sqrt(inputs)))
            self.b = torch.nn.Parameter(torch.zeros(outputs, rank, dtype=dtype))

    def forward(self, x):
        y = functional.linear(x, self.weight, self.bias)
        return y + 2 * ((x @ self.a.T) @ self.b.T) if self.rank else y


def normalise(x, weight):
    scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6)
    return (x.float() * scale).to(x.dtype) * weight


def turn(x, cosine, sine):
    left, right = x.chunk(2, -1)
    return x * cosine + torch.cat((-right, left), -1) * sine


class Layer(torch.nn.Module):
    def __init__(self, shape, dtype, rank):
        super().__init__()
        _, hidden, self.heads, self.kv_heads, self.columns, inner, _ = shape
        make = lambda *sizes, bias=False: Linear(*sizes, dtype, rank, bias)
        self.q = make(hidden, self.heads * self.columns, bias=True)
        self.k = make(hidden, self.kv_heads * self.columns, bias=True)
        self.v = make(hidden, self.kv_heads * self.columns, bias=True)
        self.o = make(self.heads * self.columns, hidden)
        self.gate, self.up, self.down = make(hidden, inner), make(hidden, inner), make(inner, hidden)
        self.norm1 = torch.nn.Parameter(torch.ones(hidden, dtype=dtype), requires_grad=rank == 0)
        self.norm2 = torch.nn.Parameter(torch.ones(hidden, dtype=dtype), requires_grad=rank == 0)

    def forward(self, x, cosine, sine, mask):
        count = x.shape[0]
        y = normalise(x, self.norm1)
        split = lambda z, heads: z.view(count, heads, self.columns).transpose(0, 1)
        q, k, v = split(self.q(y), self.heads), split(self.k(y), self.kv_heads), split(self.v(y), self.kv_heads)
        q, k = turn(q, cosine, sine), turn(k, cosine, sine)
        k = k.repeat_interleave(self.heads // self.kv_heads, 0)
        v = v.repeat_interleave(self.heads // self.kv_heads, 0)
        scores = q @ k.transpose(1, 2) / math.sqrt(self.columns) + mask
        mixed = (torch.softmax(scores.float(), -1).to(x.dtype) @ v).transpose(0, 1).reshape(count, -1)
        x = x + self.o(mixed)
        y = normalise(x, self.norm2)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="1.5b")
    parser.add_argument("--tokens", type=int, default=512, help="of a step")
    parser.add_argument("--sequence", type=int, default=512, help="of a sequence")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--full", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)

    shape = SHAPES[arguments.shape]
    layers, hidden, _, _, columns, _, vocabulary = shape
    dtype, rank = (torch.float32, 0) if arguments.full else (torch.bfloat16, arguments.rank)
    stack = torch.nn.ModuleList(Layer(shape, dtype, rank) for _ in range(layers))
    embedding = torch.nn.Parameter(torch.empty(vocabulary, hidden, dtype=dtype).normal_(0, 0.02),
                                   requires_grad=arguments.full)
    output = embedding if arguments.full else torch.empty(vocabulary, hidden, dtype=dtype).normal_(0, 0.02)
    trained = [p for p in stack.parameters() if p.requires_grad] + ([embedding] if arguments.full else [])
    optimiser = torch.optim.AdamW(trained, lr=1e-4)

    length = arguments.sequence
    angles = torch.outer(torch.arange(length).float(), 10000.0 ** (-torch.arange(0, columns, 2) / columns))
    cosine, sine = (torch.cat((f(angles), f(angles)), -1).to(dtype) for f in (torch.cos, torch.sin))
    mask = torch.full((length, length), float("-inf"), dtype=dtype).triu(1)

    times = []
    for step in range(arguments.steps + 1):
        start = time.perf_counter()
        for _ in range(arguments.tokens // length):
            tokens = torch.randint(vocabulary, (length + 1,))
            x = functional.embedding(tokens[:-1], embedding)
            if not arguments.full:
                x.requires_grad_()  # so that recomputed layers have something to derive by
            for layer in stack:
                x = layer(x, cosine, sine, mask) if arguments.full else checkpoint(layer, x, cosine, sine, mask)
            x = normalise(x, 1)
            loss = functional.cross_entropy((x @ output.T).float(), tokens[1:])
            loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if step > 0:
            times.append(time.perf_counter() - start)
    rate = arguments.tokens / statistics.median(times)
    print(f"{rate:.1f} tokens/s, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
