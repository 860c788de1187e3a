#include "cli/pipeline/stage_result.h"

#include <algorithm>

#include "cli/sampled_answers.h"
#include "rl/text_measures.h"

namespace r1::cli {

StageResult read_stage_result(const std::filesystem::path& folder) {
  StageResult result{eval::evaluate(eval::read_run(folder, {}), eval::find_benchmark("questions"))};
  const SampledAnswers sampled(result.evaluation.run);
  for (size_t i = 0; i < sampled.answers.size(); ++i) {
    const rl::Answer& answer = sampled.answers[i];
    const eval::Sample& sample = result.evaluation.run.samples[sampled.samples[i]];
    result.format += rl::is_well_formed(answer) ? 1 : 0;
    result.language += rl::language_share(answer.reasoning + "\n" + answer.answer, answer.question->language);
    result.thinking_tokens += static_cast<double>(sample.reasoning_tokens);
    result.answer_tokens += static_cast<double>(sample.tokens);
    result.cut_off += answer.finished ? 0 : 1;
  }
  const auto count = static_cast<double>(std::max<size_t>(1, sampled.answers.size()));
  for (double* mean :
       {&result.format, &result.language, &result.thinking_tokens, &result.answer_tokens, &result.cut_off})
    *mean /= count;
  return result;
}

}  // namespace r1::cli
