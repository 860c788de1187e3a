// Muon: the momentum of a matrix is brought near the closest orthogonal matrix before it is applied.
//   m = μ m + (1 - μ) g;   u = μ m + (1 - μ) g (Nesterov);   X = u / |u|
//   five times X = a X + (b A + c A²) X with A = X Xᵀ (Newton and Schulz)
//   W -= rate · 0.2 √max(rows, columns) · X
// Source: Jordan et al., Muon (2024), with its constants; the factor 0.2 √max, which gives updates the size
// of AdamW's, is Liu et al.'s (Muon is Scalable for LLM Training, 2025). Embedding, output and whatever is no
// matrix get AdamW.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "nn/linear.h"
#include "train/adam.h"

namespace r1 {
namespace {

constexpr int kIterations = 5;
constexpr float kA = 3.4445F, kB = -4.7750F, kC = 2.0315F;

bool takes_muon(const Parameter& parameter) {
  return parameter.shape.size() == 2 && parameter.shape[0] > 1 && parameter.shape[1] > 1 &&
         parameter.name != "model.embed_tokens.weight" && parameter.name != "lm_head.weight";
}

class Muon final : public Optimiser {
 public:
  Muon(const OptimiserOptions& options, ParameterStore& store) : options_(options), store_(store) {
    for (const Parameter& parameter : store.all()) {
      for (std::vector<AlignedBytes>* memory : {&means_, &squares_}) {
        if (memory == &squares_ && takes_muon(parameter)) {
          memory->emplace_back();
          continue;
        }
        memory->push_back(allocate_aligned(bytes_of(parameter)));
        std::memset(memory->back().get(), 0, bytes_of(parameter));
      }
    }
  }

  void step(Context& context, int64_t step, double learning_rate, double gradient_factor) override {
    std::vector<AdamTensor> tensors;
    for (size_t i = 0; i < store_.all().size(); ++i) {
      if (takes_muon(store_.all()[i])) continue;
      AdamTensor& tensor = tensors.emplace_back(adam_tensor(options_, store_.all()[i], learning_rate));
      tensor.mean.values = floats(means_[i]);
      tensor.square.values = floats(squares_[i]);
    }
    AdamCall adam = adam_call(options_, step, gradient_factor);
    adam.tensors = tensors;
    context.backend().adam(adam);
    for (size_t i = 0; i < store_.all().size(); ++i) {
      const Parameter& parameter = store_.all()[i];
      if (takes_muon(parameter))
        step_matrix(context, parameter, floats(means_[i]), learning_rate, gradient_factor);
    }
  }

  std::vector<StateArray> state() override {
    std::vector<StateArray> arrays;
    for (size_t i = 0; i < store_.all().size(); ++i) {
      const Parameter& parameter = store_.all()[i];
      const bool muon = takes_muon(parameter);
      arrays.push_back(
          {(muon ? "muon.mean/" : "adam.mean/") + parameter.name, {means_[i].get(), bytes_of(parameter)}});
      if (!muon)
        arrays.push_back({"adam.square/" + parameter.name, {squares_[i].get(), bytes_of(parameter)}});
    }
    return arrays;
  }

  static size_t bytes_of(const Parameter& parameter) {
    return static_cast<size_t>(parameter.count) * sizeof(float);
  }

 private:
  static float* floats(const AlignedBytes& memory) { return reinterpret_cast<float*>(memory.get()); }

  void step_matrix(Context& context, const Parameter& parameter, float* momentum, double learning_rate,
                   double gradient_factor) {
    Arena::Scope scope(context.arena());
    const int64_t rows = parameter.shape[0], columns = parameter.shape[1];
    Backend& backend = context.backend();
    const int64_t count = parameter.count;
    float* x = context.arena().allocate<float>(count);
    const auto kept = static_cast<float>(options_.momentum);
    const float taken = (1 - kept) * static_cast<float>(gradient_factor);
    backend.combine({momentum, kept, momentum, taken, parameter.gradient, count});
    backend.combine({x, kept, momentum, taken, parameter.gradient, count});
    const FloatArray all{x, count};
    backend.scale(x, static_cast<float>(1 / (std::sqrt(backend.sum_of_squares({&all, 1})) + 1e-7)), count);
    const float* update = orthogonalise(context, x, rows, columns);
    const double rate = learning_rate * parameter.rate_factor;
    const auto change =
        static_cast<float>(rate * 0.2 * std::sqrt(static_cast<double>(std::max(rows, columns))));
    const auto left = static_cast<float>(parameter.decays ? 1 - rate * options_.weight_decay : 1);
    backend.combine({parameter.values, left, parameter.values, -change, update, count});
  }

  // x [rows, columns] is overwritten; the result is in x or in memory of the arena.
  static const float* orthogonalise(Context& context, float* x, int64_t rows, int64_t columns) {
    const bool wide = rows <= columns;
    const int64_t side = std::min(rows, columns), length = std::max(rows, columns);
    float* other = context.arena().allocate<float>(rows * columns);
    float* square = context.arena().allocate<float>(side * side);
    float* factor = context.arena().allocate<float>(side * side);
    for (int i = 0; i < kIterations; ++i) {
      // X Xᵀ, or Xᵀ X where that is smaller: then the factor stands on the right.
      run_product(context,
                  wide ? Product{x, columns, 1, x, 1, columns, square, side, length, false}
                       : Product{x, 1, columns, x, columns, 1, square, side, length, false},
                  side, side);
      run_product(context, {square, side, 1, square, side, 1, factor, side, side, false}, side, side);
      context.backend().combine({factor, kB, square, kC, factor, side * side});
      context.backend().combine({other, kA, x, 0, x, rows * columns});
      run_product(context,
                  wide ? Product{factor, side, 1, x, columns, 1, other, columns, side, true}
                       : Product{x, columns, 1, factor, side, 1, other, columns, side, true},
                  rows, columns);
      std::swap(x, other);
    }
    return x;
  }

  OptimiserOptions options_;
  ParameterStore& store_;
  std::vector<AlignedBytes> means_, squares_;
};

}  // namespace

std::unique_ptr<Optimiser> make_muon(const OptimiserOptions& options, ParameterStore& store) {
  return std::make_unique<Muon>(options, store);
}

size_t muon_bytes(const ParameterStore& store) {
  size_t bytes = 0, scratch = 0;
  for (const Parameter& parameter : store.all()) {
    bytes += (takes_muon(parameter) ? 1 : 2) * Muon::bytes_of(parameter);
    if (!takes_muon(parameter)) continue;
    const auto side = static_cast<size_t>(std::min(parameter.shape[0], parameter.shape[1]));
    scratch = std::max(scratch, 2 * Muon::bytes_of(parameter) + 2 * side * side * sizeof(float));
  }
  return bytes + scratch;
}

}  // namespace r1
