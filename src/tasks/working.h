// How calculations are worked out inside <think>: small steps, each a correct equation that a model of a few
// million parameters can learn by heart or read off what stands right before it.
//
//   7×8=56                                      one digit times one digit, two digits ± one digit: by heart
//   347+285=[7+5=12 4+8+1=13 3+2+1=6]=632       columns from the right; the ten of 12 is the 1 of 4+8+1
//   523-187=[13-7=6 12-1-8=3 5-1-1=3]=336       a ten is borrowed and taken off the next column
//   285×6=[5×6=30 8×6=48 48+3=51 2×6=12 12+5=17]=1710
//   970×80=97×8×100                             zeros are put aside
//   282÷6=[6×4=24 28-24=4 6×7=42 42-42=0]=47    long division
//   47×36=47×30+47×6                            two digits by two digits: tens and ones
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tasks/expression.h"

namespace r1::tasks {

enum class Detail {
  full,   // columns are written out
  brief,  // operations only: 347+285=632
  none,   // nothing is written
};

/// Collects the lines of a trace. Every method does one operation, writes its lines and gives the result.
class Working {
 public:
  explicit Working(Detail detail) : detail_(detail) {}

  /// A line of text or an equation; "" writes nothing.
  void line(std::string_view text);
  int64_t add(int64_t a, int64_t b);       // a, b ≥ 0
  int64_t subtract(int64_t a, int64_t b);  // a, b ≥ 0; the result may be negative
  int64_t multiply(int64_t a, int64_t b);  // a, b ≥ 0
  int64_t divide(int64_t a, int64_t b);    // exact; b has one digit but for zeros at its end
  int64_t remainder(int64_t a, int64_t b);  // a ≥ b, 2 ≤ b ≤ 9: "a÷b" is the first line, "a=b×q+r" the last
  /// Step by step: brackets first, then × and ÷, then + and -, each from the left; what is left is written
  /// again while more than one operation is.
  int64_t solve(const ExpressionPointer& expression);

  /// Without a newline at the end.
  const std::string& text() const { return text_; }

 private:
  void operation(const std::string& problem, const std::string& steps, int64_t result);

  Detail detail_;
  std::string text_;
};

}  // namespace r1::tasks
