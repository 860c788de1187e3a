// Texts that cost graders much where they read them carelessly: deep nesting, repeated markers, large numbers.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace r1::grade {

inline std::string repeated(const std::string& text, size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

/// Name and text. The longest have `bytes` bytes.
inline std::vector<std::pair<std::string, std::string>> hostile_texts(size_t bytes) {
  std::vector<std::pair<std::string, std::string>> texts = {
      {"deep brackets", repeated("(", 10'000) + "1" + repeated(")", 10'000)},
      {"deep fractions", repeated("\\frac{1}{", 2'000) + "2" + repeated("}", 2'000)},
      {"deep functions", repeated("\\sin ", 60) + "x"},
      {"deep lists", repeated("[", bytes / 2) + repeated("]", bytes / 2)},
      {"tower of powers", repeated("2^", 60) + "2"},
      {"tower of braces", "9^{9^{9^{9}}}"},
      {"tower of factorials", "9999!^{9999!}"},
      {"power with 10^9 digits", "10^{1000000000}+1"},
      {"exponent of 10^9", "1e1000000000"},
      {"factorials", repeated("5999!", 30)},
      {"polynomial", "(x+1)^{131071}"},
      {"binomials", repeated("\\binom{20000}{10000}", 20)},
      {"signs", repeated("\\pm1", 30)},
      {"sine of a large number", "\\sin(10^{1000000})"},
      {"matrix", "\\begin{pmatrix}" + repeated("1&2\\\\", 2'000) + "\\end{pmatrix}"},
      {"bars", repeated("|", 3'000)},
      {"root", "\\sqrt[64]{2^{100000}}"},
      {"gcd", "\\gcd(2^{60000},3^{40000})"},
      {"set", "\\{" + repeated("1,", 9'000) + "1\\}"},
      {"set of sums", "\\{" + repeated("\\sqrt{2}+x,", 1'500) + "1\\}"},
      {"intervals", repeated("(0,1)\\cup", 1'500) + "(0,1)"},
      {"sums", repeated("x+", 9'000) + "x"},
      {"decimals", repeated("0.1+", 4'000) + "1"},
      {"digits in a limit", repeated("9", 19'000)},
  };
  for (const char* unit : {"{",
                           "}",
                           "(",
                           "\\boxed{",
                           "\\boxed",
                           "answer is ",
                           "answer: ",
                           "answer:a ",
                           "答案",
                           "####",
                           "####A\n",
                           "```",
                           "```\n",
                           "~~~python\n",
                           "<think>",
                           "</think>",
                           "[[",
                           "[[A>B]]",
                           "[[A",
                           "****",
                           "*",
                           "**a",
                           "<<",
                           "a.b.",
                           "A ",
                           "A. ",
                           "p. ",
                           "p.s ",
                           "SECTION ",
                           "[x]",
                           "\n\n",
                           "\n-",
                           "\n* ",
                           "\\",
                           "$",
                           "$$",
                           "9",
                           "9 ",
                           "9,",
                           ".",
                           "...",
                           "TRUE ",
                           "CORRECT",
                           "-",
                           " ",
                           "\t\n",
                           "a",
                           "a ",
                           "A",
                           "\xFF",
                           "é",
                           "中",
                           "中 ",
                           "\"",
                           "'s ",
                           "1=1\n",
                           "=",
                           "a=b=",
                           "(1+",
                           "correct ",
                           "not ",
                           "选A",
                           "|",
                           ",",
                           "the ",
                           "x^",
                           "\\frac",
                           "\\left(",
                           "&",
                           "{\"a\":",
                           "<<<<<<< SEARCH\n",
                           "=======\n"}) {
    const std::string text(unit);
    texts.emplace_back("many '" + text + "'", repeated(text, bytes / text.size()));
  }
  return texts;
}

}  // namespace r1::grade
