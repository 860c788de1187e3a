// The letter that an answer to a multiple-choice question chooses.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace r1::grade {

/// The chosen letter, 'A' to `last`; nothing where none can be found: no letter is ever guessed. In this order, the last
/// match of each: "Answer: X" (bold, brackets, dollar signs and \boxed{} allowed), "answer is (X)", 答案/选 with a letter, a box, a last
/// line that is a letter with its mark ("B.", "(B)"). Only what follows the last </think> is read; with an unclosed <think> there
/// is no answer. Linear in the text's length.
std::optional<char> announced_letter(std::string_view output, char last = 'D');

/// announced_letter(), else the last letter that stands alone.
std::optional<char> chosen_letter(std::string_view output, char last = 'D');

/// All letters of the last announcement or box ("ACD", "B, C"), each once, in alphabetical order; empty: none.
std::string chosen_letters(std::string_view output, char last = 'D');

/// The letter by simple-evals' rule for MMLU and GPQA: markdown and LaTeX are taken out, then the first match of "Answer:" with a letter
/// from A to `last`, else of "Answer:" in one of 30 other languages (openai/simple-evals, 2024). Unlike there, a small
/// letter counts where it stands alone. `answer`: without thinking.
std::optional<char> simple_evals_letter(std::string_view answer, char last = 'D');

/// The letter by MMLU-Pro's rule: the first "answer is (X)" or "answer is X", else the last "Answer: X" of the first line that has one,
/// else the last letter from A to J that stands alone (TIGER-AI-Lab/MMLU-Pro, 2024). Where that draws a letter
/// at random there is none here. `answer`: without thinking.
std::optional<char> mmlu_pro_letter(std::string_view answer);

}  // namespace r1::grade
