// Speed of the matrix kernels on one thread: for each weight format, number of rows and instruction set,
// billions of multiply-adds (MAC/s) and bytes of weights (bytes_per_second) a second.
//
// Up to 32 rows the weights are larger than a large L3 cache and so come from memory, as in decoding; with
// 512 rows they are a prefill's. Names: matmul/<set>/<format>/<inputs>/<rows>. For example
//   matmul_bench --benchmark_filter='matmul/avx512/(Q4_K|Q8_0)'
// transposed/<set>/<format>/<rows>: heads of 128 stored rows of 512 columns, as DeepSeek's absorbed keys,
// from memory up to 32 rows. transposed_plainly: what it replaced, rows decoded by the reference codec.
#include <benchmark/benchmark.h>

#include <algorithm>

#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "tensor/codec.h"

namespace r1::kernels {
namespace {

constexpr size_t kColdBytes = size_t{400} << 20;

struct AlignedDelete {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
using Buffer = std::unique_ptr<std::byte[], AlignedDelete>;
Buffer buffer(size_t bytes) {
  return Buffer(new (std::align_val_t{64}) std::byte[bytes]);
}

/// kColdBytes of valid blocks of a type, kept for the next benchmark of the type.
const std::byte* weights_of(DType type) {
  static Buffer bytes;
  static DType kept = DType::i8;
  if (!bytes) bytes = buffer(kColdBytes);
  if (kept == type) return bytes.get();
  kept = type;
  const DTypeInfo& form = info(type);
  std::mt19937 random(1);
  const size_t block = static_cast<size_t>(form.block_bytes);
  const size_t sample = block * (form.block_elements > 1 ? 512 : 65536);
  std::vector<float> values(static_cast<size_t>(form.block_elements));
  for (size_t at = 0; at < sample; at += block) {
    bool usable = false;
    while (!usable) {
      for (size_t i = 0; i < block; i++) bytes[at + i] = static_cast<std::byte>(random());
      dequantise_row(type, bytes.get() + at, values);
      usable = true;
      for (float value : values) usable = usable && std::isfinite(value) && std::fabs(value) < 1e4F;
      // Plain floats of everyday size: products below the smallest normal number would be slow.
      if (form.block_elements == 1) usable = usable && std::fabs(values[0]) > 1e-4F;
    }
  }
  for (size_t at = sample; at < kColdBytes; at += sample)
    std::memcpy(bytes.get() + at, bytes.get(), std::min(sample, kColdBytes - at));
  return bytes.get();
}

void run(benchmark::State& state, InstructionSet set, DType type, int64_t inputs, int64_t rows) {
  const KernelTable& table = select_kernels(set);
  WeightMatrix w{.data = weights_of(type), .dtype = type, .inputs = inputs};
  w.row_bytes = row_bytes(type, inputs);
  w.outputs = static_cast<int64_t>(kColdBytes / w.row_bytes) / 16 * 16;
  const int64_t limit = set == InstructionSet::scalar ? 64
                        : rows > 32                   ? 1024 * 1536 / inputs / 16 * 16
                                                      : w.outputs;
  w.outputs = std::min(w.outputs, limit);
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(rows * inputs));
  for (float& value : x) value = normal(random);
  std::vector<float> y(static_cast<size_t>(rows * w.outputs));
  const Buffer scratch = buffer(matmul_scratch_bytes(inputs, rows));
  std::vector<int8_t> values(x.size());
  std::vector<float> scales(x.size() / 32);
  std::vector<int32_t> sums(x.size() / 16);
  const QuantisedRows quantised{values.data(), scales.data(), sums.data()};
  table.quantise_rows(x.data(), rows, inputs, inputs, quantised);
  const bool integers = is_quantised(type);
  for (auto _ : state) {
    if (integers)
      table.matmul_quantised(w, 0, w.outputs, quantised, rows, y.data(), w.outputs, scratch.get());
    else
      table.matmul_float(w, 0, w.outputs, x.data(), inputs, rows, y.data(), w.outputs, scratch.get());
  }
  const auto passes = static_cast<double>(state.iterations());
  state.counters["MAC/s"] = benchmark::Counter(passes * static_cast<double>(w.outputs * inputs * rows),
                                               benchmark::Counter::kIsRate);
  state.SetBytesProcessed(state.iterations() * w.outputs * static_cast<int64_t>(w.row_bytes));
}

void run_transposed(benchmark::State& state, InstructionSet set, DType type, int64_t rows, bool plainly) {
  constexpr int64_t kHead = 128, kColumns = 512;
  const KernelTable& table = select_kernels(set);
  WeightMatrix w{.data = weights_of(type), .dtype = type, .inputs = kColumns};
  w.row_bytes = row_bytes(type, kColumns);
  w.outputs = static_cast<int64_t>(kColdBytes / w.row_bytes) / kHead * kHead;
  const int64_t heads = rows > 32 ? 16 : std::min<int64_t>(w.outputs / kHead, 2048 / rows);
  const std::vector<float> x(static_cast<size_t>(rows * kHead), 0.5F);
  std::vector<float> y(static_cast<size_t>(rows * kColumns));
  std::vector<float> decoded(kColumns);
  const Buffer scratch = buffer(transposed_scratch_bytes());
  int64_t head = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < heads; i++, head = (head + 1) % (w.outputs / kHead)) {
      if (!plainly) {
        table.matmul_transposed(w, head * kHead, kHead, x.data(), kHead, rows, y.data(), kColumns,
                                scratch.get());
        continue;
      }
      std::fill(y.begin(), y.end(), 0.0F);
      for (int64_t o = 0; o < kHead; o++) {
        dequantise_row(type, w.data + static_cast<size_t>(head * kHead + o) * w.row_bytes, decoded);
        for (int64_t r = 0; r < rows; r++)
          table.add_scaled(y.data() + r * kColumns, decoded.data(), x[static_cast<size_t>(r * kHead + o)],
                           kColumns);
      }
    }
  }
  const auto passes = static_cast<double>(state.iterations());
  state.counters["MAC/s"] = benchmark::Counter(passes * static_cast<double>(heads * kHead * kColumns * rows),
                                               benchmark::Counter::kIsRate);
  state.SetBytesProcessed(state.iterations() * heads * kHead * static_cast<int64_t>(w.row_bytes));
}

