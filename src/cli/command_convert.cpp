// r1 convert: a hub directory as one GGUF file.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_location.h"
#include "cli/progress_bar.h"
#include "cli/terminal_text.h"
#include "formats/convert.h"

namespace r1::cli {
namespace {

struct ConvertCommandOptions {
  std::string directory, output, type;
  ConvertOptions convert;
};

void convert(ConvertCommandOptions& options) {
  if (!options.type.empty()) {
    options.convert.type = dtype_from_name(options.type);
    if (!options.convert.type) {
      throw_error(ErrorKind::invalid_argument, "--outtype: expected F32, F16, BF16 or Q8_0, found '{}'",
                  options.type);
    }
  }
  const InterruptGuard guard;
  ProgressBar bar("convert", "B");
  const ConvertReport report = convert_hub_to_gguf(
      locate_model(options.directory), options.output, options.convert, [&](const ConvertProgress& progress) {
        if (InterruptGuard::interrupted())
          throw_error(ErrorKind::cancelled, "interrupted; {} was not written", options.output);
        bar.update(progress.bytes_done, progress.bytes, std::string(progress.tensor));
      });
  bar.finish();
  for (const std::string& note : report.notes) fmt::print("note: {}\n", terminal_text(note));
  fmt::print("{}: {} tensors, {}\n", options.output, report.tensors,
             format_bytes(static_cast<double>(report.bytes)));
}

}  // namespace

void add_convert_command(Command app) {
  auto options = std::make_shared<ConvertCommandOptions>();
  Command command = app.add_subcommand("convert", "Write a hub directory as one GGUF file");
  command->add_option("directory", options->directory, "hub directory or pulled model")->required();
  command->add_option("output", options->output, "GGUF file to write")->required();
  command->add_option("--outtype", options->type,
                      "F32, F16, BF16 or Q8_0 for all matrices; as in the source if not given");
  command->add_option("--name", options->convert.name,
                      "what the model is called; if not given: as its folder");
  command->add_option("-t,--threads", options->convert.threads, "threads; 0: one for each core")
      ->check(in_range(0, 1024));
  command->callback([options] { convert(*options); });
}

}  // namespace r1::cli
