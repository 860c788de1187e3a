#include "train/data/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace r1 {
namespace {

constexpr std::string_view kOpen = "<think>\n", kClosed = "\n</think>\n\n";
constexpr const char* kProbe = "7f3a9c";

}  // namespace

/// A prompt and what is generated behind it.
struct SampleRenderer::Answer {
  std::string prompt, generated;
};

SampleRenderer::SampleRenderer(Tokenizer tokenizer, const std::string& chat_template,
                               std::vector<int32_t> end_of_turn)
    : tokenizer_(std::move(tokenizer)), ends_(std::move(end_of_turn)) {
  thinks_ = tokenizer_.find_special("<think>") && tokenizer_.find_special("</think>");
  if (chat_template.empty()) return;
  const auto text_of = [&](std::optional<int32_t> token) {
    return token ? std::string(tokenizer_.token_text(*token)) : std::string();
  };
  templates_.emplace_back(chat_template, text_of(tokenizer_.bos()), text_of(tokenizer_.eos()));
  if (templates_.front().is_r1_family()) templates_.push_back(templates_.front().for_tools());
  find_end();
  find_turn_starts();
}

void SampleRenderer::find_turn_starts() {
  ChatRequest request;
  request.messages = {{.role = "user", .content = kProbe}};
  request.add_generation_prompt = false;
  const std::string text = templates_.front().render(request);
  for (const int32_t token : tokenizer_.encode(text.substr(0, text.find(kProbe)), true)) {
    if (tokenizer_.is_added(token) && std::ranges::find(turn_starts_, token) == turn_starts_.end())
      turn_starts_.push_back(token);
  }
}

bool SampleRenderer::is_rendered_prompt(std::string_view text) const {
  return std::ranges::any_of(turn_starts_,
                             [&](int32_t token) { return text.starts_with(tokenizer_.token_text(token)); });
}

// People write the token that ends a turn behind their answers, as other tools want it.
std::string_view SampleRenderer::without_end(std::string_view answer) const {
  for (const int32_t token : ends_) {
    const std::string_view end = tokenizer_.token_text(token);
    if (!end.empty() && answer.ends_with(end)) return answer.substr(0, answer.size() - end.size());
  }
  return answer;
}

std::vector<SampleRenderer::ControlToken> SampleRenderer::control_tokens_in(const DataSample& sample) const {
  std::vector<ControlToken> found;
  auto look = [&](const ChatMessage& message, const std::string& place) {
    const bool is_answer = message.role == "assistant";
    if (!is_answer && is_rendered_prompt(message.content.value_or(""))) return;
    for (const std::string& text : {message.content.value_or(""), message.reasoning_content.value_or("")}) {
      for (const int32_t token :
           tokenizer_.encode(is_answer ? without_end(text) : std::string_view(text), true)) {
        if (!tokenizer_.is_special(token) && std::ranges::find(turn_starts_, token) == turn_starts_.end())
          continue;
        const bool ends = is_answer && std::ranges::find(ends_, token) != ends_.end();
        found.push_back({fmt::format("{}: {}: {}{}", sample.place, place, tokenizer_.token_text(token),
                                     ends ? " inside an answer" : ""),
                         ends});
      }
    }
  };
  for (size_t i = 0; i < sample.messages.size(); ++i) look(sample.messages[i], fmt::format("turn {}", i + 1));
  if (sample.chosen) look(*sample.chosen, "chosen");
  if (sample.rejected) look(*sample.rejected, "rejected");
  return found;
}

std::optional<int32_t> SampleRenderer::end_token() const {
  return end_token_;
}

std::string SampleRenderer::template_without_thinking() const {
  if (!thinks_ || templates_.empty()) return "";
  ChatRequest request;
  request.messages = {{.role = "user", .content = kProbe}};
  const std::string prompt = templates_.front().render(request);
  if (prompt.ends_with(std::string(kOpen) + std::string(kClosed))) return templates_.front().source();
  const bool opened = prompt.ends_with(kOpen);
  const std::string_view missing = opened ? "\\n</think>\\n\\n" : "<think>\\n\\n</think>\\n\\n";
  return fmt::format("{}{{% if add_generation_prompt %}}{{{{ '{}' }}}}{{% endif %}}",
                     templates_.front().source(), missing);
}

