// r1 quantize: a GGUF file with smaller types.
#include "formats/quantise_file.h"

#include <fmt/format.h>

#include <map>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_location.h"
#include "cli/progress_bar.h"
#include "cli/terminal_text.h"

namespace r1::cli {
namespace {

struct QuantizeOptions {
  std::string input, output, type = "Q4_K_M";
  bool show_plan = false;
  QuantiseOptions quantise;
};

std::string target_names() {
  std::string names;
  for (const QuantisationTargetInfo& target : quantisation_targets()) {
    names += (names.empty() ? "" : " ") + std::string(target.name);
  }
  return names;
}

/// Tensors whose type is not the target's own are shown, grouped by type and reason; all with --plan.
void print_plan(const std::vector<QuantisePlanEntry>& plan, bool all) {
  std::map<std::pair<std::string, std::string>, std::pair<int, uint64_t>> groups;
  uint64_t before = 0, after = 0;
  for (const QuantisePlanEntry& entry : plan) {
    before += entry.bytes_from;
    after += entry.bytes_to;
    auto& [count, bytes] = groups[{std::string(name(entry.to.dtype)), entry.to.reason}];
    ++count;
    bytes += entry.bytes_to;
    if (all) {
      fmt::print("  {:<44} {:>7} -> {:<7} {}\n", terminal_text(entry.name), name(entry.from),
                 name(entry.to.dtype), entry.to.reason);
    }
  }
  for (const auto& [key, sum] : groups) {
    fmt::print("{:<8} {:>5} tensors {:>12}   {}\n", key.first, sum.first,
               format_bytes(static_cast<double>(sum.second)), key.second);
  }
  fmt::print("{} -> {}\n", format_bytes(static_cast<double>(before)),
             format_bytes(static_cast<double>(after)));
}

void quantize(QuantizeOptions& options) {
  const auto target = quantisation_target_from_name(options.type);
  if (!target)
    throw_error(ErrorKind::invalid_argument, "--type: expected one of {}, found '{}'", target_names(),
                options.type);
  options.quantise.target = *target;
  const std::filesystem::path input = locate_model(options.input);
  print_plan(plan_quantisation(GgufFile::open(input), options.quantise), options.show_plan);
  const InterruptGuard guard;
  ProgressBar bar("quantize", "weights");
  quantise_gguf(input, options.output, options.quantise, [&](const QuantiseProgress& progress) {
    if (InterruptGuard::interrupted())
      throw_error(ErrorKind::cancelled, "interrupted; {} was not written", options.output);
    bar.update(progress.values_done, progress.values, progress.entry.name);
  });
  bar.finish();
  fmt::print("{}\n", options.output);
}

}  // namespace

void add_quantize_command(Command app) {
  auto options = std::make_shared<QuantizeOptions>();
  Command command = app.add_subcommand("quantize", "Write a GGUF file with smaller types");
  command->add_option("input", options->input, "GGUF file (any shard of a sharded one)")->required();
  command->add_option("output", options->output, "file to write")->required();
  command->add_option("--type", options->type, "one of " + target_names());
  command->add_option("-t,--threads", options->quantise.threads, "threads; 0: one for each core")
      ->check(in_range(0, 1024));
  command->add_flag("--allow-requantize", options->quantise.allow_requantise,
                    "take weights that are quantised already");
  command->add_flag("--plan", options->show_plan, "show the type of each tensor");
  command->callback([options] { quantize(*options); });
}

}  // namespace r1::cli
