// Linear equations in one unknown, with whole solutions that are not negative.
#include <fmt/format.h>

#include <stdexcept>

#include "tasks/problem.h"

namespace r1::tasks {
namespace {

constexpr const char* kEnglish[] = {
    "Solve {q} for {x}.",    "Solve {q}.",           "Find {x} if {q}.",        "If {q}, what is {x}?",
    "What is {x} if {q}?",   "{q}, {x} = ?",         "Solve the equation {q}.", "{q}. Find {x}.",
    "For which {x} is {q}?", "Given {q}, find {x}.",
};
constexpr const char* kChinese[] = {
    "解方程{q}。", "{q}，求{x}。",         "如果{q}，{x}等于多少？",
    "解方程：{q}", "已知{q}，求{x}的值。", "若{q}，则{x}是多少？",
    "求{q}的解。", "{q}，{x}=?",
};

/// Writes lines with the unknown as x in them; the caller's own letter is put in at the end.
class Solver {
 public:
  explicit Solver(const Task& task) : working_(task.detail) {}

  // The equation in the form of canonical texts, and the same as it stands in the question.
  std::string canonical;
  std::string shown;
  int64_t solution = 0;

  /// x+a=b
  void plus(int64_t a, int64_t b) {
    working_.line(fmt::format("x={}-{}", b, a));
    finish(working_.subtract(b, a));
  }
  /// x-a=b
  void minus(int64_t a, int64_t b) {
    working_.line(fmt::format("x={}+{}", b, a));
    finish(working_.add(b, a));
  }
  /// a-x=b
  void from(int64_t a, int64_t b) {
    working_.line(fmt::format("x={}-{}", a, b));
    finish(working_.subtract(a, b));
  }
  /// ax=b, a ≥ 1
  void times(int64_t a, int64_t b) {
    if (a == 1) {  // "x=b" stands there already
      solution = b;
      return;
    }
    working_.line(fmt::format("x={}÷{}", b, a));
    finish(working_.divide(b, a));
  }
  /// x÷a=b
  void divided(int64_t a, int64_t b) {
    working_.line(fmt::format("x={}×{}", b, a));
    finish(working_.multiply(b, a));
  }

  Working& working() { return working_; }

  /// "3x", "x"
  static std::string term(int64_t a) { return a == 1 ? "x" : fmt::format("{}x", a); }

 private:
  void finish(int64_t value) {
    solution = value;
    working_.line(fmt::format("x={}", value));
  }

