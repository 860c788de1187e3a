// Whether one document is valid by a schema: decides which constants beside other rules remain.
#pragma once

#include <map>
#include <set>
#include <string>

#include "grammar/schema_cases.h"
#include "grammar/schema_document.h"
#include "grammar/schema_keywords.h"
#include "grammar/string_rules.h"

namespace r1::grammar {

class SchemaValidator {
 public:
  SchemaValidator(const SchemaDocument& document, const Keywords& keywords, const SchemaCases& cases,
                  StringRules& strings, Budget& budget)
      : document_(&document), keywords_(&keywords), cases_(&cases), strings_(&strings), budget_(&budget) {}

  /// Throws what Keywords::check throws, and Error(unsupported) for unevaluated….
  bool valid(const Schema& value, const Schema& schema, int depth = 0);

 private:
  bool valid_number(const Schema& value, const Schema& schema);
  bool valid_string(const Schema& value, const Schema& schema);
  bool valid_array(const Schema& value, const Schema& schema, int depth);
  bool valid_object(const Schema& value, const Schema& schema, int depth);
  bool among(const Schema& value, const Schema& schema);

  const SchemaDocument* document_;
  const Keywords* keywords_;
  const SchemaCases* cases_;
  StringRules* strings_;
  Budget* budget_;
  std::map<const Schema*, std::set<std::string>> enums_;
};

}  // namespace r1::grammar
