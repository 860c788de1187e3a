#include "cli/training_report.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace r1::cli {
namespace {

TrainingLogOptions log_options(const TrainingOptions& options, int64_t steps) {
  TrainingLogOptions log;
  log.directory = options.output;
  log.total_steps = steps;
  log.epochs = options.epochs;
  log.batch_size = options.accumulation;
  log.logging_steps = options.log_steps;
  log.evaluation_steps = options.eval_steps;
  log.save_steps = options.save_steps;
  log.title = options.name.empty() ? options.output : options.name;
  log.remark = [](const std::string& text) { fmt::print(stderr, "r1: {}\n", text); };
  return log;
}

LogEntry log_entry(const StepReport& report) {
  LogEntry entry;
  entry.step = report.step;
  entry.epoch = report.epoch;
  entry.seconds = report.seconds;
  entry.loss = report.loss;
  entry.learning_rate = report.learning_rate;
  entry.gradient_norm = report.gradient_norm;
  entry.tokens_per_second = report.tokens_per_second;
  entry.total_tokens = report.tokens;
  entry.metrics = report.metrics;
  return entry;
}

LogEntry log_entry(const EvaluationReport& report, const StepReport& last) {
  LogEntry entry;
  entry.step = report.step;
  entry.epoch = report.epoch;
  entry.seconds = last.seconds;
  entry.evaluation_loss = report.loss;
  entry.total_tokens = last.tokens;
  entry.metrics = report.metrics;
  return entry;
}

// ", rewards/accuracies 0.750": what preference losses tell besides.
std::string metrics_text(const std::vector<std::pair<std::string, double>>& metrics) {
  std::string text;
  for (const auto& [name, value] : metrics) text += fmt::format(", {} {:.3f}", name, value);
  return text;
}

/// The numbers of a policy that people watch; the log has all of them.
std::string policy_text(const std::vector<std::pair<std::string, double>>& metrics) {
  std::string text;
  for (const auto& [name, value] : metrics) {
    const bool shown = name == "reward" || name.starts_with("pass@") || name == "entropy" ||
                       name == "mismatch" || name == "frac_reward_zero_std" ||
                       name == "completions/mean_length" || name == "rollout_tokens_per_second" ||
                       name.starts_with("time/") || name == "rewards/missing" ||
                       (name.starts_with("rewards/") && name.ends_with("/mean"));
    if (!shown || name == "rewards/accuracy/mean") continue;
    const size_t slash = name.find('/');
    const std::string_view label =
        name.starts_with("completions/") ? std::string_view(name).substr(slash + 1) : name;
    text += fmt::format("{}{} {:.4g}", text.empty() ? "" : ", ", label, value);
  }
  return text;
}

// The word of run.json, and the one of the terminal's last line.
std::pair<const char*, const char*> end_texts(TrainingEnd end) {
  switch (end) {
    case TrainingEnd::finished:
      return {"finished", "done"};
    case TrainingEnd::stopped:
      return {"interrupted", "interrupted (--resume continues)"};
    case TrainingEnd::stopped_early:
      break;
  }
  return {"stopped early", "stopped early: evaluations no longer improve"};
}

}  // namespace

TrainingReport::TrainingReport(const TrainingOptions& options) : options_(options), bar_("train", "steps") {}

void TrainingReport::begin(const nlohmann::ordered_json& description, int64_t step, int64_t steps) {
  steps_ = steps;
  if (step > 0) fmt::print("resumed at step {} of {}\n", step, steps);
  log_.emplace(log_options(options_, steps), step);
  monitor_.emplace(options_.output, description, step);
  if (options_.ui) {
    page_.emplace(options_.output, options_.ui_port);
    fmt::print("the run's page: {}\n", page_->address());
  }
  std::fflush(stdout);
}

void TrainingReport::on_step(const StepReport& report) {
  last_ = report;
  bar_.update(static_cast<uint64_t>(report.step), static_cast<uint64_t>(report.steps),
              fmt::format("loss {:.4f}, {:.0f} tokens/s", report.loss, report.tokens_per_second));
}

void TrainingReport::on_log(const StepReport& report) {
  log_->add(log_entry(report));
  fmt::print("step {}/{} epoch {:.3f} loss {:.4f} rate {:.3g} norm {:.3f} {:.0f} tokens/s {:.0f} s left{}\n",
             report.step, report.steps, report.epoch, report.loss, report.learning_rate, report.gradient_norm,
             report.tokens_per_second, report.seconds_left, metrics_text(report.metrics));
  std::fflush(stdout);
}

void TrainingReport::on_evaluation(const EvaluationReport& report) {
  log_->add(log_entry(report, last_));
  if (report.best) log_->set_best(report.step, report.loss, options_.save_best ? options_.output : "");
  log_->save();
  fmt::print("evaluation at step {}: loss {:.4f} over {} tokens{}{}\n", report.step, report.loss,
             report.targets, metrics_text(report.metrics), report.best ? ", the best so far" : "");
  std::fflush(stdout);
}

void TrainingReport::on_policy_step(const StepReport& report) {
  last_ = report;
  log_->add(log_entry(report));
  if (options_.log_steps > 0 && (report.step % options_.log_steps == 0 || report.step == report.steps)) {
    fmt::print("step {}/{} {} {:.0f} s left\n", report.step, report.steps, policy_text(report.metrics),
               report.seconds_left);
    std::fflush(stdout);
  }
  bar_.update(static_cast<uint64_t>(report.step), static_cast<uint64_t>(report.steps), "");
}

void TrainingReport::on_policy_evaluation(int64_t step,
                                          const std::vector<std::pair<std::string, double>>& metrics) {
  LogEntry entry;
  entry.step = step;
  entry.epoch = last_.epoch;
  entry.seconds = last_.seconds;
  entry.total_tokens = last_.tokens;
  entry.metrics.reserve(metrics.size());
  for (const auto& [name, value] : metrics) entry.metrics.emplace_back("eval_" + name, value);
  log_->add(entry);
  log_->save();
  fmt::print("evaluation at step {}: {}\n", step, policy_text(metrics));
  std::fflush(stdout);
}

void TrainingReport::on_sample(int64_t step, const SampleAnswer& sample) {
  monitor_->add(step, sample);
}

void TrainingReport::end(TrainingEnd end, const RunState& state, bool writes_best) {
  bar_.finish();
  log_->save();
  const auto [word, line] = end_texts(end);
  monitor_->finish(word);
  fmt::print("{}: {} after {} of {} steps, {} tokens, {:.0f} s\n", options_.output, line, state.step, steps_,
             state.tokens, state.seconds);
  if (writes_best && state.best_step != state.step) {
    fmt::print(
        "written: the weights of step {}, whose evaluation was the best (loss {:.4f}); --no-save-best writes "
        "the last ones, which are in its checkpoints\n",
        state.best_step, state.best_loss);
  } else {
    fmt::print(
        "written: the weights of step {}{}\n", state.step,
        writes_best ? fmt::format(", whose evaluation was the best (loss {:.4f})", state.best_loss) : "");
  }
}

}  // namespace r1::cli
