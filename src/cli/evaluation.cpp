#include "cli/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "base/error.h"
#include "cli/api_key.h"
#include "cli/evaluation_monitor.h"
#include "cli/interrupt.h"
#include "cli/local_answers.h"
#include "cli/progress_bar.h"
#include "cli/shipped_model.h"
#include "cli/terminal_text.h"
#include "eval/data_location.h"
#include "eval/data_reader.h"
#include "eval/endpoint_responder.h"
#include "eval/report.h"
#include "eval/runner.h"
#include "eval/sampling_fields.h"
#include "formats/download.h"
#include "sandbox/sandbox.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;
using eval::Benchmark;

void remark(const std::string& text) {
  fmt::print(stderr, "r1: {}\n", terminal_text(text));
}

struct Shard {
  int64_t index = 0, count = 1;
};

Shard read_shard(const std::string& text) {
  Shard shard;
  if (text.empty()) return shard;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, shard.index);
  const bool slash = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
  const auto second = slash ? std::from_chars(first.ptr + 1, end, shard.count) : first;
  if (!slash || second.ec != std::errc() || second.ptr != end || shard.index < 1 ||
      shard.index > shard.count) {
    throw_error(ErrorKind::invalid_argument, "--shard: expected I/N as 1/4, found '{}'", text);
  }
  --shard.index;
  return shard;
}

/// A benchmark with the questions to be asked.
struct Task {
  const Benchmark* benchmark;
  fs::path data;
  std::string data_sha256;
  int64_t samples = 0, max_tokens = 0;
  int64_t questions = 0;  // before the shard
  std::vector<eval::Item> items{};
};

Task load_task(const std::string& name, const EvalOptions& options, const Shard& shard) {
  Task task{&eval::find_benchmark(name), {}, "", options.samples, options.max_tokens};
  const Benchmark& benchmark = *task.benchmark;
  if (task.samples == 0) task.samples = benchmark.samples;
  if (task.max_tokens == 0) task.max_tokens = benchmark.max_tokens;
  task.data = eval::find_data(benchmark, options.data);
  task.data_sha256 = content_hash(task.data, false);
  if (!benchmark.data.sha256.empty() && benchmark.data.sha256 != task.data_sha256 && options.data.empty())
    remark(fmt::format("{}: {} is not the file that this task was made for (SHA-256 {})", benchmark.name,
                       task.data.string(), task.data_sha256));
  eval::ItemOptions item_options;
  if (const fs::path examples = eval::find_examples(benchmark, task.data); !examples.empty())
    item_options.examples = eval::read_data(examples);
  eval::ItemList list = eval::read_items(benchmark, task.data, item_options);
  if (!list.excluded.empty())
    remark(fmt::format("{}: {} records are not asked ({})", benchmark.name, list.excluded.size(),
                       list.excluded.front().second));
  task.questions = std::ssize(list.items);
  if (options.limit >= 0) task.questions = std::min(task.questions, options.limit);
  for (int64_t i = shard.index; i < task.questions; i += shard.count) {
    eval::Item& item = list.items[static_cast<size_t>(i)];
    if (!options.system_prompt.empty())
      item.messages.insert(item.messages.begin(), ChatMessage{"system", options.system_prompt});
    task.items.push_back(std::move(item));
  }
  if (task.items.empty()) throw_error(ErrorKind::invalid_argument, "{}: no question is left to ask", name);
  return task;
}

/// "URL" or "URL#MODEL".
std::optional<eval::EndpointOptions> read_judge(const EvalOptions& options) {
  if (options.judge.empty()) return std::nullopt;
  eval::EndpointOptions judge;
  const size_t hash = options.judge.find('#');
  judge.addresses.push_back(eval::endpoint_base(options.judge.substr(0, hash)));
  judge.api_key = read_api_key(options.judge_key_file, "R1_JUDGE_API_KEY");
  if (hash != std::string::npos) judge.model = options.judge.substr(hash + 1);
  if (judge.model.empty()) judge.model = eval::first_model_of(judge);
  judge.concurrency = options.concurrency;
  judge.time = std::chrono::seconds(options.timeout);
  return judge;
}

std::optional<eval::EndpointOptions> read_endpoints(const EvalOptions& options) {
  if (options.endpoints.empty()) return std::nullopt;
  eval::EndpointOptions endpoints;
  endpoints.addresses.reserve(options.endpoints.size());
  for (const std::string& address : options.endpoints)
    endpoints.addresses.push_back(eval::endpoint_base(address));
  std::ranges::sort(endpoints.addresses);
  endpoints.addresses.erase(std::unique(endpoints.addresses.begin(), endpoints.addresses.end()),
                            endpoints.addresses.end());
  endpoints.api_key = read_api_key(options.api_key_file, "R1_API_KEY");
  endpoints.model = options.endpoint_model;
  if (endpoints.model.empty()) endpoints.model = eval::first_model_of(endpoints);
  endpoints.concurrency = options.concurrency;
  endpoints.time = std::chrono::seconds(options.timeout);
  return endpoints;
}

