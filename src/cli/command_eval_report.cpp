// r1 eval report: the reports of runs that are on disk, together or compared.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "eval/comparison.h"
#include "eval/report.h"
#include "eval/run_reading.h"
#include "sandbox/sandbox.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;

struct ReportOptions {
  std::vector<std::string> folders;
  std::string out;
  bool compare = false;
};

bool is_run(const fs::path& folder) {
  return fs::exists(folder / "run.json");
}

/// The folder itself, or the runs directly in it: what `r1 eval A B --out FOLDER` makes.
std::vector<fs::path> runs_in(const fs::path& folder) {
  if (is_run(folder)) return {folder};
  std::vector<fs::path> runs;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && is_run(entry.path())) runs.push_back(entry.path());
  std::sort(runs.begin(), runs.end());
  if (runs.empty()) {
    throw_error(ErrorKind::invalid_argument,
                "{}: expected the folder of a run (with run.json) or a folder of such folders",
                folder.string());
  }
  return runs;
}

eval::Evaluation evaluated(eval::Run run) {
  const eval::Benchmark& benchmark = eval::find_benchmark(run.description.benchmark);
  return eval::evaluate(std::move(run), benchmark);
}

/// What graders may use: the sandbox where a run's answers are code.
struct Grading {
  explicit Grading(const std::vector<fs::path>& folders) {
    context.threads = std::max<int64_t>(1, std::thread::hardware_concurrency());
    const bool code = std::any_of(folders.begin(), folders.end(), [](const fs::path& folder) {
      return eval::find_benchmark(eval::read_run_file(folder).benchmark).judging == eval::Judging::code;
    });
    if (!code) return;
    sandbox.emplace(Sandbox::detect());
    context.sandbox = &*sandbox;
    if (sandbox->kind() != Sandbox::Kind::bubblewrap)
      fmt::print(stderr, "code is not run here: {}\n", sandbox->description());
  }

  std::optional<Sandbox> sandbox;
  eval::GradingContext context;
};

/// Shards of one run become one, in the order of their first folders.
std::vector<eval::Evaluation> read_evaluations(const std::vector<fs::path>& folders,
                                               const eval::GradingContext& context) {
  struct Parts {
    eval::RunDescription description;
    std::vector<fs::path> folders;
  };
  std::vector<Parts> runs;
  for (const fs::path& folder : folders) {
    const eval::RunDescription description = eval::read_run_file(folder);
    const auto found = std::find_if(runs.begin(), runs.end(), [&](const Parts& parts) {
      return eval::run_difference(parts.description, description).empty();
    });
    if (found == runs.end())
      runs.push_back({description, {folder}});
    else
      found->folders.push_back(folder);
  }
  std::vector<eval::Evaluation> evaluations;
  evaluations.reserve(runs.size());
  for (const Parts& parts : runs) evaluations.push_back(evaluated(eval::read_runs(parts.folders, context)));
  return evaluations;
}

void print_scores(const std::vector<eval::Evaluation>& evaluations) {
  for (const eval::Evaluation& evaluation : evaluations) {
    const eval::Summary& summary = evaluation.summary;
    std::string score = "not graded";
    if (summary.graded) {
      score = fmt::format("{} {}", summary.metric, eval::metric_text(summary.metric, summary.score.value));
      if (summary.interval) {
        score += fmt::format(" ({} to {})", eval::metric_text(summary.metric, summary.score.low),
                             eval::metric_text(summary.metric, summary.score.high));
      }
    }
    fmt::print("{}: {}{}, {} answers, {:.1f}% truncated\n", evaluation.benchmark->title, score,
               summary.partial ? ", partial" : "", summary.generated, 100 * summary.truncated);
  }
}

void report(const ReportOptions& options) {
  std::vector<fs::path> folders;
  for (const std::string& name : options.folders)
    for (fs::path& run : runs_in(name)) folders.push_back(std::move(run));
  const Grading grading(folders);
  const fs::path out = options.out.empty() ? fs::path(options.folders.front()) : fs::path(options.out);
  if (options.compare) {
    if (folders.size() != 2) {
      throw_error(ErrorKind::invalid_argument, "--compare: expected the folders of two runs, found {}",
                  folders.size());
    }
    const eval::Evaluation first = evaluated(eval::read_run(folders[0], grading.context)),
                           second = evaluated(eval::read_run(folders[1], grading.context));
    const eval::Comparison comparison = eval::compare(first, second);
    eval::write_comparison(out, comparison);
    const eval::PairedDifference& paired = comparison.paired;
    fmt::print(
        "{}: {:+.1f} points (95% interval {:+.1f} to {:+.1f}), p {:.3f}; {} better, {} worse, {} unchanged\n",
        first.benchmark->title, 100 * paired.difference.value, 100 * paired.difference.low,
        100 * paired.difference.high, paired.p_value, comparison.better.size(), comparison.worse.size(),
        comparison.equal);
    fmt::print("{}\n", (out / "comparison.html").string());
    return;
  }
  const std::vector<eval::Evaluation> evaluations = read_evaluations(folders, grading.context);
  eval::write_report(out, evaluations);
  print_scores(evaluations);
  fmt::print("{}\n", (out / "report.html").string());
}

}  // namespace

void add_eval_report_command(Command eval) {
  const auto options = std::make_shared<ReportOptions>();
  Command command = eval->add_subcommand("report", "Grades runs that are on disk and writes their report");
  command->add_option("folders", options->folders, "folders of runs; shards of one run are merged")
      ->required()
      ->check(existing_directory());
  command->add_option("-o,--out", options->out, "folder for the report; if not given: the first folder");
  command->add_flag(
      "--compare", options->compare,
      "two runs of one benchmark: the paired difference, and what changed question by question");
  command->callback([options] { report(*options); });
}

}  // namespace r1::cli
