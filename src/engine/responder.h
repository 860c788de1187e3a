// Answers to chat questions, from wherever they come: an engine of this process here, an HTTP endpoint
// elsewhere. Who asks (scores, evaluation, rollouts) does not know which.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/generate.h"
#include "text/chat_template.h"

namespace r1 {

struct Question {
  std::string id;  // the asker's
  std::vector<ChatMessage> messages;
  int64_t samples = 1;  // answers; sample i draws with the options' seed + i
  GenerationOptions options{};
};

/// One thread.
class Responder {
 public:
  using OnAnswer = std::function<void(int64_t sample, Generation answer)>;

  virtual ~Responder() = default;
  /// Queues the question. max_tokens is an upper bound: behind a long prompt it becomes what the context leaves. `on_answer` is called once a sample, from step(). Throws Error for a question that
  /// cannot be asked; what goes wrong later is an answer that ends with AnswerEnd::error.
  virtual void ask(const Question& question, const OnAnswer& on_answer) = 0;
  /// Works for a while. False: no answer is outstanding.
  virtual bool step() = 0;
};

/// From an engine of this process, which may serve others beside.
class EngineResponder : public Responder {
 public:
  /// Both must outlive it. Throws Error(unsupported) for a model without chat template.
  EngineResponder(Engine& engine, const TextModel& model);

  void ask(const Question& question, const OnAnswer& on_answer) override;
  bool step() override;

 private:
  Engine& engine_;
  const TextModel& model_;
};

}  // namespace r1
