// r1 bench: how fast a model runs here, held against what this machine can do.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/memory_use.h"
#include "base/random.h"
#include "base/seconds.h"
#include "cli/commands.h"
#include "cli/machine_limits.h"
#include "cli/model_location.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cli/terminal_text.h"
#include "formats/model_file.h"
#include "model/model.h"

namespace r1::cli {
namespace {

using Clock = std::chrono::steady_clock;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct BenchOptions {
  std::string model;
  int64_t prompt = 512;
  int64_t generate = 128;
  std::vector<int64_t> batches = {1};
  int repetitions = 3;
  int64_t depth = 0;
  bool json = false;
  RuntimeOptions runtime;
};

/// Sequences that stand at the same position and take one token a step.
class Sequences {
 public:
  Sequences(const Model& model, int64_t count, int64_t tokens, DType key_dtype, DType value_dtype)
      : model_(model),
        blocks_each_(KvCache::blocks_for(tokens)),
        cache_(model.kv_layers(), blocks_each_ * count, key_dtype, value_dtype),
        blocks_(count) {
    for (int64_t sequence = 0; sequence < count; ++sequence) {
      for (int64_t block = 0; block < blocks_each_; ++block) {
        blocks_[sequence].push_back(static_cast<int32_t>(sequence * blocks_each_ + block));
      }
    }
  }

  /// Seconds of one pass over `rows` random tokens of each sequence at `position`, logits of the last ones.
  double pass(Context& context, int64_t position, int64_t rows) {
    std::vector<int32_t> tokens, outputs;
    std::vector<SequenceSlice> slices;
    for (const auto& blocks : blocks_) {
      slices.push_back({rows, position, blocks});
      for (int64_t row = 0; row < rows; ++row) {
        tokens.push_back(static_cast<int32_t>(random_bits(7, draw_++) % model_.info().vocabulary));
      }
      outputs.push_back(static_cast<int32_t>(tokens.size()) - 1);
    }
    logits_.resize(outputs.size() * model_.info().vocabulary);
    const auto start = Clock::now();
    model_.forward(context, {tokens, slices, outputs}, cache_, logits_.data());
    return seconds_since(start);
  }

