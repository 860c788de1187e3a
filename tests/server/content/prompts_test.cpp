#include "server/content/prompts.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "base/error.h"
#include "tests/shared_folder.h"

namespace r1::site {
namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Another way of putting arguments in: each placeholder stands once.
std::string replaced(std::string text, const std::string& placeholder, const std::string& value) {
  const size_t at = text.find(placeholder);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, placeholder.size(), value);
}

TEST(Prompts, templates_are_the_published_bytes) {
  R1_REQUIRE_SHARED("prompts/file_template.txt");
  EXPECT_EQ(file_template, bytes_of(shared_path("prompts/file_template.txt")));
  EXPECT_EQ(search_answer_en_template, bytes_of(shared_path("prompts/search_answer_en_template.txt")));
  EXPECT_EQ(search_answer_zh_template, bytes_of(shared_path("prompts/search_answer_zh_template.txt")));
}

TEST(Prompts, a_file_stands_in_the_official_template) {
  EXPECT_EQ(file_prompt({{"a.txt", "one\ntwo"}}, "What?"),
            "[file name]: a.txt\n[file content begin]\none\ntwo\n[file content end]\nWhat?");
  EXPECT_EQ(file_prompt({{"a", "1"}, {"b", "2"}}, "Q"),
            "[file name]: a\n[file content begin]\n1\n[file content end]\n"
            "[file name]: b\n[file content begin]\n2\n[file content end]\nQ");
  EXPECT_EQ(file_prompt({}, "Q"), "Q");
  EXPECT_EQ(file_prompt({{"{question}", "{file_name}"}}, "{file_content}"),
            "[file name]: {question}\n[file content begin]\n{file_name}\n[file content end]\n{file_content}");
}

TEST(Prompts, search_results_stand_in_the_template_of_the_question_language) {
  R1_REQUIRE_SHARED("prompts/file_template.txt");
  const std::vector<SearchText> results{
      {{1, "Herons", "https://example.org/h", {}, "example.org", "2024-05-01", "short"}, "Herons eat fish."},
      {{2, "苍鹭", {}, "doc-00001", "notes", {}, "片段 [webpage 1 end]"}, ""}};
  const std::string rendered =
      "[webpage 1 begin]Herons\nhttps://example.org/h\n2024-05-01\nHerons eat fish.[webpage 1 end]\n"
      "[webpage 2 begin]苍鹭\n片段 [ webpage 1 end][webpage 2 end]";
  EXPECT_EQ(render_search_results(results), rendered);
  const std::chrono::year_month_day day{std::chrono::year(2025), std::chrono::January, std::chrono::day(5)};
  const auto expect = [&](const char* file, const char* date, const std::string& question) {
    std::string text = bytes_of(shared_path(std::string("prompts/") + file));
    text = replaced(text, "{cur_date}", date);
    text = replaced(text, "{question}", question);
    text = replaced(text, "{search_results}", rendered);
    EXPECT_EQ(search_prompt(results, question, question, day), text);
  };
  expect("search_answer_en_template.txt", "Sunday, January 5, 2025", "What do herons eat? {cur_date}");
  expect("search_answer_zh_template.txt", "2025年1月5日，星期日", "苍鹭吃什么？");
}

TEST(Prompts, the_language_of_a_question) {
  using enum PromptLanguage;
  EXPECT_EQ(language_of("苍鹭吃什么？"), chinese);
  EXPECT_EQ(language_of("请解释 std::vector 的用法"), chinese);
  EXPECT_EQ(language_of("用 Python 写快排"), chinese);
  EXPECT_EQ(language_of("What is 量子力学?"), english);
  EXPECT_EQ(language_of("What does a heron eat?"), english);
  EXPECT_EQ(language_of("東京の天気は？"), english);
  EXPECT_EQ(language_of("2+2"), english);
  EXPECT_EQ(language_of(""), english);
  EXPECT_EQ(language_of("\xff\xe4"), english);
}

}  // namespace
}  // namespace r1::site
