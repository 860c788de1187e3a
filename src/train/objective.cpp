#include "train/objective.h"

#include <utility>

#include "base/error.h"
#include "kernels/training.h"

namespace r1 {
namespace {

int64_t pairs_in(const TrainingBatch& batch) {
  return static_cast<int64_t>(batch.sequences.size()) / 2;
}

/// Pretraining and supervised fine-tuning.
class CrossEntropy final : public Objective {
 public:
  int64_t units(const TrainingBatch& batch) const override { return batch.target_count(); }

  LossSums run(TrainingStep& step, const TrainingBatch& batch, int64_t units, bool gradients) override {
    if (!gradients) return cross_entropy_loss(batch, step.log_probs(batch, step.policy()), units);
    // The derivatives are known before the value: one run over the logits is enough.
    std::vector<float> log_probs(batch.tokens.size());
    TrainingPass pass = step.pass(batch);
    pass.backward(cross_entropy_loss(batch, log_probs, units).coefficients, log_probs.data());
    return cross_entropy_loss(batch, log_probs, units);
  }
};

/// A loss of the log-probabilities of a whole batch.
class LogProbObjective : public Objective {
 public:
  LossSums run(TrainingStep& step, const TrainingBatch& batch, int64_t units, bool gradients) override {
    prepare(step, batch);
    if (!gradients) return loss(batch, step.log_probs(batch, step.policy()), units);
    TrainingPass pass = step.pass(batch);
    LossSums sums = loss(batch, pass.log_probs(), units);
    pass.backward(sums.coefficients);
    return sums;
  }

 protected:
  /// Passes of other policies, before the trained one's.
  virtual void prepare(TrainingStep&, const TrainingBatch&) {}
  virtual LossSums loss(const TrainingBatch& batch, std::span<const float> log_probs, int64_t units) = 0;
};

class Dpo final : public LogProbObjective {
 public:
  Dpo(const ObjectiveOptions& options, const Policy& reference) : options_(options), reference_(reference) {}
  int64_t units(const TrainingBatch& batch) const override { return pairs_in(batch); }

 private:
  void prepare(TrainingStep& step, const TrainingBatch& batch) override {
    reference_log_probs_ = step.log_probs(batch, reference_);
  }
  LossSums loss(const TrainingBatch& batch, std::span<const float> log_probs, int64_t units) override {
    return dpo_loss(options_, batch, log_probs, reference_log_probs_, units);
  }

  ObjectiveOptions options_;
  Policy reference_;
  std::vector<float> reference_log_probs_;
};

class Orpo final : public LogProbObjective {
 public:
  explicit Orpo(const ObjectiveOptions& options) : options_(options) {}
  int64_t units(const TrainingBatch& batch) const override { return pairs_in(batch); }

 private:
  LossSums loss(const TrainingBatch& batch, std::span<const float> log_probs, int64_t units) override {
    return orpo_loss(options_, batch, log_probs, units);
  }

  ObjectiveOptions options_;
};

class Kto final : public LogProbObjective {
 public:
  Kto(const ObjectiveOptions& options, const ObjectiveParts& parts) : options_(options), parts_(parts) {}
  int64_t units(const TrainingBatch& batch) const override {
    return static_cast<int64_t>(batch.sequences.size());
  }

 private:
  void prepare(TrainingStep& step, const TrainingBatch& batch) override {
    reference_log_probs_ = step.log_probs(batch, parts_.reference);
    point_ = 0;
    const TrainingBatch mismatched = mismatched_answers(batch);
    if (!mismatched.sequences.empty()) {
      const std::vector<float> log_probs = step.log_probs(mismatched, step.policy());
      point_ = reference_point(mismatched, log_probs, step.log_probs(mismatched, parts_.reference));
    } else if (!std::exchange(remarked_, true) && parts_.remark) {
      parts_.remark(
          "kto: some passes hold one answer only: their reference point is 0, as there is no other answer "
          "to take it from; a larger batch_tokens or packing = first-fit puts more into a pass");
    }
  }
  LossSums loss(const TrainingBatch& batch, std::span<const float> log_probs, int64_t units) override {
    return kto_loss(options_, batch, log_probs, reference_log_probs_, point_, units);
  }

  ObjectiveOptions options_;
  ObjectiveParts parts_;
  std::vector<float> reference_log_probs_;
  double point_ = 0;
  bool remarked_ = false;
};

/// The scalar of each sequence is score · its last row.
class Reward final : public Objective {
 public:
  explicit Reward(Parameter* score) : score_(score) {}
  int64_t units(const TrainingBatch& batch) const override { return pairs_in(batch); }

  LossSums run(TrainingStep& step, const TrainingBatch& batch, int64_t units, bool gradients) override {
    TrainingPass pass = gradients ? step.pass(batch) : step.forward(batch, step.policy());
    Context& context = step.context();
    const kernels::KernelTable& table = context.kernels();
    const int64_t hidden = score_->count;
    std::vector<float> scores, derivatives(batch.sequences.size());
    const auto last_row = [&](const PackedSequence& sequence) {
      return (sequence.first_row + sequence.rows - 1) * hidden;
    };
    for (const PackedSequence& sequence : batch.sequences)
      scores.push_back(table.training->dot(score_->values, pass.hidden() + last_row(sequence), hidden));
    LossSums sums = reward_loss(batch, scores, units, derivatives);
    if (!gradients) return sums;
    float* gradient = pass.hidden_tape().add_to_zeroed(context.arena(), pass.hidden(), batch.rows() * hidden);
    for (size_t i = 0; i < batch.sequences.size(); ++i) {
      const int64_t at = last_row(batch.sequences[i]);
      table.add_scaled(gradient + at, score_->values, derivatives[i], hidden);
      table.add_scaled(score_->gradient, pass.hidden() + at, derivatives[i], hidden);
    }
    pass.finish_backward();
    return sums;
  }

 private:
  Parameter* score_;
};

}  // namespace

std::unique_ptr<Objective> make_objective(TrainingStage stage, const ObjectiveOptions& options,
                                          const ObjectiveParts& parts) {
  const StageTraits& traits = traits_of(stage);
  if (traits.needs_reference && parts.reference.model == nullptr)
    throw_error(ErrorKind::invalid_argument, "{}: expected a reference model, found none", traits.name);
  if (traits.needs_reward_head && parts.score == nullptr)
    throw_error(ErrorKind::invalid_argument, "{}: expected a reward head, found none", traits.name);
  switch (stage) {
    case TrainingStage::pretrain:
    case TrainingStage::sft:
      return std::make_unique<CrossEntropy>();
    case TrainingStage::dpo:
      return std::make_unique<Dpo>(options, parts.reference);
    case TrainingStage::kto:
      return std::make_unique<Kto>(options, parts);
    case TrainingStage::orpo:
      return std::make_unique<Orpo>(options);
    case TrainingStage::reward:
      return std::make_unique<Reward>(parts.score);
    case TrainingStage::grpo:
      break;  // its steps are not of data (rl/policy_trainer.h)
  }
  throw_error(ErrorKind::invalid_argument, "stage {} has no objective", static_cast<int>(stage));
}

}  // namespace r1