 private:
  const Model& model_;
  int64_t blocks_each_;
  KvCache cache_;
  std::vector<std::vector<int32_t>> blocks_;
  std::vector<float> logits_;
  uint64_t draw_ = 0;
};

nlohmann::json measure(const BenchOptions& options) {
  const auto start = Clock::now();
  const auto file = ModelFile::open(locate_model(options.model), options.runtime.overrides);
  const std::unique_ptr<Model> model = load_model(file, load_options());
  ThreadPool pool(options.runtime.threads);
  Context context(pool, select_kernels(options.runtime), Arithmetic::fast);
  const DType key = cache_dtype(options.runtime.cache_type_k),
              value = cache_dtype(options.runtime.cache_type_v);
  const ModelInfo& info = model->info();
  Sequences(*model, 1, 1, key, value).pass(context, 0, 1);
  const double first_token = seconds_since(start);

  nlohmann::json report = {{"model", options.model},
                           {"architecture", info.architecture},
                           {"parameters", info.parameters},
                           {"weight_bytes", info.weight_bytes},
                           {"threads", pool.size()},
                           {"kernels", context.kernels().name},
                           {"load_to_first_token_seconds", first_token},
                           {"runs", nlohmann::json::array()}};

  if (options.prompt > 0) {
    std::vector<double> times;
    for (int repetition = 0; repetition <= options.repetitions; ++repetition) {
      Sequences sequences(*model, 1, options.depth + options.prompt, key, value);
      double seconds = 0;
      for (int64_t done = 0; done < options.prompt;) {
        const int64_t rows = std::min<int64_t>(options.prompt - done, 512);
        seconds += sequences.pass(context, options.depth + done, rows);
        done += rows;
      }
      if (repetition > 0) times.push_back(seconds);  // the first one warms up
    }
    const double rate = static_cast<double>(options.prompt) / median(times);
    report["runs"].push_back(
        {{"kind", "prefill"},
         {"tokens", options.prompt},
         {"depth", options.depth},
         {"tokens_per_second", rate},
         {"operations_per_second", rate * 2 * static_cast<double>(info.active_parameters)},
         {"seconds", times}});
  }
  for (const int64_t batch : options.batches) {
    if (options.generate <= 0) break;
    std::vector<double> times;
    for (int repetition = 0; repetition < options.repetitions; ++repetition) {
      Sequences sequences(*model, batch, options.depth + options.generate, key, value);
      double seconds = 0;
      for (int64_t step = 0; step < options.generate; ++step)
        seconds += sequences.pass(context, options.depth + step, 1);
      times.push_back(seconds);
    }
    const double steps = static_cast<double>(options.generate) / median(times);
    report["runs"].push_back(
        {{"kind", "decode"},
         {"sequences", batch},
         {"tokens", options.generate},
         {"depth", options.depth},
         {"tokens_per_second", steps * static_cast<double>(batch)},
         {"read_bytes_per_second", steps * static_cast<double>(info.active_weight_bytes)},
         {"operations_per_second",
          steps * static_cast<double>(batch) * 2 * static_cast<double>(info.active_parameters)},
         {"seconds", times}});
  }
  const MemoryUse memory = read_memory_use();
  report["peak_memory_bytes"] = memory.peak;
  report["resident_bytes"] = memory.resident;
  report["resident_file_bytes"] = memory.files;
  // Last, since its buffer is no part of what the model needs.
  const MachineLimits limits = measure_limits(pool, context.kernels());
  report["limits"] = {{"read_bytes_per_second", limits.read_bytes_per_second},
                      {"operations_per_second", limits.operations_per_second}};
  return report;
}

void print(const nlohmann::json& report) {
  const auto number = [](const nlohmann::json& value) { return value.get<double>(); };
  const double read = number(report["limits"]["read_bytes_per_second"]);
  const double operations = number(report["limits"]["operations_per_second"]);
  fmt::print("{}  ({}, {:.2f}B weights, {})\n", terminal_text(report["model"].get<std::string>()),
             report["architecture"].get<std::string>(), number(report["parameters"]) / 1e9,
             format_bytes(number(report["weight_bytes"])));
  fmt::print("{} threads, {} kernels; this machine now: {:.1f} GB/s read, {:.0f} int8 GOP/s\n",
             report["threads"].get<int>(), report["kernels"].get<std::string>(), read / 1e9,
             operations / 1e9);
  fmt::print("load to first token {:.2f} s, peak memory {} (now {}, of which {} of the file)\n\n",
             number(report["load_to_first_token_seconds"]), format_bytes(number(report["peak_memory_bytes"])),
             format_bytes(number(report["resident_bytes"])),
             format_bytes(number(report["resident_file_bytes"])));
  fmt::print("{:<22} {:>10}  {:>18}  {:>18}\n", "", "tokens/s", "weights read", "operations");
  for (const nlohmann::json& run : report["runs"]) {
    const bool prefill = run["kind"] == "prefill";
    const std::string label = prefill ? fmt::format("prefill {}", run["tokens"].get<int64_t>())
                                      : fmt::format("decode {} × {}", run["sequences"].get<int64_t>(),
                                                    run["tokens"].get<int64_t>());
    std::string bytes = "-";
    if (!prefill) {
      const double rate = number(run["read_bytes_per_second"]);
      bytes = fmt::format("{:.1f} GB/s ({:.0f}%)", rate / 1e9, 100 * rate / read);
    }
    const double rate = number(run["operations_per_second"]);
    fmt::print("{:<22} {:>10.1f}  {:>18}  {:>18}\n", label, number(run["tokens_per_second"]), bytes,
               fmt::format("{:.0f} GOP/s ({:.0f}%)", rate / 1e9, 100 * rate / operations));
  }
}

}  // namespace

void add_bench_command(Command app) {
  auto options = std::make_shared<BenchOptions>();
  Command command = app.add_subcommand("bench", "Measure prefill and decode against this machine's limits");
  command->add_option("model,-m,--model", options->model, "file, hub directory or pulled model");
  command->add_option("-p,--prompt-tokens", options->prompt, "tokens of prefill; 0: none")
      ->check(not_negative());
  command->add_option("-n,--generate-tokens", options->generate, "steps of decode; 0: none")
      ->check(not_negative());
  command->add_option("-b,--batches", options->batches, "sequences decoded at once, a list")
      ->delimiter(',')
      ->check(in_range(1, 4096));
  command->add_option("-d,--depth", options->depth, "tokens already in the cache")->check(not_negative());
  command->add_option("-r,--repetitions", options->repetitions, "runs; the median counts")
      ->check(in_range(1, 100));
  command->add_flag("--json", options->json, "the report as JSON");
  add_runtime_options(command, options->runtime);
  add_bench_serve_command(command);
  command->callback([options, command] {
    if (command->has_subcommand_given()) return;
    if (options->model.empty()) throw_error(ErrorKind::invalid_argument, "which model? r1 bench MODEL");
    const nlohmann::json report = measure(*options);
    if (options->json) {
      fmt::print("{}\n", report.dump(2));
    } else {
      print(report);
    }
  });
}

}  // namespace r1::cli
