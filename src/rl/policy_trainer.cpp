#include "rl/policy_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/random.h"
#include "rl/rollout_batches.h"
#include "rl/rollout_metrics.h"
#include "train/options_check.h"

namespace r1::rl {
namespace {

// Questions that dynamic sampling may ask for each one that is wanted.
constexpr int64_t kMaxDraws = 4;

double system_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t longest_prompt(const Questions& questions) {
  size_t longest = 0;
  for (const Question& question : questions.all) longest = std::max(longest, question.prompt.size());
  return static_cast<int64_t>(longest);
}

uint64_t fingerprint_of(const Questions& questions, const ParameterStore& store) {
  uint64_t hash = questions.fingerprint;
  for (const Parameter& parameter : store.all()) {
    for (const char c : parameter.name) hash = mix_bits(hash ^ static_cast<unsigned char>(c));
    hash = mix_bits(hash ^ static_cast<uint64_t>(parameter.count));
  }
  return hash;
}

}  // namespace

struct PolicyTrainer::State {
  State(Context& run_context, TrainedModel& trained, const TextModel& text,
        const TrainingOptions& run_options, const Questions& run_questions, const Questions* held_back,
        ActivationStorage storage, PolicyHooks run_hooks)
      : context(run_context),
        model(trained),
        options(run_options),
        loss(policy_loss(run_options)),
        questions(run_questions),
        evaluation(held_back),
        hooks(std::move(run_hooks)),
        rewards(make_rewards(run_context, run_options, hooks.remark)),
        engine(
            run_context, text, trained.adapter(), run_options,
            std::max(longest_prompt(run_questions), held_back == nullptr ? 0 : longest_prompt(*held_back))),
        order(std::ssize(run_questions.all), run_options.seed),
        step(run_context,
             {&trained.decoder(), &trained.parameters(), trained.adapter(), run_options.lora.dropout,
              run_options.seed,
              [this](Context& used) {
                model.refresh(used);
                engine.weights_changed();
              }},
             run_options, storage) {
    if (!hooks.seconds) hooks.seconds = system_seconds;
    if (loss.kl > 0) reference.emplace(context, model);
    run.steps = options.max_steps;
    if (run.steps == 0) {
      const double asked = options.epochs * static_cast<double>(questions.all.size());
      run.steps = std::max<int64_t>(
          1, static_cast<int64_t>(std::ceil(asked / static_cast<double>(options.questions))));
    }
    run.fingerprint = fingerprint_of(questions, trained.parameters());
    run.settings = weight_settings(options, TrainingStage::grpo);
    run.settings["rewards"] = fmt::format("{}", fmt::join(options.rewards, ","));
    if (const std::string base = trained.base_identity(); !base.empty()) run.settings["base"] = base;
    sampling.temperature = static_cast<float>(options.temperature);
    sampling.top_p = static_cast<float>(options.top_p);
  }

  Context& context;
  TrainedModel& model;
  TrainingOptions options;
  PolicyLoss loss;
  const Questions& questions;
  const Questions* evaluation;
  PolicyHooks hooks;
  std::vector<WeightedReward> rewards;
  RolloutEngine engine;
  QuestionOrder order;
  TrainingStep step;
  std::optional<ReferencePolicy> reference;
  SamplingOptions sampling;
  RunState run;

  bool is_stopping() const { return hooks.stop_requested && hooks.stop_requested(); }

  ScoredRollouts score(std::vector<Rollout> rollouts) const {
    ScoredRollouts scored;
    scored.rollouts = std::move(rollouts);
    std::vector<Answer> answers;
    answers.reserve(scored.rollouts.size());
    for (const Rollout& rollout : scored.rollouts) answers.push_back(rollout.answer);
    scored.rewards.assign(answers.size(), 0);
    for (const WeightedReward& weighted : rewards) {
      scored.names.push_back(weighted.name);
      scored.parts.push_back(weighted.reward->score(answers));
      for (size_t i = 0; i < answers.size(); ++i)
        scored.rewards[i] += weighted.weight * scored.parts.back()[i];
    }
    return scored;
  }

  /// Answers without a reward take no part in their group.
  void compute_advantages(ScoredRollouts& scored) const {
    std::vector<double> known;
    std::vector<int64_t> groups;
    for (size_t i = 0; i < scored.rewards.size(); ++i) {
      if (!std::isfinite(scored.rewards[i])) continue;
      known.push_back(scored.rewards[i]);
      groups.push_back(scored.rollouts[i].group);
    }
    const std::vector<double> advantages = advantages_of(loss.advantage, known, groups);
    scored.advantages.assign(scored.rewards.size(), 0);
    size_t next = 0;
    for (size_t i = 0; i < scored.rewards.size(); ++i) {
      if (std::isfinite(scored.rewards[i])) scored.advantages[i] = advantages[next++];
    }
  }