/// What the template writes behind an answer, up to the token that ends the turn.
void SampleRenderer::find_end() {
  ChatRequest request;
  request.messages = {{.role = "user", .content = "a"}, {.role = "assistant", .content = kProbe}};
  request.add_generation_prompt = false;
  const std::string text = templates_.front().render(request);
  const size_t at = text.rfind(kProbe);
  std::string behind =
      at == std::string::npos ? std::string() : text.substr(at + std::string_view(kProbe).size());
  for (const int32_t token : tokenizer_.encode(behind, true)) {
    end_ += tokenizer_.token_bytes(token);
    if (std::find(ends_.begin(), ends_.end(), token) == ends_.end()) continue;
    end_token_ = token;
    return;
  }
  std::string names;
  for (const int32_t token : ends_)
    names += (names.empty() ? "" : ", ") + std::string(tokenizer_.token_text(token));
  throw_error(ErrorKind::unsupported, "chat template: expected one of {} behind an answer, found '{}'",
              names.empty() ? "(no token ends a turn)" : names, behind);
}

const ChatTemplate& SampleRenderer::template_for(const DataSample& sample) const {
  if (templates_.empty()) {
    throw_error(ErrorKind::unsupported, "{}: a conversation, but the model has no chat template",
                sample.place);
  }
  // The published templates of R1 do not show tools and break off behind their answers.
  const bool tools =
      !sample.tools->is_null() ||
      std::any_of(sample.messages.begin(), sample.messages.end(), [](const ChatMessage& message) {
        return message.role == "tool" || !message.tool_calls.empty();
      });
  return tools ? templates_.back() : templates_.front();
}

std::string SampleRenderer::render_turns(const DataSample& sample, size_t count, const ChatMessage* extra,
                                         bool prompt) const {
  ChatRequest request;
  request.messages.assign(sample.messages.begin(),
                          sample.messages.begin() + static_cast<std::ptrdiff_t>(count));
  if (extra != nullptr) request.messages.push_back(*extra);
  request.tools = sample.tools;
  request.add_generation_prompt = prompt;
  try {
    return template_for(sample).render(request);
  } catch (const JinjaError& error) {
    throw_error(ErrorKind::bad_file, "{}: the chat template refuses the conversation: {}", sample.place,
                error.message());
  }
}

SampleRenderer::Answer SampleRenderer::render_answer(const DataSample& sample, size_t turns_before,
                                                     const ChatMessage& answer) const {
  Answer result;
  const std::string content(without_end(answer.content.value_or("")));
  if (turns_before == 1 && is_rendered_prompt(sample.messages.front().content.value_or(""))) {
    result.prompt = *sample.messages.front().content;
    if (answer.reasoning_content)
      result.generated = (result.prompt.ends_with(kOpen) ? "" : std::string(kOpen)) +
                         *answer.reasoning_content + std::string(kClosed);
    result.generated += content + end_;
    return result;
  }
  result.prompt = render_turns(sample, turns_before, nullptr, true);
  // A template that closes the block itself (template_without_thinking) is rendered as one that opens it.
  if (thinks_ && result.prompt.ends_with(std::string(kOpen) + std::string(kClosed)))
    result.prompt.resize(result.prompt.size() - kClosed.size());
  std::string behind_prompt = content + end_;
  if (!answer.tool_calls.empty()) {
    // Only the template knows how calls are written: take them from the turn as a part of the history.
    const std::string before = render_turns(sample, turns_before, nullptr, false);
    std::string header =
        result.prompt.starts_with(before) ? result.prompt.substr(before.size()) : result.prompt;
    if (header.ends_with(kOpen)) header.resize(header.size() - kOpen.size());
    const std::string whole = render_turns(sample, turns_before, &answer, false);
    const size_t end = whole.rfind(end_);
    if (!whole.starts_with(before + header) || end == std::string::npos) {
      throw_error(ErrorKind::unsupported,
                  "{}: the chat template does not write tool calls behind its prompt for an answer",
                  sample.place);
    }
    const size_t start = before.size() + header.size();
    behind_prompt = whole.substr(start, end + end_.size() - start);
  }
  if (thinks_ && !result.prompt.ends_with(kOpen)) result.prompt += kOpen;
  if (answer.reasoning_content) {
    const std::string closed = *answer.reasoning_content + std::string(kClosed);
    // A vocabulary without the tags learns them as text.
    result.generated = (thinks_ ? "" : std::string(kOpen)) + closed + behind_prompt;
  } else {
    if (thinks_) result.prompt += kClosed;
    result.generated = behind_prompt;
  }
  return result;
}

