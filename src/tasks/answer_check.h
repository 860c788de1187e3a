// Whether an answer to a generated exercise is right: a number is the expected one, and answers with several right forms
// (an order of numbers, an expression that reaches a target, who is a knight) are judged by the rule of their kind.
#pragma once

#include <optional>
#include <string_view>

namespace r1::tasks {

/// An exercise and the answer to be judged: contents of boxes, without "\boxed".
struct GivenAnswer {
  std::string_view kind, canonical;  // of the record (r1 data make)
  std::string_view expected, given;
};

/// Nothing for records that are no exercise of this program, and for small talk. A calculation that is left to the
/// reader ("347+285" for 632) is wrong: as a reward it would teach to box the question. Any text; any thread.
std::optional<bool> check_answer(const GivenAnswer& answer);

}  // namespace r1::tasks
