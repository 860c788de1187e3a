#include "report/training_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "report/event_file.h"
#include "report/loss_plot.h"

namespace r1 {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// A number as JSON can hold it: NaN and infinities become null.
ordered_json number(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

void replace_file(const fs::path& path, std::string_view text) {
  OutputFile file(path);
  file.write(text);
  file.finish();
}

}  // namespace

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

struct TrainingLog::State {
  TrainingLogOptions options;
  ordered_json history = ordered_json::array();
  std::optional<double> best_metric;
  int64_t best_step = 0;
  std::string best_checkpoint;
  LogEntry last;
  std::ofstream log;
  std::unique_ptr<EventFile> events;
  LossPlot plot;
  bool gnuplot_missing = false;

  fs::path path(const char* name) const { return options.directory / name; }

  void remark(const std::string& text) const {
    if (options.remark) options.remark(text);
  }

  void remember(const ordered_json& entry) {
    const auto step = entry.value("step", int64_t{0});
    for (const auto& [key, points] : {std::pair{"loss", &plot.training}, {"eval_loss", &plot.evaluation}}) {
      if (entry.contains(key) && entry[key].is_number()) {
        points->push_back({static_cast<double>(step), entry[key].get<double>()});
      }
    }
    history.push_back(entry);
  }

  /// Takes up what an earlier part of the run wrote, up to its step: from the log, which is written line by
  /// line, so that a run that was killed loses nothing.
  void resume(int64_t step) {
    resume_best(step);
    if (!fs::exists(path("trainer_log.jsonl"))) return;
    std::string kept, line;
    std::ifstream in(path("trainer_log.jsonl"));
    while (std::getline(in, line)) {
      // The last line may have been cut off by a sudden end.
      const auto logged = parse_json_or_discard<ordered_json>(line);
      if (!logged.is_object() || logged.value("current_steps", INT64_MAX) > step) continue;
      kept += line + "\n";
      static constexpr std::array<std::string_view, 6> only_log = {
          "total_steps", "percentage", "elapsed_time", "remaining_time", "throughput", "total_tokens"};
      ordered_json entry;
      for (const auto& [key, value] : logged.items()) {
        if (std::find(only_log.begin(), only_log.end(), key) != only_log.end()) continue;
        entry[key == "current_steps" ? "step" : key == "lr" ? "learning_rate" : key] = value;
      }
      remember(entry);
    }
    in.close();
    replace_file(path("trainer_log.jsonl"), kept);
  }

  void resume_best(int64_t step) {
    if (!fs::exists(path("trainer_state.json"))) return;
    const auto state = parse_json_or_discard<ordered_json>(read_text_file(path("trainer_state.json")));
    if (!state.is_object()) {
      throw_error(ErrorKind::bad_file, "{}: expected a JSON object", path("trainer_state.json").string());
    }
    const ordered_json best = state.value("best_global_step", ordered_json());
    const ordered_json metric = state.value("best_metric", ordered_json());
    if (!best.is_number_integer() || best.get<int64_t>() > step || !metric.is_number()) return;
    best_step = best.get<int64_t>();
    best_metric = metric.get<double>();
    const ordered_json checkpoint = state.value("best_model_checkpoint", ordered_json());
    if (checkpoint.is_string()) best_checkpoint = checkpoint.get<std::string>();
  }

  ordered_json log_line(const LogEntry& entry) const {
    ordered_json line;
    line["current_steps"] = entry.step;
    line["total_steps"] = options.total_steps;
    if (entry.loss) line["loss"] = number(*entry.loss);
    if (entry.evaluation_loss) line["eval_loss"] = number(*entry.evaluation_loss);
    if (entry.learning_rate) line["lr"] = number(*entry.learning_rate);
    if (entry.gradient_norm) line["grad_norm"] = number(*entry.gradient_norm);
    for (const auto& [name, value] : entry.metrics) line[name] = number(value);
    line["epoch"] = number(entry.epoch);
    const double share = options.total_steps > 0
                             ? static_cast<double>(entry.step) / static_cast<double>(options.total_steps)
                             : 0;
    line["percentage"] = std::round(share * 10000) / 100;
    line["elapsed_time"] = clock_text(entry.seconds);
    line["remaining_time"] = clock_text(share > 0 ? entry.seconds * (1 - share) / share : 0);
    if (entry.tokens_per_second)
      line["throughput"] = number(std::round(*entry.tokens_per_second * 100) / 100);
    line["total_tokens"] = entry.total_tokens;
    return line;
  }