  ScoredRollouts sample_group(int64_t count, uint64_t seed, int64_t first_group) {
    std::vector<const Question*> asked;
    asked.reserve(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) asked.push_back(&questions.all[order.at(run.batch++)]);
    std::vector<Rollout> rollouts =
        engine.sample(asked, options.group, sampling, seed, [this] { return is_stopping(); });
    for (Rollout& rollout : rollouts) rollout.answer.group = rollout.group += first_group;
    return score(std::move(rollouts));
  }

  /// The answers that a step learns from.
  ScoredRollouts sample_step() {
    const uint64_t seed = random_bits(options.seed, static_cast<uint64_t>(run.step));
    ScoredRollouts all = sample_group(options.questions, seed, 0);
    if (options.dynamic_sampling) {
      int64_t drawn = options.questions;
      int64_t kept = keep_informative(all);
      for (uint64_t round = 1; kept < options.questions && drawn < kMaxDraws * options.questions; ++round) {
        const int64_t count = std::min(options.questions - kept, kMaxDraws * options.questions - drawn);
        ScoredRollouts more = sample_group(count, mix_bits(seed ^ round), drawn);
        drawn += count;
        kept += keep_informative(more);
        append(all, std::move(more));
      }
      if (all.rollouts.empty() && hooks.remark) {
        hooks.remark(
            fmt::format("step {}: all answers to each of {} questions got the same reward: nothing is learnt",
                        run.step + 1, drawn));
      }
    }
    compute_advantages(all);
    return all;
  }

  StepReport train_step(ScoredRollouts& scored) {
    const double begin = hooks.seconds();
    RolloutMetrics metrics;
    scored = sample_step();
    const double sampled = hooks.seconds();
    metrics.add_rollouts(scored, options);
    const std::vector<std::vector<size_t>> parts =
        deal(scored.rollouts.size(), options.minibatches,
             random_bits(~options.seed, static_cast<uint64_t>(run.step)));
    const double rate = scheduled_rate(options, run.step + 1, run.steps);
    const auto updates = static_cast<int64_t>(parts.size()) * options.inner_epochs;
    double loss_sum = 0, norm_sum = 0;
    int64_t update = 0;
    for (int64_t epoch = 0; epoch < options.inner_epochs; ++epoch) {
      for (const std::vector<size_t>& part : parts) {
        const std::vector<TrainingBatch> batches =
            make_batches(scored, part, options, engine.known(), sampling.temperature);
        const int64_t number = run.step * options.minibatches * options.inner_epochs + update;
        step.begin(number + 1, number);
        const double part_loss = learn(batches, update == 0, metrics);
        norm_sum += step.finish(part_loss, rate);
        loss_sum += part_loss;
        ++update;
      }
    }
    ++run.step;
    run.epoch = run.batch / std::ssize(questions.all);
    if (reference && options.reference_steps > 0 && run.step % options.reference_steps == 0)
      reference->capture(context);
    const double trained = hooks.seconds();
    metrics.add_times(engine.last(), sampled - begin, trained - sampled);
    StepReport report;
    report.step = run.step;
    report.steps = run.steps;
    report.epoch = static_cast<double>(run.batch) / static_cast<double>(questions.all.size());
    report.loss = updates > 0 ? loss_sum / static_cast<double>(updates) : 0;
    report.learning_rate = rate;
    report.gradient_norm = updates > 0 ? norm_sum / static_cast<double>(updates) : 0;
    report.metrics = metrics.values();
    return report;
  }

  /// The gradients of one change of the weights. `fresh`: the weights are those that sampled.
  double learn(const std::vector<TrainingBatch>& batches, bool fresh, RolloutMetrics& metrics) {
    PolicyUnits units;
    for (const TrainingBatch& batch : batches) {
      units.sequences += learnt_sequences(batch);
      units.tokens += batch.target_count();
    }
    double total = 0;
    bool first = true;
    for (const TrainingBatch& batch : batches) {
      run.tokens += batch.rows();
      if (batch.target_count() == 0) continue;
      if (!std::exchange(first, false)) step.next_pass();
      std::vector<float> reference_log_probs;
      if (reference) reference_log_probs = step.log_probs(batch, reference->policy());
      TrainingPass pass = step.pass(batch);
      const bool without_dropout = options.lora.dropout == 0 || model.adapter() == nullptr;
      LossSums sums;
      if (fresh && without_dropout) {
        // Sampler and trainer give the same log-probabilities, bit for bit, so the derivatives are known before the pass
        // over the logits; what the pass finds is compared.
        sums = policy_gradient_loss(loss, batch, batch.sampled_log_probs, reference_log_probs, units);
        std::vector<float> found(batch.tokens.size());
        pass.backward(sums.coefficients, found.data());
        metrics.add_mismatch(batch, found);
      } else {
        sums = policy_gradient_loss(loss, batch, pass.log_probs(), reference_log_probs, units);
        pass.backward(sums.coefficients);
      }
      total += sums.loss;
      metrics.add_loss(sums);
    }
    return total;
  }

