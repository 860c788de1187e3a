// The engine against Jinja2's own answers: the published chat templates of the reference folder and the
// snippets of tests/fixtures/jinja (tools/make_jinja_cases.py).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/shared_folder.h"
#include "text/jinja.h"

namespace {

using nlohmann::ordered_json;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// 26 July 2026, a Sunday.
r1::JinjaOptions fixture_options() {
  r1::JinjaOptions options;
  std::tm now{};
  now.tm_year = 126;
  now.tm_mon = 6;
  now.tm_mday = 26;
  now.tm_wday = 0;
  now.tm_yday = 206;
  options.now = now;
  return options;
}

TEST(JinjaFixtures, PublishedChatTemplates) {
  R1_REQUIRE_SHARED("fixtures/chat-templates");
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared_path("fixtures/chat-templates"))) {
    if (entry.path().extension() != ".jinja") continue;
    const auto parsed = r1::JinjaTemplate::parse(read_file(entry.path()), fixture_options());
    auto lines_path = entry.path();
    std::istringstream lines(read_file(lines_path.replace_extension(".jsonl")));
    for (std::string line; std::getline(lines, line); ++cases) {
      const ordered_json expected = ordered_json::parse(line);
      ordered_json found;
      try {
        found["output"] = parsed.render(expected["input"]);
      } catch (const r1::JinjaError& error) {
        found["error"] = error.type();
      }
      EXPECT_EQ(found.value("output", "(none)"), expected.value("output", "(none)")) << entry.path() << "\n"
                                                                                     << line;
      EXPECT_EQ(found.value("error", "(none)"), expected.value("error", "(none)")) << entry.path() << "\n"
                                                                                   << line;
    }
  }
  EXPECT_GE(cases, 55);
}

TEST(JinjaFixtures, SnippetsAgreeWithJinja2) {
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(R1_TEST_FIXTURES) + "/jinja")) {
    if (entry.path().extension() != ".jsonl") continue;
    std::istringstream lines(read_file(entry.path()));
    for (std::string line; std::getline(lines, line);) {
      const ordered_json expected = ordered_json::parse(line);
      if (!expected.contains("template")) continue;
      ++cases;
      std::string output = "(none)", type = "(none)", message;
      try {
        r1::JinjaOptions options = fixture_options();
        if (expected.contains("options")) {
          options.trim_blocks = expected["options"].value("trim_blocks", true);
          options.lstrip_blocks = expected["options"].value("lstrip_blocks", true);
          options.keep_trailing_newline = expected["options"].value("keep_trailing_newline", false);
        }
        const auto parsed = r1::JinjaTemplate::parse(expected["template"].get<std::string>(), options);
        output = parsed.render(expected.value("context", ordered_json::object()));
      } catch (const r1::JinjaError& error) {
        type = error.type();
        message = error.what();
      }
      EXPECT_EQ(output, expected.value("output", "(none)")) << line << "\n" << message;
      EXPECT_EQ(type, expected.value("error", "(none)")) << line << "\n" << message;
      if (expected.contains("message")) {
        EXPECT_NE(message.find(expected["message"].get<std::string>()), std::string::npos) << line << "\n"
                                                                                           << message;
      }
    }
  }
  EXPECT_GE(cases, 300);
}

}  // namespace
