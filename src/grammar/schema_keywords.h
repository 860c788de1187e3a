// Reading of single keywords of a schema, with their checks.
//
// Source: JSON Schema 2020-12 (Core and Validation), and what drafts 4 to 2019-09 call otherwise.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "grammar/schema_document.h"

namespace r1::grammar {

enum class ValueType { string, number, boolean, null, object, array };
constexpr ValueType kValueTypes[] = {ValueType::string, ValueType::number, ValueType::boolean,
                                     ValueType::null,   ValueType::object, ValueType::array};

ValueType type_of(const Schema& value);
/// 1.0 is an integer too.
bool is_integer(const Schema& value);

/// Which documents "type" lets through.
struct TypeRule {
  bool present = false;
  bool allows[6] = {true, true, true, true, true, true};  // by ValueType
  bool integers_only = false;                             // of the numbers
};

class Keywords {
 public:
  explicit Keywords(const SchemaDocument& document) : document_(&document) {}

  /// Throws Error(unsupported) that names a keyword which changes what is valid and is not supported,
  /// Error(invalid_argument) for malformed ones. Unknown words are annotations (Core 6.5).
  void check(const Schema& schema) const;

  TypeRule type(const Schema& schema) const;
  std::optional<int64_t> count(const Schema& schema, const char* name) const;
  const Schema* number(const Schema& schema, const char* name) const;
  std::optional<std::string> text(const Schema& schema, const char* name) const;
  /// The named part, which must be an object or a list; nullptr: absent.
  const Schema* object(const Schema& schema, const char* name) const;
  const Schema* list(const Schema& schema, const char* name) const;
  std::vector<std::string> names(const Schema& schema, const char* name) const;
  bool flag(const Schema& schema, const char* name) const;

  /// Whether the schema has keywords that concern documents of this type alone.
  bool has_rules_of(const Schema& schema, ValueType type) const;

  /// The items' schemas in one form: leading ones, and the one for the rest (nullptr: absent).
  struct Items {
    std::vector<const Schema*> prefix;
    const Schema* rest = nullptr;
  };
  Items items(const Schema& schema) const;

  [[noreturn]] void malformed(const Schema& schema, const std::string& keyword, std::string_view what) const;
  [[noreturn]] void unsupported(const Schema& schema, const std::string& keyword,
                                std::string_view what) const;

 private:
  const SchemaDocument* document_;
};

}  // namespace r1::grammar
