// A run made by hand, for tests of what is computed from runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "eval/run.h"

namespace r1::eval {

/// A benchmark of the name without functions: runs of it are made with their verdicts.
inline Benchmark made_benchmark(std::string name = "aime-2024") {
  Benchmark benchmark;
  benchmark.name = std::move(name);
  benchmark.title = "AIME 2024";
  benchmark.samples = 64;
  benchmark.data.records = 30;
  return benchmark;
}

/// One text a question, one letter a sample: '+' right (extracted "1"), a digit: wrong with that answer, '-' not extracted, 't' cut
/// off in the thinking, 'e' failed, '?' undecided. Question n is "qN"; sample lengths are 100 × (sample + 1), wrong ones 1,000 more.
inline Run made_run(const std::vector<std::string_view>& questions, int64_t samples) {
  Run run;
  run.description.benchmark = "aime-2024";
  run.description.model = "DeepSeek-R1-Distill-Qwen-1.5B";
  run.description.samples = samples;
  run.description.questions = static_cast<int64_t>(questions.size());
  for (size_t question = 0; question < questions.size(); ++question) {
    Item item;
    item.id = "q" + std::to_string(question);
    item.line = static_cast<int64_t>(question);
    item.messages.push_back({});
    item.messages.back().role = "user";
    item.messages.back().content = "What is question " + std::to_string(question) + "?";
    run.items.push_back(std::move(item));
    for (size_t i = 0; i < questions[question].size(); ++i) {
      const char letter = questions[question][i];
      Sample sample;
      sample.item = run.items.back().id;
      sample.index = static_cast<int64_t>(i);
      sample.reasoning = "I think.";
      sample.answer = "The answer is 1.";
      sample.tokens = 100 * static_cast<int64_t>(i + 1) + (letter == '+' ? 0 : 1000);
      Verdict verdict;
      verdict.correct = letter == '+';
      verdict.score = verdict.correct ? 1 : 0;
      verdict.answer_class = verdict.correct ? AnswerClass::right : AnswerClass::wrong;
      if (verdict.correct) verdict.extracted = "1";
      if (letter >= '0' && letter <= '9') verdict.extracted = std::string(1, letter);
      if (letter == '-') verdict.answer_class = AnswerClass::not_extracted;
      if (letter == '?') verdict.answer_class = AnswerClass::unknown;
      if (letter == 'e') {
        sample.end = Sample::End::error;
        verdict.answer_class = AnswerClass::error;
      }
      if (letter == 't') {
        sample.end = Sample::End::length;
        sample.in_reasoning = true;
        verdict.answer_class = AnswerClass::truncated_in_reasoning;
      }
      run.samples.push_back(std::move(sample));
      run.verdicts.push_back(std::move(verdict));
    }
  }
  return run;
}

}  // namespace r1::eval
