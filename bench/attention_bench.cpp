// Speed of attention on one thread, for each instruction set and cache type: multiply-adds (MAC/s) and bytes
// of keys and values read (bytes_per_second), of processor time.
//
//   prefill/<set>/<type>/<context>   512 rows after `context` tokens, 12 heads on 2 key/value heads of 128
//                                    columns (the 1.5B model)
//   decode/<set>/<type>/<context>    one row of the same; the caches of several layers, larger than L3 in
//                                    all, in turn, as in a model
//   latent/<set>/<type>/<context>    one row of MLA: 128 heads on one row of 576 columns, of which the first
//                                    512 are its values
//   sequence/<set>/<type>/<context>/<threads>
//                                    the row of `decode` as a model does it: nn's paged_attention on so many
//                                    threads, by the clock
//   read                             plain reading, for comparison
// For example: attention_bench --benchmark_filter='decode/avx512'
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "kernels/kernels.h"
#include "nn/attention.h"

namespace r1::kernels {
namespace {

constexpr int64_t kBlockTokens = 32;
constexpr size_t kColdBytes = size_t{400} << 20;

/// Memory as the KV cache has it: large pages where the system gives them.
struct Unmap {
  size_t bytes;
  void operator()(std::byte* p) const { ::munmap(p, bytes); }
};
using Buffer = std::unique_ptr<std::byte[], Unmap>;
Buffer buffer(size_t bytes) {
  void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) std::abort();
  ::madvise(p, bytes, MADV_HUGEPAGE);
  return Buffer(static_cast<std::byte*>(p), Unmap{bytes});
}

struct Setting {
  int64_t heads, key_value_heads, key_columns, value_columns;
  bool shared_rows;
  int64_t context, rows;
  int threads = 0;  // not 0: through paged_attention
};

void run(benchmark::State& state, const Setting& setting, DType dtype, InstructionSet set) {
  const KernelTable& table = select_kernels(set);
  const int64_t tokens = setting.context + setting.rows;
  const int64_t blocks = (tokens + kBlockTokens - 1) / kBlockTokens;
  const size_t key_row = row_bytes(dtype, setting.key_columns);
  const size_t value_row = setting.shared_rows ? 0 : row_bytes(dtype, setting.value_columns);
  const auto shared = static_cast<size_t>(setting.key_value_heads);
  // As model/kv_cache.h lays a block out: [heads][tokens][row] of keys, then the same of values.
  const size_t key_bytes = shared * kBlockTokens * key_row;
  const size_t block_bytes = key_bytes + shared * kBlockTokens * value_row;
  const size_t layer_bytes = static_cast<size_t>(blocks) * block_bytes;
  const size_t layers = setting.rows > 1 ? 1 : std::max<size_t>(1, kColdBytes / layer_bytes);
  Buffer cache = buffer(layers * layer_bytes);
  std::vector<float> row(static_cast<size_t>(setting.key_columns));
  for (size_t i = 0; i < row.size(); i++) row[i] = static_cast<float>(random_uniform(1, i) - 0.5);
  table.store_row(dtype, row.data(), setting.key_columns, cache.get());
  for (size_t at = key_row; at < layers * layer_bytes; at += key_row) {
    std::memcpy(cache.get() + at, cache.get(), std::min(key_row, layers * layer_bytes - at));
  }
  std::vector<int32_t> places(static_cast<size_t>(blocks));
  for (size_t b = 0; b < places.size(); b++) places[b] = static_cast<int32_t>(b);

  AttentionShape shape = {.heads = setting.heads,
                          .key_value_heads = setting.key_value_heads,
                          .key_columns = setting.key_columns,
                          .value_columns = setting.value_columns,
                          .query_stride = setting.heads * setting.key_columns,
                          .output_stride = setting.heads * setting.value_columns,
                          .scale = 0.1F,
                          .block_tokens = kBlockTokens,
                          .key_dtype = dtype,
                          .value_dtype = dtype,
                          .key_block_bytes = block_bytes,
                          .key_token_bytes = key_row,
                          .key_head_bytes = kBlockTokens * key_row,
                          .value_block_bytes = block_bytes,
                          .value_token_bytes = setting.shared_rows ? key_row : value_row,
                          .value_head_bytes = kBlockTokens * value_row};
  std::vector<float> queries(static_cast<size_t>(setting.rows * shape.query_stride));
  for (size_t i = 0; i < queries.size(); i++) queries[i] = static_cast<float>(random_uniform(2, i) - 0.5);
  std::vector<float> output(static_cast<size_t>(setting.rows * shape.output_stride));
  Buffer scratch = buffer(attention_scratch_bytes(shape, setting.rows));
  const AttentionSlice slice = {.queries = queries.data(),
                                .output = output.data(),
                                .rows = setting.rows,
                                .first_position = setting.context,
                                .blocks = places.data()};
  const SequenceRows sequence = {setting.rows, setting.context, places.data()};
  AttentionCall call = {
      .heads = setting.heads,
      .key_value_heads = setting.key_value_heads,
      .key_columns = setting.key_columns,
      .value_columns = setting.value_columns,
      .scale = shape.scale,
      .block_tokens = kBlockTokens,
      .keys = {nullptr, block_bytes, shape.key_token_bytes, shape.key_head_bytes, dtype},
      .values = {nullptr, block_bytes, shape.value_token_bytes, shape.value_head_bytes, dtype},
      .queries = queries.data(),
      .output = output.data(),
      .sequences = {&sequence, 1}};
  ThreadPool pool(std::max(1, setting.threads));
  Context inference(pool, table, Arithmetic::fast);
  size_t layer = 0;
  for (auto _ : state) {
    shape.keys = cache.get() + layer * layer_bytes;
    shape.values = setting.shared_rows ? shape.keys : shape.keys + key_bytes;
    if (setting.threads > 0) {
      call.keys.data = cache.get() + layer * layer_bytes;
      call.values.data = setting.shared_rows ? call.keys.data : call.keys.data + key_bytes;
      paged_attention(inference, call);
    } else {
      table.attention(shape, slice, 0, setting.rows, 0, setting.heads, scratch.get());
    }
    benchmark::DoNotOptimize(output.data());
    layer = (layer + 1) % layers;
  }
  const double seen = static_cast<double>(setting.rows) *
                      (static_cast<double>(setting.context) + static_cast<double>(setting.rows + 1) / 2);
  state.counters["MAC"] = benchmark::Counter(
      seen * static_cast<double>(setting.heads * (setting.key_columns + setting.value_columns)),
      benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(layer_bytes));
}

/// The yardstick: reading memory that is not in a cache.
void read(benchmark::State& state) {
  Buffer memory = buffer(kColdBytes);
  std::memset(memory.get(), 1, kColdBytes);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        select_kernels().read_peak(reinterpret_cast<const uint64_t*>(memory.get()), kColdBytes / 8));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kColdBytes));
}

