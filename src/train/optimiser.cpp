#include "train/optimiser.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "base/error.h"
#include "train/adam.h"

namespace r1 {

AdamCall adam_call(const OptimiserOptions& options, int64_t step, double gradient_factor) {
  AdamCall adam;
  adam.beta1 = static_cast<float>(options.beta1);
  adam.beta2 = static_cast<float>(options.beta2);
  adam.epsilon = static_cast<float>(options.epsilon);
  adam.correction1 = static_cast<float>(1 / (1 - std::pow(options.beta1, static_cast<double>(step))));
  adam.correction2 = static_cast<float>(1 / (1 - std::pow(options.beta2, static_cast<double>(step))));
  adam.gradient_factor = static_cast<float>(gradient_factor);
  return adam;
}

AdamTensor adam_tensor(const OptimiserOptions& options, const Parameter& parameter, double learning_rate) {
  AdamTensor tensor;
  tensor.values = parameter.values;
  tensor.gradient = parameter.gradient;
  tensor.count = parameter.count;
  tensor.learning_rate = static_cast<float>(learning_rate * parameter.rate_factor);
  tensor.decay = parameter.decays ? static_cast<float>(options.weight_decay) : 0.0F;
  return tensor;
}

namespace {

class AdamW final : public Optimiser {
 public:
  AdamW(const OptimiserOptions& options, ParameterStore& store) : options_(options), store_(store) {
    for (const Parameter& parameter : store.all()) {
      for (std::vector<AlignedBytes>* memory : {&means_, &squares_}) {
        const size_t bytes = static_cast<size_t>(parameter.count) * sizeof(float);
        memory->push_back(allocate_aligned(bytes));
        std::memset(memory->back().get(), 0, bytes);
      }
    }
  }

  void step(Context& context, int64_t step, double learning_rate, double gradient_factor) override {
    std::vector<AdamTensor> tensors;
    tensors.reserve(store_.all().size());
    for (size_t i = 0; i < store_.all().size(); ++i) {
      AdamTensor& tensor = tensors.emplace_back(adam_tensor(options_, store_.all()[i], learning_rate));
      tensor.mean.values = floats(means_[i]);
      tensor.square.values = floats(squares_[i]);
    }
    AdamCall adam = adam_call(options_, step, gradient_factor);
    adam.tensors = tensors;
    context.backend().adam(adam);
  }

  std::vector<StateArray> state() override {
    std::vector<StateArray> arrays;
    for (size_t i = 0; i < store_.all().size(); ++i) {
      const Parameter& parameter = store_.all()[i];
      const size_t bytes = static_cast<size_t>(parameter.count) * sizeof(float);
      arrays.push_back({"adam.mean/" + parameter.name, {means_[i].get(), bytes}});
      arrays.push_back({"adam.square/" + parameter.name, {squares_[i].get(), bytes}});
    }
    return arrays;
  }

 private:
  static float* floats(const AlignedBytes& memory) { return reinterpret_cast<float*>(memory.get()); }

  OptimiserOptions options_;
  ParameterStore& store_;
  std::vector<AlignedBytes> means_, squares_;
};

}  // namespace

std::unique_ptr<Optimiser> make_optimiser(const OptimiserOptions& options, ParameterStore& store) {
  switch (options.optimiser) {
    case OptimiserKind::adamw_8bit:
      return make_adamw_8bit(options, store);
    case OptimiserKind::muon:
      return make_muon(options, store);
    case OptimiserKind::adamw:
      break;
  }
  return std::make_unique<AdamW>(options, store);
}

size_t optimiser_bytes(const OptimiserOptions& options, const ParameterStore& store) {
  switch (options.optimiser) {
    case OptimiserKind::adamw_8bit:
      return adamw_8bit_bytes(store);
    case OptimiserKind::muon:
      return muon_bytes(store);
    case OptimiserKind::adamw:
      break;
  }
  return 2 * static_cast<size_t>(store.elements()) * sizeof(float);
}

double scheduled_rate(const ScheduleOptions& options, int64_t step, int64_t steps) {
  int64_t warmup = options.warmup_steps;
  if (warmup == 0)
    warmup = static_cast<int64_t>(std::ceil(options.warmup_share * static_cast<double>(steps)));
  const double largest = options.learning_rate;
  if (step <= warmup) return largest * static_cast<double>(step) / static_cast<double>(warmup);
  const double done = steps <= warmup + 1
                          ? 0.0
                          : static_cast<double>(step - warmup - 1) / static_cast<double>(steps - warmup - 1);
  double left = 1;  // of the way down
  if (options.schedule == Schedule::cosine) left = 0.5 * (1 + std::cos(std::numbers::pi * done));
  if (options.schedule == Schedule::linear) left = 1 - done;
  return largest * (options.final_rate + (1 - options.final_rate) * left);
}

double gradient_norm(Context& context, const ParameterStore& store) {
  std::vector<FloatArray> gradients;
  gradients.reserve(store.all().size());
  for (const Parameter& parameter : store.all()) gradients.push_back({parameter.gradient, parameter.count});
  return std::sqrt(context.backend().sum_of_squares(gradients));
}

}  // namespace r1
