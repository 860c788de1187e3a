#include "engine/responder.h"

#include <algorithm>

#include "base/error.h"

namespace r1 {

EngineResponder::EngineResponder(Engine& engine, const TextModel& model) : engine_(engine), model_(model) {
  if (model.chat_template() == nullptr)
    throw_error(ErrorKind::unsupported, "{}: this model has no chat template", model.info().name);
}

void EngineResponder::ask(const Question& question, const OnAnswer& on_answer) {
  TextRequest request;
  request.prompt = model_.encode(model_.chat_prompt(question.messages));
  request.options = question.options;
  const int64_t left = engine_.options().context_length - std::ssize(request.prompt);
  if (left > 0)
    request.options.max_tokens = std::min(request.options.max_tokens, left);  // -1 stays: no limit
  for (int64_t sample = 0; sample < question.samples; ++sample) {
    TextRequest one = request;
    one.options.sampling.seed += static_cast<uint64_t>(sample);
    submit_text(engine_, model_, std::move(one),
                [on_answer, sample](Generation answer) { on_answer(sample, std::move(answer)); });
  }
}

bool EngineResponder::step() {
  return engine_.step();
}

}  // namespace r1
