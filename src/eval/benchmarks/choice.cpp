#include "eval/benchmarks/choice_form.h"
#include "eval/benchmarks/list.h"

namespace r1::eval {

Benchmark choice() {
  Benchmark benchmark = choice_form();
  benchmark.name = "choice";
  benchmark.title = "Your own multiple choice";
  benchmark.protocol =
      "Records with a question, choices (a list, an object, 'A) … B) …', or fields A, B, …) and an answer "
      "(letter, 0-based "
      "index or the choice's text). Zero-shot; the announced letter counts, else a lone one, else a boxed "
      "choice.";
  return benchmark;
}

}  // namespace r1::eval
