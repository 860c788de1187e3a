// Turns schemas into fragments; what schema_grammar.h puts together.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/json_rules.h"
#include "grammar/schema_grammar.h"

namespace r1::grammar {

class SchemaCompiler {
 public:
  explicit SchemaCompiler(GrammarBuilder& builder) : builder_(builder), json_(builder) {}

  /// `name`: what messages call it. References ("#/…") are looked up in `root`, which must live until the
  /// grammar is finished.
  Fragment add_root(const Schema& root, const std::string& name);

 private:
  Fragment add(const Schema& schema, const std::string& path, int depth);
  Fragment add_reference(const Schema& schema, const std::string& path, int depth);
  Fragment add_alternatives(const Schema& schema, const char* keyword, const std::string& path, int depth);
  Fragment add_type(const Schema& schema, const std::string& type, const std::string& path, int depth);
  Fragment add_string(const Schema& schema, const std::string& path);
  Fragment add_number(const Schema& schema, bool integer, const std::string& path);
  Fragment add_array(const Schema& schema, const std::string& path, int depth);
  Fragment add_object(const Schema& schema, const std::string& path, int depth);
  struct ObjectPair {
    RuleId rule;  // "name": value
    bool required;
  };
  Fragment pairs_in_order(const std::vector<ObjectPair>& pairs, std::optional<RuleId> others);
  void check_keywords(const Schema& schema, const std::string& path) const;
  const Schema& resolve(const Schema& schema, const std::string& path) const;
  const Schema& keep(Schema joined, const std::string& path);
  Schema merge(Schema base, const Schema& other, const std::string& path) const;
  bool disjoint(const Schema& a, const Schema& b, const std::string& path, int depth = 0) const;

  GrammarBuilder& builder_;
  JsonRules json_;
  const Schema* root_ = nullptr;
  std::string root_name_;
  std::map<const Schema*, RuleId> references_;   // of the current root
  std::vector<std::unique_ptr<Schema>> joined_;  // addresses of schemas must not change
  size_t joined_bytes_ = 0;                      // of their texts
};

}  // namespace r1::grammar
