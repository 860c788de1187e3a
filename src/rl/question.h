// Questions of reinforcement learning: prompts whose answers can be checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/boxed_json.h"
#include "train/data/data_sample.h"
#include "train/data/render.h"

namespace r1::rl {

struct Question {
  std::vector<int32_t> prompt;        // by the chat template, as inference has it
  std::vector<ChatMessage> messages;  // the turns before the answer
  std::string text;                   // the last turn of the user
  std::string expected;  // what a right answer comes to: the content of the given answer's box, or what
                         // follows "####", or the answer itself where it is one short line
  std::string language;  // "en", "zh": the record's, else by the text's characters
  BoxedJson<nlohmann::ordered_json> fields;  // the record
  std::string place;                         // "file:line"
};

struct Questions {
  std::vector<Question> all;
  int64_t left_out = 0;      // records whose answer no rule can check
  uint64_t fingerprint = 0;  // of prompts and expected answers
};

/// Reads data files (docs/data.md). Throws Error(bad_file) where no question is left, and as reading samples does.
Questions load_questions(const std::vector<std::string>& files, const ReadOptions& options,
                         const SampleRenderer& renderer);

/// The order in which questions are asked: every epoch has each once, in an order of its own. One thread.
class QuestionOrder {
 public:
  QuestionOrder(int64_t count, uint64_t seed) : seed_(seed), order_(count) {}

  /// Index of the question that is asked after `taken` others.
  int64_t at(int64_t taken);

 private:
  uint64_t seed_;
  int64_t epoch_ = -1;  // of order_
  std::vector<int64_t> order_;
};

}  // namespace r1::rl
