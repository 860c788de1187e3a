// How a rendered prompt begins an answer of a model that thinks: chat templates differ in whether they open or
// close the thinking themselves.
//   R1, January 2025                …<｜Assistant｜>
//   R1, from February 2025          …<｜Assistant｜><think>\n
//   others                          …<think>
//   DeepSeek-V3.1, `thinking` unset …<｜Assistant｜></think>
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace r1 {

/// What a template wrote at the very end of a prompt, white space aside.
struct ThinkingEnd {
  enum class Kind { none, opened, closed };
  Kind kind = Kind::none;
  std::size_t begin = 0;  // where its <think> or </think> begins
};
ThinkingEnd find_thinking_end(std::string_view prompt);

/// Lets the answer begin with thinking, or without (`wanted` false): "<think>\n" or "<think>\n\n</think>\n\n" behind
/// the prompt. What the template opened or closed stays as it is; an opened block is closed where no thinking is
/// wanted. Without a value a closed block stays closed and anything else is opened.
void begin_thinking(std::string& prompt, std::optional<bool> wanted);

}  // namespace r1
