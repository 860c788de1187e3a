// What a schema allows can be written, and nothing else: random documents are accepted exactly when a plain
// validator, written apart, says that they are valid.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "grammar/schema_grammar.h"
#include "tests/grammar/grammar_testing.h"
#include "tests/grammar/schema_check.h"
#include "tests/grammar/schema_corpus.h"

namespace r1::grammar {
namespace {

using test::Document;

/// Names and constants of a schema, of which documents are made that it may care for.
struct Words {
  std::vector<std::string> names;
  std::vector<Document> values = {
      0,       1,  2,   3,    5,     12,  -3,  -5,   98,   0.5,    1.5,    0.25, true,         false,
      nullptr, "", "a", "ab", "abc", "x", "y", "aé", "xz", "a-12", "ab-1", "k1", "2024-02-29", "2024-02-30"};
  void read(const Document& schema) {
    if (schema.is_array()) {
      for (const Document& part : schema) read(part);
    }
    if (!schema.is_object()) return;
    for (const auto& [key, value] : schema.items()) {
      if (key == "properties") {
        for (const auto& [name, part] : value.items()) add(name), read(part);
      } else if (key == "required") {
        for (const Document& name : value) add(name.get<std::string>());
      } else if (key == "enum") {
        for (const Document& one : value) values.push_back(one);
      } else if (key == "const") {
        values.push_back(value);
      } else {
        read(value);
      }
    }
  }
  void add(const std::string& name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
};

class Maker {
 public:
  Maker(const Words& words, uint64_t seed) : words_(words), seed_(seed) {}

  Document make(int depth) {
    const uint64_t kind = pick(depth >= 3 ? 5 : 9);
    if (kind < 5) return words_.values[pick(words_.values.size())];
    if (kind < 7) {
      Document list = Document::array();
      for (uint64_t i = pick(4); i > 0; --i) list.push_back(make(depth + 1));
      return list;
    }
    Document object = Document::object();
    for (const std::string& name : words_.names) {
      if (pick(3) != 0) object[name] = make(depth + 1);
    }
    for (const char* name : {"zz", "ax", "xb", "k2"}) {
      if (pick(8) == 0 && !object.contains(name)) object[name] = make(depth + 1);
    }
    return object;
  }

 private:
  uint64_t pick(uint64_t count) { return random_bits(seed_, drawn_++) % count; }
  const Words& words_;
  uint64_t seed_;
  uint64_t drawn_ = 0;
};

bool has_object(const Document& value) {
  return value.is_object() || (value.is_array() && std::ranges::any_of(value, has_object));
}

TEST(SchemaDocuments, AreAcceptedExactlyWhenTheyAreValid) {
  int valid_ones = 0, invalid_ones = 0, left_out = 0;
  for (const char* text : kSchemas) {
    const Document schema = Document::parse(text);
    const auto grammar = compile_schema(schema);
    Words words;
    words.read(schema);
    const auto speaks_of = [&](const char* word) {
      return std::string_view(text).find(word) != std::string::npos;
    };
    // Without a rule for them, properties that are not declared are not written (docs/grammar.md); texts that may
    // or may not be of a format are in no branch of a "oneOf".
    const bool closed = speaks_of("properties") && !speaks_of("additionalProperties");
    std::set<std::string> seen;
    for (uint64_t seed = 0; seed < 3000; ++seed) {
      const Document document = Maker(words, seed).make(0);
      const std::string written = document.dump();
      if (!seen.insert(written).second) continue;
      const bool valid = test::is_valid(document, schema, schema);
      const bool accepted = test::machine_accepts(*grammar, written);
      if (accepted) {
        ASSERT_TRUE(valid) << text << "\naccepts " << written;
      }
      (valid ? valid_ones : invalid_ones) += 1;
      if (!valid || accepted) continue;
      ++left_out;
      EXPECT_TRUE((closed && has_object(document)) || speaks_of("format"))
          << text << "\ndoes not accept " << written;
    }
  }
  EXPECT_GT(valid_ones, 2'500);
  EXPECT_GT(invalid_ones, 50'000);
  EXPECT_LT(left_out, valid_ones / 4);
}

}  // namespace
}  // namespace r1::grammar
