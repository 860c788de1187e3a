// What people type is read back, by a reader of its own: numbers in all digits and words, signs in all forms, and the
// order that words give to a subtraction.
#include "tasks/wording.h"

#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <optional>
#include <regex>
#include <set>

#include "tasks/corpus.h"
#include "tasks/number_words.h"

namespace r1::tasks {
namespace {

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// ASCII digits and signs for the full-width ones, small letters.
std::string plain(std::string text) {
  for (char c = '!'; c <= '~'; ++c) replace_all(text, full_width(std::string(1, c)), std::string(1, c));
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* minus : {"−", "–"}) replace_all(text, minus, "-");
  for (const char* times : {"×", "·"}) replace_all(text, times, "*");
  replace_all(text, "÷", "/");
  for (const char* word : {"one more", "next one", "simple one"}) replace_all(text, word, "#");
  return std::regex_replace(text, std::regex("(\\d),(\\d\\d\\d)(?!\\d)"), "$1$2");
}

/// Digits for number words, the longest words first.
std::string with_digits(std::string text) {
  static const std::map<size_t, std::map<std::string, int>, std::greater<>> words = [] {
    std::map<size_t, std::map<std::string, int>, std::greater<>> result;
    for (int value = 0; value <= 9999; ++value) {
      for (const char* hyphen : {"-", " "}) {
        for (const bool has_and : {true, false}) {
          const std::string word = english_number(value, hyphen, has_and);
          result[word.size()][word] = value;
        }
      }
    }
    return result;
  }();
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const bool starts_word = at == 0 || std::isalpha(static_cast<unsigned char>(text[at - 1])) == 0;
    bool found = false;
    if (starts_word && std::isalpha(static_cast<unsigned char>(text[at])) != 0) {
      for (const auto& [size, list] : words) {
        const std::string piece = text.substr(at, size);
        const bool ends =
            at + size >= text.size() || std::isalpha(static_cast<unsigned char>(text[at + size])) == 0;
        const auto entry = list.find(piece);
        if (!ends || entry == list.end()) continue;
        result += std::to_string(entry->second);
        at += size;
        found = true;
        break;
      }
    }
    if (!found) result += text[at++];
  }
  // 三百零五: every run of numerals is a number, but for those that are words ("一下", "一共", "一题").
  for (const char* word : {"加在一起", "一下", "一共", "一题"}) replace_all(result, word, "#");
  std::string read, numeral;
  static const std::set<std::string> kNumerals = {"零", "一", "二", "两", "三", "四", "五",
                                                  "六", "七", "八", "九", "十", "百", "千"};
  const auto finish = [&] {
    if (numeral.empty()) return;
    for (int value = 0; value <= 9999; ++value) {
      if (chinese_number(value) != numeral) continue;
      read += std::to_string(value);
      numeral.clear();
      return;
    }
    ADD_FAILURE() << "no number: " << numeral << " in " << text;
  };
  for (size_t at = 0; at < result.size();) {
    const std::string piece = result.substr(at, 3);
    if (kNumerals.contains(piece)) {
      numeral += piece;
      at += 3;
    } else {
      finish();
      read += result[at++];
    }
  }
  finish();
  return read;
}

std::vector<std::string> numbers_of(const std::string& text) {
  std::vector<std::string> found;
  const std::regex number("\\d+");
  for (std::sregex_iterator at(text.begin(), text.end(), number), end; at != end; ++at)
    found.push_back(at->str());
  return found;
}

std::vector<Problem> make(const std::vector<KindWeight>& kinds, int64_t count) {
  CorpusOptions options;
  options.kinds = kinds;
  options.count = count;
  options.history = options.box_instruction = 0;
  std::vector<Problem> problems;
  make_corpus(options, [&](const Problem& problem) { problems.push_back(problem); });
  return problems;
}

TEST(NumberWords, AreWhatPeopleSay) {
  EXPECT_EQ(english_number(34), "thirty-four");
  EXPECT_EQ(english_number(80, " "), "eighty");
  EXPECT_EQ(english_number(205), "two hundred and five");
  EXPECT_EQ(english_number(1999, "-", false), "one thousand nine hundred ninety-nine");
  EXPECT_EQ(chinese_number(10), "十");
  EXPECT_EQ(chinese_number(34), "三十四");
  EXPECT_EQ(chinese_number(110), "一百一十");
  EXPECT_EQ(chinese_number(205), "二百零五");
  EXPECT_EQ(chinese_number(2003), "两千零三");
  EXPECT_EQ(chinese_number(4050), "四千零五十");
  EXPECT_EQ(full_width("34-24"), "３４－２４");
}

