// What a training run leaves for people and tools: trainer_log.jsonl (the fields of LLaMA-Factory),
// trainer_state.json (those of Hugging Face's Trainer), TensorBoard events, loss.svg and loss.png.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace r1 {

/// One line of the log. Fields that are not given are not written.
struct LogEntry {
  int64_t step = 0;
  double epoch = 0;
  double seconds = 0;  // since the run began, earlier parts of a resumed run included
  std::optional<double> loss, evaluation_loss, learning_rate, gradient_norm;
  std::optional<double> tokens_per_second;
  int64_t total_tokens = 0;
  std::vector<std::pair<std::string, double>> metrics;  // "rewards/chosen", …: also into events and the state
};

struct TrainingLogOptions {
  std::filesystem::path directory;
  int64_t total_steps = 0;
  double epochs = 0;
  int64_t batch_size = 1, logging_steps = 1, evaluation_steps = 0, save_steps = 0;
  bool events = true, plots = true;
  std::string title = "loss";
  std::function<void(const std::string&)> remark;  // one line that people should see; may be empty
};

/// One writer, one thread. Throws Error(io).
class TrainingLog {
 public:
  /// `resumed_step` > 0: takes up the files in the directory and drops what they hold of later steps.
  /// 0: begins anew; older files of these names are replaced (events stay).
  TrainingLog(TrainingLogOptions options, int64_t resumed_step);
  ~TrainingLog();

  /// Appends to trainer_log.jsonl and the events at once.
  void add(const LogEntry& entry);
  void set_best(int64_t step, double metric, const std::string& checkpoint);
  /// trainer_state.json, loss.svg and loss.png, each replaced as a whole. A missing gnuplot is remarked on
  /// once.
  void save();
  /// The content of trainer_state.json, for a copy inside a checkpoint.
  std::string state_json() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "1:02:03".
std::string clock_text(double seconds);

}  // namespace r1
