// r1 eval fetch: the data of benchmarks, from a hub.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_location.h"
#include "cli/progress_bar.h"
#include "eval/data_fetch.h"
#include "eval/data_location.h"

namespace r1::cli {
namespace {

void fetch(const std::vector<std::string>& tasks, const std::string& folder) {
  const InterruptGuard guard;
  for (const std::string& task : tasks) {
    const eval::Benchmark& benchmark = eval::find_benchmark(task);
    if (!benchmark.data.licence.empty())
      fmt::print(stderr, "{}: licence: {}\n", benchmark.title, benchmark.data.licence);
    eval::FetchOptions options;
    options.hub = hub_options();
    options.cancelled = InterruptGuard::interrupted;
    ProgressBar bar(benchmark.name, benchmark.data.repository_file.empty() ? "rows" : "B");
    options.progress = [&](uint64_t done, uint64_t total) { bar.update(done, total); };
    const eval::FetchedData fetched = eval::fetch_data(
        benchmark, folder.empty() ? eval::data_folder() : std::filesystem::path(folder), options);
    bar.finish();
    if (!fetched.remark.empty()) fmt::print(stderr, "r1: {}\n", fetched.remark);
    fmt::print("{}  {}{}\n", fetched.sha256, fetched.file.string(), fetched.was_there ? "  (was there)" : "");
  }
}

}  // namespace

void add_eval_fetch_command(Command eval) {
  struct Options {
    std::vector<std::string> tasks;
    std::string folder;
  };
  auto options = std::make_shared<Options>();
  Command command = eval.add_subcommand("fetch", "Fetch the data of benchmarks, with its hash and licence");
  command->add_option("task", options->tasks, "benchmarks: `r1 eval list` names them")->required();
  command->add_option("--data", options->folder, "folder to fetch into; if not given: where `r1 eval` looks");
  command->callback([options] { fetch(options->tasks, options->folder); });
}

}  // namespace r1::cli
