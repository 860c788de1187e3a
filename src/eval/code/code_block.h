// Code in a model's answer.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace r1::eval {

struct CodeBlock {
  std::string label{};  // after the opening fence, lower case: "python", "cpp"; empty: none
  std::string code{};
  size_t first = 0, last = 0;  // bytes [first, last) of the answer
};

/// LiveCodeBench's rule (module extraction_utils): the lines between the last two lines that contain ```. Nothing: there
/// are fewer than two such lines.
std::optional<CodeBlock> between_last_fences(std::string_view answer);

/// The last fenced block (``` or ~~~, at least three, closed or ended by the answer's end) whose label `accepts`, else the
/// last without a label. Code keeps its indentation, less that of a fence inside a list. Nothing: there is none.
std::optional<CodeBlock> last_code_block(std::string_view answer, bool (*accepts)(std::string_view label));

enum class Language { python, cpp };
std::string_view language_name(Language language);
/// "python", "py", "python3", "cpp", "c++", …, in lower case. Nothing: another language.
std::optional<Language> language_named(std::string_view label);
/// By the label, else by what is in the code.
Language language_of(const CodeBlock& block);

}  // namespace r1::eval
