#include "engine/generate.h"

#include <optional>
#include <utility>

namespace r1 {
namespace {

struct Running {
  Running(const Tokenizer& tokenizer, std::vector<std::string> stops, const TextStream::Options& options,
          TextStream::OnText on_text)
      : stream(tokenizer, std::move(stops), options, std::move(on_text)) {}

  Generation result;
  TextStream stream;
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

RequestId submit_text(Engine& engine, const Tokenizer& tokenizer, TextRequest request,
                      std::function<void(Generation)> on_done) {
  const ThinkingOptions& thinking = request.request.thinking;
  const TextStream::Options options{.starts_inside = thinking.starts_inside,
                                    .open_token = thinking.open_token,
                                    .close_token = thinking.close_token,
                                    .stop_in_reasoning = request.stop_in_reasoning,
                                    .skip_special = request.skip_special};
  // The stream's callback writes to the object that owns the stream: found through this pointer.
  auto place = std::make_shared<Running*>(nullptr);
  auto running = std::make_shared<Running>(
      tokenizer, std::move(request.stop_strings), options,
      [place, on_text = std::move(request.on_text)](TextKind part, std::string_view text) {
        Generation& result = (*place)->result;
        (part == TextKind::reasoning ? result.reasoning : result.answer) += text;
        if (on_text) on_text(part, text);
      });
  *place = running.get();

  Request inner = std::move(request.request);
  inner.on_token = [running, next = std::move(inner.on_token)](const SampledToken& token) {
    running->result.tokens.push_back(token.token);
    const bool goes_on = running->stream.push(token.token);
    return (!next || next(token)) && goes_on;
  };
  inner.on_finish = [running, next = std::move(inner.on_finish),
                     done = std::move(on_done)](const RequestSummary& summary) {
    running->stream.finish();
    running->result.stop_string = running->stream.stop();
    running->result.summary = summary;
    if (next) next(summary);
    done(std::move(running->result));
  };
  return engine.submit(std::move(inner));
}

Generation generate(Engine& engine, const Tokenizer& tokenizer, TextRequest request,
                    const std::atomic<bool>* interrupted) {
  std::optional<Generation> result;
  const RequestId id =
      submit_text(engine, tokenizer, std::move(request), [&](Generation done) { result = std::move(done); });
  try {
    while (!result) {
      if (interrupted != nullptr && interrupted->load()) engine.cancel(id);
      engine.step();
    }
  } catch (...) {
    // The callbacks refer to this frame: end the request before it goes. A cancelled request needs no pass.
    engine.cancel(id);
    try {
      while (!result && engine.step()) {
      }
    } catch (...) {  // the cancellation was taken in before the pass that failed again
    }
    throw;
  }
  return std::move(*result);
}

}  // namespace r1
