// Questions and requests around what is to be calculated, as people type them: openings, polite words, ways to ask,
// punctuation, case and remarks behind, each drawn by itself.
//
// A question of signs alone ("34-24=") shows by its typography in which language the answer is: a Chinese one has a
// full-width sign or a Chinese word somewhere, an English one has none.
#pragma once

#include <string>
#include <string_view>

#include "tasks/problem.h"

namespace r1::tasks {

enum class Phrase {
  signs,     // "34-24"
  spoken,    // "34 minus 24", "34减24"
  noun,      // "the sum of 3 and 4", "3与4的和"
  request,   // "subtract 24 from 34", "用34减去24"
  question,  // "how much more is 34 than 24", "34比24多多少"
};

/// A whole question about `phrase`, which has no punctuation at its end.
std::string ask(Task& task, std::string_view phrase, Phrase form);

}  // namespace r1::tasks
