// One operation on two numbers, said in words.
#pragma once

#include <string>

#include "tasks/notation.h"
#include "tasks/wording.h"

namespace r1::tasks {

struct OperationPhrase {
  std::string text;
  Phrase form;
};

/// "the sum of 3 and 4", "subtract 24 from 34", "34比24多多少". `operation`: '+', '-', '*' or '/'. The numbers stand in
/// the order of the operation, but where the words turn it round ("24 from 34"). A difference "between" two numbers is
/// the larger less the smaller, in whatever order they are named.
OperationPhrase draw_operation_phrase(Task& task, char operation, int64_t a, int64_t b,
                                      const NumberWriter& write);

}  // namespace r1::tasks
