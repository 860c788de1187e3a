#include "cli/answer_printer.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/terminal_text.h"

namespace r1::cli {
namespace {

constexpr const char* kDim = "\033[2m";
constexpr const char* kReset = "\033[0m";

void write(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace

AnswerPrinter::AnswerPrinter(bool terminal, bool tags, bool hide_thinking)
    : terminal_(terminal), tags_(tags), hide_(hide_thinking) {}

void AnswerPrinter::print(TextKind kind, std::string_view text) {
  if (kind == TextKind::reasoning) {
    if (hide_) return;
    if (!thinking_) {
      thinking_ = true;
      if (tags_) write("<think>\n");
      if (terminal_) write(kDim);
    }
  } else if (thinking_) {
    if (terminal_) write(kReset);
    write(tags_ ? "\n</think>\n\n" : "\n\n");
    thinking_ = false;
  }
  if (terminal_) {
    write(terminal_text(text, true));
  } else {
    write(text);
  }
  if (!text.empty()) line_open_ = text.back() != '\n';
  std::fflush(stdout);
}

void AnswerPrinter::finish() {
  if (thinking_ && terminal_) write(kReset);
  if (line_open_) write("\n");
  std::fflush(stdout);
}

std::string describe(const Generation& generated) {
  const RequestSummary& summary = generated.summary;
  std::string text = fmt::format("[ {} prompt tokens", summary.prompt_tokens);
  if (summary.reused_tokens > 0) text += fmt::format(" ({} known)", summary.reused_tokens);
  if (summary.prefill_seconds > 0) {
    text +=
        fmt::format(", {:.1f}/s · {:.2f} s to the first", generated.prefill_speed(), summary.prefill_seconds);
  }
  text += fmt::format(" · {} tokens", summary.generated_tokens);
  if (generated.decode_speed() > 0) text += fmt::format(", {:.1f} tokens/s", generated.decode_speed());
  if (summary.accepted_tokens > 0) text += fmt::format(" · {} looked up", summary.accepted_tokens);
  if (generated.end == AnswerEnd::length) text += " · stopped: length";
  if (generated.end == AnswerEnd::loop) text += " · stopped: it repeats itself";
  if (generated.end == AnswerEnd::cancelled) text += " · interrupted";
  return text + " ]";
}

}  // namespace r1::cli