  static ordered_json history_entry(const LogEntry& entry) {
    ordered_json line;
    line["epoch"] = number(entry.epoch);
    if (entry.gradient_norm) line["grad_norm"] = number(*entry.gradient_norm);
    if (entry.learning_rate) line["learning_rate"] = number(*entry.learning_rate);
    if (entry.loss) line["loss"] = number(*entry.loss);
    if (entry.evaluation_loss) line["eval_loss"] = number(*entry.evaluation_loss);
    for (const auto& [name, value] : entry.metrics) line[name] = number(value);
    line["step"] = entry.step;
    return line;
  }

  void add_event(const LogEntry& entry) {
    std::vector<std::pair<std::string, double>> scalars;
    const auto add = [&](const char* tag, const std::optional<double>& value) {
      if (value) scalars.emplace_back(tag, *value);
    };
    add("train/loss", entry.loss);
    add("eval/loss", entry.evaluation_loss);
    add("train/learning_rate", entry.learning_rate);
    add("train/grad_norm", entry.gradient_norm);
    add("train/tokens_per_second", entry.tokens_per_second);
    scalars.emplace_back("train/epoch", entry.epoch);
    for (const auto& [name, value] : entry.metrics) {
      constexpr std::string_view kEvaluation = "eval_";
      scalars.emplace_back(
          name.starts_with(kEvaluation) ? "eval/" + name.substr(kEvaluation.size()) : "train/" + name, value);
    }
    events->add(entry.step, now(), scalars);
  }

  void write_plots() {
    if (!options.plots || plot.training.empty()) return;
    replace_file(path("loss.svg"), loss_svg(plot));
    if (!gnuplot_missing && !write_loss_png(plot, path("loss.png"))) {
      gnuplot_missing = true;
      remark("gnuplot is not installed: loss.png is not written, loss.svg is");
    }
  }
};

TrainingLog::TrainingLog(TrainingLogOptions options, int64_t resumed_step)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.options = std::move(options);
  state.plot.title = state.options.title;
  std::error_code failed;
  fs::create_directories(state.options.directory, failed);
  if (failed) {
    throw_error(ErrorKind::io, "{}: cannot create: {}", state.options.directory.string(), failed.message());
  }
  if (resumed_step > 0) {
    state.resume(resumed_step);
  } else {
    replace_file(state.path("trainer_log.jsonl"), "");
  }
  state.log.open(state.path("trainer_log.jsonl"), std::ios::app | std::ios::binary);
  if (!state.log) throw_error(ErrorKind::io, "{}: cannot open", state.path("trainer_log.jsonl").string());
  if (state.options.events)
    state.events = std::make_unique<EventFile>(state.options.directory / "runs", now());
}

TrainingLog::~TrainingLog() = default;

void TrainingLog::add(const LogEntry& entry) {
  State& state = *state_;
  state.last = entry;
  state.remember(State::history_entry(entry));
  state.log << state.log_line(entry).dump() << "\n";
  state.log.flush();
  if (!state.log) throw_error(ErrorKind::io, "{}: cannot write", state.path("trainer_log.jsonl").string());
  if (state.events) state.add_event(entry);
}

void TrainingLog::set_best(int64_t step, double metric, const std::string& checkpoint) {
  state_->best_step = step;
  state_->best_metric = metric;
  state_->best_checkpoint = checkpoint;
}

std::string TrainingLog::state_json() const {
  const State& state = *state_;
  ordered_json json;
  json["best_global_step"] = state.best_metric ? ordered_json(state.best_step) : ordered_json(nullptr);
  json["best_metric"] = state.best_metric ? number(*state.best_metric) : ordered_json(nullptr);
  json["best_model_checkpoint"] =
      state.best_checkpoint.empty() ? ordered_json(nullptr) : ordered_json(state.best_checkpoint);
  json["epoch"] = number(state.last.epoch);
  json["eval_steps"] = state.options.evaluation_steps;
  json["global_step"] = state.last.step;
  json["is_hyper_param_search"] = false;
  json["is_local_process_zero"] = true;
  json["is_world_process_zero"] = true;
  json["log_history"] = state.history;
  json["logging_steps"] = state.options.logging_steps;
  json["max_steps"] = state.options.total_steps;
  json["num_input_tokens_seen"] = state.last.total_tokens;
  json["num_train_epochs"] = number(state.options.epochs);
  json["save_steps"] = state.options.save_steps;
  json["stateful_callbacks"] = ordered_json::object();
  json["train_batch_size"] = state.options.batch_size;
  json["trial_name"] = nullptr;
  json["trial_params"] = nullptr;
  return json.dump(2) + "\n";
}

void TrainingLog::save() {
  replace_file(state_->path("trainer_state.json"), state_json());
  state_->write_plots();
}

}  // namespace r1
