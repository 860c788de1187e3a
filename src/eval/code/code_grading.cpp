#include "eval/code/code_grading.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "sandbox/sandbox.h"

namespace r1::eval {

Verdict no_code(std::string reason) {
  Verdict verdict;
  verdict.reason = std::move(reason);
  verdict.answer_class = AnswerClass::not_extracted;
  return verdict;
}

Verdict not_run(std::string reason) {
  Verdict verdict;
  verdict.reason = std::move(reason);
  verdict.answer_class = AnswerClass::unknown;
  return verdict;
}

std::string why_not_run(const GradingContext& context) {
  if (context.sandbox == nullptr) return "code is not run without a sandbox";
  if (context.sandbox->kind() != Sandbox::Kind::bubblewrap) {
    return "code is run in bubblewrap only; here: " + context.sandbox->description();
  }
  return "";
}

Verdict grade_solution(const GradingContext& context, const CodeBlock& block, const Solution& solution,
                       const CodeTests& tests, const TestLimits& limits) {
  if (std::string reason = why_not_run(context); !reason.empty()) return not_run(std::move(reason));
  try {
    const CodeResult result = run_tests(*context.sandbox, solution, tests, limits);
    Verdict verdict;
    verdict.extracted = block.code;
    verdict.deciding = {block.first, block.last};
    verdict.reason = describe(result, tests.inputs.size());
    verdict.correct = result.end == CodeResult::End::passed;
    verdict.score = verdict.correct ? 1 : 0;
    verdict.answer_class = verdict.correct                              ? AnswerClass::right
                           : result.end == CodeResult::End::unsupported ? AnswerClass::unknown
                                                                        : AnswerClass::wrong;
    return verdict;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    return not_run(error.what());
  }
}

std::string code_directive(Language language) {
  const bool cpp = language == Language::cpp;
  return fmt::format(
      "Write the solution in {}, in one block of code that begins with ```{} and ends with ```.",
      cpp ? "C++20" : "Python 3", cpp ? "cpp" : "python");
}

}  // namespace r1::eval
