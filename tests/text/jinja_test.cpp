// Errors, limits and interface of the Jinja engine; jinja_fixtures_test.cpp compares its language with
// Jinja2.
#include "text/jinja.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace r1 {
namespace {

using nlohmann::ordered_json;

std::string render(const std::string& source, const ordered_json& context = ordered_json::object(),
                   const JinjaOptions& options = {}) {
  return JinjaTemplate::parse(source, options).render(context);
}

// "Type@line: message" of what a template raises.
std::string failure(const std::string& source, const ordered_json& context = ordered_json::object(),
                    const JinjaOptions& options = {}) {
  try {
    render(source, context, options);
  } catch (const JinjaError& error) {
    return error.type() + "@" + std::to_string(error.line()) + ": " + error.message();
  }
  return "no error";
}

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Jinja, ErrorsNameTypeLineAndMessage) {
  EXPECT_EQ(failure("a\nb{{ x.y }}"), "UndefinedError@2: 'x' is undefined");
  EXPECT_EQ(failure("\n\n{% if %}"),
            "TemplateSyntaxError@3: Expected an expression, got 'end of statement block'");
  EXPECT_EQ(failure("{{ 1 }}\n{{ raise_exception('two\nlines') }}"), "TemplateError@2: two\nlines");
  EXPECT_EQ(failure("{{ 1|nope }}"), "TemplateAssertionError@1: No filter named 'nope'.");
  EXPECT_EQ(failure("{{ nope() }}"), "UndefinedError@1: 'nope' is undefined");
}

TEST(Jinja, WhatIsOneLine) {
  try {
    render("{{ raise_exception('two\nlines') }}");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "template line 1: TemplateError: two\\nlines");
    EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
  }
}

TEST(Jinja, RefusesByName) {
  for (const std::string tag : {"include 'a'", "extends 'a'", "import 'a' as b", "from 'a' import b"}) {
    try {
      render("{% " + tag + " %}");
      FAIL() << tag;
    } catch (const JinjaError& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported) << tag;
      EXPECT_NE(error.message().find("'" + tag.substr(0, tag.find(' ')) + "'"), std::string::npos)
          << error.message();
    }
  }
  EXPECT_EQ(failure("{{ 'a'|wordwrap }}"), "NotImplementedError@1: the filter 'wordwrap' is not supported");
}

TEST(Jinja, IntegersNeverWrap) {
  EXPECT_EQ(render("{{ 9223372036854775807 }}"), "9223372036854775807");
  for (const std::string sum :
       {"9223372036854775807 + 1", "-9223372036854775807 - 2", "9223372036854775807 * 2", "2 ** 63",
        "-(-9223372036854775807 - 1)", "(-9223372036854775807 - 1) // -1", "9223372036854775808",
        "[9223372036854775807, 1]|sum", "(-9223372036854775807 - 1)|abs"})
    EXPECT_EQ(failure("{{ " + sum + " }}").substr(0, 13), "OverflowError") << sum;
  EXPECT_EQ(failure("{{ '99999999999999999999'|int }}").substr(0, 19), "NotImplementedError");
  EXPECT_EQ(failure("{{ x }}", {{"x", 18446744073709551615u}}).substr(0, 13), "OverflowError");
}

