// How an answer is generated: the one set of options that the command line, the server, scores and training
// fill. TextModel::request() turns it into an engine's Request, AnswerSplitter reads the part about text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/sampling.h"

namespace r1 {

namespace grammar {
class Grammar;
}

struct GenerationOptions {
  SamplingOptions sampling{};
  int64_t max_tokens = -1;       // thinking included; -1: until the context is full
  int64_t thinking_budget = -1;  // reasoning tokens, then the thinking is closed; -1: no limit
  int64_t answer_reserve = 0;    // of max_tokens: tokens kept for the answer; the thinking is closed in time
  int32_t lookup = 5;            // tokens drafted by prompt look-up a step (exact); 0: off
  int32_t priority = 0;          // higher first
  uint64_t owner = 0;            // who asks: the engine's turns go round the owners
  bool loop_detection = true;    // end an answer that only repeats itself

  std::vector<std::string> stop_strings{};  // end the answer; not looked for in the thinking
  std::vector<int32_t> stop_tokens{};       // end the answer, beside the model's end tokens
  bool include_stop = false;                // the stop string stays in the text
  bool ignore_eos = false;                  // the model's end tokens do not end the answer

  bool split = true;         // false: everything is answer text, no marker is looked for
  bool tool_calls = false;   // look for calls in the answer
  bool single_call = false;  // the answer ends with its first call
  bool skip_special = true;  // special tokens give no text

  std::shared_ptr<const grammar::Grammar> constraint{};  // of the answer; null: none
};

}  // namespace r1