void register_all() {
  benchmark::RegisterBenchmark("read", read)->Unit(benchmark::kMillisecond);
  const std::pair<InstructionSet, std::string> sets[] = {
      {InstructionSet::scalar, "scalar"}, {InstructionSet::avx2, "avx2"}, {InstructionSet::avx512, "avx512"}};
  for (const auto& [set, set_name] : sets) {
    if (!is_supported(set)) continue;
    for (DType dtype : {DType::f32, DType::f16, DType::q8_0, DType::q4_0}) {
      const std::string tail = "/" + set_name + "/" + std::string(name(dtype)) + "/";
      auto add = [&, set = set](const std::string& kind, const Setting& setting) {
        benchmark::RegisterBenchmark((kind + tail + std::to_string(setting.context)).c_str(),
                                     [=](benchmark::State& state) { run(state, setting, dtype, set); })
            ->Unit(benchmark::kMillisecond);
      };
      for (int64_t context : {0, 8192}) add("prefill", {12, 2, 128, 128, false, context, 512});
      for (int64_t context : {1023, 8191, 32767}) add("decode", {12, 2, 128, 128, false, context, 1});
      for (int64_t context : {1023, 4095, 32767}) {
        for (int threads : {1, 2, 8}) {
          const Setting setting{12, 2, 128, 128, false, context, 1, threads};
          const std::string label =
              "sequence" + tail + std::to_string(context) + "/" + std::to_string(threads);
          benchmark::RegisterBenchmark(
              label.c_str(), [=, set = set](benchmark::State& state) { run(state, setting, dtype, set); })
              ->Unit(benchmark::kMillisecond)
              ->UseRealTime();
        }
      }
      add("latent", {128, 1, 576, 512, true, 1023, 1});
    }
  }
}

}  // namespace
}  // namespace r1::kernels

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  r1::kernels::register_all();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
