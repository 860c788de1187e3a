// r1: runs R1-family models. Puts the commands together; each lives in its own file.
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/terminal_text.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  using namespace r1::cli;
  Program program("r1 runs the DeepSeek-R1 family of models on this machine.", "r1", "r1 " R1_VERSION);
  const Command app = program.root();
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
  add_distill_command(app);
  add_pipeline_command(app);
  add_merge_command(app);
  add_grade_command(app);
  add_eval_command(app);
  try {
    if (!program.run(normalise_arguments(argc, argv))) return kWrongUsage;
    // The output is lost where the system did not take it: a full disk, for instance.
    errno = 0;
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      std::fprintf(stderr, "r1: standard output: cannot write: %s\n",
                   errno != 0 ? std::strerror(errno) : "an earlier write failed");
      return kFailed;
    }
    return 0;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "r1: out of memory\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "r1: %s\n", terminal_text(error.what()).c_str());
  }
  return kFailed;
}
