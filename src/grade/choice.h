// The letter that an answer to a multiple-choice question chooses.
#pragma once

#include <optional>
#include <string_view>

namespace r1::grade {

/// The chosen letter, 'A' to `last`; nothing where none can be found: no letter is ever guessed. In this order, the last
/// match of each: "Answer: X" (simple-evals' MMLU and GPQA prompts; bold, brackets, dollar signs and \boxed{} allowed),
/// "answer is (X)" (MMLU-Pro's extraction), 答案/选 with a letter, a box, a last line that is a letter with its mark ("B.",
/// "(B)"), the last letter that stands alone. Only what follows the last </think> is read; with an unclosed <think> there
/// is no answer. Linear in the text's length.
std::optional<char> chosen_letter(std::string_view output, char last = 'D');

}  // namespace r1::grade
