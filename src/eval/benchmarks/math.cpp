#include "eval/benchmarks/list.h"
#include "eval/benchmarks/math_form.h"

namespace r1::eval {

Benchmark math() {
  Benchmark benchmark = math_form();
  benchmark.name = "math";
  benchmark.title = "Your own mathematics";
  benchmark.protocol =
      "Lines {\"id\", \"question\", \"answer\"}; zero-shot with the boxed directive in the question's "
      "language; the box is "
      "compared with the answer by meaning.";
  return benchmark;
}

}  // namespace r1::eval
