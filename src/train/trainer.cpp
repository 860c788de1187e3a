#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/random.h"
#include "train/checkpoint.h"
#include "train/data_steps.h"
#include "train/objective.h"
#include "train/options_check.h"
#include "train/training_step.h"

namespace r1 {
namespace {

// Steps over which running mean and variance of the loss are taken: with weights that fall by 1/50 a step,
// once there are so many (Finch, Incremental calculation of weighted mean and variance, 2009).
constexpr int64_t kLossWindow = 50;
// Less than a nat more (the tokens' probability on average not even divided by e) is no divergence, however
// even the loss was before.
constexpr double kLeastSpike = 1;

double system_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The name of the parameter with the largest gradient.
std::string steepest_parameter(const ParameterStore& store) {
  std::string name;
  double largest = -1;
  for (const Parameter& parameter : store.all()) {
    double sum = 0;
    for (int64_t i = 0; i < parameter.count; ++i)
      sum += static_cast<double>(parameter.gradient[i]) * parameter.gradient[i];
    if (sum <= largest) continue;
    largest = sum;
    name = parameter.name;
  }
  return name;
}

// Of the data and of what is trained; options are compared by name (weight_settings).
uint64_t fingerprint_of(const BatchSource& batches, const ParameterStore& store) {
  uint64_t hash = batches.fingerprint();
  auto add = [&](uint64_t value) { hash = mix_bits(hash ^ value); };
  for (const Parameter& parameter : store.all()) {
    for (const char c : parameter.name) add(static_cast<unsigned char>(c));
    add(static_cast<uint64_t>(parameter.count));
  }
  return hash;
}

/// Sums over the steps since the last line of the log.
struct LogWindow {
  double loss = 0, norm = 0;
  Metrics metrics;
  int64_t steps = 0;
  int64_t tokens_before = 0;
  double start = 0;  // seconds; moved on by what is no training
};

}  // namespace

struct Trainer::State {
  State(Context& context, const Decoder& model, ParameterStore& store, const TrainingOptions& run_options,
        const BatchSource& batches, const BatchSource* held_back, ActivationStorage storage,
        TrainerHooks run_hooks, const TrainerParts& parts)
      : options(run_options),
        evaluation(held_back),
        hooks(std::move(run_hooks)),
        batches_of_epochs(options.max_steps > 0 ? 0 : batches_in(batches, options.epochs)),
        data(batches, options.accumulation, batches_of_epochs),
        step(context,
             {&model, &store, parts.adapter, options.lora.dropout, options.seed, parts.weights_changed},
             options, storage),
        objective(make_objective(parts.stage, options,
                                 {{parts.reference, parts.reference_adapter}, parts.score, hooks.remark})) {
    if (!hooks.seconds) hooks.seconds = system_seconds;
    set_steps();
    run.fingerprint = fingerprint_of(batches, store);
    run.settings = weight_settings(options, parts.stage);
    if (!parts.base.empty()) run.settings["base"] = parts.base;
    if (options.warmup_steps >= run.steps && hooks.remark) {
      hooks.remark(fmt::format("warmup_steps: {} of {} steps: the learning rate never reaches {}",
                               options.warmup_steps, run.steps, options.learning_rate));
    }
  }

  TrainingOptions options;
  const BatchSource* evaluation;
  TrainerHooks hooks;
  int64_t batches_of_epochs;  // 0: max_steps counts
  DataSteps data;
  TrainingStep step;
  std::unique_ptr<Objective> objective;
  RunState run;
  Metrics metrics;  // of the last step
  LogWindow window;

  void set_steps() {
    run.steps = options.max_steps;
    if (options.max_steps > 0) return;
    const int64_t whole = batches_of_epochs / options.accumulation;
    const bool rest = batches_of_epochs % options.accumulation != 0;
    run.steps = run.drops_rest ? std::max<int64_t>(1, whole) : whole + (rest ? 1 : 0);
    data.set_total(run.drops_rest ? 0 : batches_of_epochs);
  }

