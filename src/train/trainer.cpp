#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "kernels/training.h"
#include "train/loss.h"
#include "train/options_check.h"

namespace r1 {
namespace {

using Clock = std::chrono::steady_clock;

// Steps over which running mean and variance of the loss are taken: with weights that fall by 1/50 a step,
// once there are so many (Finch, Incremental calculation of weighted mean and variance, 2009).
constexpr int64_t kLossWindow = 50;
// Less than a nat more (the tokens' chance on average not even divided by e) is no divergence, however even
// the loss was before.
constexpr double kLeastSpike = 1;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool is_finite(std::span<const float> values) {
  // A sum is not finite if one of its terms is not; finite terms of this size do not overflow in double.
  double sum = 0;
  for (const float value : values) sum += value;
  return std::isfinite(sum);
}

// "gradient of NAME", the first that is not finite.
std::string broken_tensor(const ParameterStore& store) {
  for (const Parameter& own : store.all()) {
    if (!is_finite({own.values, static_cast<size_t>(own.count)})) return "weight '" + own.name + "'";
  }
  for (const Parameter& own : store.all()) {
    if (!is_finite({own.gradient, static_cast<size_t>(own.count)})) return "gradient of '" + own.name + "'";
  }
  return "the loss alone";
}

// The name of the parameter with the largest gradient.
std::string steepest_parameter(const ParameterStore& store) {
  std::string name;
  double most = -1;
  for (const Parameter& own : store.all()) {
    double sum = 0;
    for (int64_t i = 0; i < own.count; ++i) sum += static_cast<double>(own.gradient[i]) * own.gradient[i];
    if (sum > most) {
      most = sum;
      name = own.name;
    }
  }
  return name;
}

// Micro-batches in `epochs` (a fraction counts the beginning of the last one).
int64_t batches_in(const BatchSource& batches, double epochs) {
  int64_t count = 0;
  const auto whole = static_cast<int64_t>(epochs);
  for (int64_t epoch = 0; epoch < whole; ++epoch) count += batches.batches(epoch);
  const double rest = epochs - static_cast<double>(whole);
  if (rest > 0) count += static_cast<int64_t>(rest * static_cast<double>(batches.batches(whole)));
  return count;
}

// Of the data and of what is trained; options are compared by name (settings_of).
uint64_t fingerprint_of(const BatchSource& batches, const ParameterStore& store) {
  uint64_t hash = batches.fingerprint();
  auto add = [&](uint64_t value) { hash = mix_bits(hash ^ value); };
  for (const Parameter& own : store.all()) {
    for (const char c : own.name) add(static_cast<unsigned char>(c));
    add(static_cast<uint64_t>(own.count));
  }
  return hash;
}

// What determines the weights besides the data, and may not change when a run goes on. Not here: the number
// of steps, which may grow, and what only says when something is written.
std::map<std::string, std::string> settings_of(const TrainingOptions& options, TrainingStage stage) {
  static const std::set<std::string_view> kNames = {"sequence_length",
                                                    "packing",
                                                    "batch_tokens",
                                                    "accumulation",
                                                    "train_on",
                                                    "tuning",
                                                    "base_type",
                                                    "lora_rank",
                                                    "lora_alpha",
                                                    "lora_plus",
                                                    "rslora",
                                                    "lora_dropout",
                                                    "dora",
                                                    "pissa",
                                                    "beta",
                                                    "orpo_lambda",
                                                    "desirable_weight",
                                                    "undesirable_weight",
                                                    "learning_rate",
                                                    "final_rate",
                                                    "schedule",
                                                    "warmup_steps",
                                                    "warmup_share",
                                                    "optimiser",
                                                    "beta1",
                                                    "beta2",
                                                    "epsilon",
                                                    "momentum",
                                                    "weight_decay",
                                                    "clip",
                                                    "seed"};
  std::map<std::string, std::string> settings = {{"stage", std::string(name_of(stage))}};
  TrainingOptions own = options;
  visit_training_options(own, [&](const char* name, const auto& value, const char*) {
    if constexpr (fmt::is_formattable<decltype(value)>::value) {
      if (kNames.contains(name)) settings.emplace(name, fmt::format("{}", value));
    }
  });
  return settings;
}

}  // namespace

struct Trainer::State {
  State(Context& own_context, const Decoder& own_model, ParameterStore& own_store,
        const TrainingOptions& own_options, const BatchSource& own_batches, const BatchSource* own_evaluation,
        Keep own_keep, TrainerHooks own_hooks, const TrainerParts& own_parts)
      : context(own_context),
        model(own_model),
        store(own_store),
        options(own_options),
        batches(own_batches),
        evaluation(own_evaluation),
        keep(own_keep),
        hooks(std::move(own_hooks)),
        parts(own_parts),
        optimiser(make_optimiser(options, store)),
        cache(model) {
    if (options.accumulation < 1) {
      throw_error(ErrorKind::invalid_argument, "accumulation: expected at least 1, found {}",
                  options.accumulation);
    }
    steps = options.max_steps > 0
                ? options.max_steps
                : std::max<int64_t>(1, batches_in(batches, options.epochs) / options.accumulation);
    loss_options = {options.beta, options.orpo_lambda, options.desirable_weight, options.undesirable_weight};
    run.fingerprint = fingerprint_of(batches, store);
    run.settings = settings_of(options, parts.stage);
    if (!parts.base.empty()) run.settings["base"] = parts.base;
    if (options.warmup_steps >= steps && hooks.remark) {
      hooks.remark(fmt::format("warmup_steps: {} of {} steps: the learning rate never reaches {}",
                               options.warmup_steps, steps, options.learning_rate));
    }
    scheduled_rate(options, 1, steps);  // refuses an unknown schedule now
  }

