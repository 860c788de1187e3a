// r1 eval list: the benchmarks. r1 eval grade: answers that were made elsewhere.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "eval/benchmark.h"
#include "eval/data_location.h"
#include "eval/data_reader.h"
#include "eval/grade_outputs.h"
#include "sandbox/sandbox.h"

namespace r1::cli {
namespace {

using Json = nlohmann::json;

struct GradeOptions {
  std::string task, outputs, data, verdicts;
  bool json = false;
};

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void write_verdicts(const std::string& file, const std::vector<eval::Sample>& samples,
                    const std::vector<eval::Verdict>& verdicts) {
  std::ofstream out(file, std::ios::binary);
  if (!out) throw_error(ErrorKind::io, "--verdicts {}: cannot be written", file);
  for (size_t i = 0; i < samples.size(); ++i) {
    Json line{{"id", samples[i].item},
              {"sample", samples[i].index},
              {"correct", verdicts[i].correct},
              {"extracted", verdicts[i].extracted},
              {"class", eval::class_name(verdicts[i].answer_class)},
              {"score", verdicts[i].score},
              {"reason", verdicts[i].reason}};
    if (!verdicts[i].metrics.empty()) line["metrics"] = verdicts[i].metrics;
    out << dump(line) << '\n';
  }
  if (!out.flush()) throw_error(ErrorKind::io, "--verdicts {}: cannot be written to its end", file);
}

/// What makes a score partial, a line each.
std::vector<std::string> remarks(const eval::OutputFile& outputs, const eval::ItemList& data) {
  std::vector<std::string> lines;
  if (outputs.unanswered > 0)
    lines.push_back(fmt::format("partial: {} of {} questions have no answer and are left out",
                                outputs.unanswered, data.items.size()));
  if (outputs.unknown_ids > 0)
    lines.push_back(fmt::format("{} answers have ids that the data does not have", outputs.unknown_ids));
  if (outputs.duplicates > 0)
    lines.push_back(fmt::format("{} answers repeat an id and sample number; the first of each counts",
                                outputs.duplicates));
  if (outputs.excluded > 0)
    lines.push_back(fmt::format("{} answers are to questions that are not scored", outputs.excluded));
  if (!data.excluded.empty()) {
    std::map<std::string, int64_t> reasons;
    for (const auto& [id, reason] : data.excluded) ++reasons[reason];
    std::vector<std::string> counts;
    counts.reserve(reasons.size());
    for (const auto& [reason, count] : reasons) counts.push_back(fmt::format("{} {}", count, reason));
    lines.push_back(fmt::format("{} questions of the data are not scored: {}", data.excluded.size(),
                                fmt::join(counts, ", ")));
  }
  return lines;
}

eval::ItemOptions item_options(const eval::Benchmark& benchmark, const std::filesystem::path& data_file) {
  eval::ItemOptions options;
  if (const std::filesystem::path examples = find_examples(benchmark, data_file); !examples.empty())
    options.examples = eval::read_data(examples);
  return options;
}

void grade(const GradeOptions& options) {
  const eval::Benchmark& benchmark = eval::find_benchmark(options.task);
  const std::filesystem::path data_file = find_data(benchmark, options.data);
  const eval::ItemList data = read_items(benchmark, data_file, item_options(benchmark, data_file));
  const eval::OutputFile outputs = eval::read_outputs(options.outputs, data);
  eval::GradingContext context;
  std::unique_ptr<Sandbox> sandbox;
  if (benchmark.judging == eval::Judging::code) {
    sandbox = std::make_unique<Sandbox>(Sandbox::detect());
    context.sandbox = sandbox.get();
  }
  const eval::Grades grades = grade_samples(benchmark, data.items, outputs.samples, context);
  if (!options.verdicts.empty()) write_verdicts(options.verdicts, outputs.samples, grades.verdicts);
  const std::vector<std::string> lines = remarks(outputs, data);
  if (options.json) {
    Json metrics = Json::object(), classes = Json::object();
    for (const auto& [name, value] : grades.metrics) metrics[name] = value;
    for (const auto& [answer_class, count] : grades.classes) classes[class_name(answer_class)] = count;
    std::cout << dump({{"task", benchmark.name},
                       {"answers", outputs.samples.size()},
                       {"score", grades.score},
                       {"metrics", metrics},
                       {"classes", classes},
                       {"questions", data.items.size()},
                       {"partial", outputs.unanswered > 0},
                       {"remarks", lines}})
              << '\n';
  } else {
    std::cout << fmt::format("{}: {} answers to {} of {} questions\n", benchmark.title,
                             outputs.samples.size(),
                             static_cast<int64_t>(data.items.size()) - outputs.unanswered, data.items.size());
    for (const auto& [name, value] : grades.metrics)
      std::cout << fmt::format("  {:<26} {:.4f}\n", name, value);
    for (const auto& [answer_class, count] : grades.classes)
      std::cout << fmt::format("  {:<26} {}\n", class_name(answer_class), count);
    for (const std::string& line : lines) std::cout << line << '\n';
  }
  if (!std::cout.flush()) throw_error(ErrorKind::io, "cannot write to standard output");
}

void list(bool json) {
  if (json) {
    Json all = Json::array();
    for (const eval::Benchmark& benchmark : eval::benchmarks()) {
      all.push_back({{"name", benchmark.name},
                     {"title", benchmark.title},
                     {"samples", benchmark.samples},
                     {"metric", benchmark.metric},
                     {"records", benchmark.data.records},
                     {"files", benchmark.data.files},
                     {"licence", benchmark.data.licence},
                     {"protocol", benchmark.protocol}});
    }
    std::cout << all.dump(2) << '\n';
    return;
  }
  std::cout << fmt::format("{:<18} {:<22} {:>7} {:>3}  {:<14} {}\n", "name", "title", "records", "k",
                           "decided by", "data");
  for (const eval::Benchmark& benchmark : eval::benchmarks()) {
    const eval::DataSource& data = benchmark.data;
    const char* judging = benchmark.judging == eval::Judging::rules   ? "rules"
                          : benchmark.judging == eval::Judging::judge ? "a judge model"
                                                                      : "tests";
    const std::string source = data.files.empty()                            ? "your own (--data)"
                               : data.repository.empty() && data.url.empty() ? "you bring it (--data)"
                                                                             : "fetched";
    std::cout << fmt::format("{:<18} {:<22} {:>7} {:>3}  {:<14} {}\n", benchmark.name, benchmark.title,
                             data.records == 0 ? "" : std::to_string(data.records), benchmark.samples,
                             judging, source);
  }
}

}  // namespace

void add_eval_list_command(Command eval) {
  Command command =
      eval.add_subcommand("list", "The benchmarks: names, sizes, who decides, where the data is");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "everything about them as JSON");
  command->callback([json] { list(*json); });
}

void add_eval_grade_command(Command eval) {
  Command command = eval.add_subcommand("grade", "Grade answers that were made elsewhere");
  auto options = std::make_shared<GradeOptions>();
  command->add_option("task", options->task, "a benchmark (`r1 eval list`)")->required();
  command
      ->add_option("--outputs", options->outputs,
                   R"(lines {"id", "output", optional "sample", "judge_reply"})")
      ->required();
  command->add_option("--data", options->data, "the benchmark's data: a file, or the folder of all data");
  command->add_flag("--json", options->json, "one JSON object instead of a table");
  command->add_option("--verdicts", options->verdicts, "write a line for each answer to this file");
  command->callback([options] { grade(*options); });
}

}  // namespace r1::cli
