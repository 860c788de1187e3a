// A responder whose answers are a function of the question and the seed, in an order that the test chooses.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "engine/responder.h"

namespace r1::test {

class FakeResponder : public Responder {
 public:
  using Answer = std::function<Generation(const std::vector<ChatMessage>& messages, uint64_t seed)>;

  explicit FakeResponder(Answer answer, uint64_t order = 0) : answer_(std::move(answer)), order_(order) {}

  void ask(const Question& question, const OnAnswer& on_answer) override {
    for (int64_t sample = 0; sample < question.samples; ++sample)
      open_.push_back({question, sample, on_answer});
    asked_ += question.samples;
  }
  bool step() override {
    if (open_.empty()) return false;
    const size_t which = random_bits(order_, static_cast<uint64_t>(answered_++)) % open_.size();
    const Open open = std::move(open_[which]);
    open_.erase(open_.begin() + static_cast<int64_t>(which));
    // Without the question's part (eval::sample_seed).
    const uint64_t seed =
        (open.question.options.sampling.seed + static_cast<uint64_t>(open.sample)) % (uint64_t{1} << 16U);
    open.on_answer(open.sample, answer_(open.question.messages, seed));
    return true;
  }

  int64_t asked() const { return asked_; }
  int64_t answered() const { return answered_; }

 private:
  struct Open {
    Question question;
    int64_t sample;
    OnAnswer on_answer;
  };
  Answer answer_;
  uint64_t order_;
  std::vector<Open> open_;
  int64_t asked_ = 0, answered_ = 0;
};

/// Right for even seeds; thinking and answer name the question and the seed.
inline Generation plain_answer(const std::vector<ChatMessage>& messages, uint64_t seed) {
  Generation generation;
  generation.reasoning = fmt::format("about {} with {}", messages.back().content.value_or(""), seed);
  generation.answer = fmt::format("\\boxed{{{}}}", seed % 2 == 0 ? "4" : "5");
  generation.summary.generated_tokens = 10 + static_cast<int64_t>(seed);
  generation.summary.decode_seconds = 0.5;
  return generation;
}

}  // namespace r1::test