  Context& context;
  const Decoder& model;
  ParameterStore& store;
  TrainingOptions options;
  const BatchSource& batches;
  const BatchSource* evaluation;
  Keep keep;
  TrainerHooks hooks;
  TrainerParts parts;
  LossOptions loss_options;
  Metrics metrics;  // of the last step
  std::unique_ptr<Optimiser> optimiser;
  TrainingCache cache;
  RunState run;
  int64_t steps = 0;
  bool alone_remarked = false;

  double epoch() const {
    return static_cast<double>(run.epoch) +
           static_cast<double>(run.batch) / static_cast<double>(batches.batches(run.epoch));
  }

  TrainingBatch next_batch() {
    TrainingBatch batch = batches.batch(run.epoch, run.batch);
    if (++run.batch == batches.batches(run.epoch)) {
      run.batch = 0;
      ++run.epoch;
    }
    return batch;
  }

  /// Dropout for one forward and backward: a function of seed, step and place in the step.
  void set_dropout(double rate, int64_t micro_batch) {
    if (parts.adapter == nullptr) return;
    const auto place = static_cast<uint64_t>(run.step * options.accumulation + micro_batch);
    parts.adapter->set_dropout({rate, mix_bits(mix_bits(options.seed) ^ place)});
  }

  /// The loss of one batch, a part of `units`; adds its gradients where wanted.
  LossSums run_batch(const TrainingBatch& batch, int64_t units, bool gradients) {
    const Keep kept = gradients ? keep : Keep::layer_inputs;
    if (parts.stage == TrainingStage::reward) return run_scores(batch, units, gradients, kept);
    std::vector<float> reference;
    if (parts.stage == TrainingStage::dpo || parts.stage == TrainingStage::kto) {
      reference = TrainingPass(context, *parts.reference, {}, cache, batch, Keep::layer_inputs).log_probs();
    }
    const double point = parts.stage == TrainingStage::kto ? kto_point(batch) : 0;
    TrainingPass pass(context, model, store.gradients(), cache, batch, kept, parts.adapter);
    const bool simple = parts.stage == TrainingStage::sft || parts.stage == TrainingStage::pretrain;
    std::vector<float> log_probs(batch.tokens.size());
    if (!gradients || !simple) log_probs = pass.log_probs();
    LossSums sums = token_loss(parts.stage, loss_options, batch, log_probs, reference, units, point);
    if (!gradients) return sums;
    pass.backward(sums.coefficients, log_probs.data());
    // Plain cross-entropy knows its derivatives before its value: one run over the logits is enough.
    if (simple) sums = token_loss(parts.stage, loss_options, batch, log_probs, reference, units, point);
    return sums;
  }

  /// kto: the reference point of a pass.
  double kto_point(const TrainingBatch& batch) {
    const TrainingBatch other = mismatched_answers(batch);
    if (other.sequences.empty()) {
      if (!alone_remarked && hooks.remark) {
        hooks.remark(
            "kto: some passes hold one answer only: their reference point is 0, as there is no other answer "
            "to take it from; a larger batch_tokens or packing = first-fit puts more into a pass");
      }
      alone_remarked = true;
      return 0;
    }
    auto log_probs = [&](const Decoder& own, const Adapter* adapter) {
      return TrainingPass(context, own, {}, cache, other, Keep::layer_inputs, adapter).log_probs();
    };
    return reference_point(other, log_probs(model, parts.adapter), log_probs(*parts.reference, nullptr));
  }

