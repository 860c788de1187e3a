#include "rl/question.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "grade/boxed_answer.h"

namespace r1::rl {
namespace {

constexpr size_t kLongestPlainAnswer = 200;  // bytes of an answer without a box that a rule can compare

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

std::optional<std::string> checkable_part(const std::string& answer) {
  if (std::optional<std::string> boxed = grade::boxed_answer(answer)) return boxed;
  if (const size_t mark = answer.rfind("####"); mark != std::string::npos)
    return trimmed(answer.substr(mark + 4));
  std::string whole = trimmed(answer);
  if (whole.empty() || whole.size() > kLongestPlainAnswer || whole.find('\n') != std::string::npos)
    return std::nullopt;
  return whole;
}

/// Han characters make a text Chinese.
std::string language_of(std::string_view text) {
  for (size_t i = 0; i + 2 < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead >= 0xE4 && lead <= 0xE9) return "zh";  // U+4000 to U+9FFF
  }
  return "en";
}

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
      std::optional<std::string> expected = checkable_part(answer.content.value_or(""));
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
