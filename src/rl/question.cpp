#include "rl/question.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "grade/checkable_answer.h"
#include "rl/text_measures.h"

namespace r1::rl {
namespace {

std::vector<int32_t> prompt_of(const DataSample& sample, const SampleRenderer& renderer) {
  const TokenSequence sequence = renderer.render(sample, TrainedTurns::last).front().sequence;
  const auto first = std::ranges::find(sequence.trained, uint8_t{1});
  return {sequence.tokens.begin(), sequence.tokens.begin() + (first - sequence.trained.begin())};
}

}  // namespace

Questions load_questions(const std::vector<std::string>& files, const ReadOptions& options,
                         const SampleRenderer& renderer) {
  Questions questions;
  const auto add_hash = [&](uint64_t value) {
    questions.fingerprint = mix_bits(questions.fingerprint ^ value);
  };
  for (const std::string& file : files) {
    read_records(file, [&](const Record& record) {
      DataSample sample = make_data_sample(record, options);
      if (sample.messages.empty()) {
        throw_error(ErrorKind::bad_file, "{}: expected a question with its answer, found the form '{}'",
                    sample.place, name_of(sample.format));
      }
      ChatMessage& answer = sample.messages.back();
      std::optional<std::string> expected = grade::checkable_answer(answer.content.value_or(""));
      if (!expected) {
        ++questions.left_out;
        return;
      }
      // An opened thinking block is part of the prompt also where the data have no thinking.
      if (!answer.reasoning_content) answer.reasoning_content = "";
      Question question;
      question.expected = std::move(*expected);
      for (const ChatMessage& message : sample.messages) {
        if (message.role == "user") question.text = message.content.value_or("");
      }
      const auto language = record.fields->find("language");
      question.language = language != record.fields->end() && language->is_string()
                              ? language->get<std::string>()
                              : language_of(question.text);
      question.prompt = prompt_of(sample, renderer);
      question.messages.assign(sample.messages.begin(), sample.messages.end() - 1);
      question.fields = *record.fields;
      question.place = sample.place;
      for (const int32_t token : question.prompt) add_hash(static_cast<uint64_t>(token));
      for (const char c : question.expected) add_hash(static_cast<unsigned char>(c));
      questions.all.push_back(std::move(question));
    });
  }
  if (questions.all.empty()) {
    throw_error(ErrorKind::bad_file, "{}: expected questions whose answers a rule can check, found none",
                files.empty() ? std::string("no data") : files.front());
  }
  return questions;
}

int64_t QuestionOrder::at(int64_t taken) {
  const auto count = std::ssize(order_);
  const int64_t epoch = taken / count;
  if (epoch != epoch_) {
    epoch_ = epoch;
    std::iota(order_.begin(), order_.end(), 0);
    const uint64_t stream = mix_bits(seed_ ^ mix_bits(static_cast<uint64_t>(epoch)));
    for (int64_t i = count - 1; i > 0; --i) {
      const uint64_t other = random_bits(stream, static_cast<uint64_t>(i)) % static_cast<uint64_t>(i + 1);
      std::swap(order_[i], order_[static_cast<int64_t>(other)]);
    }
  }
  return order_[taken % count];
}

}  // namespace r1::rl
