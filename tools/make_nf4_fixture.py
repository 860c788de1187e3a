#!/usr/bin/env python3
"""A matrix in NF4 with double quantisation, for tests/tensor/nf4_test.cpp.

Usage: make_nf4_fixture.py OUT.json

Written from the papers (Dettmers et al., QLoRA, 2023, and 8-bit Optimizers, 2021) with plain searches in float64
over the table and the dynamic 8-bit type. The matrix is drawn by a linear congruence that the test repeats.
Needs Debian's python3-numpy.
"""
import json
import sys

import numpy

from four_bit_types import NF4, dynamic_type

ROWS, COLUMNS, BLOCK, SUPER = 300, 64, 64, 256


def nearest(table, x):
    return int(numpy.abs(numpy.asarray(table) - x).argmin())


state, rows = 1, []
for row in range(ROWS):
    values = []
    for _ in range(COLUMNS):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append(((state >> 40) / 2**24 - 0.5) * (row % 7 + 1) * 0.01)
    rows.append(numpy.array(values, dtype="float32").astype("float64"))

largest = numpy.array([numpy.abs(row).max() for row in rows])  # a row is a block here
mean = float(numpy.float32(largest.mean()))
code = dynamic_type().astype("float64")
scale_codes, scales, weights, decoded = [], [mean], bytearray(), []
for first in range(0, len(largest), SUPER):
    part = largest[first:first + SUPER] - mean
    scale = float(numpy.float32(numpy.abs(part).max()))
    scales.append(scale)
    scale_codes += [nearest(code, x / scale) for x in part]
for block, row in enumerate(rows):
    places = [nearest(NF4, x / largest[block]) for x in row]
    weights += bytes(places[i] << 4 | places[i + 1] for i in range(0, BLOCK, 2))
    factor = code[scale_codes[block]] * scales[1 + block // SUPER] + mean
    decoded.append([NF4[place] * factor for place in places])

json.dump({"made_with": "tools/make_nf4_fixture.py", "scales": scales, "scale_codes": scale_codes,
           "weights": weights.hex(), "decoded_rows": {str(r): decoded[r] for r in (0, 7, 255, 256, 299)}},
          open(sys.argv[1], "w"), separators=(",", ":"))
