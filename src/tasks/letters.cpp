// How often a letter is in a word ("how many r in strawberry"): the word is spelt with a running count.
#include <fmt/format.h>

#include <algorithm>

#include "tasks/problem.h"
#include "tasks/words.h"

namespace r1::tasks {
namespace {

// {c}: the letter, {w}: the word.
constexpr const char* kEnglish[] = {"How many {c} are in {w}?",
                                    "How many {c} are there in {w}?",
                                    "how many {c} in {w}",
                                    "How many times does the letter {l} appear in {w}?",
                                    "Count the {c} in {w}.",
                                    "How often is {l} in {w}?",
                                    "how many letters {l} does {w} have",
                                    "How many {c} does the word {w} contain?",
                                    "What is the number of {c} in {w}?",
                                    "How many {c} can you find in the word {w}?"};
constexpr const char* kChinese[] = {"{w}里有几个{l}？",         "单词{w}中有多少个字母{l}？",
                                    "{w}中有几个{l}",           "{w}这个单词里字母{l}出现了几次？",
                                    "数一数{w}里有多少个{l}。", "请问{w}里面有几个字母{l}？"};
constexpr const char* kLengthEnglish[] = {"How many letters are in {w}?", "how many letters does {w} have",
                                          "How long is the word {w} in letters?",
                                          "Count the letters of {w}."};
constexpr const char* kLengthChinese[] = {"{w}有几个字母？", "单词{w}由多少个字母组成？",
                                          "数一数{w}有多少个字母。"};
constexpr const char* kVowelEnglish[] = {"How many vowels are in {w}?", "Count the vowels in {w}.",
                                         "how many vowels does {w} have"};
constexpr const char* kVowelChinese[] = {"{w}里有几个元音字母？", "数一数单词{w}有多少个元音。"};

std::string draw_word(Draw& draw, int level) {
  static constexpr size_t least[] = {3, 5, 7, 6}, most[] = {6, 8, 13, 14};
  static constexpr int64_t syllables[] = {2, 3, 4, 4};
  if (draw.chance(0.55)) return draw_known_word(draw, least[level - 1], most[level - 1]);
  std::string word = draw_invented_word(draw, 1 + (level > 1 ? 1 : 0), syllables[level - 1]);
  if (draw.chance(0.3)) word += word[word.size() - 1];  // letters that stand twice
  return word;
}

bool is_vowel(char c) {
  return std::string_view("aeiou").find(c) != std::string_view::npos;
}

/// "s", "s's", "'s'", "\"s\"".
std::string plural(Draw& draw, char letter) {
  const int64_t at = draw.between(0, 9);
  if (at < 3 || (at == 7 && is_vowel(letter))) return fmt::format("{}'s", letter);  // no "is", "as"
  if (at < 6) return std::string(1, letter);
  if (at < 7) return fmt::format("'{}'", letter);
  if (at < 8) return fmt::format("{}s", letter);
  return fmt::format("letters {}", letter);
}

}  // namespace

Problem make_letters(Task& task) {
  Draw& draw = task.draw;
  const bool zh = task.is_chinese();
  const std::string word = draw_word(draw, task.level);
  // Of level 4 half ask for the length or the vowels.
  const int64_t asked = task.level == 4 ? draw.between(0, 3) : 2;
  char letter = draw.chance(0.85) ? draw.pick(word) : static_cast<char>('a' + draw.between(0, 25));
  for (size_t i = 1; i < word.size() && draw.chance(0.5); ++i) {
    if (word[i] == word[i - 1] || word.find(word[i]) < i)
      letter = word[i];  // more than once is the harder case
  }
  const auto counts = [&](char c) { return asked == 0 || (asked == 1 ? is_vowel(c) : c == letter); };
  Working working(task.detail);
  working.line(asked == 0   ? (zh ? "字母" : "letters")
               : asked == 1 ? (zh ? "元音a e i o u" : "vowels a e i o u")
                            : std::string(1, letter));
  std::string spelt;
  int64_t count = 0;
  for (const char c : word) {
    count += counts(c) ? 1 : 0;
    fmt::format_to(std::back_inserter(spelt), "{}{}{}", spelt.empty() ? "" : " ", c, count);
  }
  working.line(spelt);
  static constexpr const char* quotes[] = {"{w}", "{w}", "{w}", "\"{w}\"", "'{w}'"};
  static constexpr const char* chinese_quotes[] = {"{w}", "{w}", "“{w}”", "\"{w}\""};
  std::string shown = fill(zh ? draw.pick(chinese_quotes) : draw.pick(quotes), {{"w", word}});
  const std::string_view pattern = asked == 0   ? (zh ? draw.pick(kLengthChinese) : draw.pick(kLengthEnglish))
                                   : asked == 1 ? (zh ? draw.pick(kVowelChinese) : draw.pick(kVowelEnglish))
                                                : (zh ? draw.pick(kChinese) : draw.pick(kEnglish));
  Problem problem{"letters", task.level,     {},
                  {},        working.text(), boxed(task.language, std::to_string(count)),
                  {},        task.language};
  problem.canonical = fmt::format("letters({},{})",
                                  asked == 0   ? "*"
                                  : asked == 1 ? "aeiou"
                                               : std::string(1, letter),
                                  word);
  problem.question =
      fill(pattern, {{"w", shown}, {"c", plural(draw, letter)}, {"l", std::string(1, letter)}});
  return problem;
}

}  // namespace r1::tasks
