// The benchmarks, in the order of `r1 eval list`. A new one is a file that defines `Benchmark NAME()` in r1::eval, and a line here.
#pragma once

#include "eval/benchmark.h"

// The release's table, then other published sets, then the forms for a user's own data.
#define R1_BENCHMARKS(ADD) \
  ADD(mmlu)                \
  ADD(mmlu_redux)          \
  ADD(mmlu_pro)            \
  ADD(drop)                \
  ADD(if_eval)             \
  ADD(gpqa_diamond)        \
  ADD(simpleqa)            \
  ADD(frames)              \
  ADD(alpaca_eval_2)       \
  ADD(arena_hard)          \
  ADD(aime_2024)           \
  ADD(math_500)            \
  ADD(livecodebench)       \
  ADD(codeforces)          \
  ADD(swe_bench_verified)  \
  ADD(aider_polyglot)      \
  ADD(cnmo_2024)           \
  ADD(cluewsc)             \
  ADD(c_eval)              \
  ADD(chinese_simpleqa)    \
  ADD(aime_2025)           \
  ADD(amc_2023)            \
  ADD(gsm8k)               \
  ADD(humaneval)           \
  ADD(cmath)               \
  ADD(mgsm_zh)             \
  ADD(svamp)               \
  ADD(sat_math)            \
  ADD(mmlu_stem)           \
  ADD(olympiadbench)       \
  ADD(cn_middle_school)    \
  ADD(gaokao_2023_en)      \
  ADD(gaokao_2024_i)       \
  ADD(gaokao_2024_ii)      \
  ADD(gaokao_2024_mix)     \
  ADD(gaokao_cloze)        \
  ADD(gaokao_qa)           \
  ADD(questions)           \
  ADD(math)                \
  ADD(choice)              \
  ADD(exact)               \
  ADD(instructions)        \
  ADD(judge)               \
  ADD(code)

namespace r1::eval {

#define R1_DECLARE_BENCHMARK(name) Benchmark name();
R1_BENCHMARKS(R1_DECLARE_BENCHMARK)
#undef R1_DECLARE_BENCHMARK

}  // namespace r1::eval
