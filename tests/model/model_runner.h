// Runs a model over token ids in tests: loads it, keeps a cache, feeds any split of a sequence.
#pragma once

#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "formats/model_file.h"
#include "model/model.h"
#include "nn/context.h"

namespace r1 {

class ModelRunner {
 public:
  ModelRunner(const std::filesystem::path& path, Arithmetic arithmetic, DType cache, int threads = 2,
              std::optional<kernels::InstructionSet> set = std::nullopt)
      : model_(load_model(ModelFile::open(path))),
        pool_(threads),
        context_(pool_, kernels::select_kernels(set), arithmetic),
        cache_(model_->kv_layers(), 64, cache, cache) {}

  const Model& model() const { return *model_; }
  Context& context() { return context_; }
  KvCache& cache() { return cache_; }
  int64_t vocabulary() const { return model_->info().vocabulary; }

  /// Logits of all rows of one sequence, given in runs of `chunk` tokens; cache blocks from `first_block`.
  std::vector<float> run(const std::vector<int32_t>& ids, int64_t chunk, int32_t first_block = 0) {
    std::vector<int32_t> blocks(ids.size() / KvCache::kBlockTokens + 1);
    std::iota(blocks.begin(), blocks.end(), first_block);
    std::vector<float> logits(ids.size() * vocabulary());
    for (int64_t begin = 0; begin < static_cast<int64_t>(ids.size()); begin += chunk) {
      const int64_t rows = std::min<int64_t>(chunk, ids.size() - begin);
      std::vector<int32_t> wanted(rows);
      std::iota(wanted.begin(), wanted.end(), 0);
      const SequenceSlice slice{rows, begin, blocks};
      const Batch batch{{ids.data() + begin, static_cast<size_t>(rows)}, {&slice, 1}, wanted};
      model_->forward(context_, batch, cache_, logits.data() + begin * vocabulary());
    }
    return logits;
  }

 private:
  std::unique_ptr<Model> model_;
  ThreadPool pool_;
  Context context_;
  KvCache cache_;
};

/// Mean over rows of KL(softmax(a) ‖ softmax(b)).
inline double mean_divergence(const std::vector<float>& a, const std::vector<float>& b, int64_t columns) {
  const int64_t rows = static_cast<int64_t>(a.size()) / columns;
  auto log_sum = [&](const float* row) {
    double largest = row[0];
    for (int64_t i = 1; i < columns; ++i) largest = std::max<double>(largest, row[i]);
    double sum = 0;
    for (int64_t i = 0; i < columns; ++i) sum += std::exp(row[i] - largest);
    return largest + std::log(sum);
  };
  double total = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = a.data() + r * columns;
    const float* y = b.data() + r * columns;
    const double x_sum = log_sum(x);
    const double y_sum = log_sum(y);
    for (int64_t i = 0; i < columns; ++i) {
      total += std::exp(x[i] - x_sum) * ((x[i] - x_sum) - (y[i] - y_sum));
    }
  }
  return total / static_cast<double>(rows);
}

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(difference <= largest)) largest = difference;  // also takes up NaN
  }
  return largest;
}

}  // namespace r1
