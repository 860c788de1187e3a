// From a model's answer to a verdict: the part that all programming tasks share.
#pragma once

#include <string>

#include "eval/benchmark.h"
#include "eval/code/code_block.h"
#include "eval/code/code_runner.h"

namespace r1::eval {

/// Runs the tests in the context's sandbox. AnswerClass::unknown, with the reason, where code cannot be run here (no sandbox, one that does
/// not isolate, no interpreter) or the test cannot be: never a pass or a failure that was not seen.
Verdict grade_solution(const GradingContext& context, const CodeBlock& block, const Solution& solution,
                       const CodeTests& tests, const TestLimits& limits = {});

/// AnswerClass::not_extracted.
Verdict no_code(std::string reason);
/// AnswerClass::unknown.
Verdict not_run(std::string reason);

/// Why code cannot be run with this context; empty: it can.
std::string why_not_run(const GradingContext& context);

/// "in Python", "in C++": a request for one block of code in that language.
std::string code_directive(Language language);

}  // namespace r1::eval
