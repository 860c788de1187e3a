// Answers that have several right forms: an order of numbers, an expression that reaches a target, who is a knight.
#pragma once

#include <optional>
#include <string_view>

namespace r1::tasks {

/// An exercise and the answer to be judged: contents of boxes, without "\boxed".
struct GivenAnswer {
  std::string_view kind, canonical;  // of the record (r1 data make)
  std::string_view expected, given;
};

/// Whether `given` is right, by the rule of its kind. Nothing for kinds whose answers are compared as numbers or texts, and
/// for records that are no exercise of this program. Any text; any thread.
std::optional<bool> check_answer(const GivenAnswer& answer);

}  // namespace r1::tasks
