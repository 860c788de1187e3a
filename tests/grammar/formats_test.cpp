// Formats of strings, checked by their values.
#include "grammar/formats.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "grammar/schema_grammar.h"
#include "tests/grammar/grammar_testing.h"
#include "tests/grammar/schema_check.h"

namespace r1::grammar {
namespace {

struct FormatCase {
  const char* name;
  std::vector<std::string> yes, no;
};

const std::vector<FormatCase>& cases() {
  static const std::vector<FormatCase> kCases = {
      {"date",
       {"2024-02-29", "2000-02-29", "1999-12-31", "0001-01-01"},
       {"9999-99-99", "2023-02-29", "1900-02-29", "2024-04-31", "2024-00-10", "0000-01-01", "24-01-01",
        "2024-1-1"}},
      {"time",
       {"00:00:00Z", "23:59:59.123+05:30"},
       {"24:00:00Z", "12:60:00Z", "12:00:61Z", "12:00:00", "12:00:00+24:00"}},
      {"date-time",
       {"2024-02-29T12:00:00Z", "1999-12-31T23:59:59.5-08:00"},
       {"2023-02-29T12:00:00Z", "2024-01-01", "2024-01-01T25:00:00Z"}},
      {"duration",
       {"P3W", "P1Y2M3D", "PT1H30M", "P1DT12H", "PT36H"},
       {"P", "PT", "P1Y2W", "1D", "P1D2H", "P2D1Y"}},
      {"uuid",
       {"123e4567-e89b-12d3-a456-426614174000"},
       {"123e4567-e89b-12d3-a456-42661417400", "123e4567e89b12d3a456426614174000"}},
      {"ipv4",
       {"127.0.0.1", "255.255.255.255", "0.0.0.0"},
       {"999.999.999.999", "256.1.1.1", "1.2.3", "01.2.3.4", "1.2.3.4.5"}},
      {"ipv6",
       {"::", "::1", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1",
        "1::", "1:2:3:4:5:6:1.2.3.4"},
       {"1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1::", ":1", "12345::", "1:2:3:4:5:6:7::8", "::256.1.1.1"}},
      {"hostname",
       {"a", "example.com", "xn-a.example", "a.b.c.d.e.f.g.h", std::string(63, 'a') + ".example"},
       {"", "-a", "a-", "a..b", "a_b", std::string(64, 'a'), "a." + std::string(64, 'b')}},
      {"email",
       {"ada@example.com", "a.b+c@mail.example.org"},
       {"ada", "ada@", "@example.com", "a@b", "a b@example.com", ".a@example.com"}},
      {"uri",
       {"https://example.com", "http://user@example.com:8080/a/b?c=d#e", "mailto:ada@example.com",
        "urn:isbn:0451450523", "ftp://1.2.3.4/x"},
       {"example.com", "//example.com", "http://a b", "http://example.com/%zz", "", "1http://x"}},
      {"uri-reference", {"/a/b", "a/b?c", "https://example.com", "//example.com/x"}, {"a b", "\\a", "a%z"}},
      {"url",
       {"https://example.com", "http://a.example.org:80/x?y=z"},
       {"example.com", "https://localhost", "https://a.b?c"}},
      {"json-pointer", {"", "/a/b", "/a~1b/~0"}, {"a", "/a~", "/a~2"}},
      {"relative-json-pointer", {"0", "1/a", "2#"}, {"-1", "01", "a"}},
      {"regex", {"^[a-z]+$", "a{2}\\d", ""}, {"[", "*a", "a**", "(a"}},
      {"byte", {"", "aGVsbG8=", "aGVsbG8h"}, {"a", "a=b=", "aGVsbG8"}},
  };
  return kCases;
}

TEST(Formats, HoldTheirValues) {
  for (const FormatCase& one : cases()) {
    ASSERT_TRUE(knows_format(one.name)) << one.name;
    Budget budget;
    const Automaton narrow = format_automaton(one.name, budget),
                    wide = wide_format_automaton(one.name, budget);
    for (const std::string& text : one.yes) {
      EXPECT_TRUE(narrow.accepts(text)) << one.name << ": " << text;
      EXPECT_TRUE(wide.accepts(text)) << one.name << ": " << text;
    }
    for (const std::string& text : one.no) EXPECT_FALSE(narrow.accepts(text)) << one.name << ": " << text;
    EXPECT_TRUE(difference(narrow, wide, budget).empty()) << one.name;
  }
}

TEST(Formats, WhatIsWrittenIsOfTheFormat) {
  for (const char* name : {"date", "time", "date-time", "uuid", "ipv4", "hostname"}) {
    const auto grammar = compile_schema(Schema{{"type", "string"}, {"format", name}});
    for (uint64_t seed = 0; seed < 30; ++seed) {
      const auto written = Schema::parse(test::write_at_random(grammar, seed, 30));
      EXPECT_TRUE(test::has_format(written.get<std::string>(), name)) << name << ": " << written;
    }
  }
}

// Names of 383 characters were written.
TEST(Formats, NamesOfHostsAreNeverLongerThanDnsHasThem) {
  Budget budget;
  const Automaton names = format_automaton("hostname", budget);
  EXPECT_TRUE(difference(names, text_of_length(1, 253, budget), budget).empty());
  EXPECT_FALSE(difference(names, text_of_length(1, 180, budget), budget).empty());
}

TEST(Formats, UnknownOnesAreAnnotations) {
  EXPECT_FALSE(knows_format("color"));
  const auto grammar = compile_schema(Schema{{"type", "string"}, {"format", "color"}});
  EXPECT_TRUE(test::machine_accepts(*grammar, "\"anything\""));
}

TEST(Formats, PatternsLengthsAndFormatsHoldTogether) {
  // As zod 4 writes them.
  const auto uuid = compile_schema(Schema::parse(
      R"({"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"})"));
  EXPECT_TRUE(test::machine_accepts(*uuid, "\"123e4567-e89b-42d3-a456-426614174000\""));
  EXPECT_FALSE(test::machine_accepts(*uuid, "\"123e4567-e89b-12d3-a456-426614174000\""));
  EXPECT_FALSE(test::machine_accepts(*uuid, "\"123E4567-e89b-42d3-a456-426614174000\""));
  const auto address =
      compile_schema(Schema::parse(R"({"format": "uri", "minLength": 12, "maxLength": 20})"));
  EXPECT_TRUE(test::machine_accepts(*address, "\"http://a.example\""));
  EXPECT_FALSE(test::machine_accepts(*address, "\"http://a.e\""));
  EXPECT_FALSE(test::machine_accepts(*address, "\"http://a.example/much/longer\""));
  const auto word =
      compile_schema(Schema::parse(R"({"type": "string", "pattern": "^x", "minLength": 3, "maxLength": 4})"));
  EXPECT_TRUE(test::machine_accepts(*word, "\"xéé\""));
  EXPECT_FALSE(test::machine_accepts(*word, "\"xé\""));
  EXPECT_FALSE(test::machine_accepts(*word, "\"xéééé\""));
}

}  // namespace
}  // namespace r1::grammar