void run_quantise_rows(benchmark::State& state, InstructionSet set) {
  const KernelTable& table = select_kernels(set);
  constexpr int64_t kRows = 64, kColumns = 1536;
  std::vector<float> x(kRows * kColumns, 1.0F);
  std::vector<int8_t> values(x.size());
  std::vector<float> scales(x.size() / 32);
  std::vector<int32_t> sums(x.size() / 16);
  for (auto _ : state)
    table.quantise_rows(x.data(), kRows, kColumns, kColumns, {values.data(), scales.data(), sums.data()});
  state.SetItemsProcessed(state.iterations() * kRows * kColumns);
}

void add_benchmarks() {
  for (InstructionSet set : {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::scalar}) {
    if (!is_supported(set)) continue;
    const std::string set_name(select_kernels(set).name);
    benchmark::RegisterBenchmark(("quantise_rows/" + set_name).c_str(),
                                 [=](benchmark::State& state) { run_quantise_rows(state, set); });
    for (int i = 0; i < kDTypeCount; i++) {
      const auto type = static_cast<DType>(i);
      if (!is_quantised(type) && type != DType::f32 && type != DType::f16 && type != DType::bf16) continue;
      for (int64_t rows : {1, 8, 32, 512})
        for (const bool plainly : {false, true}) {
          const std::string label = (plainly ? "transposed_plainly/" : "transposed/") + set_name + "/" +
                                    std::string(name(type)) + "/" + std::to_string(rows);
          benchmark::RegisterBenchmark(label.c_str(), [=](benchmark::State& state) {
            run_transposed(state, set, type, rows, plainly);
          })->Unit(benchmark::kMillisecond);
        }
      for (int64_t inputs : {int64_t{1536}, int64_t{8960}})
        for (int64_t rows : {1, 2, 4, 8, 32, 512}) {
          const std::string label = "matmul/" + set_name + "/" + std::string(name(type)) + "/" +
                                    std::to_string(inputs) + "/" + std::to_string(rows);
          benchmark::RegisterBenchmark(label.c_str(), [=](benchmark::State& state) {
            run(state, set, type, inputs, rows);
          })->Unit(benchmark::kMillisecond);
        }
    }
  }
}

}  // namespace
}  // namespace r1::kernels

int main(int argc, char** argv) {
  r1::kernels::add_benchmarks();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