  std::filesystem::path reference_folder() const {
    return std::filesystem::path(options.output) / "reference";
  }

  void save() {
    if (reference && options.reference_steps > 0) {
      write_checkpoint(reference_folder(), run.step, to_json(run), reference->parameters(), step.optimiser(),
                       options.keep_checkpoints);
    }
    write_checkpoint(options.output, run.step, to_json(run), step.store(), step.optimiser(),
                     options.keep_checkpoints);
  }

  std::vector<std::pair<std::string, double>> evaluate(const Questions& asked) {
    std::vector<const Question*> pointers;
    pointers.reserve(asked.all.size());
    for (const Question& question : asked.all) pointers.push_back(&question);
    constexpr uint64_t kEvaluationStream = 0x6576616c;  // the same draws at every evaluation
    ScoredRollouts scored =
        score(engine.sample(pointers, options.eval_group, sampling,
                            random_bits(options.seed, kEvaluationStream), [this] { return is_stopping(); }));
    scored.advantages.assign(scored.rewards.size(), 0);
    RolloutMetrics metrics;
    metrics.add_rollouts(scored, options);
    return metrics.values();
  }
};

PolicyTrainer::PolicyTrainer(Context& context, TrainedModel& model, const TextModel& text,
                             const TrainingOptions& options, const Questions& questions,
                             const Questions* evaluation, ActivationStorage storage, PolicyHooks hooks)
    : state_(std::make_unique<State>(context, model, text, options, questions, evaluation, storage,
                                     std::move(hooks))) {}

PolicyTrainer::~PolicyTrainer() = default;

const RunState& PolicyTrainer::state() const {
  return state_->run;
}

int64_t PolicyTrainer::steps() const {
  return state_->run.steps;
}

size_t PolicyTrainer::rollout_bytes() const {
  return state_->engine.bytes();
}

std::vector<std::pair<std::string, double>> PolicyTrainer::evaluate(const Questions& questions) {
  return state_->evaluate(questions);
}

bool PolicyTrainer::resume() {
  State& trainer = *state_;
  const auto found = find_checkpoint(trainer.options.output, trainer.hooks.remark);
  if (!found) return false;
  RunState state = read_run_state(read_progress(*found), found->string());
  require_same_run(found->string(), state, trainer.run);
  if (trainer.reference && trainer.options.reference_steps > 0) {
    const auto reference = trainer.reference_folder() / "checkpoints" / found->filename();
    read_checkpoint(reference, trainer.reference->parameters(), trainer.step.optimiser());
  }
  read_checkpoint(*found, trainer.step.store(), trainer.step.optimiser());
  state.settings = trainer.run.settings;
  state.steps = trainer.run.steps;
  trainer.run = std::move(state);
  return true;
}

TrainingEnd PolicyTrainer::run() {
  State& trainer = *state_;
  RunState& run = trainer.run;
  const PolicyHooks& hooks = trainer.hooks;
  const TrainingOptions& options = trainer.options;
  const double start = hooks.seconds(), seconds_before = run.seconds;
  const int64_t first_step = run.step;
  const auto is_due = [&](int64_t every) { return every > 0 && run.step % every == 0; };
  TrainingEnd end = TrainingEnd::finished;
  trainer.step.announce_weights();
  if (run.step == 0 && trainer.evaluation != nullptr && hooks.on_evaluation) {
    hooks.on_evaluation(0, trainer.evaluate(*trainer.evaluation));
  }
  while (run.step < run.steps && end == TrainingEnd::finished) {
    const RunState before = run;
    try {
      const double step_start = hooks.seconds();
      const int64_t tokens_before = run.tokens;
      ScoredRollouts scored;
      StepReport report = trainer.train_step(scored);
      run.seconds = seconds_before + hooks.seconds() - start;
      report.seconds = run.seconds;
      report.tokens = run.tokens;
      report.tokens_per_second =
          static_cast<double>(run.tokens - tokens_before) / std::max(1e-9, hooks.seconds() - step_start);
      report.seconds_left = (hooks.seconds() - start) / static_cast<double>(run.step - first_step) *
                            static_cast<double>(run.steps - run.step);
      if (hooks.on_step) hooks.on_step(report, scored);
      const bool last = run.step == run.steps;
      if (trainer.evaluation != nullptr && hooks.on_evaluation && (last || is_due(options.eval_steps))) {
        hooks.on_evaluation(run.step, trainer.evaluate(*trainer.evaluation));
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::cancelled) throw;
      // Rollouts change nothing: the step, or its evaluation, is done again.
      if (run.step == before.step) run = before;
      end = TrainingEnd::stopped;
    }
    if (trainer.is_stopping()) end = TrainingEnd::stopped;
    if (run.step == run.steps || end != TrainingEnd::finished || is_due(options.save_steps)) trainer.save();
  }
  return end;
}

}  // namespace r1::rl