void SampleRenderer::append(TokenSequence& sequence, std::string_view text, bool trained) const {
  tokenizer_.encode(text, true, sequence.tokens);
  sequence.trained.resize(sequence.tokens.size(), trained ? 1 : 0);
}

TokenSequence SampleRenderer::make_sequence(const Answer& answer) const {
  TokenSequence sequence;
  append(sequence, answer.prompt, false);
  const std::optional<int32_t> bos = tokenizer_.add_bos() ? tokenizer_.bos() : std::nullopt;
  if (bos && (sequence.tokens.empty() || sequence.tokens.front() != *bos)) {
    sequence.tokens.insert(sequence.tokens.begin(), *bos);
    sequence.trained.insert(sequence.trained.begin(), 0);
  }
  append(sequence, answer.generated, true);
  return sequence;
}

TrainingSample SampleRenderer::render_text(const DataSample& sample) const {
  TrainingSample result;
  result.source = sample.place;
  std::vector<int32_t>& tokens = result.sequence.tokens;
  tokenizer_.encode(sample.text, true, tokens);
  const std::optional<int32_t> bos = tokenizer_.bos(), eos = tokenizer_.eos();
  if (tokenizer_.add_bos() && bos && (tokens.empty() || tokens.front() != *bos))
    tokens.insert(tokens.begin(), *bos);
  if (eos && !ends_with_end(tokens)) tokens.push_back(*eos);
  result.sequence.trained.assign(tokens.size(), 1);
  return result;
}

bool SampleRenderer::ends_with_end(const std::vector<int32_t>& tokens) const {
  if (tokens.empty()) return false;
  return tokens.back() == tokenizer_.eos() || std::ranges::find(ends_, tokens.back()) != ends_.end();
}

std::vector<TrainingSample> SampleRenderer::render(const DataSample& sample, TrainedTurns turns) const {
  if (sample.format == DataFormat::text) return {render_text(sample)};
  TrainingSample result;
  result.source = sample.place;
  result.desirable = sample.desirable;
  // Answers without reasoning are rendered behind a closed block.
  const auto closed = [&](const ChatMessage& answer) { return thinks_ && !answer.reasoning_content; };
  if (sample.format == DataFormat::preference) {
    result.sequence = make_sequence(render_answer(sample, sample.messages.size(), *sample.chosen));
    result.rejected = make_sequence(render_answer(sample, sample.messages.size(), *sample.rejected));
    result.without_thinking = closed(*sample.chosen);
    return {result};
  }
  if (turns == TrainedTurns::last || sample.format == DataFormat::kto) {
    const size_t last = sample.messages.size() - 1;
    result.sequence = make_sequence(render_answer(sample, last, sample.messages[last]));
    result.without_thinking = closed(sample.messages[last]);
    return {result};
  }
  std::vector<Answer> answers;
  for (size_t i = 0; i < sample.messages.size(); ++i) {
    if (sample.messages[i].role == "assistant")
      answers.push_back(render_answer(sample, i, sample.messages[i]));
  }
  result.without_thinking = closed(sample.messages.back());
  const bool nested =
      std::adjacent_find(answers.begin(), answers.end(), [](const Answer& a, const Answer& b) {
        return !b.prompt.starts_with(a.prompt + a.generated);
      }) == answers.end();
  std::vector<TrainingSample> results;
  if (!nested) {
    for (const Answer& answer : answers) {
      results.push_back(result);
      results.back().sequence = make_sequence(answer);
    }
    return results;
  }
  result.sequence = make_sequence(answers.front());
  for (size_t i = 1; i < answers.size(); ++i) {
    const size_t done = answers[i - 1].prompt.size() + answers[i - 1].generated.size();
    append(result.sequence, std::string_view(answers[i].prompt).substr(done), false);
    append(result.sequence, answers[i].generated, true);
  }
  return {result};
}

}  // namespace r1
