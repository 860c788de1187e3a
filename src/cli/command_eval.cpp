// r1 eval: benchmarks; its subcommands are in command_eval_*.cpp.
#include "cli/commands.h"

namespace r1::cli {

void add_eval_command(Command app) {
  Command command =
      app.add_subcommand("eval", "Benchmarks by the protocol of the DeepSeek-R1 release, with intervals");
  command->require_subcommand(1);
  add_eval_list_command(command);
  add_eval_grade_command(command);
}

}  // namespace r1::cli