  /// The scalar of each sequence: score · the last row.
  LossSums run_scores(const TrainingBatch& batch, int64_t units, bool gradients, Keep kept) {
    TrainingPass pass(context, model, store.gradients(), cache, batch, kept, parts.adapter);
    const int64_t hidden = model.info().hidden;
    const kernels::KernelTable& table = context.kernels();
    std::vector<float> scores, derivatives(batch.sequences.size());
    auto last_row = [&](const PackedSequence& own) { return (own.first_row + own.rows - 1) * hidden; };
    for (const PackedSequence& own : batch.sequences) {
      scores.push_back(table.training->dot(parts.score->values, pass.hidden() + last_row(own), hidden));
    }
    LossSums sums = reward_loss(batch, scores, units, derivatives);
    if (!gradients) return sums;
    float* gradient = pass.hidden_tape().add_to_zeroed(context.arena(), pass.hidden(), batch.rows() * hidden);
    for (size_t i = 0; i < batch.sequences.size(); ++i) {
      const int64_t at = last_row(batch.sequences[i]);
      table.add_scaled(gradient + at, parts.score->values, derivatives[i], hidden);
      table.add_scaled(parts.score->gradient, pass.hidden() + at, derivatives[i], hidden);
    }
    pass.finish_backward();
    return sums;
  }

  /// Gradients of one step; its loss.
  double gather_gradients() {
    std::vector<TrainingBatch> batches_of_step;
    int64_t units = 0;
    for (int64_t i = 0; i < options.accumulation; ++i) {
      batches_of_step.push_back(next_batch());
      units += loss_units(parts.stage, batches_of_step.back());
    }
    store.clear_gradients(context);
    metrics.clear();
    double loss = 0;
    for (size_t i = 0; i < batches_of_step.size(); ++i) {
      const TrainingBatch& batch = batches_of_step[i];
      run.tokens += batch.rows();
      if (loss_units(parts.stage, batch) == 0) continue;
      set_dropout(options.lora.dropout, static_cast<int64_t>(i));
      const LossSums sums = run_batch(batch, units, true);
      set_dropout(0, 0);
      loss += sums.loss;
      for (const auto& [name, value] : sums.metrics) metrics[name] += value;
    }
    return loss;
  }

  void check(double loss, double norm) {
    if (!std::isfinite(loss) || !std::isfinite(norm)) {
      throw_error(
          ErrorKind::invalid_argument,
          "step {}: loss {}, gradient norm {}: {} holds a value that is not finite; a lower learning rate "
          "or --resume from a checkpoint before it may help",
          run.step + 1, loss, norm, broken_tensor(store));
    }
    const double excess = loss - run.loss_mean;
    const double deviation = std::sqrt(run.loss_variance);
    if (options.spike > 0 && run.loss_count >= kLossWindow &&
        excess > std::max(kLeastSpike, options.spike * deviation)) {
      throw_error(ErrorKind::invalid_argument,
                  "step {}: the loss jumped to {:.4f} from a mean of {:.4f} with a deviation of {:.4f} "
                  "(gradient norm {:.3g}, most of it in '{}'); stopped: the limit is spike = {} deviations, "
                  "and {} at least",
                  run.step + 1, loss, run.loss_mean, deviation, norm, steepest_parameter(store),
                  options.spike, kLeastSpike);
    }
    ++run.loss_count;
    const double weight = 1.0 / static_cast<double>(std::min(run.loss_count, kLossWindow));
    run.loss_mean += weight * excess;
    run.loss_variance = (1 - weight) * (run.loss_variance + weight * excess * excess);
  }

  void save() { write_checkpoint(options.output, run, store, *optimiser, options.keep_checkpoints); }