TEST(Jinja, HostileTemplatesEndWithAnError) {
  EXPECT_EQ(failure("{{ " + repeat("(", 5000) + repeat(")", 5000) + " }}").substr(0, 14), "RecursionError");
  EXPECT_EQ(failure("{{ " + repeat("[", 5000) + repeat("]", 5000) + " }}").substr(0, 14), "RecursionError");
  EXPECT_EQ(failure("{{ " + repeat("not ", 50000) + "1 }}").substr(0, 14), "RecursionError");
  EXPECT_EQ(failure("{{ " + repeat("-", 50000) + "1 }}").substr(0, 14), "RecursionError");
  EXPECT_EQ(failure("{{ 1" + repeat(" + 1", 5000) + " }}").substr(0, 14), "RecursionError");
  EXPECT_EQ(failure("{{ x" + repeat(".a", 5000) + " }}").substr(0, 14), "RecursionError");
  EXPECT_EQ(failure("{{ x" + repeat("|upper", 5000) + " }}").substr(0, 14), "RecursionError");
  EXPECT_EQ(failure(repeat("{% if 1 %}", 5000)).substr(0, 14), "RecursionError");
  EXPECT_EQ(failure("{{ 1" + repeat(" if 1 else 1", 5000) + " }}").substr(0, 14), "RecursionError");
  EXPECT_EQ(failure("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").substr(0, 14), "RecursionError");
  EXPECT_EQ(failure("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}").substr(0, 14),
            "RecursionError");
  EXPECT_EQ(failure("{{ 'a' * 10000000000 }}").substr(0, 10), "LimitError");
  EXPECT_EQ(failure("{{ [1] * 10000000000 }}").substr(0, 10), "LimitError");
  EXPECT_EQ(failure("{{ range(10000000000) }}").substr(0, 10), "LimitError");
  EXPECT_EQ(failure("{{ '%1000000000d' % 1 }}").substr(0, 10), "LimitError");
  EXPECT_EQ(failure("{{ 'a'.center(10000000000) }}").substr(0, 10), "LimitError");
  JinjaOptions options;
  options.max_steps = 100000;
  EXPECT_EQ(
      failure("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", {}, options)
          .substr(0, 10),
      "LimitError");
  options.max_output_bytes = 1000;
  EXPECT_EQ(failure("{% for a in range(999) %}aaaa{% endfor %}", {}, options).substr(0, 10), "LimitError");
  // A list that contains itself, and one whose text doubles at each step.
  EXPECT_EQ(failure("{% set l = [] %}{% set _ = l.append(l) %}{{ l }}").substr(0, 14), "RecursionError");
  EXPECT_EQ(failure("{% set l = [] %}{% set _ = l.append(l) %}{{ l|tojson }}").substr(0, 14),
            "RecursionError");
  EXPECT_NE(
      failure(
          "{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}"
          "{{ ns.l }}"),
      "no error");
}

TEST(Jinja, LongTemplatesAreNotDeep) {
  EXPECT_EQ(render(repeat("{{ 1 }}", 5000)).size(), 5000u);
  EXPECT_EQ(render("{% if 0 %}" + repeat("{% elif 0 %}", 3000) + "{% else %}x{% endif %}"), "x");
  EXPECT_EQ(render("{{ 1" + repeat(" ~ 1", 3000) + " }}").size(), 3001u);
}

TEST(Jinja, ContextDepthIsBounded) {
  ordered_json deep = 1;
  for (int i = 0; i < 5000; ++i) {
    ordered_json outer = ordered_json::array();
    outer.push_back(std::move(deep));
    deep = std::move(outer);
  }
  EXPECT_EQ(failure("x", {{"deep", deep}}).substr(0, 14), "RecursionError");
}

TEST(Jinja, BadUtf8IsRefused) {
  EXPECT_EQ(failure("a\xff").substr(0, 19), "TemplateSyntaxError");
  EXPECT_EQ(failure("{{ x }}", {{"x", "a\xff"}}).substr(0, 18), "UnicodeDecodeError");
}

TEST(Jinja, TimeIsInjected) {
  std::tm now{};
  now.tm_year = 100;
  now.tm_mday = 2;
  const auto parsed = JinjaTemplate::parse("{{ strftime_now('%d %b %Y') }}");
  EXPECT_EQ(parsed.render(ordered_json::object(), now), "02 Jan 2000");
  EXPECT_EQ(parsed.render(ordered_json::object()).size(), 11u);
}

TEST(Jinja, Mentions) {
  const auto parsed = JinjaTemplate::parse("{% if tools is defined %}{{ messages[0].content }}{% endif %}");
  EXPECT_TRUE(parsed.mentions("tools"));
  EXPECT_TRUE(parsed.mentions("messages"));
  EXPECT_FALSE(parsed.mentions("content"));
}

TEST(Jinja, OrderOfKeysIsKept) {
  EXPECT_EQ(render("{{ d|tojson }}{{ d }}", ordered_json::parse(R"({"d": {"z": 1, "a": [null, true]}})")),
            R"({"z": 1, "a": [null, true]}{'z': 1, 'a': [None, True]})");
}

}  // namespace
}  // namespace r1
