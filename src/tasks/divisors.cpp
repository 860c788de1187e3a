// Greatest common divisors, least common multiples, prime factors.
#include <fmt/format.h>

#include <numeric>

#include "tasks/notation.h"
#include "tasks/problem.h"
#include "tasks/wording.h"

namespace r1::tasks {
namespace {

/// Euclid's algorithm; each line of division names the rest that the next one begins with.
int64_t work_gcd(Working& working, int64_t a, int64_t b) {
  if (a < b) std::swap(a, b);
  while (b != 0) {
    const int64_t quotient = a / b;
    const int64_t product = quotient == 1 ? b : working.multiply(b, quotient);
    const int64_t rest = working.subtract(a, product);
    working.line(fmt::format("{}={}×{}+{}", a, b, quotient, rest));
    a = b;
    b = rest;
  }
  return a;
}

struct Pair {
  int64_t a, b;
};

/// Two different numbers, both `factor_most` × `divisor_most` at most, whose greatest common divisor is `gcd_most` at most.
Pair draw_pair(Draw& draw, int64_t divisor_most, int64_t factor_most, int64_t gcd_most) {
  for (;;) {
    const int64_t divisor = draw.between(1, divisor_most);
    const Pair pair{divisor * draw.between(1, factor_most), divisor * draw.between(1, factor_most)};
    if (pair.a != pair.b && std::min(pair.a, pair.b) > 1 && std::gcd(pair.a, pair.b) <= gcd_most) return pair;
  }
}

Problem start(Task& task, std::string_view kind, std::string canonical) {
  return {std::string(kind), task.level, std::move(canonical), {}, {}, {}, {}, task.language};
}

std::string ask_about(Task& task, std::string_view noun, Pair pair) {
  const NumberWriter write = draw_numbers(task);
  return ask(task, fill(noun, {{"a", write(pair.a)}, {"b", write(pair.b)}}),
             noun.find('(') == std::string_view::npos ? Phrase::noun : Phrase::signs);
}

}  // namespace

Problem make_gcd(Task& task) {
  static constexpr const char* english[] = {"the greatest common divisor of {a} and {b}",
                                            "the greatest common factor of {a} and {b}",
                                            "the gcd of {a} and {b}",
                                            "the GCD of {a} and {b}",
                                            "the highest common factor of {a} and {b}",
                                            "gcd({a}, {b})",
                                            "gcd({a},{b})",
                                            "the largest number that divides both {a} and {b}"};
  static constexpr const char* chinese[] = {"{a}和{b}的最大公约数", "{a}与{b}的最大公因数",
                                            "{a}和{b}的最大公因数", "gcd({a},{b})", "{a}、{b}的最大公约数"};
  static constexpr int64_t divisors[] = {6, 12, 12, 30}, factors[] = {5, 8, 20, 30};
  const Pair pair = draw_pair(task.draw, divisors[task.level - 1], factors[task.level - 1], 999);
  Problem problem =
      start(task, "gcd", fmt::format("gcd({},{})", std::min(pair.a, pair.b), std::max(pair.a, pair.b)));
  problem.question =
      ask_about(task, task.is_chinese() ? task.draw.pick(chinese) : task.draw.pick(english), pair);
  Working working(task.detail);
  working.line(fmt::format("gcd({},{})", pair.a, pair.b));
  problem.answer = boxed(task.language, std::to_string(work_gcd(working, pair.a, pair.b)));
  problem.think = working.text();
  return problem;
}

Problem make_lcm(Task& task) {
  static constexpr const char* english[] = {"the least common multiple of {a} and {b}",
                                            "the lowest common multiple of {a} and {b}",
                                            "the lcm of {a} and {b}",
                                            "the LCM of {a} and {b}",
                                            "lcm({a}, {b})",
                                            "lcm({a},{b})",
                                            "the smallest number that both {a} and {b} divide"};
  static constexpr const char* chinese[] = {"{a}和{b}的最小公倍数", "{a}与{b}的最小公倍数", "lcm({a},{b})",
                                            "{a}、{b}的最小公倍数"};
  static constexpr int64_t divisors[] = {3, 6, 9, 9}, factors[] = {4, 6, 9, 11};
  const Pair pair =
      draw_pair(task.draw, divisors[task.level - 1], factors[task.level - 1], 9);  // divisors of one digit
  Problem problem =
      start(task, "lcm", fmt::format("lcm({},{})", std::min(pair.a, pair.b), std::max(pair.a, pair.b)));
  problem.question =
      ask_about(task, task.is_chinese() ? task.draw.pick(chinese) : task.draw.pick(english), pair);
  Working working(task.detail);
  working.line(fmt::format("lcm({},{})", pair.a, pair.b));
  const int64_t divisor = work_gcd(working, pair.a, pair.b);
  working.line(fmt::format("{}×{}÷{}", pair.a, pair.b, divisor));
  const int64_t part = divisor == 1 ? pair.a : divisor == pair.a ? 1 : working.divide(pair.a, divisor);
  problem.answer = boxed(task.language, std::to_string(working.multiply(part, pair.b)));
  problem.think = working.text();
  return problem;
}

Problem make_factor(Task& task) {
  static constexpr const char* english[] = {"the prime factorization of {a}", "the prime factors of {a}",
                                            "the prime factorisation of {a}"};
  static constexpr const char* english_requests[] = {"factor {a} into primes", "factorize {a}",
                                                     "break {a} down into prime factors",
                                                     "write {a} as a product of primes"};
  static constexpr const char* chinese_requests[] = {"把{a}分解质因数", "将{a}分解质因数", "分解质因数{a}",
                                                     "把{a}写成质数的乘积"};
  static constexpr int64_t small_primes[] = {2, 3, 5, 7};
  static constexpr int64_t large_primes[] = {1, 1, 1, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47};
  static constexpr int64_t limits[] = {40, 100, 500, 2000}, least[] = {4, 12, 60, 200};
  Draw& draw = task.draw;
  int64_t n = 0;
  do {
    n = draw.pick(large_primes);
    const int64_t count = draw.between(1, task.level + 3);
    for (int64_t i = 0; i < count; ++i) n *= draw.pick(small_primes);
  } while (n < least[task.level - 1] || n > limits[task.level - 1]);
  Problem problem = start(task, "factor", fmt::format("factor({})", n));
  const std::string number = draw_numbers(task)(n);
  if (task.is_chinese()) {
    problem.question = ask(task, fill(draw.pick(chinese_requests), {{"a", number}}), Phrase::request);
  } else if (draw.chance(0.5)) {
    problem.question = ask(task, fill(draw.pick(english), {{"a", number}}), Phrase::noun);
  } else {
    problem.question = ask(task, fill(draw.pick(english_requests), {{"a", number}}), Phrase::request);
  }
  Working working(task.detail);
  working.line(std::to_string(n));
  std::string product;
  const auto add = [&](int64_t prime) {
    fmt::format_to(std::back_inserter(product), "{}{}", product.empty() ? "" : "×", prime);
  };
  int64_t rest = n;
  for (const int64_t prime : small_primes) {
    while (rest % prime == 0 && rest != prime) {
      rest = working.divide(rest, prime);
      add(prime);
    }
  }
  add(rest);
  working.line(fmt::format("{}={}", n, product));
  problem.think = working.text();
  problem.answer = boxed(task.language, product);
  return problem;
}

}  // namespace r1::tasks
