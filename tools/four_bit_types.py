"""The values of NF4 and of the dynamic 8-bit type, for the scripts that make fixtures of them.

Sources: Dettmers et al., QLoRA (2023), appendix E; 8-bit Optimizers (2021). Needs Debian's python3-numpy.
"""
import numpy

NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
       -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534,
       0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
       0.7229568362236023, 1.0]


def dynamic_type():
    """Its 256 values from the lowest, float32."""
    values = [0.0, 1.0]
    for decade in range(7):
        edges = numpy.linspace(0.1, 1, 2 ** decade + 1)
        for middle in (edges[:-1] + edges[1:]) / 2:
            values += [10.0 ** (decade - 6) * middle, -(10.0 ** (decade - 6)) * middle]
    return numpy.array(sorted(values), dtype="float32")
