// All graders as functions of one text, for tests and benchmarks of hostile texts.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grade/boxed_answer.h"
#include "grade/calculator.h"
#include "grade/choice.h"
#include "grade/drop_f1.h"
#include "grade/exact.h"
#include "grade/instructions/instruction.h"
#include "grade/judge_reply.h"
#include "grade/math_answer.h"
#include "grade/trace_check.h"

namespace r1::grade {

using NamedGrader = std::pair<std::string, std::function<void(const std::string& text)>>;

inline std::vector<NamedGrader> every_grader() {
  std::vector<NamedGrader> graders = {
      {"boxed_answer", [](const std::string& text) { boxed_answer(text); }},
      {"calculate", [](const std::string& text) { calculate(text); }},
      {"check_trace", [](const std::string& text) { check_trace(text); }},
      {"announced_letter", [](const std::string& text) { announced_letter(text); }},
      {"chosen_letter", [](const std::string& text) { chosen_letter(text); }},
      {"chosen_letters", [](const std::string& text) { chosen_letters(text); }},
      {"simple_evals_letter", [](const std::string& text) { simple_evals_letter(text); }},
      {"mmlu_pro_letter", [](const std::string& text) { mmlu_pro_letter(text); }},
      {"plain_answer", [](const std::string& text) { plain_answer(text); }},
      {"same_text", [](const std::string& text) { same_text("42", text); }},
      {"drop_answer, score_drop",
       [](const std::string& text) {
         score_drop({{"42 yards", "a b"}, {"3"}}, {drop_answer(text)});
       }},
      {"read_fact_grade", [](const std::string& text) { read_fact_grade(text); }},
      {"read_true_or_false", [](const std::string& text) { read_true_or_false(text); }},
      {"read_game", [](const std::string& text) { read_game(text); }},
      {"read_preference", [](const std::string& text) { read_preference(text); }},
  };
  for (const char* reference : {"42", "x^2", "(1,2)", "x>2"}) {
    graders.emplace_back(std::string("grade_math: ") + reference,
                         [=](const std::string& text) { grade_math(reference, text); });
    graders.emplace_back(std::string("grade_math, boxed: ") + reference,
                         [=](const std::string& text) { grade_math(reference, "\\boxed{" + text + "}"); });
  }
  const nlohmann::json arguments = {{"keywords", {"mom", "dad"}},
                                    {"keyword", "war"},
                                    {"forbidden_words", {"rock"}},
                                    {"relation", "at least"},
                                    {"frequency", 2},
                                    {"letter", "t"},
                                    {"let_relation", "less than"},
                                    {"let_frequency", 3},
                                    {"language", "de"},
                                    {"num_sentences", 3},
                                    {"num_paragraphs", 2},
                                    {"num_words", 4},
                                    {"first_word", "the"},
                                    {"nth_paragraph", 1},
                                    {"num_placeholders", 1'000},
                                    {"postscript_marker", "P.P.S"},
                                    {"num_bullets", 2},
                                    {"num_highlights", 1'000'000},
                                    {"section_spliter", "SECTION"},
                                    {"num_sections", 1'000'000},
                                    {"prompt_to_repeat", "Say it."},
                                    {"end_phrase", "Bye."},
                                    {"capital_frequency", 3},
                                    {"capital_relation", "at least"}};
  for (const char* id : {"keywords:existence",
                         "keywords:frequency",
                         "keywords:forbidden_words",
                         "keywords:letter_frequency",
                         "language:response_language",
                         "length_constraints:number_sentences",
                         "length_constraints:number_paragraphs",
                         "length_constraints:number_words",
                         "length_constraints:nth_paragraph_first_word",
                         "detectable_content:number_placeholders",
                         "detectable_content:postscript",
                         "detectable_format:number_bullet_lists",
                         "detectable_format:constrained_response",
                         "detectable_format:number_highlighted_sections",
                         "detectable_format:multiple_sections",
                         "detectable_format:json_format",
                         "detectable_format:title",
                         "combination:two_responses",
                         "combination:repeat_prompt",
                         "startend:end_checker",
                         "change_case:capital_word_frequency",
                         "change_case:english_capital",
                         "change_case:english_lowercase",
                         "punctuation:no_comma",
                         "startend:quotation"}) {
    graders.emplace_back(id, [instruction = read_instruction(id, arguments)](const std::string& text) {
      follows(instruction, text);
    });
  }
  return graders;
}

}  // namespace r1::grade
