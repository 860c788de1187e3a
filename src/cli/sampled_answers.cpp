#include "cli/sampled_answers.h"

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "rl/text_measures.h"

namespace r1::cli {

SampledAnswers::SampledAnswers(const eval::Run& run) {
  std::map<std::string, int64_t> places;  // of the items
  questions.reserve(run.items.size());
  for (const eval::Item& item : run.items) {
    places.emplace(item.id, std::ssize(questions));
    const nlohmann::json& fields = *item.fields;
    rl::Question question;
    question.text = fields.value("question", "");
    if (const auto expected = fields.find("references"); expected != fields.end() && !expected->empty())
      question.expected = expected->front().get<std::string>();
    question.language = fields.value("language", rl::language_of(question.text));
    *question.fields = fields;
    questions.push_back(std::move(question));
  }
  answers.reserve(run.samples.size());
  samples.reserve(run.samples.size());
  for (size_t i = 0; i < run.samples.size(); ++i) {
    const eval::Sample& sample = run.samples[i];
    if (sample.end == eval::Sample::End::error) {
      ++failed;
      continue;
    }
    rl::Answer answer;
    answer.group = places.at(sample.item);
    answer.question = &questions[static_cast<size_t>(answer.group)];
    answer.reasoning = sample.reasoning;
    answer.answer = sample.answer;
    answer.output = sample.in_reasoning ? sample.reasoning : sample.reasoning + "</think>" + sample.answer;
    answer.in_reasoning = sample.in_reasoning;
    answer.finished = sample.end == eval::Sample::End::stop;
    answer.tokens = sample.tokens;
    answers.push_back(std::move(answer));
    samples.push_back(i);
  }
}

}  // namespace r1::cli
