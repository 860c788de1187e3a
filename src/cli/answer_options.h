// Options of all commands that ask many questions and keep the answers: eval, distill.
#pragma once

#include "cli/command_line.h"
#include "cli/evaluation.h"

namespace r1::cli {

/// --endpoint…, --limit, --system-prompt, --seed, --batch, --ui, sampling and runtime.
void add_answer_options(Command command, EvalOptions& options);

}  // namespace r1::cli