  Working working_;
};

std::string sign(int64_t b) {
  return b < 0 ? fmt::format("-{}", -b) : fmt::format("+{}", b);
}

/// ax+b=c with b of either sign, not 0.
void solve_two_steps(Solver& solver, int64_t a, int64_t b, int64_t c) {
  Working& working = solver.working();
  working.line(fmt::format("{}={}{}", Solver::term(a), c, sign(-b)));
  const int64_t right = b > 0 ? working.subtract(c, b) : working.add(c, -b);
  working.line(fmt::format("{}={}", Solver::term(a), right));
  solver.times(a, right);
}

void level_1(Task& task, Solver& solver) {
  Draw& draw = task.draw;
  const int64_t x = draw.between(1, 50), a = draw.between(1, 49);
  switch (draw.between(0, 4)) {
    case 0:
    case 1: {
      solver.canonical = fmt::format("x+{}={}", a, x + a);
      solver.shown = draw.chance(0.6) ? solver.canonical : fmt::format("{}+x={}", a, x + a);
      return solver.plus(a, x + a);
    }
    case 2:
      solver.canonical = solver.shown = fmt::format("x-{}={}", a, x);
      return solver.minus(a, x);
    case 3:
      solver.canonical = solver.shown = fmt::format("{}-x={}", a + x, a);
      return solver.from(a + x, a);
    default: {
      const int64_t factor = draw.between(2, 9), root = draw.between(1, 20);
      solver.canonical = solver.shown = fmt::format("{}x={}", factor, factor * root);
      return solver.times(factor, factor * root);
    }
  }
}

void level_2(Task& task, Solver& solver) {
  Draw& draw = task.draw;
  const int64_t a = draw.between(2, 9), x = draw.between(1, 30), b = draw.between(1, 60);
  const int64_t choice = draw.between(0, 4);
  if (choice == 4) {  // x÷a+b=c
    const int64_t quotient = draw.between(1, 20);
    const int64_t c = quotient + b;
    solver.canonical = solver.shown = fmt::format("x/{}+{}={}", a, b, c);
    Working& working = solver.working();
    working.line(fmt::format("x÷{}={}-{}", a, c, b));
    working.subtract(c, b);
    working.line(fmt::format("x÷{}={}", a, quotient));
    return solver.divided(a, quotient);
  }
  const int64_t offset = choice < 2 || b > a * x ? b : -b;
  const int64_t c = a * x + offset;
  solver.canonical = fmt::format("{}x{}={}", a, sign(offset), c);
  solver.shown = draw.chance(0.8) || offset < 0 ? solver.canonical : fmt::format("{}+{}x={}", offset, a, c);
  solve_two_steps(solver, a, offset, c);
}

/// ax+b=cx+d with a > c; all steps in small numbers.
void solve_both_sides(Solver& solver, int64_t a, int64_t b, int64_t c, int64_t d) {
  Working& working = solver.working();
  working.line(fmt::format("{}-{}={}{}", Solver::term(a), Solver::term(c), d, sign(-b)));
  const int64_t factor = working.subtract(a, c);
  const int64_t right = b > 0 ? working.subtract(d, b) : working.add(d, -b);
  working.line(fmt::format("{}={}", Solver::term(factor), right));
  solver.times(factor, right);
}

void level_3(Task& task, Solver& solver) {
  Draw& draw = task.draw;
  const int64_t c = draw.between(1, 7), a = draw.between(c + 1, 9), x = draw.between(1, 25);
  int64_t b = draw.between(1, 50);
  if (draw.chance(0.4) && a * x > b && (a - c) * x >= b) b = -b;
  const int64_t d = (a - c) * x + b;
  if (d == 0) return level_3(task, solver);
  solver.canonical = fmt::format("{}{}={}{}", Solver::term(a), sign(b), Solver::term(c), sign(d));
  solver.shown = solver.canonical;
  solve_both_sides(solver, a, b, c, d);
}

void level_4(Task& task, Solver& solver) {
  Draw& draw = task.draw;
  const int64_t a = draw.between(2, 9), x = draw.between(1, 25), b = draw.between(1, 20);
  Working& working = solver.working();
  const bool less = draw.chance(0.4) && x > b;
  const int64_t inner = less ? x - b : x + b;
  const char operation = less ? '-' : '+';
  if (draw.chance(0.5)) {  // a(x+b)=c: divide first
    solver.canonical = solver.shown = fmt::format("{}(x{}{})={}", a, operation, b, a * inner);
    working.line(fmt::format("x{}{}={}÷{}", operation, b, a * inner, a));
    working.divide(a * inner, a);
    working.line(fmt::format("x{}{}={}", operation, b, inner));
    return less ? solver.minus(b, inner) : solver.plus(b, inner);
  }
  // a(x+b)=cx+d: multiply out
  const int64_t c = draw.between(1, a - 1);
  const int64_t d = a * inner - c * x;
  if (d <= 0) return level_4(task, solver);
  solver.canonical = solver.shown = fmt::format("{}(x{}{})={}{}", a, operation, b, Solver::term(c), sign(d));
  working.multiply(a, b);
  working.line(fmt::format("{}{}{}={}{}", Solver::term(a), operation, a * b, Solver::term(c), sign(d)));
  solve_both_sides(solver, a, less ? -a * b : a * b, c, d);
}

/// The same equation with another letter, or spaces around its signs.
std::string rewrite(const std::string& equation, char letter, bool spaces) {
  std::string text;
  for (const char c : equation) {
    if (c == 'x') {
      text += letter;
    } else if (c == '/') {
      text += "÷";
    } else if (spaces && (c == '+' || c == '-' || c == '=')) {
      text += std::string(" ") + c + " ";
    } else {
      text += c;
    }
  }
  return text;
}

/// Words for ax+b=c.
std::string number_riddle(Task& task, int64_t a, int64_t b, int64_t c) {
  const Values values = {{"a", std::to_string(a)}, {"b", std::to_string(b)}, {"c", std::to_string(c)}};
  static constexpr const char* english[] = {
      "A number times {a} plus {b} is {c}. What is the number?",
      "I think of a number, multiply it by {a} and add {b}. I get {c}. What is my number?",
      "{a} times a number plus {b} equals {c}. Find the number."};
  static constexpr const char* chinese[] = {"一个数的{a}倍加{b}等于{c}，这个数是多少？",
                                            "某数乘{a}再加{b}得{c}，求这个数。",
                                            "我想了一个数，乘以{a}，再加上{b}，得到{c}。这个数是几？"};
  return fill(task.is_chinese() ? task.draw.pick(chinese) : task.draw.pick(english), values);
}

}  // namespace

Problem make_equation(Task& task) {
  Solver solver(task);
  std::string riddle;
  if (task.level == 2 && task.draw.chance(0.25)) {
    const int64_t a = task.draw.between(2, 9), x = task.draw.between(1, 30), b = task.draw.between(1, 60);
    solver.canonical = fmt::format("{}x+{}={}", a, b, a * x + b);
    riddle = number_riddle(task, a, b, a * x + b);
    solver.working().line(solver.canonical);
    solve_two_steps(solver, a, b, a * x + b);
  } else if (task.level == 1) {
    level_1(task, solver);
  } else if (task.level == 2) {
    level_2(task, solver);
  } else if (task.level == 3) {
    level_3(task, solver);
  } else {
    level_4(task, solver);
  }
  Problem problem{"equation", task.level, "solve:" + solver.canonical, {}, {}, {}, {}, task.language};
  char letter = 'x';
  if (riddle.empty()) {
    static constexpr char others[] = {'y', 'z', 'n'};
    if (task.draw.chance(0.3)) letter = task.draw.pick(others);
    const std::string equation = rewrite(solver.shown, letter, task.draw.chance(0.5));
    problem.question = fill(task.is_chinese() ? task.draw.pick(kChinese) : task.draw.pick(kEnglish),
                            {{"q", equation}, {"x", std::string(1, letter)}});
  } else {
    problem.question = riddle;
  }
  problem.think = rewrite(solver.working().text(), letter, false);
  problem.answer = boxed(task.language, std::to_string(solver.solution));
  return problem;
}

}  // namespace r1::tasks
