// A schema as it was given: references, embedded resources, and where each part is, for messages.
//
// Source: JSON Schema Core 2020-12, sections 8 and 9; RFC 6901 (pointers), with the older "id" and "definitions".
#pragma once

#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

#include "grammar/budget.h"

namespace r1::grammar {

using Schema = nlohmann::ordered_json;

class SchemaDocument {
 public:
  /// `root` must live as long as the document; `name`: what messages call it.
  SchemaDocument(const Schema& root, std::string name, Budget& budget);

  const Schema& root() const { return *root_; }
  /// "schema.properties.a"; of a schema that was made, that of what it was made from.
  std::string path(const Schema& part) const;
  /// What "$ref" of this part refers to. Throws Error(unsupported) for what is not in the document,
  /// Error(invalid_argument) for what is not there.
  const Schema& resolve(const Schema& part) const;
  /// Keeps a schema that was made from `origin`.
  const Schema& keep(Schema made, const Schema& origin);

 private:
  struct Resource {
    std::string base;  // its URI, without a fragment
    const Schema* root;
    std::map<std::string, const Schema*, std::less<>> anchors{};
  };
  struct Place {
    const Schema* parent;
    std::string key;
    int32_t resource;
  };
  void scan(Budget& budget);
  const Schema* at_pointer(const Schema& from, std::string_view pointer) const;

  const Schema* root_;
  std::string name_;
  std::deque<Resource> resources_;
  std::map<std::string, int32_t, std::less<>> resource_of_uri_;
  std::unordered_map<const Schema*, Place> places_;
  std::deque<Schema> made_;
};

}  // namespace r1::grammar
