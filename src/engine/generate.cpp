#include "engine/generate.h"

#include <memory>
#include <utility>

namespace r1 {
namespace {

struct Running {
  Running(const TextModel& model, TextRequest from)
      : request(std::move(from)), splitter(model, request.options, model.start_of(request.prompt)) {}

  void take(AnswerDelta& delta) {
    if (!delta.reasoning.empty()) pass_on(TextKind::reasoning, delta.reasoning, result.reasoning);
    if (!delta.content.empty()) pass_on(TextKind::answer, delta.content, result.answer);
    for (ToolCall& call : delta.calls) result.calls.push_back(std::move(call));
  }
  void pass_on(TextKind kind, const std::string& text, std::string& whole) {
    whole += text;
    if (request.on_text) request.on_text(kind, text);
  }

  const TextRequest request;
  AnswerSplitter splitter;
  Generation result;
};

}  // namespace

double Generation::prefill_speed() const {
  const auto computed = static_cast<double>(summary.prompt_tokens - summary.reused_tokens);
  return summary.prefill_seconds > 0 ? computed / summary.prefill_seconds : 0;
}

double Generation::decode_speed() const {
  // The first token belongs to the prefill.
  const auto tokens_after = static_cast<double>(summary.generated_tokens - 1);
  return summary.decode_seconds > 0 ? tokens_after / summary.decode_seconds : 0;
}

RequestId submit_text(Engine& engine, const TextModel& model, TextRequest request,
                      std::function<void(Generation)> on_done) {
  Request inner = model.request(request.prompt, request.options, request.adapter);
  const auto running = std::make_shared<Running>(model, std::move(request));
  inner.on_token = [running](const SampledToken& token) {
    running->result.tokens.push_back(token.token);
    AnswerDelta delta;
    const bool wants_more = running->splitter.push(token, delta);
    running->take(delta);
    return wants_more;
  };
  inner.on_finish = [running, done = std::move(on_done)](const RequestSummary& summary) {
    AnswerDelta delta;
    running->splitter.finish(delta);
    running->take(delta);
    running->result.end = running->splitter.end(summary.reason);
    running->result.reasoning_tokens = running->splitter.reasoning_tokens();
    running->result.stop_string = running->splitter.stop_string();
    running->result.summary = summary;
    done(std::move(running->result));
  };
  return engine.submit(std::move(inner));
}

}  // namespace r1