  /// One step of the optimiser.
  StepReport train_step() {
    const std::vector<TrainingBatch> batches = data.next_step();
    int64_t units = 0;
    for (const TrainingBatch& batch : batches) units += objective->units(batch);
    step.begin(run.step + 1, run.step * options.accumulation);
    metrics.clear();
    double loss = 0;
    for (size_t i = 0; i < batches.size(); ++i) {
      if (i > 0) step.next_pass();
      run.tokens += batches[i].rows();
      if (objective->units(batches[i]) == 0) continue;
      const LossSums sums = objective->run(step, batches[i], units, true);
      loss += sums.loss;
      for (const auto& [name, value] : sums.metrics) metrics[name] += value;
    }
    const double rate = scheduled_rate(options, run.step + 1, run.steps);
    const double norm = step.finish(loss, rate, [&](double found) { watch_loss(loss, found); });
    run.epoch = data.place().epoch, run.batch = data.place().batch;
    ++run.step;
    StepReport report;
    report.step = run.step;
    report.steps = run.steps;
    report.epoch = data.epoch();
    report.loss = loss;
    report.learning_rate = rate;
    report.gradient_norm = norm;
    report.tokens = run.tokens;
    report.metrics = metric_values(metrics);
    return report;
  }

  void watch_loss(double loss, double norm) {
    const double excess = loss - run.loss_mean;
    const double deviation = std::sqrt(run.loss_variance);
    if (options.spike > 0 && run.loss_count >= kLossWindow &&
        excess > std::max(kLeastSpike, options.spike * deviation)) {
      throw_error(ErrorKind::invalid_argument,
                  "step {}: the loss jumped to {:.4f} from a mean of {:.4f} with a deviation of {:.4f} "
                  "(gradient norm {:.3g}, most of it in '{}'); stopped: the limit is spike = {} deviations, "
                  "and at least {}",
                  run.step + 1, loss, run.loss_mean, deviation, norm, steepest_parameter(step.store()),
                  options.spike, kLeastSpike);
    }
    ++run.loss_count;
    const double weight = 1.0 / static_cast<double>(std::min(run.loss_count, kLossWindow));
    run.loss_mean += weight * excess;
    run.loss_variance = (1 - weight) * (run.loss_variance + weight * excess * excess);
  }

  void report_step(StepReport report, double start, int64_t first_step) {
    const double now = hooks.seconds();
    window.loss += report.loss;
    window.norm += report.gradient_norm;
    for (const auto& [name, mean] : metrics) window.metrics[name] += mean;
    ++window.steps;
    report.seconds = run.seconds;
    report.tokens_per_second =
        static_cast<double>(run.tokens - window.tokens_before) / std::max(1e-9, now - window.start);
    report.seconds_left = (now - start) / static_cast<double>(run.step - first_step) *
                          static_cast<double>(run.steps - run.step);
    if (hooks.on_step) hooks.on_step(report);
    const bool due = options.log_steps > 0 && run.step % options.log_steps == 0;
    if (!due && run.step != run.steps) return;
    report.loss = window.loss / static_cast<double>(window.steps);
    report.gradient_norm = window.norm / static_cast<double>(window.steps);
    report.metrics = metric_values(window.metrics);
    if (hooks.on_log) hooks.on_log(report);
    window = {};
    window.tokens_before = run.tokens;
    window.start = hooks.seconds();
  }

  EvaluationReport evaluate(const BatchSource& source) {
    EvaluationReport report;
    report.step = run.step;
    report.epoch = data.epoch();
    double sum = 0;
    int64_t units = 0;
    Metrics means;
    for (int64_t i = 0; i < source.batches(0); ++i) {
      const TrainingBatch batch = source.batch(0, i);
      const int64_t units_of_batch = objective->units(batch);
      if (units_of_batch == 0) continue;
      const LossSums sums = objective->run(step, batch, 1, false);
      sum += sums.loss;
      for (const auto& [name, mean] : sums.metrics) means[name] += mean;
      units += units_of_batch;
      report.targets += batch.target_count();
    }
    report.loss = units > 0 ? sum / static_cast<double>(units) : 0;
    report.metrics = metric_values(means, "eval_");
    return report;
  }