std::string file_name_of(const std::string& model) {
  std::string name = fs::path(model).filename().string();
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  return name.empty() ? "model" : name;
}

class Evaluation {
 public:
  explicit Evaluation(const EvalOptions& options)
      : options_(options), shard_(read_shard(options.shard)), endpoints_(read_endpoints(options)) {
    std::vector<std::string> names;
    for (const std::string& name : options.tasks) {
      const std::string& known = eval::find_benchmark(name).name;
      if (std::ranges::find(names, known) != names.end()) continue;
      names.push_back(known);
      tasks_.push_back(load_task(known, options, shard_));
    }
    judge_ = read_judge(options);
    prepare_grading();
    model_name_ = endpoints_ ? endpoints_->model : options.model;
    if (!endpoints_) load_model();
    if (options.ui) {
      monitor_ = std::make_unique<EvaluationMonitor>(options.ui_port);
      remark("the run's page: " + monitor_->address());
    }
  }

  void run() {
    const InterruptGuard guard;
    for (Task& task : tasks_) run_task(task);
  }

 private:
  void prepare_grading() {
    grading_.threads = std::max<int64_t>(1, std::thread::hardware_concurrency());
    const auto runs_code = [](const Task& task) { return task.benchmark->judging == eval::Judging::code; };
    if (std::ranges::none_of(tasks_, runs_code)) return;
    sandbox_.emplace(Sandbox::detect());
    grading_.sandbox = &*sandbox_;
    grading_.threads = std::max<int64_t>(1, grading_.threads / 2);  // the model computes beside
    if (sandbox_->kind() == Sandbox::Kind::bubblewrap) return;
    for (const Task& task : tasks_) {
      if (task.benchmark->next_turn) {
        throw_error(ErrorKind::unsupported,
                    "{}: its tests run between the tries, and no code is run here: {}", task.benchmark->name,
                    sandbox_->description());
      }
    }
    remark("answers are kept, but no code is run here: " + sandbox_->description());
  }

  void load_model() {
    if (model_name_.empty()) {
      model_name_ = locate_shipped_model("r1 eval TASK --model MODEL").string();
      remark(std::string(kShippedModelRemark));
    }
    local_.emplace(model_name_, options_.runtime, options_.context_length);
  }

  fs::path folder_of(const Task& task) const {
    const fs::path name(task.benchmark->name);
    if (options_.out.empty()) return fs::path("eval") / file_name_of(model_name_) / name;
    return tasks_.size() > 1 ? fs::path(options_.out) / name : fs::path(options_.out);
  }

  eval::RunDescription describe(const Task& task) const {
    eval::RunDescription run;
    run.benchmark = task.benchmark->name;
    run.model = endpoints_ ? model_name_ : file_name_of(model_name_);
    if (local_) {
      run.weights_sha256 = local_->weights_sha256();
      run.context_length = local_->context_length();
      run.cache_types = options_.runtime.cache_type_k + "/" + options_.runtime.cache_type_v;
    } else {
      run.endpoints = endpoints_->addresses;
    }
    run.data_file = task.data.filename().string();
    run.data_sha256 = task.data_sha256;
    run.samples = task.samples;
    run.limit = options_.limit;
    run.shard = shard_.index;
    run.shards = shard_.count;
    run.questions = task.questions;
    run.temperature = eval::decimal(options_.sampling.temperature);
    run.top_p = eval::decimal(options_.sampling.top_p);
    run.further_sampling = eval::further_sampling(options_.sampling);
    run.max_tokens = task.max_tokens;
    run.seed = options_.sampling.seed;
    run.system_prompt = options_.system_prompt;
    if (judge_ && task.benchmark->judging == eval::Judging::judge)
      run.judge = judge_->addresses.front() + "#" + judge_->model;
    run.version = R1_VERSION;
    return run;
  }

  Responder& prepare(const Task& task, const std::vector<eval::Item>& items) {
    if (!local_) {
      if (!remote_) remote_ = std::make_unique<eval::EndpointResponder>(*endpoints_);
      return *remote_;
    }
    const int64_t longest = local_->longest_prompt(items);
    const int64_t context = local_->context_length();
    if (task.max_tokens + longest > context) {
      remark(fmt::format(
          "{}: an answer has at most the {} tokens of the model's context less its question (up to {}), "
          "not {}",
          task.benchmark->name, context, longest, task.max_tokens));
    }
    const bool turns = static_cast<bool>(task.benchmark->next_turn);
    return local_->prepare(turns ? context : longest + task.max_tokens, options_.batch);
  }