  void evaluate(const BatchSource& source, EvaluationReport& report) {
    double sum = 0;
    int64_t units = 0;
    Metrics means;
    for (int64_t i = 0; i < source.batches(0); ++i) {
      const TrainingBatch batch = source.batch(0, i);
      const int64_t own = loss_units(parts.stage, batch);
      if (own == 0) continue;
      const LossSums sums = run_batch(batch, 1, false);
      sum += sums.loss;
      for (const auto& [name, mean] : sums.metrics) means[name] += mean;
      units += own;
      report.targets += batch.target_count();
    }
    report.loss = units > 0 ? sum / static_cast<double>(units) : 0;
    report.metrics = metric_values(means, "eval_");
  }
};

Trainer::Trainer(Context& context, const Decoder& model, ParameterStore& store,
                 const TrainingOptions& options, const BatchSource& batches, const BatchSource* evaluation,
                 Keep keep, TrainerHooks hooks, const TrainerParts& parts)
    : state_(std::make_unique<State>(context, model, store, options, batches, evaluation, keep,
                                     std::move(hooks), parts)) {}

Trainer::~Trainer() = default;

const RunState& Trainer::state() const {
  return state_->run;
}

int64_t Trainer::steps() const {
  return state_->steps;
}

bool Trainer::resume() {
  State& own = *state_;
  const auto found = find_checkpoint(own.options.output, own.hooks.remark);
  if (!found) return false;
  const RunState expected = own.run;
  RunState state = read_run_state(*found);
  for (const auto& [name, value] : state.settings) {
    const auto now = expected.settings.find(name);
    if (now == expected.settings.end() || now->second == value) continue;
    throw_error(ErrorKind::invalid_argument,
                "{}: {}: expected {} as the run began, found {}; use its options, or overwrite to begin anew",
                found->string(), name, value, now->second);
  }
  if (state.fingerprint != expected.fingerprint) {
    throw_error(ErrorKind::invalid_argument,
                "{}: belongs to a run with other data or trained weights; use its options, or --overwrite",
                found->string());
  }
  if (state.step > own.steps) {
    throw_error(ErrorKind::invalid_argument,
                "{}: {} steps are done, more than the {} of this run: more max_steps or epochs",
                found->string(), state.step, own.steps);
  }
  read_checkpoint(*found, own.store, *own.optimiser);
  state.settings = expected.settings;
  own.run = std::move(state);
  return true;
}

EvaluationReport Trainer::evaluate(const BatchSource& source) {
  EvaluationReport report;
  report.step = state_->run.step;
  report.epoch = state_->epoch();
  state_->evaluate(source, report);
  return report;
}

TrainingEnd Trainer::run() {
  State& own = *state_;
  RunState& run = own.run;
  TrainerHooks& hooks = own.hooks;
  const Clock::time_point start = Clock::now();
  const double seconds_before = run.seconds;
  const int64_t first_step = run.step;
  double window_loss = 0, window_norm = 0;
  Metrics window_metrics;
  int64_t window_steps = 0;
  int64_t window_tokens = run.tokens;
  Clock::time_point window_start = start;
  int64_t saved_step = -1;
  TrainingEnd end = TrainingEnd::finished;
  if (own.parts.weights_changed) own.parts.weights_changed(own.context);
  while (run.step < own.steps) {
    const double loss = own.gather_gradients();
    const double norm = gradient_norm(own.context, own.store);
    own.check(loss, norm);
    const double rate = scheduled_rate(own.options, run.step + 1, own.steps);
    const double factor = own.options.clip > 0 && norm > own.options.clip ? own.options.clip / norm : 1;
    own.optimiser->step(own.context, run.step + 1, rate, factor);
    if (own.parts.weights_changed) own.parts.weights_changed(own.context);
    ++run.step;
    run.seconds = seconds_before + seconds_since(start);

    window_loss += loss;
    window_norm += norm;
    for (const auto& [name, mean] : own.metrics) window_metrics[name] += mean;
    ++window_steps;
    const bool last = run.step == own.steps;
    StepReport report{run.step,
                      own.steps,
                      own.epoch(),
                      loss,
                      rate,
                      norm,
                      run.tokens,
                      0,
                      run.seconds,
                      0,
                      metric_values(own.metrics)};
    report.tokens_per_second =
        static_cast<double>(run.tokens - window_tokens) / std::max(1e-9, seconds_since(window_start));
    report.seconds_left = seconds_since(start) / static_cast<double>(run.step - first_step) *
                          static_cast<double>(own.steps - run.step);
    if (hooks.on_step) hooks.on_step(report);
    if (last || (own.options.log_steps > 0 && run.step % own.options.log_steps == 0)) {
      report.loss = window_loss / static_cast<double>(window_steps);
      report.gradient_norm = window_norm / static_cast<double>(window_steps);
      report.metrics = metric_values(window_metrics);
      window_metrics.clear();
      if (hooks.on_log) hooks.on_log(report);
      window_loss = window_norm = 0;
      window_steps = 0;
      window_tokens = run.tokens;
      window_start = Clock::now();
    }
    const Clock::time_point trained = Clock::now();
    if (own.evaluation != nullptr &&
        (last || (own.options.eval_steps > 0 && run.step % own.options.eval_steps == 0))) {
      EvaluationReport evaluation = evaluate(*own.evaluation);
      evaluation.best = run.best_step == 0 || evaluation.loss < run.best_loss;
      if (evaluation.best) {
        run.best_loss = evaluation.loss;
        run.best_step = run.step;
        run.evaluations_since_best = 0;
        if (hooks.save_best) hooks.save_best();
      } else {
        ++run.evaluations_since_best;
      }
      if (hooks.on_evaluation) hooks.on_evaluation(evaluation);
      if (own.options.patience > 0 && run.evaluations_since_best >= own.options.patience) {
        end = TrainingEnd::stopped_early;
      }
    }
    if (hooks.stop_requested && hooks.stop_requested()) end = TrainingEnd::stopped;
    const bool save = last || end != TrainingEnd::finished ||
                      (own.options.save_steps > 0 && run.step % own.options.save_steps == 0);
    if (save && saved_step != run.step) {
      own.save();
      saved_step = run.step;
    }
    if (end != TrainingEnd::finished) return end;
    window_start += Clock::now() - trained;
  }
  return end;
}

}  // namespace r1
