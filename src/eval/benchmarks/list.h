// The benchmarks, in the order of `r1 eval list`. A new one is a file that defines `Benchmark NAME()` in r1::eval, and a line here.
#pragma once

#include "eval/benchmark.h"

// The release's table, then other published sets, then the forms for a user's own data.
#define R1_BENCHMARKS(ADD) \
  ADD(aime_2024)           \
  ADD(math_500)            \
  ADD(gsm8k)               \
  ADD(math)

namespace r1::eval {

#define R1_DECLARE_BENCHMARK(name) Benchmark name();
R1_BENCHMARKS(R1_DECLARE_BENCHMARK)
#undef R1_DECLARE_BENCHMARK

}  // namespace r1::eval