TEST(Wording, TheNumbersOfTheQuestionAreThoseOfTheCanonicalForm) {
  for (const Problem& problem :
       make({{"addition", 1}, {"subtraction", 2}, {"multiplication", 1}, {"arithmetic", 1}, {"division", 1}},
            6000)) {
    std::vector<std::string> asked = numbers_of(with_digits(plain(problem.question)));
    std::vector<std::string> meant = numbers_of(problem.canonical);
    std::sort(asked.begin(), asked.end());
    std::sort(meant.begin(), meant.end());
    ASSERT_EQ(asked, meant) << problem.question << "\n" << with_digits(plain(problem.question));
  }
}

TEST(Wording, SignsAndWordsReadBackAsTheSameExpression) {
  int read = 0;  // the rest is said with other words
  for (const Problem& problem :
       make({{"addition", 1}, {"subtraction", 1}, {"arithmetic", 1}, {"multiplication", 1}, {"division", 1}},
            6000)) {
    std::string text = with_digits(plain(problem.question));
    if (problem.canonical.find('%') != std::string::npos) continue;
    for (const char* other : {" less than ", "加多少", "加起来"}) replace_all(text, other, "#");
    for (const char* plus : {"再加上", "再加", "加上", "加", " plus ", " add "}) replace_all(text, plus, "+");
    for (const char* minus :
         {"减去", "减掉", "再减", "减", "扣除", " minus ", " take away ", " less ", " subtract "})
      replace_all(text, minus, "-");
    for (const char* times :
         {"乘以", "乘上", "乘", " times ", " multiplied by ", " multiply ", " multiplied with "})
      replace_all(text, times, "*");
    for (const char* divided : {"除以", " divided by ", " divide by ", " over "})
      replace_all(text, divided, "/");
    text = std::regex_replace(text, std::regex("([\\d)])\\s*x\\s*(?=[\\d(])"), "$1*");
    text = std::regex_replace(text, std::regex("\\s*([-+*/()])\\s*"), "$1");
    static const std::regex expression(R"(\(*\d+\)*([-+*/]\(*\d+\)*)+)");
    std::smatch match;
    if (!std::regex_search(text, match, expression)) continue;
    ++read;
    SCOPED_TRACE(problem.question + "\n" + text);
    ASSERT_NO_THROW(EXPECT_EQ(canonical_form(*parse_expression(match.str())), problem.canonical));
  }
  EXPECT_GT(read, 4000);
}

TEST(Wording, WordsGiveTheOrderOfASubtraction) {
  static const std::regex reversed(
      "from|off|less than|how (much|many) (less|smaller)|more than .* is|add to|what plus|plus "
      "what|加多少|少多少|小多少|少几");
  static const std::regex either("difference|far apart|gap|distance|相差|差多少|差几");
  int turned = 0, symmetric = 0;
  for (const Problem& problem : make({{"subtraction", 1}}, 6000)) {
    std::string text = with_digits(plain(problem.question));
    replace_all(text, "do you get from", "#");
    const std::vector<std::string> asked = numbers_of(text);
    if (asked.size() != 2) continue;
    int64_t a = std::stoll(asked[0]), b = std::stoll(asked[1]);
    if (std::regex_search(text, either)) {
      ++symmetric;
      if (a < b) std::swap(a, b);
    } else if (std::regex_search(text, reversed)) {
      ++turned;
      std::swap(a, b);
    }
    ASSERT_NE(problem.answer.find("{" + std::to_string(a - b) + "}"), std::string::npos)
        << to_json_line(problem);
    ASSERT_EQ(problem.canonical, std::to_string(a) + "-" + std::to_string(b)) << problem.question;
  }
  EXPECT_GT(turned, 100);
  EXPECT_GT(symmetric, 100);
}

TEST(Wording, TheTypographyTellsTheLanguageOfTheAnswer) {
  for (const Problem& problem : make({{"addition", 1}, {"subtraction", 1}, {"arithmetic", 1}}, 6000)) {
    bool has_chinese = false, has_letters = false;
    for (size_t at = 0; at < problem.question.size(); ++at) {
      const auto c = static_cast<unsigned char>(problem.question[at]);
      has_chinese = has_chinese || c >= 0xe3;  // U+3000 and above: no minus, no dash, no ×
      has_letters = has_letters || (std::isalpha(c) != 0 && c != 'x');
    }
    if (has_letters) continue;
    ASSERT_EQ(has_chinese, problem.language == Language::chinese) << problem.question;
  }
}

TEST(Wording, QuestionsAreTypedInManyWays) {
  std::set<std::string> english, chinese;
  for (const Problem& problem : make({{"subtraction", 1}}, 4000)) {
    std::string text = std::regex_replace(with_digits(plain(problem.question)), std::regex("\\d+"), "0");
    (problem.language == Language::chinese ? chinese : english).insert(text);
  }
  EXPECT_GT(english.size(), 1000U);
  EXPECT_GT(chinese.size(), 800U);
}

}  // namespace
}  // namespace r1::tasks
