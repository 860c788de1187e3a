// A model of this machine as a responder of r1 eval.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "engine/responder.h"
#include "engine/text_model.h"
#include "eval/benchmark.h"

namespace r1::cli {

/// One thread.
class LocalAnswers {
 public:
  /// `context_length` 0: the model's. Throws Error.
  LocalAnswers(const std::string& model, const RuntimeOptions& runtime, int64_t context_length);

  const TextModel& text() const { return text_; }
  /// Tokens of a question and its answer together at most.
  int64_t context_length() const { return context_length_; }
  const std::string& weights_sha256() const { return weights_sha256_; }

  /// Tokens of the longest prompt.
  int64_t longest_prompt(const std::vector<eval::Item>& items) const;
  /// An engine with room for `batch` answers at once, as far as half of the free memory holds them. `tokens`: of the longest question with
  /// its answer. The responder lives until the next call.
  Responder& prepare(int64_t tokens, int64_t batch);

 private:
  TextModel text_;
  RuntimeOptions runtime_;
  int64_t context_length_;
  std::string weights_sha256_;
  ThreadPool pool_;
  Context context_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<EngineResponder> responder_;
};

}  // namespace r1::cli
