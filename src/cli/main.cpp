// r1: runs R1-family models. Puts the commands together; each lives in its own file.
#include <algorithm>
#include <clocale>
#include <cstdio>
#include <exception>
#include <new>

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/commands.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  CLI::App app("r1 runs the DeepSeek-R1 family of models on this machine.", "r1");
  app.set_version_flag("--version", "r1 " R1_VERSION);
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default(true);
  app.get_formatter()->column_width(44);
  using namespace r1::cli;
  add_run_command(app);
  add_bench_command(app);
  add_perplexity_command(app);
  add_convert_command(app);
  add_quantize_command(app);
  add_hub_commands(app);
  add_data_commands(app);
  add_serve_command(app);
  add_keys_command(app);
  add_extract_child_command(app);
  add_index_command(app);
  add_debug_commands(app);
  add_train_command(app);
  add_merge_command(app);
  add_grade_command(app);
  try {
    std::vector<std::string> arguments = normalise_arguments(argc, argv);
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them last first
    app.parse(std::move(arguments));
    return 0;
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kWrongUsage;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "r1: out of memory\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "r1: %s\n", error.what());
  }
  return kFailed;
}