  void run_task(Task& task) {
    const Benchmark& benchmark = *task.benchmark;
    const fs::path path = folder_of(task);
    eval::RunFolder folder(path, describe(task), std::move(task.items), remark);
    if (benchmark.judging == eval::Judging::judge && !judge_)
      remark(benchmark.name +
             ": a judge model decides, and there is no --judge: answers are kept, the same command with "
             "--judge has them judged");
    eval::RunnerOptions options;
    options.samples = task.samples;
    options.generation.sampling = options_.sampling;
    options.generation.max_tokens = task.max_tokens;
    options.in_flight =
        local_ ? 2 * options_.batch : 2 * options_.concurrency * std::ssize(endpoints_->addresses);
    options.cancelled = InterruptGuard::interrupted;
    options.remark = remark;
    options.grading = grading_;
    ProgressBar bar(benchmark.title, "answers");
    options.on_progress = [&](const eval::RunProgress& progress) {
      show(bar, benchmark, progress);
      if (monitor_) monitor_->update(progress);
    };
    if (monitor_) {
      monitor_->begin(
          {benchmark.title, model_name_, benchmark.metric, std::ssize(folder.items()), task.samples});
      options.on_graded = [&](const eval::Item& item, const eval::Sample& sample,
                              const eval::Verdict& verdict) { monitor_->add(item, sample, verdict); };
    }
    std::unique_ptr<eval::EndpointResponder> judge;
    if (judge_ && benchmark.judging == eval::Judging::judge) {
      judge_->step_time = std::chrono::milliseconds(local_ ? 0 : 50);
      judge = std::make_unique<eval::EndpointResponder>(*judge_);
    }
    const eval::RunProgress progress =
        eval::run_benchmark(benchmark, folder, prepare(task, folder.items()), judge.get(), options);
    bar.finish();
    if (monitor_) monitor_->end(InterruptGuard::interrupted() ? "interrupted" : "finished");
    if (InterruptGuard::interrupted()) {
      throw_error(ErrorKind::cancelled, "interrupted: {} of {} answers are in {}; the same command continues",
                  progress.done, progress.total, path.string());
    }
    print(benchmark, path, progress);
  }

  static std::string score_text(const Benchmark& benchmark, const eval::RunProgress& progress) {
    if (progress.graded == 0) return "";
    return fmt::format("{} {:.1f}% [{:.1f}, {:.1f}]", benchmark.metric, 100 * progress.score.value,
                       100 * progress.score.low, 100 * progress.score.high);
  }

  static void show(ProgressBar& bar, const Benchmark& benchmark, const eval::RunProgress& progress) {
    std::string detail = score_text(benchmark, progress);
    if (progress.to_judge > 0) detail += fmt::format(", {} of {} judged", progress.judged, progress.to_judge);
    if (progress.errors > 0) detail += fmt::format(", {} errors", progress.errors);
    bar.update(static_cast<uint64_t>(progress.done), static_cast<uint64_t>(progress.total), detail);
  }

  /// The verdicts of the whole folder, as reports have them.
  void print(const Benchmark& benchmark, const fs::path& path, const eval::RunProgress& progress) const {
    const eval::Evaluation evaluation = eval::evaluate(eval::read_run(path, grading_), benchmark);
    eval::write_report(path, std::span(&evaluation, 1));
    const eval::Summary& summary = evaluation.summary;
    std::string score = "no answer is graded";
    if (summary.graded) {
      score = fmt::format("{} {}", summary.metric, eval::metric_text(summary.metric, summary.score.value));
      if (summary.interval) {
        score += fmt::format(" [{}, {}]", eval::metric_text(summary.metric, summary.score.low),
                             eval::metric_text(summary.metric, summary.score.high));
      }
    }
    fmt::print("{}: {}  ({} answers to {} questions; {})\n", benchmark.title, score,
               evaluation.run.samples.size(), evaluation.run.items.size(), (path / "report.html").string());
    if (progress.errors > 0)
      remark(fmt::format("{} answers failed; the same command asks them again", progress.errors));
    if (progress.judge_errors > 0)
      remark(fmt::format("{} calls of the judge failed; the same command asks them again",
                         progress.judge_errors));
  }

  const EvalOptions& options_;
  Shard shard_;
  std::vector<Task> tasks_;
  std::optional<eval::EndpointOptions> endpoints_, judge_;
  std::optional<Sandbox> sandbox_;
  eval::GradingContext grading_{};
  std::string model_name_;
  std::optional<LocalAnswers> local_;
  std::unique_ptr<eval::EndpointResponder> remote_;
  std::unique_ptr<EvaluationMonitor> monitor_;
};

}  // namespace

void evaluate(const EvalOptions& options) {
  Evaluation(options).run();
}

}  // namespace r1::cli
