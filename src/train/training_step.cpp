#include "train/training_step.h"

#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace r1 {
namespace {

bool is_finite(std::span<const float> values) {
  // A sum is not finite if one of its terms is not; finite terms of this size do not overflow in double.
  double sum = 0;
  for (const float value : values) sum += value;
  return std::isfinite(sum);
}

// The first weight, or else the first gradient, that is not finite.
std::string broken_tensor(const ParameterStore& store) {
  for (const Parameter& parameter : store.all()) {
    if (!is_finite({parameter.values, static_cast<size_t>(parameter.count)}))
      return "weight '" + parameter.name + "'";
  }
  for (const Parameter& parameter : store.all()) {
    if (!is_finite({parameter.gradient, static_cast<size_t>(parameter.count)}))
      return "gradient of '" + parameter.name + "'";
  }
  return "the loss alone";
}

}  // namespace

TrainingStep::TrainingStep(Context& context, TrainedWeights weights, const OptimiserOptions& options,
                           ActivationStorage storage)
    : context_(context),
      weights_(std::move(weights)),
      options_(options),
      storage_(storage),
      optimiser_(make_optimiser(options, *weights_.store)),
      cache_(*weights_.model) {}

void TrainingStep::set_dropout(double rate) {
  if (weights_.adapter == nullptr) return;
  weights_.adapter->set_dropout(
      {rate, mix_bits(mix_bits(weights_.dropout_seed) ^ static_cast<uint64_t>(pass_))});
}

void TrainingStep::begin(int64_t step, int64_t first_pass) {
  step_ = step;
  pass_ = first_pass;
  weights_.store->clear_gradients(context_);
  set_dropout(weights_.dropout);
}

TrainingPass TrainingStep::pass(const TrainingBatch& batch) {
  return {context_, *weights_.model, weights_.store->gradients(*weights_.model), cache_, batch,
          storage_, weights_.adapter};
}

void TrainingStep::next_pass() {
  ++pass_;
  set_dropout(weights_.dropout);
}

double TrainingStep::finish(double loss, double learning_rate,
                            const std::function<void(double norm)>& check) {
  set_dropout(0);
  const double norm = gradient_norm(context_, *weights_.store);
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
    throw_error(
        ErrorKind::invalid_argument,
        "step {}: loss {}, gradient norm {}: {} holds a value that is not finite; a lower learning rate "
        "or --resume from a checkpoint before it may help",
        step_, loss, norm, broken_tensor(*weights_.store));
  }
  if (check) check(norm);
  const double factor = options_.clip > 0 && norm > options_.clip ? options_.clip / norm : 1;
  optimiser_->step(context_, step_, learning_rate, factor);
  announce_weights();
  return norm;
}

void TrainingStep::announce_weights() {
  if (weights_.adapter != nullptr) weights_.adapter->mark_changed();
  if (weights_.changed) weights_.changed(context_);
}

TrainingPass TrainingStep::forward(const TrainingBatch& batch, const Policy& policy) {
  return {context_,      *policy.model, no_gradients_, cache_, batch, ActivationStorage::layer_inputs,
          policy.adapter};
}

std::vector<float> TrainingStep::log_probs(const TrainingBatch& batch, const Policy& policy) {
  return forward(batch, policy).log_probs();
}

}  // namespace r1
