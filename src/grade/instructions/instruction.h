// Whether an answer follows an instruction whose fulfilment a program can check: the 25 kinds of IF-Eval (Zhou et al.,
// "Instruction-Following Evaluation for Large Language Models", 2023).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace r1::grade {

struct Instruction {
  std::string id;                  // as in the data: "length_constraints:number_words"
  std::vector<std::string> words;  // keywords, forbidden words
  std::string text;                // keyword, letter, phrase, marker, language, first word, prompt
  bool at_least = true;            // relation: at least `count`, else less than `count`
  int64_t count = 0;
  int64_t paragraphs = 0;  // nth_paragraph_first_word: of the whole answer
};

/// Reads an entry of `instruction_id_list` with its `kwargs`; fields that are null or missing where the kind needs none are
/// accepted. Throws Error(bad_file) that names the instruction and the field.
Instruction read_instruction(const std::string& id, const nlohmann::json& arguments);

/// Whether the text as it is fulfils the instruction. An empty text fulfils none.
bool follows(const Instruction& instruction, std::string_view answer);

/// The loose criterion: whether the text, or the text without its first line, last line, both, or without asterisks, or any
/// combination, fulfils it.
bool follows_loosely(const Instruction& instruction, std::string_view answer);

}  // namespace r1::grade