  /// False: no evaluation got better for a while.
  bool evaluate_and_keep_best() {
    EvaluationReport report = evaluate(*evaluation);
    report.best = run.best_step == 0 || report.loss < run.best_loss;
    if (report.best) {
      run.best_loss = report.loss;
      run.best_step = run.step;
      run.evaluations_since_best = 0;
      if (hooks.save_best) hooks.save_best();
    } else {
      ++run.evaluations_since_best;
    }
    if (hooks.on_evaluation) hooks.on_evaluation(report);
    return options.patience == 0 || run.evaluations_since_best < options.patience;
  }

  void save() {
    write_checkpoint(options.output, run.step, to_json(run), step.store(), step.optimiser(),
                     options.keep_checkpoints);
  }
};

Trainer::Trainer(Context& context, const Decoder& model, ParameterStore& store,
                 const TrainingOptions& options, const BatchSource& batches, const BatchSource* evaluation,
                 ActivationStorage storage, TrainerHooks hooks, const TrainerParts& parts)
    : state_(std::make_unique<State>(context, model, store, options, batches, evaluation, storage,
                                     std::move(hooks), parts)) {}

Trainer::~Trainer() = default;

const RunState& Trainer::state() const {
  return state_->run;
}

int64_t Trainer::steps() const {
  return state_->run.steps;
}

bool Trainer::resume() {
  State& trainer = *state_;
  const auto found = find_checkpoint(trainer.options.output, trainer.hooks.remark);
  if (!found) return false;
  const RunState expected = trainer.run;
  RunState state = read_run_state(read_progress(*found), found->string());
  require_same_run(found->string(), state, expected);
  const int64_t scheduled = state.steps;
  state.settings = expected.settings;
  trainer.run = std::move(state);
  trainer.set_steps();
  const RunState& run = trainer.run;
  const int64_t steps = run.steps;
  if (run.step > steps) {
    const int64_t done = run.step;
    trainer.run = expected;
    throw_error(ErrorKind::invalid_argument,
                "{}: {} steps are done, more than the {} of this run: more max_steps or epochs",
                found->string(), done, steps);
  }
  if (scheduled > 0 && scheduled != steps && run.step > 0 && trainer.hooks.remark &&
      scheduled_rate(trainer.options, run.step, scheduled) !=
          scheduled_rate(trainer.options, run.step, steps)) {
    trainer.hooks.remark(fmt::format(
        "the learning rate was scheduled for {} steps and now is for {}: behind step {} it is {:.3g}, not "
        "{:.3g}",
        scheduled, steps, run.step, scheduled_rate(trainer.options, std::min(run.step + 1, steps), steps),
        scheduled_rate(trainer.options, std::min(run.step + 1, scheduled), scheduled)));
  }
  read_checkpoint(*found, trainer.step.store(), trainer.step.optimiser());
  trainer.data.set_place({run.epoch, run.batch}, run.step);
  return true;
}

EvaluationReport Trainer::evaluate(const BatchSource& source) {
  return state_->evaluate(source);
}

TrainingEnd Trainer::run() {
  State& trainer = *state_;
  RunState& run = trainer.run;
  const TrainerHooks& hooks = trainer.hooks;
  const TrainingOptions& options = trainer.options;
  const double start = hooks.seconds(), seconds_before = run.seconds;
  const int64_t first_step = run.step;
  trainer.window = {};
  trainer.window.tokens_before = run.tokens;
  trainer.window.start = start;
  const auto is_due = [&](int64_t every) { return every > 0 && run.step % every == 0; };
  TrainingEnd end = TrainingEnd::finished;
  trainer.step.announce_weights();
  while (run.step < run.steps && end == TrainingEnd::finished) {
    StepReport report = trainer.train_step();
    run.seconds = seconds_before + hooks.seconds() - start;
    trainer.report_step(std::move(report), start, first_step);
    const double trained = hooks.seconds();
    const bool last = run.step == run.steps;
    if (trainer.evaluation != nullptr && (last || is_due(options.eval_steps))) {
      if (!trainer.evaluate_and_keep_best()) end = TrainingEnd::stopped_early;
    }
    if (hooks.stop_requested && hooks.stop_requested()) end = TrainingEnd::stopped;
    if (last || end != TrainingEnd::finished || is_due(options.save_steps)) trainer.save();
    trainer.window.start += hooks.seconds() - trained;
  }
  return end;
}

}  // namespace r1
