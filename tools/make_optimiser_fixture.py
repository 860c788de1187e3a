#!/usr/bin/env python3
"""Steps of 8-bit AdamW and of Muon, for tests/train/optimiser_test.cpp.

Usage: make_optimiser_fixture.py OUT.json

Both are written here from their descriptions: 8-bit AdamW (Dettmers et al. 2021: blocks of 256, dynamic type) and
Muon (Jordan et al. 2024; update of 0.2 sqrt(max(rows, columns)), Liu et al. 2025) with PyTorch in float64.
Weights and gradients are drawn by a linear congruence that the test repeats. Needs python3-torch, python3-numpy.
"""
import json
import math
import sys

import numpy
import torch

RATE, DECAY, BETA1, BETA2, EPSILON, MOMENTUM, STEPS = 0.01, 0.1, 0.9, 0.95, 1e-8, 0.95, 8


class Draws:
    def __init__(self):
        self.state = 7

    def array(self, shape):
        values = []
        for i in range(math.prod(shape)):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            values.append(((self.state >> 40) / 2**24 - 0.5) / 4 ** (i % 5))
        return numpy.array(values, dtype="float32").astype("float64").reshape(shape)


def dynamic_type(signed):
    values = [0.0, 1.0]
    for decade in range(7):
        edges = numpy.linspace(0.1, 1, 2 ** (decade if signed else decade + 1) + 1)
        for middle in (edges[:-1] + edges[1:]) / 2:
            values.append(10.0 ** (decade - 6) * middle)
            if signed:
                values.append(-(10.0 ** (decade - 6)) * middle)
    return numpy.array(sorted(values), dtype="float32").astype("float64")


def through_8_bits(x, signed):
    code, out = dynamic_type(signed), numpy.empty(x.size)
    flat = x.reshape(-1)
    for first in range(0, flat.size, 256):
        block = flat[first:first + 256]
        scale = numpy.float32(numpy.abs(block).max())
        share = block / scale if scale > 0 else block * 0
        out[first:first + 256] = code[numpy.abs(code[None, :] - share[:, None]).argmin(1)] * scale
    return out.reshape(x.shape)


def adam(w, g, m, v, step, decay):
    m[...] = BETA1 * m + (1 - BETA1) * g
    v[...] = BETA2 * v + (1 - BETA2) * g * g
    w *= 1 - RATE * decay
    w -= RATE * m / (1 - BETA1**step) / (numpy.sqrt(v / (1 - BETA2**step)) + EPSILON)


def run_8bit():
    draws, weights = Draws(), {}
    for name, shape in (("large", (64, 80)), ("small", (30, 30))):
        w = draws.array(shape)
        m, v = numpy.zeros(shape), numpy.zeros(shape)
        for step in range(1, STEPS + 1):
            adam(w, draws.array(shape), m, v, step, DECAY)
            if w.size >= 4096:
                m, v = through_8_bits(m, True), through_8_bits(v, False)
        weights[name] = w
    return weights


def newton_schulz(g):
    x = g / (g.norm() + 1e-7)
    if x.shape[0] > x.shape[1]:
        return newton_schulz(g.T).T
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x


def run_muon():
    draws, weights = Draws(), {}
    for name, shape in (("wide", (24, 40)), ("tall", (40, 24)), ("vector", (40,))):
        w = draws.array(shape)
        m, v = numpy.zeros(shape), numpy.zeros(shape)
        for step in range(1, STEPS + 1):
            g = draws.array(shape)
            if len(shape) == 1:
                adam(w, g, m, v, step, 0)
                continue
            m = MOMENTUM * m + (1 - MOMENTUM) * g
            update = newton_schulz(torch.tensor(MOMENTUM * m + (1 - MOMENTUM) * g)).numpy()
            w = w * (1 - RATE * DECAY) - RATE * 0.2 * math.sqrt(max(shape)) * update
        weights[name] = w
    return weights


def flat(weights):
    return {name: [float(f"{x:.8g}") for x in w.reshape(-1)] for name, w in weights.items()}


json.dump({"made_with": f"tools/make_optimiser_fixture.py, PyTorch {torch.__version__}, float64", "steps": STEPS,
           "adamw-8bit": flat(run_8bit()), "muon": flat(run_muon())}, open(sys.argv[1], "w"),
          separators=(",", ":"))
