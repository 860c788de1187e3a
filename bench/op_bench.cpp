// Speed of each op of the tests' list (tests/nn/timed_op_cases.cpp) on the CPU's backend, by instruction set, on one
// thread: time of a run, and multiplications a second where the op has them.
//
//   <set>/<op>[/<stored type>]/<rows>
// For example: op_bench --benchmark_filter='avx2/linear'
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "tests/nn/op_cases.h"

namespace r1 {
namespace {

void run(benchmark::State& state, const op_cases::Case& timed, const kernels::KernelTable& table) {
  ThreadPool pool(1);
  Context context(pool, table, Arithmetic::fast);
  std::vector<std::vector<float>> inputs;
  std::vector<float*> addresses;
  inputs.reserve(timed.inputs.size());
  for (const op_cases::Input& input : timed.inputs) {
    std::vector<float>& values = inputs.emplace_back(input.count);
    for (int64_t i = 0; i < input.count; ++i)
      values[i] = op_cases::draw(100 + inputs.size(), i, input.from, input.to);
    addresses.push_back(values.data());
  }
  for (auto _ : state) {
    const Arena::Scope scope(context.arena());
    benchmark::DoNotOptimize(timed.run(context, addresses).outputs.data());
  }
  if (timed.multiplications > 0) {
    state.counters["multiplications"] =
        benchmark::Counter(timed.multiplications, benchmark::Counter::kIsIterationInvariantRate);
  }
}

}  // namespace
}  // namespace r1

int main(int argc, char** argv) {
  static const std::vector<r1::op_cases::Case> cases = r1::op_cases::timed_cases();
  for (const auto set : {r1::kernels::InstructionSet::scalar, r1::kernels::InstructionSet::avx2,
                         r1::kernels::InstructionSet::avx512}) {
    if (!r1::kernels::is_supported(set)) continue;
    const r1::kernels::KernelTable& table = r1::kernels::select_kernels(set);
    for (const r1::op_cases::Case& timed : cases) {
      benchmark::RegisterBenchmark(
          (std::string(table.name) + "/" + timed.name).c_str(),
          [&timed, &table](benchmark::State& state) { r1::run(state, timed, table); });
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
