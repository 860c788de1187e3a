// Multiple-choice questions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/benchmark.h"

namespace r1::eval {

/// simple-evals' prompt for MMLU and GPQA: the directive, the question, "A) …" a line.
std::string simple_evals_prompt(const std::string& question, const std::vector<std::string>& choices);

/// "A. …" lines.
std::string lettered_lines(const std::vector<std::string>& choices);

/// An item whose fields are the choices and the right letter.
Item choice_item(std::string id, std::string prompt, const std::vector<std::string>& choices, char letter);

/// Fields by their usual names (record_fields.h), with simple_evals_prompt(); in Chinese C-Eval's form.
Item read_choice_item(const nlohmann::json& record, int64_t line, const ItemOptions& options);

/// By an announced or a lone letter, else by a box that holds the text of one choice.
Verdict grade_choice(const Item& item, const Sample& sample, const GradingContext& context);
/// By simple-evals' extraction, else by an announcement in other words. The share by simple-evals' alone is the metric "published
/// extraction".
Verdict grade_simple_evals_choice(const Item& item, const Sample& sample, const GradingContext& context);

/// The verdict for a letter; '\0': none was found.
Verdict choice_verdict(const Item& item, const Sample& sample, char letter);

/// Rules, read_choice_item and grade_choice. The caller sets name, title, data, protocol.
Benchmark choice_form();

}  // namespace r1::eval
